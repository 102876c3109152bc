/* SPDX-License-Identifier: Apache-2.0 */
/* cluster enable, add and remove. */
#include "tests/unit/cli/server_world.h"

#include "base/digest.h"

#define REMOVE "DELETE /1.0/cluster/members/m2"
#define QUESTION                                                                                 \
	"Removing m2 by force loses what is only there, and it must not come back with its old " \
	"state. Remove it? (yes/no) [default=no]: "
#define ACCEPT                                                                           \
	"Clients elsewhere accept it with \"dunlin remote accept NAME\", or with \"lxc " \
	"remote remove NAME\" and \"lxc remote add NAME ADDRESS\"\n"
#define REPLACING                                                                             \
	"The cluster's certificate is being replaced: \"dunlin info\" on a member shows the " \
	"new one\n"

static const struct dialogue enables_cases[] = {
	{ "cluster enable m1",
	  NULL,
	  { DONE("PUT /1.0/cluster") },
	  "Clustering enabled\n",
	  "PUT /1.0/cluster {\"server_name\":\"m1\",\"enabled\":true}\n" },
	{ "cluster enable local: m1",
	  NULL,
	  { DONE("PUT /1.0/cluster") },
	  "Clustering enabled\n",
	  "PUT /1.0/cluster {\"server_name\":\"m1\",\"enabled\":true}\n" },
	{ "cluster enable m1",
	  NULL,
	  { FAILS("PUT /1.0/cluster", "it is in one", 409) },
	  "Error: it is in one\n",
	  NULL },
	{ "cluster enable m1 m2",
	  NULL,
	  { NOTHING },
	  "Error: \"m1\" is no remote: write \"m1:\"\n",
	  "" },
};

static void enables(void **state)
{
	world_check(*state, enables_cases, ARRAY_SIZE(enables_cases));
}

static const struct dialogue removes_cases[] = {
	{ "cluster remove m2",
	  NULL,
	  { DONE(REMOVE) },
	  "Member m2 removed\n" REPLACING ACCEPT,
	  REMOVE "\n" },
	{ "cluster remove m2",
	  NULL,
	  { SAYS(REMOVE, "{\"certificate_fingerprint\":\"ffee\",\"tokens_revoked\":2}") },
	  "Member m2 removed\n2 unused tokens were revoked with it: make new ones where they are "
	  "needed\nThe cluster's certificate was replaced, its fingerprint is ffee\n" ACCEPT,
	  NULL },
	{ "cluster remove m2 --force --yes",
	  NULL,
	  { DONE(REMOVE "?force=1") },
	  "Member m2 removed\n" REPLACING ACCEPT,
	  REMOVE "?force=1\n" },
	{ "cluster remove m2 --force",
	  "yes\n",
	  { DONE(REMOVE "?force=1") },
	  QUESTION "Member m2 removed\n" REPLACING ACCEPT,
	  NULL },
	{ "cluster remove m2 --force",
	  "\n",
	  { NOTHING },
	  QUESTION "Error: member \"m2\": not removed\n",
	  "" },
	{ "cluster remove m2",
	  NULL,
	  { NOTHING },
	  "Error: cluster member \"m2\": Not Found\n",
	  NULL },
	{ "cluster remove m2",
	  NULL,
	  { FAILS(REMOVE, "member m2 has instances", 400) },
	  "Error: member m2 has instances\n",
	  NULL },
};

static void removes(void **state)
{
	struct world *w = *state;

	w->errors = true;
	world_check(w, removes_cases, ARRAY_SIZE(removes_cases));
}

static void makes_join_tokens(void **state)
{
	struct world *w = *state;
	_free_ char *line = NULL, *token = NULL;
	_json_ json_t *in = NULL;
	const char *text;
	struct err err;
	size_t len;

	WORLD_ANSWER(w, { .request = "POST /1.0/cluster/members",
			  .status = 202,
			  .body = "{\"id\":\"o\",\"status_code\":103,\"metadata\":{"
				  "\"serverName\":\"m2\",\"fingerprint\":\"ff\","
				  "\"addresses\":[\"a:1\"],\"secret\":\"s\","
				  "\"expiresAt\":\"2030-01-01T00:00:00Z\"}}" });
	text = world_says(w, "cluster add m2");
	assert_true(str_starts(text, "Member m2 join token:\n"));
	text = strchr(text, '\n') + 1;
	line = xstrndup(text, strlen(text) - 1);
	token = base64_decode(line, &len);
	assert_non_null(token);
	in = json_parse(token, len, "token", &err);
	assert_string_equal(json_str(in, "server_name", ""), "m2");
	assert_string_equal(json_str(in, "expires_at", ""), "2030-01-01T00:00:00Z");
	assert_string_equal(world_asked(w), "POST /1.0/cluster/members {\"server_name\":\"m2\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enables),
		cmocka_unit_test(removes),
		cmocka_unit_test(makes_join_tokens),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
