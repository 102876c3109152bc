/* SPDX-License-Identifier: Apache-2.0 */
/* storage create, show, info; storage volume info. */
#include "tests/unit/cli/server_world.h"

#define POOL "GET /1.0/storage-pools/p"
#define RESOURCES POOL "/resources"
#define SPACE "{\"space\":{\"used\":1048576,\"total\":3221225472}}"
#define VOLUME "GET /1.0/storage-pools/p/volumes/container/c1"

static const struct dialogue creates_cases[] = {
	{ "storage create p dir source=/srv size=5GiB",
	  NULL,
	  { DONE("POST /1.0/storage-pools") },
	  "Storage pool p created\n",
	  "POST /1.0/storage-pools {\"name\":\"p\",\"driver\":\"dir\","
	  "\"config\":{\"source\":\"/srv\",\"size\":\"5GiB\"}}\n" },
	{ "storage create p dir --description words --target m2",
	  NULL,
	  { DONE("POST /1.0/storage-pools?target=m2") },
	  "Storage pool p pending on member m2\n",
	  "POST /1.0/storage-pools?target=m2 {\"name\":\"p\",\"driver\":\"dir\","
	  "\"description\":\"words\",\"config\":{}}\n" },
	{ "storage create p dir source",
	  NULL,
	  { NOTHING },
	  "Error: \"source\" is not of the form KEY=VALUE\n",
	  "" },
	{ "storage create p zfs",
	  NULL,
	  { FAILS("POST /1.0/storage-pools", "driver zfs: only dir", 400) },
	  "Error: driver zfs: only dir\n",
	  NULL },
};

static void creates(void **state)
{
	world_check(*state, creates_cases, ARRAY_SIZE(creates_cases));
}

static const struct dialogue tells_cases[] = {
	{ "storage show p", NULL, { SAYS(POOL, "{\"name\":\"p\"}") }, "name: p\n", NULL },
	{ "storage show p --resources",
	  NULL,
	  { SAYS(RESOURCES, "{\"space\":{\"used\":7}}") },
	  "space:\n  used: 7\n",
	  RESOURCES "\n" },
	{ "storage show p --resources --target m2",
	  NULL,
	  { SAYS(RESOURCES "?target=m2", "{}") },
	  "{}\n",
	  NULL },
	{ "storage show none --resources",
	  NULL,
	  { NOTHING },
	  "Error: storage pool \"none\": Not Found\n",
	  NULL },
	{ "storage info p",
	  NULL,
	  { SAYS(POOL, "{\"name\":\"p\",\"description\":\"fast\",\"driver\":\"dir\",\"used_by\":["
		       "\"/1.0/instances/c1\",\"/1.0/profiles/default\",\"/1.0/instances/c2\","
		       "\"elsewhere\",7]}"),
	    SAYS(RESOURCES, SPACE) },
	  "info:\n  description: fast\n  driver: dir\n  name: p\n  space used: 1.00MiB\n"
	  "  total space: 3.00GiB\nused by:\n  instances:\n  - c1\n  - c2\n  profiles:\n"
	  "  - default\n",
	  POOL "\n" RESOURCES "\n" },
	{ "storage info p --bytes",
	  NULL,
	  { SAYS(POOL, "{\"driver\":\"dir\"}"), SAYS(RESOURCES, SPACE) },
	  "info:\n  description: \"\"\n  driver: dir\n  name: p\n  space used: \"1048576\"\n"
	  "  total space: \"3221225472\"\nused by: {}\n",
	  NULL },
	{ "storage info p",
	  NULL,
	  { SAYS(POOL, "{}"), FAILS(RESOURCES, "the disk is gone", 500) },
	  "Error: the disk is gone\n",
	  NULL },
	{ "storage info none",
	  NULL,
	  { NOTHING },
	  "Error: storage pool \"none\": Not Found\n",
	  NULL },
};

static void tells(void **state)
{
	world_check(*state, tells_cases, ARRAY_SIZE(tells_cases));
}

#define C1                                                                                      \
	SAYS(VOLUME, "{\"name\":\"c1\",\"type\":\"container\",\"content_type\":\"filesystem\"," \
		     "\"location\":\"m1\"}")
#define HEAD "name: c1\ntype: container\ncontent type: filesystem\nlocation: m1\n"

static const struct dialogue of_volumes_cases[] = {
	{ "storage volume info p c1",
	  NULL,
	  { C1, SAYS(VOLUME "/state", "{\"usage\":{\"used\":2097152}}") },
	  HEAD "usage: 2.00MiB\n",
	  VOLUME "\n" VOLUME "/state\n" },
	{ "storage volume info p container/c1 --bytes",
	  NULL,
	  { C1, SAYS(VOLUME "/state", "{\"usage\":{\"used\":2097152}}") },
	  HEAD "usage: \"2097152\"\n",
	  NULL },
	{ "storage volume info p c1",
	  NULL,
	  { C1, SAYS(VOLUME "/state", "{\"usage\":null}") },
	  HEAD "usage: 'not known: it has too many files to be counted'\n",
	  NULL },
	{ "storage volume info p c9",
	  NULL,
	  { NOTHING },
	  "Error: storage volume \"container/c9\": Not Found\n",
	  NULL },
};

static void tells_of_volumes(void **state)
{
	world_check(*state, of_volumes_cases, ARRAY_SIZE(of_volumes_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creates),
		cmocka_unit_test(tells),
		cmocka_unit_test(tells_of_volumes),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
