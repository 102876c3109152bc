/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask of the state of one instance, or of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/work/job.h"
#include "base/mem.h"
#include "base/str.h"

static void reads_what_clients_send(void **state)
{
	static const struct {
		const char *body;
		enum job_id action;
		bool force;
		int timeout_s;
		bool stateful;
	} cases[] = {
		{ "{\"action\": \"start\", \"stateful\": true}", JOB_START, false, -1, true },
		{ "{\"action\": \"stop\", \"stateful\": true, \"force\": false}", JOB_STOP, false,
		  -1, true },
		{ "{\"action\": \"start\"}", JOB_START, false, -1, false },
		{ "{\"action\": \"stop\", \"timeout\": 30}", JOB_STOP, false, 30, false },
		{ "{\"action\": \"stop\", \"timeout\": 0, \"force\": true}", JOB_STOP, true, -1,
		  false },
		{ "{\"action\": \"stop\", \"timeout\": -1}", JOB_STOP, false, -1, false },
		{ "{\"action\": \"stop\", \"timeout\": -7}", JOB_STOP, false, -1, false },
		{ "{\"action\": \"stop\", \"timeout\": 2147483647}", JOB_STOP, false, INT32_MAX,
		  false },
		{ "{\"action\": \"restart\", \"timeout\": 1}", JOB_RESTART, false, 1, false },
		{ "{\"action\": \"freeze\", \"stateful\": false}", JOB_FREEZE, false, -1, false },
		{ "{\"action\": \"unfreeze\"}", JOB_UNFREEZE, false, -1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = json_loads(cases[i].body, 0, NULL);
		struct state_change c = { 0 };
		struct err err = { 0 };

		assert_int_equal(json_check(body, state_change_fields, "state", &err), 0);
		if (state_change_parse(body, &c, &err) < 0)
			fail_msg("%s: %s", cases[i].body, err.msg);
		assert_int_equal(c.action, cases[i].action);
		assert_int_equal(c.force, cases[i].force);
		assert_int_equal(c.timeout_s, cases[i].timeout_s);
		assert_int_equal(c.stateful, cases[i].stateful);
	}
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *body;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ "{\"action\": \"\"}", ERR_INVALID, "Unknown action \"\" (start, stop, " },
		{ "{\"action\": \"Start\"}", ERR_INVALID, "\"Start\"" },
		{ "{\"action\": \"stop \"}", ERR_INVALID, "\"stop \"" },
		{ "{\"action\": \"stop\", \"timeout\": 2147483648}", ERR_INVALID, "timeout" },
		{ "{\"action\": \"restart\", \"stateful\": true}", ERR_INVALID, "start and stop" },
		{ "{\"action\": \"freeze\", \"stateful\": true}", ERR_INVALID, "start and stop" },
		{ "{\"action\": \"stop\", \"stateful\": true, \"force\": true}", ERR_INVALID,
		  "by force" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *body = json_loads(cases[i].body, 0, NULL);
		struct state_change c = { .timeout_s = 5 };
		struct err err = { 0 };

		assert_int_equal(state_change_parse(body, &c, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		if (!strstr(err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].body, err.msg);
	}
}

static void takes_fields_of_the_right_kind(void **state)
{
	static const char *const bad[] = {
		"{}",
		"{\"action\": 1}",
		"{\"action\": \"stop\", \"timeout\": \"30\"}",
		"{\"action\": \"stop\", \"force\": 1}",
		"{\"action\": \"stop\", \"stateful\": \"no\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_json_ json_t *body = json_loads(bad[i], 0, NULL);
		struct err err = { 0 };

		if (json_check(body, state_change_fields, "state", &err) == 0)
			fail_msg("%s", bad[i]);
	}
}

/* Of all instances those change that are not yet as they shall be. */
static void means_something_to_some(void **state)
{
	static const struct {
		enum status now;
		bool start, stop, restart, freeze, unfreeze;
	} cases[] = {
		{ STATUS_STOPPED, true, false, false, false, false },
		{ STATUS_ERROR, true, false, false, false, false },
		{ STATUS_RUNNING, false, true, true, true, false },
		{ STATUS_FROZEN, false, true, true, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum status now = cases[i].now;

		assert_int_equal(action_means_something(JOB_START, now), cases[i].start);
		assert_int_equal(action_means_something(JOB_STOP, now), cases[i].stop);
		assert_int_equal(action_means_something(JOB_RESTART, now), cases[i].restart);
		assert_int_equal(action_means_something(JOB_FREEZE, now), cases[i].freeze);
		assert_int_equal(action_means_something(JOB_UNFREEZE, now), cases[i].unfreeze);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_clients_send),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(takes_fields_of_the_right_kind),
		cmocka_unit_test(means_something_to_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
