/* SPDX-License-Identifier: Apache-2.0 */
/* What lists ask for, and what is done with what is listed. */
#include "tests/unit/cli/server_world.h"

#define TOKENS                                                                          \
	"{\"running\":[{\"id\":\"t1\",\"class\":\"token\",\"status_code\":103,"         \
	"\"metadata\":{\"serverName\":\"m5\",\"expiresAt\":\"2026-11-25T11:30:00Z\"}}," \
	"{\"id\":\"t2\",\"class\":\"token\",\"status_code\":103,\"metadata\":"          \
	"{\"request\":{\"name\":\"laptop\"},\"expires_at\":\"0001-01-01T00:00:00Z\"}}," \
	"{\"id\":\"t3\",\"class\":\"task\",\"status_code\":103}],"                      \
	"\"success\":[{\"id\":\"t4\",\"class\":\"token\",\"status_code\":200,"          \
	"\"metadata\":{\"serverName\":\"old\"}}]}"

static void asks_for_lists(void **state)
{
	static const struct dialogue cases[] = {
		{ "profile list -f csv",
		  NULL,
		  { SAYS("GET /1.0/profiles?recursion=1",
			 "[{\"name\":\"a\",\"used_by\":[\"x\"]}]") },
		  "a,,1\n",
		  "GET /1.0/profiles?recursion=1\n" },
		{ "profile list -f json",
		  NULL,
		  { SAYS("GET /1.0/profiles?recursion=1", "[{\"name\":\"b\"},{\"name\":\"a\"}]") },
		  "[{\"name\":\"b\"},{\"name\":\"a\"}]\n",
		  NULL },
		{ "profile list -f yaml",
		  NULL,
		  { SAYS("GET /1.0/profiles?recursion=1", "[{\"name\":\"b\"}]") },
		  "- name: b\n",
		  NULL },
		{ "profile list -f compact",
		  NULL,
		  { SAYS("GET /1.0/profiles?recursion=1", "[{\"name\":\"b\"}]") },
		  "  NAME  DESCRIPTION  USED BY\n  b                  0\n",
		  NULL },
		{ "profile list -f xml",
		  NULL,
		  { NOTHING },
		  "Error: unknown format \"xml\": table, compact, csv, json or yaml\n",
		  "" },
		{ "profile list web",
		  NULL,
		  { NOTHING },
		  "Error: \"web\" is no remote: write \"web:\"\n",
		  "" },
		{ "profile list far:",
		  NULL,
		  { NOTHING },
		  "Error: no remote named \"far\" (see dunlin remote list)\n",
		  "" },
		{ "profile list",
		  NULL,
		  { FAILS("GET /1.0/profiles?recursion=1", "broken", 500) },
		  "Error: broken\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void asks_for_special_lists(void **state)
{
	static const struct dialogue cases[] = {
		{ "cluster list",
		  NULL,
		  { SAYS("GET /1.0/cluster", "{\"enabled\":false}") },
		  "Error: this server is not part of a cluster (\"dunlin cluster enable NAME\" "
		  "starts one)\n",
		  "GET /1.0/cluster\n" },
		{ "operation list -f csv --all-projects",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1&all-projects=true",
			 "{\"running\":[{\"id\":\"2\"}],\"failure\":[{\"id\":\"1\"}]}") },
		  "1,,,,NO,\n2,,,,NO,\n",
		  NULL },
		{ "network list-leases net -f csv",
		  NULL,
		  { SAYS("GET /1.0/networks/net/leases", "[{\"hostname\":\"h\"}]") },
		  "h,,,\n",
		  NULL },
		{ "network list-leases none",
		  NULL,
		  { NOTHING },
		  "Error: network \"none\": Not Found\n",
		  NULL },
		{ "storage volume list none",
		  NULL,
		  { NOTHING },
		  "Error: storage pool \"none\": Not Found\n",
		  NULL },
		{ "file list c1/etc -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances/c1/files?path=%2Fetc", "[\"b\",\"a\"]") },
		  "a\nb\n",
		  NULL },
		{ "file list c1",
		  NULL,
		  { NOTHING },
		  "Error: \"c1\" is not of the form INSTANCE/PATH\n",
		  "" },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void asks_for_what_columns_need(void **state)
{
	static const struct dialogue cases[] = {
		{ "list -c ns -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=1",
			 "[{\"name\":\"b\",\"status\":\"Stopped\"}]") },
		  "b,STOPPED\n",
		  "GET /1.0/instances?recursion=1\n" },
		{ "list -c n4 -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=2&usage=false", "[{\"name\":\"b\"}]") },
		  "b,\n",
		  NULL },
		{ "list -c nm -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=2&usage=true", "[]") },
		  "",
		  NULL },
		{ "list -c nD -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=2&usage=disk", "[]") },
		  "",
		  NULL },
		{ "list -c n -f json",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=2&usage=true",
			 "[{\"name\":\"b\"},{\"name\":\"a\"}]") },
		  "[{\"name\":\"a\"},{\"name\":\"b\"}]\n",
		  NULL },
		{ "list --fast -f csv",
		  NULL,
		  { SAYS("GET /1.0", "{\"environment\":{\"server_clustered\":false}}"),
		    SAYS("GET /1.0/instances?recursion=1", "[{\"name\":\"a\"}]") },
		  "a,,,,,CONTAINER\n",
		  "GET /1.0\nGET /1.0/instances?recursion=1\n" },
		{ "list --fast -f csv",
		  NULL,
		  { SAYS("GET /1.0", "{\"environment\":{\"server_clustered\":true}}"),
		    SAYS("GET /1.0/instances?recursion=1",
			 "[{\"name\":\"a\",\"location\":\"m\"}]") },
		  "a,,,,,CONTAINER,m\n",
		  NULL },
		{ "list --fast -c n",
		  NULL,
		  { NOTHING },
		  "Error: --fast and --columns exclude each other\n",
		  "" },
		{ "list local: b* -c n -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=1", "[{\"name\":\"b\"},{\"name\":\"a\"}]") },
		  "b\n",
		  NULL },
		{ "list --all-projects -c n -f csv",
		  NULL,
		  { SAYS("GET /1.0/instances?recursion=1&all-projects=true", "[]") },
		  "",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void lists_and_revokes_tokens(void **state)
{
	static const struct dialogue cases[] = {
		{ "cluster list-tokens -f csv",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS) },
		  "m5,2026/11/25 11:30 UTC\n",
		  NULL },
		{ "config trust list-tokens -f csv",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS) },
		  "laptop,\n",
		  NULL },
		{ "config trust list-tokens -f json",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS) },
		  "[{\"Name\":\"laptop\",\"ExpiresAt\":\"0001-01-01T00:00:00Z\"}]\n",
		  NULL },
		{ "cluster revoke-token m5",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS),
		    DONE("DELETE /1.0/operations/t1") },
		  "Revoked the join token of m5\n",
		  "GET /1.0/operations?recursion=1\nDELETE /1.0/operations/t1\n" },
		{ "cluster revoke-token laptop",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS) },
		  "Error: there is no unused join token of \"laptop\"\n",
		  NULL },
		{ "cluster revoke-token old",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS) },
		  "Error: there is no unused join token of \"old\"\n",
		  NULL },
		{ "config trust revoke-token laptop",
		  NULL,
		  { SAYS("GET /1.0/operations?recursion=1", TOKENS),
		    FAILS("DELETE /1.0/operations/t2", "no leader", 503) },
		  "Error: no leader\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void waits_for_operations(void **state)
{
	static const struct dialogue cases[] = {
		{ "rename c1 c2",
		  NULL,
		  { { .request = "POST /1.0/instances/c1",
		      .body = "{\"id\":\"op1\",\"status_code\":103}",
		      .status = 202 },
		    SAYS("GET /1.0/operations/op1/wait", "{\"id\":\"op1\",\"status_code\":200}") },
		  "",
		  "POST /1.0/instances/c1 {\"name\":\"c2\"}\nGET /1.0/operations/op1/wait\n" },
		{ "rename c1 c2",
		  NULL,
		  { { .request = "POST /1.0/instances/c1",
		      .body = "{\"id\":\"op1\",\"status_code\":103}",
		      .status = 202 },
		    SAYS("GET /1.0/operations/op1/wait",
			 "{\"id\":\"op1\",\"status_code\":400,\"err\":\"c2 is there\"}") },
		  "Error: c2 is there\n",
		  NULL },
		{ "rename c1 c2",
		  NULL,
		  { { .request = "POST /1.0/instances/c1",
		      .body = "{\"id\":\"op1\",\"status_code\":401}",
		      .status = 202 } },
		  "Error: cancelled\n",
		  "POST /1.0/instances/c1 {\"name\":\"c2\"}\n" },
		{ "rename c1 c2",
		  NULL,
		  { { .request = "POST /1.0/instances/c1",
		      .body = "{\"id\":\"op1\",\"status_code\":400}",
		      .status = 202 } },
		  "Error: the operation failed\n",
		  NULL },
		{ "rename none c2",
		  NULL,
		  { NOTHING },
		  "Error: no instance \"none\" (see dunlin list)\n",
		  "POST /1.0/instances/none {\"name\":\"c2\"}\nGET /1.0/instances/none\n" },
		{ "query /1.0/x",
		  NULL,
		  { SAYS("GET /1.0/x", "{\"a\":1}") },
		  "{\n  \"a\": 1\n}\n",
		  NULL },
		{ "query -X PUT -d {\"b\":2} /1.0/x",
		  NULL,
		  { DONE("PUT /1.0/x") },
		  "",
		  "PUT /1.0/x {\"b\":2}\n" },
		{ "query -X put /1.0/x",
		  NULL,
		  { NOTHING },
		  "Error: --request \"put\": GET, POST, PUT, PATCH or DELETE\n",
		  "" },
		{ "query x", NULL, { NOTHING }, "Error: the path \"x\" must begin with '/'\n", "" },
		{ "version",
		  NULL,
		  { SAYS("GET /1.0", "{\"environment\":{\"server_version\":\"7\"}}") },
		  "Client version: " DUNLIN_VERSION "\nServer version: 7\n",
		  NULL },
	};

	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void knows_its_servers(void **state)
{
	struct world *w = *state;
	_free_ char *csv =
		xasprintf("local (current),unix://%s,lxd,file access,NO,YES\n", w->socket);
	_free_ char *json = xasprintf("{\"local\":{\"addr\":\"unix://%s\"}}\n", w->socket);

	assert_string_equal(world_says(w, "remote list -f csv"), csv);
	assert_string_equal(world_says(w, "remote list -f json"), json);
	assert_string_equal(world_says(w, "remote get-default"), "local\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_lists),
		cmocka_unit_test(asks_for_special_lists),
		cmocka_unit_test(asks_for_what_columns_need),
		cmocka_unit_test(lists_and_revokes_tokens),
		cmocka_unit_test(waits_for_operations),
		cmocka_unit_test(knows_its_servers),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
