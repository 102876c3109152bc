/* SPDX-License-Identifier: Apache-2.0 */
/* Background tasks: what makes one due, and what some of them do, with the real store and a node
 * that runs nothing. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>
#include <unistd.h>

#include "api/work/background.h"
#include "api/work/recover.h"
#include "api/work/task.h"
#include "base/thread.h"
#include "cluster/model/state.h"

static int setup(void **state)
{
	struct work_world *t = xnew(struct work_world);

	work_world_open_jobs(t);
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s}, s:{s:{s:s,s:s,s:s}}}", "config", "user.a", "profile",
			    "devices", "root", "type", "disk", "path", "/", "pool", "default"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct work_world *t = *state;

	work_world_close_jobs(t);
	free(t);
	return 0;
}

static void put_instance(struct work_world *t, const char *name, const char *word)
{
	json_t *doc = json_pack("{s:s,s:s,s:s,s:[s],s:{},s:{},s:s}", "name", name, "uuid", name,
				"member", cluster_member_name(t->w.cluster), "profiles", "default",
				"config", "devices", "image", "");

	json_put_str(doc, "state", word);
	world_put(&t->w, ENT_INSTANCE, name, doc);
}

static bool has_instance(struct work_world *t, const char *name)
{
	_row_ struct row row = { 0 };
	struct err err;

	return store_get(t->w.store, ENT_INSTANCE, name, &row, &err) == 0;
}

/* A row that a job left is settled as the row of the job says; others are let be. */
static void test_settle(void **state)
{
	static const struct {
		const char *name, *word;
		bool stays;
	} rows[] = {
		{ "c1", "creating", false }, { "c2", "ready", true },
		{ "c3", "deleting", false }, { "c4", "of-a-later-release", true },
		{ "c5", NULL, true },
	};
	struct work_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_instance(t, rows[i].name, rows[i].word);
		recover_instance_later(&t->env, rows[i].name);
	}
	recover_instance_later(&t->env, "nobody");
	background_stop(&t->env);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(has_instance(t, rows[i].name), rows[i].stays);
}

/* However many rows change, one run is due, and the next row makes another one due. */
static void test_gathering(void **state)
{
	struct work_world *t = *state;
	unsigned due;

	for (int i = 0; i < 50; i++)
		tasks_row(&t->env, i % 2 ? ENT_INSTANCE : ENT_PROFILE, "x", true);
	due = t->env.state->gathering;
	assert_int_equal(due, 1u << TASK_WARM_LISTS);
	timers_free(t->env.state->timers); /* fires what is due */
	t->env.state->timers = timers_new();
	background_stop(&t->env);
	assert_int_equal(t->env.state->gathering, 0);
}

/* Rows of kinds that no task waits for, and changes where it waits for the end. */
static void test_not_due(void **state)
{
	struct work_world *t = *state;

	tasks_row(&t->env, ENT_MEMBER, "m2", false);
	tasks_row(&t->env, ENT_POOL, "default", false);
	assert_int_equal(t->env.state->background, 0);
	assert_int_equal(t->env.state->gathering, 0);
}

static void test_dropped_when_the_daemon_stops(void **state)
{
	struct work_world *t = *state;

	put_instance(t, "c1", "creating");
	background_stop(&t->env);
	recover_instance_later(&t->env, "c1");
	task_later(&t->env, TASK_SETTLE, "c1", NULL, 3600000);
	tasks_row(&t->env, ENT_POOL, "default", true);
	assert_int_equal(t->env.state->background, 0);
	assert_true(has_instance(t, "c1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_settle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gathering, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_due, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_when_the_daemon_stops, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
