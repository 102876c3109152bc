/* SPDX-License-Identifier: Apache-2.0 */
/* show, get, set, unset, edit, delete and rename, of every kind that has something special. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/cli/server_world.h"

#define PROFILE                                                                           \
	"{\"name\":\"web\",\"description\":\"old\",\"config\":{\"b\":\"2\",\"a\":\"1\"}," \
	"\"devices\":{},\"used_by\":[]}"
#define FINGERPRINT "abcd000000000000000000000000000000000000000000000000000000000000"

#define C1 SAYS("GET /1.0/instances/c1", "{\"name\":\"c1\",\"profiles\":[\"default\"]}")

static void shows_and_gets(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile show web",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "name: web\ndescription: old\nconfig:\n  a: \"1\"\n  b: \"2\"\n"
		  "devices: {}\nused_by: []\n",
		  "GET /1.0/profiles/web\n" },
		{ "profile show local:web",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "name: web\ndescription: old\nconfig:\n  a: \"1\"\n  b: \"2\"\n"
		  "devices: {}\nused_by: []\n",
		  NULL },
		{ "profile get web a",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "1\n",
		  NULL },
		{ "profile get web none",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "\n",
		  NULL },
		{ "profile get web description --property",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "old\n",
		  NULL },
		{ "profile get web used_by --property",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "[]\n",
		  NULL },
		{ "profile show none",
		  NULL,
		  { NOTHING },
		  "Error: profile \"none\": Not Found\n",
		  NULL },
		{ "profile show none",
		  NULL,
		  { FAILS("GET /1.0/profiles/none", "no profile none here", 404) },
		  "Error: no profile none here\n",
		  NULL },
		{ "profile show local:",
		  NULL,
		  { NOTHING },
		  "Error: the name of the profile is missing\n",
		  "" },
		{ "profile show far:web",
		  NULL,
		  { NOTHING },
		  "Error: no remote named \"far\" (see dunlin remote list)\n",
		  "" },
		{ "network show net --target m2",
		  NULL,
		  { SAYS("GET /1.0/networks/net?target=m2", "{\"name\":\"net\"}") },
		  "name: net\n",
		  NULL },
		{ "cluster show m1",
		  NULL,
		  { SAYS("GET /1.0/cluster/members/m1", "{\"server_name\":\"m1\"}") },
		  "server_name: m1\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void shows_instances_and_servers(void **state)
{
	static const struct dialogue cases[] = {
		{ "config show",
		  NULL,
		  { SAYS("GET /1.0", "{\"config\":{\"core.x\":\"1\"},\"auth\":\"trusted\"}") },
		  "config:\n  core.x: \"1\"\n",
		  "GET /1.0\n" },
		{ "config get core.x",
		  NULL,
		  { SAYS("GET /1.0", "{\"config\":{\"core.x\":\"1\"}}") },
		  "1\n",
		  "GET /1.0\n" },
		{ "config get local: core.x",
		  NULL,
		  { SAYS("GET /1.0", "{\"config\":{\"core.x\":\"1\"}}") },
		  "1\n",
		  "GET /1.0\n" },
		{ "config get c1 user.x",
		  NULL,
		  { SAYS("GET /1.0/instances/c1", "{\"config\":{\"user.x\":\"v\"}}") },
		  "v\n",
		  NULL },
		{ "config get c1",
		  NULL,
		  { NOTHING },
		  "Error: the key is missing. Usage: dunlin config get [REMOTE:][INSTANCE] KEY\n",
		  "" },
		{ "config show c1 --expanded",
		  NULL,
		  { SAYS("GET /1.0/instances/c1",
			 "{\"config\":{},\"expanded_config\":{\"p\":\"1\"},\"devices\":{},"
			 "\"expanded_devices\":{\"eth0\":{\"type\":\"nic\"}}}") },
		  "config:\n  p: \"1\"\ndevices:\n  eth0:\n    type: nic\n",
		  NULL },
		{ "operation show 12-34",
		  NULL,
		  { SAYS("GET /1.0/operations/12-34", "{\"id\":\"12-34\"}") },
		  "id: 12-34\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void finds_what_is_meant(void **state)
{
	static const struct dialogue cases[] = {
		{ "image show web",
		  NULL,
		  { SAYS("GET /1.0/images/aliases/web", "{\"target\":\"" FINGERPRINT "\"}"),
		    SAYS("GET /1.0/images/" FINGERPRINT, "{\"public\":true,\"size\":3}") },
		  "public: true\n",
		  NULL },
		{ "image show abcd",
		  NULL,
		  { SAYS("GET /1.0/images/abcd", "{\"fingerprint\":\"" FINGERPRINT "\"}"),
		    SAYS("GET /1.0/images/" FINGERPRINT, "{\"public\":false}") },
		  "public: false\n",
		  NULL },
		{ "image show none",
		  NULL,
		  { SAYS("GET /1.0/storage-pools", "[\"/1.0/storage-pools/a\"]") },
		  "Error: no image has the alias or fingerprint \"none\" (see dunlin image list)\n",
		  NULL },
		{ "image show none",
		  NULL,
		  { SAYS("GET /1.0/storage-pools", "[]") },
		  "Error: no image has the alias or fingerprint \"none\" (this host was not set "
		  "up: run \"dunlind init\" on it, then import one)\n",
		  NULL },
		{ "config trust show ab",
		  NULL,
		  { SAYS("GET /1.0/certificates?recursion=1",
			 "[{\"fingerprint\":\"abcd\"},{\"fingerprint\":\"ffff\"}]"),
		    SAYS("GET /1.0/certificates/abcd", "{\"name\":\"me\"}") },
		  "name: me\n",
		  NULL },
		{ "config trust show a",
		  NULL,
		  { SAYS("GET /1.0/certificates?recursion=1",
			 "[{\"fingerprint\":\"ab\"},{\"fingerprint\":\"ac\"}]") },
		  "Error: several certificates begin with \"a\"\n",
		  NULL },
		{ "config trust show 9",
		  NULL,
		  { SAYS("GET /1.0/certificates?recursion=1", "[]") },
		  "Error: no certificate has the fingerprint \"9\"\n",
		  NULL },
		{ "storage volume show default c1",
		  NULL,
		  { SAYS("GET /1.0/storage-pools/default/volumes/container/c1",
			 "{\"name\":\"c1\"}") },
		  "name: c1\n",
		  NULL },
		{ "storage volume get default container/c1 user.x",
		  NULL,
		  { SAYS("GET /1.0/storage-pools/default/volumes/container/c1",
			 "{\"config\":{\"user.x\":\"y\"}}") },
		  "y\n",
		  NULL },
		{ "storage volume show default /c1",
		  NULL,
		  { NOTHING },
		  "Error: name the pool and the volume: POOL [TYPE/]VOLUME\n",
		  "" },
		{ "storage volume show default container/",
		  NULL,
		  { NOTHING },
		  "Error: name the pool and the volume: POOL [TYPE/]VOLUME\n",
		  "" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void sets_and_unsets(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile set web a=9 c=x=y",
		  NULL,
		  { TAGGED("GET /1.0/profiles/web", PROFILE, "\"e1\""),
		    DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web \"e1\" {\"config\":{\"b\":\"2\","
		  "\"a\":\"9\",\"c\":\"x=y\"},\"description\":\"old\",\"devices\":{}}\n" },
		{ "profile set web a 9",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE), DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web {\"config\":{\"b\":\"2\","
		  "\"a\":\"9\"},\"description\":\"old\",\"devices\":{}}\n" },
		{ "profile set web a=-",
		  "from stdin",
		  { SAYS("GET /1.0/profiles/web", PROFILE), DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web {\"config\":{\"b\":\"2\","
		  "\"a\":\"from stdin\"},\"description\":\"old\",\"devices\":{}}\n" },
		{ "profile unset web a b",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE), DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web {\"config\":{},"
		  "\"description\":\"old\",\"devices\":{}}\n" },
		{ "profile set web description=new --property",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE), DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web {\"config\":{\"b\":\"2\","
		  "\"a\":\"1\"},\"description\":\"new\",\"devices\":{}}\n" },
		{ "profile set web a",
		  NULL,
		  { NOTHING },
		  "Error: \"a\" is not of the form KEY=VALUE\n",
		  "" },
		{ "profile set web =x",
		  NULL,
		  { NOTHING },
		  "Error: \"=x\" is not of the form KEY=VALUE\n",
		  "" },
		{ "profile set web nothing=1 --property",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "Error: there is no property \"nothing\"\n",
		  "GET /1.0/profiles/web\n" },
		{ "profile set web used_by=1 --property",
		  NULL,
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "Error: property \"used_by\" cannot be set here: use edit\n",
		  NULL },
		{ "config set core.x=2",
		  NULL,
		  { SAYS("GET /1.0", "{\"config\":{\"core.y\":\"1\"}}"), DONE("PUT /1.0") },
		  "",
		  "GET /1.0\nPUT /1.0 {\"config\":{\"core.y\":\"1\",\"core.x\":\"2\"}}\n" },
		{ "image set-property abcd os=x",
		  NULL,
		  { SAYS("GET /1.0/images/abcd", "{\"fingerprint\":\"abcd\",\"properties\":{}}"),
		    DONE("PUT /1.0/images/abcd") },
		  "",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static int lines_of(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void tries_again_when_it_changed_meanwhile(void **state)
{
	struct world *w = *state;

	WORLD_ANSWER(w, ONCE("GET /1.0/profiles/web", PROFILE, 200),
		     TAGGED("GET /1.0/profiles/web", "{\"config\":{\"z\":\"0\"}}", "\"e2\""),
		     ONCE("PUT /1.0/profiles/web", "changed", 412),
		     SAYS("PUT /1.0/profiles/web", "{}"));
	assert_string_equal(world_says(w, "profile set web a=9"), "");
	assert_non_null(strstr(world_asked(w), "PUT /1.0/profiles/web \"e2\" "
					       "{\"config\":{\"z\":\"0\",\"a\":\"9\"}}\n"));
	WORLD_ANSWER(w, SAYS("GET /1.0/profiles/web", PROFILE),
		     FAILS("PUT /1.0/profiles/web", "it changed", 412));
	assert_string_equal(world_says(w, "profile set web a=9"), "Error: it changed\n");
	assert_int_equal(lines_of(world_asked(w)), 10);
}

static void edits_what_stdin_says(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile edit web",
		  "description: new\nconfig:\n  n: 5\n  on: true\n",
		  { TAGGED("GET /1.0/profiles/web", PROFILE, "\"e\""),
		    DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web \"e\" "
		  "{\"config\":{\"n\":\"5\",\"on\":\"true\"},\"description\":\"new\"}\n" },
		{ "profile edit web",
		  "name: other\ndescription: new\n",
		  { SAYS("GET /1.0/profiles/web", PROFILE), DONE("PUT /1.0/profiles/web") },
		  "",
		  "GET /1.0/profiles/web\nPUT /1.0/profiles/web {\"description\":\"new\"}\n" },
		{ "profile edit web",
		  "descriptoin: new\n",
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "Error: profile: unknown field \"descriptoin\"\n",
		  "GET /1.0/profiles/web\n" },
		{ "profile edit web",
		  "- a\n",
		  { SAYS("GET /1.0/profiles/web", PROFILE) },
		  "Error: profile: must be a YAML mapping\n",
		  NULL },
		{ "profile edit web",
		  "description: refused\n",
		  { SAYS("GET /1.0/profiles/web", PROFILE),
		    FAILS("PUT /1.0/profiles/web", "not so", 400) },
		  "Error: not so\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void deletes_and_renames(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile delete web db",
		  NULL,
		  { DONE("DELETE /1.0/profiles/web"), DONE("DELETE /1.0/profiles/db") },
		  "Profile web deleted\nProfile db deleted\n",
		  "DELETE /1.0/profiles/web\nDELETE /1.0/profiles/db\n" },
		{ "profile delete web db -q",
		  NULL,
		  { DONE("DELETE /1.0/profiles/web"), DONE("DELETE /1.0/profiles/db") },
		  "",
		  NULL },
		{ "storage delete none",
		  NULL,
		  { NOTHING },
		  "Error: storage pool \"none\": Not Found\n",
		  NULL },
		{ "storage delete used",
		  NULL,
		  { FAILS("DELETE /1.0/storage-pools/used", "pool used is in use", 400) },
		  "Error: pool used is in use\n",
		  NULL },
		{ "network rename a b",
		  NULL,
		  { DONE("POST /1.0/networks/a") },
		  "Renamed network a to b\n",
		  "POST /1.0/networks/a {\"name\":\"b\"}\n" },
		{ "cluster rename m1 m2",
		  NULL,
		  { DONE("POST /1.0/cluster/members/m1") },
		  "Renamed cluster member m1 to m2\n",
		  "POST /1.0/cluster/members/m1 {\"server_name\":\"m2\"}\n" },
		{ "profile delete we/b",
		  NULL,
		  { DONE("DELETE /1.0/profiles/we%2Fb") },
		  "Profile we/b deleted\n",
		  NULL },
		{ "profile delete web --project p",
		  NULL,
		  { DONE("DELETE /1.0/profiles/web?project=p") },
		  "Profile web deleted\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void changes_profiles_of_instances(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile add c1 web",
		  NULL,
		  { C1, DONE("PUT /1.0/instances/c1") },
		  "Profile web added to c1\n",
		  "GET /1.0/instances/c1\nPUT /1.0/instances/c1 "
		  "{\"profiles\":[\"default\",\"web\"]}\n" },
		{ "profile add c1 default",
		  NULL,
		  { C1 },
		  "Error: instance \"c1\" has the profile \"default\" already\n",
		  NULL },
		{ "profile remove c1 default",
		  NULL,
		  { C1, DONE("PUT /1.0/instances/c1") },
		  "Profile default removed from c1\n",
		  "GET /1.0/instances/c1\nPUT /1.0/instances/c1 {\"profiles\":[]}\n" },
		{ "profile remove c1 web",
		  NULL,
		  { C1 },
		  "Error: instance \"c1\" does not have the profile \"web\"\n",
		  NULL },
		{ "profile assign c1 a,b",
		  NULL,
		  { C1, DONE("PUT /1.0/instances/c1") },
		  "Profiles a,b applied to c1\n",
		  "GET /1.0/instances/c1\nPUT /1.0/instances/c1 {\"profiles\":[\"a\",\"b\"]}\n" },
		{ "profile assign c1 ,",
		  NULL,
		  { C1, DONE("PUT /1.0/instances/c1") },
		  "All profiles removed from c1\n",
		  NULL },
		{ "profile add local: web",
		  NULL,
		  { NOTHING },
		  "Error: the name of the instance is missing\n",
		  "" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_and_gets),
		cmocka_unit_test(shows_instances_and_servers),
		cmocka_unit_test(finds_what_is_meant),
		cmocka_unit_test(sets_and_unsets),
		cmocka_unit_test(tries_again_when_it_changed_meanwhile),
		cmocka_unit_test(edits_what_stdin_says),
		cmocka_unit_test(deletes_and_renames),
		cmocka_unit_test(changes_profiles_of_instances),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
