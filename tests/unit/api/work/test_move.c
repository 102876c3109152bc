/* SPDX-License-Identifier: Apache-2.0 */
/* What a move is refused for before anything is done. What it takes back is in test_undo.c. */
#include "node/helper/verbs.h"
#include "tests/unit/api/instance/instance_world.h"

#include "api/work/job.h"

static void is_refused_before_it_begins(void **state)
{
	static const struct {
		const char *name, *target, *new_name;
		enum err_kind kind;
		const char *words;
	} cases[] = {
		{ "c9", "m2", "c9", ERR_NOT_FOUND, "c9" },
		/* a host that is in no cluster has no other */
		{ "c1", "none", "c1", ERR_INVALID, "\"c1\" is on member \"none\" already" },
		{ "c1", "m2", "c1", ERR_NOT_FOUND, "m2" },
		{ "c1", "", "c1", ERR_NOT_FOUND, "" },
		/* whatever the new name */
		{ "c1", "none", "c2", ERR_INVALID, "is on member \"none\" already" },
		{ "web~c3", "m2", "web~c3", ERR_NOT_FOUND, "m2" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *args = json_pack("{ss,ss}", "target", cases[i].target, "new_name",
						cases[i].new_name);
		struct job j = { .kind = &jobs[JOB_MOVE],
				 .env = &t->env,
				 .name = (char *)cases[i].name,
				 .args = args };
		struct err err = { 0 };

		assert_int_equal(move_job_check(&j, &err), -1);
		if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].words))
			fail_msg("case %zu: %s: %s", i, err_name(err.kind), err.msg);
	}
}

/* Of one that is elsewhere, that member is asked. */
static void one_that_is_elsewhere_is_not_moved_from_here(void **state)
{
	struct api_world *t = *state;
	_json_ json_t *args = json_pack("{ss,ss}", "target", "m3", "new_name", "c4");
	struct job j = {
		.kind = &jobs[JOB_MOVE], .env = &t->env, .name = (char *)"c4", .args = args
	};
	struct err err = { 0 };

	put_instance(t, "c4", "m2");
	assert_int_equal(move_job_check(&j, &err), -1);
	assert_int_equal(move_job_run(&j, &err), -1);
	assert_non_null(strstr(err.msg, "m2"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, instance_world_open, api_world_close)
		T(is_refused_before_it_begins),
		T(one_that_is_elsewhere_is_not_moved_from_here),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
