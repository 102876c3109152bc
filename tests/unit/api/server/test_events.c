/* SPDX-License-Identifier: Apache-2.0 */
/* Which events a client may ask for. */
#include "tests/unit/api/api_world.h"

static void types(void **state)
{
	static const struct {
		const char *query, *wrong; /* NULL: it is fine */
	} cases[] = {
		{ "", NULL },
		{ "?type=", NULL },
		{ "?type=operation", NULL },
		{ "?type=lifecycle,logging", NULL },
		{ "?type=operation,operation", NULL },
		{ "?type=operations", "\"operations\" isn't a supported event type" },
		{ "?type=Operation", "\"Operation\"" },
		{ "?type=operation,", "\"\"" },
		{ "?type=,", "\"\"" },
		{ "?type=logging,gossip", "\"gossip\"" },
		{ "?type=logging,logging,logging,logging,logging,logging,logging,logging,logging,"
		  "logging,logging,logging,logging,logging,logging,logging,gossip",
		  "more than 16 event types" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = xasprintf("GET /1.0/events%s", cases[i].query);
		int status = api_ask_with(t, line, NULL, NULL);

		/* without a handshake a good one is no websocket */
		if (status != 400 ||
		    !strstr(t->r->err.msg, cases[i].wrong ? cases[i].wrong : "as a websocket"))
			fail_msg("%s: %d %s", line, status, t->r->err.msg);
		if (cases[i].wrong && strstr(t->r->err.msg, "as a websocket"))
			fail_msg("%s: %s", line, t->r->err.msg);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(types),
	};

	return cmocka_run_group_tests(tests, api_world_open, api_world_close);
}
