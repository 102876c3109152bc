/* SPDX-License-Identifier: Apache-2.0 */
/* profile copy, and the profiles of an instance. */
#include "tests/unit/cli/server_world.h"

#define GET "GET /1.0/profiles/a"
#define A \
	SAYS(GET, "{\"name\":\"a\",\"config\":{\"x\":\"1\"},\"description\":\"d\",\"used_by\":[]}")
#define FIELDS "\"config\":{\"x\":\"1\"},\"description\":\"d\""

static const struct dialogue copies_cases[] = {
	{ "profile copy a b",
	  NULL,
	  { A, DONE("POST /1.0/profiles") },
	  "",
	  GET "\nPOST /1.0/profiles {" FIELDS ",\"name\":\"b\"}\n" },
	{ "profile copy a b",
	  NULL,
	  { A, FAILS("POST /1.0/profiles", "profile b exists already", 409) },
	  "Error: profile b exists already\n",
	  NULL },
	/* what is there is overwritten, what is not is made */
	{ "profile copy a b --refresh",
	  NULL,
	  { A, DONE("PUT /1.0/profiles/b") },
	  "",
	  GET "\nPUT /1.0/profiles/b {" FIELDS "}\n" },
	{ "profile copy a b --refresh",
	  NULL,
	  { A, DONE("POST /1.0/profiles") },
	  "",
	  GET "\nPUT /1.0/profiles/b {" FIELDS "}\nPOST /1.0/profiles {" FIELDS
	      ",\"name\":\"b\"}\n" },
	{ "profile copy a b --refresh",
	  NULL,
	  { A, FAILS("PUT /1.0/profiles/b", "no leader", 503) },
	  "Error: no leader\n",
	  GET "\nPUT /1.0/profiles/b {" FIELDS "}\n" },
	{ "profile copy none b", NULL, { NOTHING }, "Error: profile \"none\": Not Found\n", NULL },
	{ "profile copy a far:b",
	  NULL,
	  { NOTHING },
	  "Error: no remote named \"far\" (see dunlin remote list)\n",
	  "" },
};

static void copies(void **state)
{
	world_check(*state, copies_cases, ARRAY_SIZE(copies_cases));
}

#define GET_C1 "GET /1.0/instances/c1"
#define PUT_C1 "PUT /1.0/instances/c1"
#define C1 SAYS(GET_C1, "{\"name\":\"c1\",\"profiles\":[\"default\",\"web\"]}")

static const struct dialogue changes_cases[] = {
	{ "profile add c1 db",
	  NULL,
	  { C1, DONE(PUT_C1) },
	  "Profile db added to c1\n",
	  GET_C1 "\n" PUT_C1 " {\"profiles\":[\"default\",\"web\",\"db\"]}\n" },
	{ "profile add c1 web",
	  NULL,
	  { C1 },
	  "Error: instance \"c1\" has the profile \"web\" already\n",
	  GET_C1 "\n" },
	{ "profile remove c1 default",
	  NULL,
	  { C1, DONE(PUT_C1) },
	  "Profile default removed from c1\n",
	  GET_C1 "\n" PUT_C1 " {\"profiles\":[\"web\"]}\n" },
	{ "profile remove c1 db",
	  NULL,
	  { C1 },
	  "Error: instance \"c1\" does not have the profile \"db\"\n",
	  GET_C1 "\n" },
	{ "profile assign c1 x,y",
	  NULL,
	  { C1, DONE(PUT_C1) },
	  "Profiles x,y applied to c1\n",
	  GET_C1 "\n" PUT_C1 " {\"profiles\":[\"x\",\"y\"]}\n" },
	{ "profile assign c1 ,",
	  NULL,
	  { C1, DONE(PUT_C1) },
	  "All profiles removed from c1\n",
	  GET_C1 "\n" PUT_C1 " {\"profiles\":[]}\n" },
	{ "profile add c1 db",
	  NULL,
	  { SAYS(GET_C1, "{\"name\":\"c1\"}"), DONE(PUT_C1) },
	  "Profile db added to c1\n",
	  GET_C1 "\n" PUT_C1 " {\"profiles\":[\"db\"]}\n" },
	{ "profile add local: db",
	  NULL,
	  { NOTHING },
	  "Error: the name of the instance is missing\n",
	  "" },
};

static void changes_those_of_an_instance(void **state)
{
	world_check(*state, changes_cases, ARRAY_SIZE(changes_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(changes_those_of_an_instance),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
