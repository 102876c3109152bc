/* SPDX-License-Identifier: Apache-2.0 */
/* Which operations of a server are tokens that nobody has used, and how one is taken back. */
#include "tests/unit/cli/server_world.h"

#include "cli/net/tokens.h"

#define OPERATIONS "GET /1.0/operations?recursion=1"

static const struct token_kind joining = { token_join_name, "join token" };
static const struct token_kind trusting = { token_client_name, "trust token" };

/* Two tokens of each kind; one that was used, one that was taken back, and what is no token. */
static const char running[] =
	"{\"running\":["
	"{\"id\":\"o1\",\"class\":\"token\",\"status_code\":103,\"metadata\":"
	"{\"serverName\":\"m2\",\"expiresAt\":\"2030-01-01T00:00:00Z\"}},"
	"{\"id\":\"o2\",\"class\":\"token\",\"status_code\":103,\"metadata\":"
	"{\"request\":{\"name\":\"joe\"},\"expires_at\":\"2031-01-01T00:00:00Z\"}},"
	"{\"id\":\"o3\",\"class\":\"task\",\"status_code\":103,\"metadata\":"
	"{\"serverName\":\"m4\"}},"
	"{\"id\":\"o4\",\"class\":\"token\",\"status_code\":103,\"metadata\":null},"
	"{\"id\":\"o5\",\"class\":\"token\",\"status_code\":103,\"metadata\":"
	"{\"serverName\":\"m3\"}}],"
	"\"success\":["
	"{\"id\":\"o6\",\"class\":\"token\",\"status_code\":200,\"metadata\":"
	"{\"serverName\":\"m2\"}}],"
	"\"cancelled\":["
	"{\"id\":\"o7\",\"class\":\"token\",\"status_code\":401,\"metadata\":"
	"{\"request\":{\"name\":\"ann\"}}}],"
	"\"pending\":["
	"{\"id\":\"o8\",\"class\":\"token\",\"status_code\":105,\"metadata\":"
	"{\"request\":{\"name\":\"eve\"}}}]}";

/* --- whom it is for -------------------------------------------------------------------------- */

static void a_kind_knows_its_own(void **state)
{
	static const struct {
		const char *meta, *join, *client;
	} cases[] = {
		{ "{\"serverName\":\"m2\"}", "m2", NULL },
		{ "{\"request\":{\"name\":\"joe\"}}", NULL, "joe" },
		{ "{\"request\":{}}", NULL, NULL },
		{ "{\"request\":\"joe\"}", NULL, NULL },
		{ "{\"name\":\"joe\"}", NULL, NULL },
		{ "{\"serverName\":7}", NULL, NULL },
		{ "{}", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *meta = json_loads(cases[i].meta, 0, NULL);

		assert_non_null(meta);
		if (!str_eq(token_join_name(meta), cases[i].join) ||
		    !str_eq(token_client_name(meta), cases[i].client))
			fail_msg("%s", cases[i].meta);
	}
	assert_null(token_join_name(NULL));
	assert_null(token_client_name(NULL));
}

/* --- at a server ----------------------------------------------------------------------------- */

struct there {
	struct cli cli;
	struct client *client;
};

static struct there *connect_to(struct world *w)
{
	struct there *t = xnew(struct there);
	struct err err = { 0 };

	t->cli.quiet = true;
	t->cli.conf = conf_load(w->socket, &err);
	assert_non_null(t->cli.conf);
	t->client = client_open(&t->cli, "local", &err);
	if (!t->client)
		fail_msg("%s", err.msg);
	return t;
}

static void leave(struct there *t)
{
	client_close_all(&t->cli);
	conf_free(t->cli.conf);
	free(t);
}

static void lists_what_is_unused(void **state)
{
	static const struct {
		const struct token_kind *kind;
		const char *operations, *tokens;
	} cases[] = {
		{ &joining, running,
		  "[{\"Name\":\"m2\",\"ExpiresAt\":\"2030-01-01T00:00:00Z\"},"
		  "{\"Name\":\"m3\",\"ExpiresAt\":\"\"}]" },
		{ &trusting, running,
		  "[{\"Name\":\"joe\",\"ExpiresAt\":\"2031-01-01T00:00:00Z\"},"
		  "{\"Name\":\"eve\",\"ExpiresAt\":\"\"}]" },
		{ &joining, "{}", "[]" },
		{ &trusting, "{\"running\":[]}", "[]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct there *t = connect_to(*state);
		_json_ json_t *want = json_loads(cases[i].tokens, 0, NULL), *is = NULL;
		struct err err = { 0 };

		WORLD_ANSWER(*state, SAYS(OPERATIONS, cases[i].operations));
		is = tokens_unused(t->client, cases[i].kind, &err);
		if (!is)
			fail_msg("%s", err.msg);
		if (!json_equal(is, want))
			fail_msg("case %zu: %s", i, json_dumps(is, 0));
		leave(t);
	}
}

static void revokes_the_one(void **state)
{
	static const struct {
		const struct token_kind *kind;
		const char *name, *asked;
		int rc;
	} cases[] = {
		{ &joining, "m2", OPERATIONS "\nDELETE /1.0/operations/o1\n", 0 },
		{ &joining, "m3", OPERATIONS "\nDELETE /1.0/operations/o5\n", 0 },
		{ &trusting, "joe", OPERATIONS "\nDELETE /1.0/operations/o2\n", 0 },
		/* of the other kind, no token, taken back already, nobody's */
		{ &trusting, "m2", OPERATIONS "\n", -1 },
		{ &joining, "m4", OPERATIONS "\n", -1 },
		{ &trusting, "ann", OPERATIONS "\n", -1 },
		{ &joining, "", OPERATIONS "\n", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct there *t = connect_to(*state);
		struct err err = { 0 };
		_free_ char *words =
			xasprintf("no unused %s of \"%s\"", cases[i].kind->noun, cases[i].name);

		WORLD_ANSWER(*state, SAYS(OPERATIONS, running), DONE("DELETE /1.0/operations/o1"),
			     DONE("DELETE /1.0/operations/o2"), DONE("DELETE /1.0/operations/o5"));
		assert_int_equal(tokens_revoke(t->client, cases[i].kind, cases[i].name, &err),
				 cases[i].rc);
		assert_string_equal(world_asked(*state), cases[i].asked);
		if (cases[i].rc < 0) {
			assert_int_equal(err.kind, ERR_NOT_FOUND);
			assert_non_null(strstr(err.msg, words));
		}
		leave(t);
	}
}

static void says_what_the_server_says(void **state)
{
	struct there *t = connect_to(*state);
	struct err err = { 0 };

	WORLD_ANSWER(*state, FAILS(OPERATIONS, "not allowed to list", 403));
	assert_null(tokens_unused(t->client, &joining, &err));
	assert_non_null(strstr(err.msg, "not allowed to list"));
	assert_int_equal(tokens_revoke(t->client, &joining, "m2", &err), -1);
	assert_non_null(strstr(err.msg, "not allowed to list"));
	WORLD_ANSWER(*state, SAYS(OPERATIONS, running),
		     FAILS("DELETE /1.0/operations/o1", "was used meanwhile", 404));
	assert_int_equal(tokens_revoke(t->client, &joining, "m2", &err), -1);
	assert_non_null(strstr(err.msg, "was used meanwhile"));
	leave(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kind_knows_its_own),
		cmocka_unit_test(lists_what_is_unused),
		cmocka_unit_test(revokes_the_one),
		cmocka_unit_test(says_what_the_server_says),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
