/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles are read once for what a request or a job does with an instance: with the real store,
 * and a node that runs nothing. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/spec.h"

struct world {
	struct work_world work;
	struct box box;
	uint64_t before;
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	work_world_open(&t->work);
	t->work.env.ops =
		ops_new(t->work.w.store, t->work.w.pool, world_location, t->work.w.cluster);
	t->work.env.events = events_new(t->work.w.store, world_location, t->work.w.cluster);
	world_start(&t->work.w);
	box_init(&t->box);
	world_put(&t->work.w, ENT_POOL, "default",
		  json_pack("{s:s, s:{}}", "driver", "dir", "config"));
	world_put(&t->work.w, ENT_PROFILE, "default",
		  json_pack("{s:{s:s}, s:{s:{s:s,s:s,s:s}}}", "config", "user.a", "profile",
			    "devices", "root", "type", "disk", "path", "/", "pool", "default"));
	world_put(&t->work.w, ENT_PROFILE, "second",
		  json_pack("{s:{s:s}, s:{}}", "config", "user.a", "second", "devices"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	assert_true(ops_drain(t->work.env.ops, deadline_in(5000)));
	ops_free(t->work.env.ops);
	events_free(t->work.env.events);
	work_world_close(&t->work);
	free(t);
	return 0;
}

static json_t *instance(struct world *t, const char *name)
{
	return json_pack("{s:s,s:s,s:s,s:[s,s],s:{s:s},s:{},s:s}", "name", name, "uuid", name,
			 "member", cluster_member_name(t->work.w.cluster), "profiles", "default",
			 "second", "config", "user.b", "own", "devices", "image", "");
}

static void begin(struct world *t)
{
	t->before = expand_count(&t->work.env);
}

static int count(struct world *t)
{
	return (int)(expand_count(&t->work.env) - t->before);
}

/* --- what it is ------------------------------------------------------------------------------ */

static void test_order_and_revisions(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1");
	_expanded_ struct expanded x = { 0 };
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	json_array_append_new(json_arr(doc, "profiles"), json_string("none"));
	expand(&t->work.env, doc, &x);
	assert_string_equal(json_str(x.config, "user.a", ""), "second");
	assert_string_equal(json_str(x.config, "user.b", ""), "own");
	assert_non_null(spec_root_device(x.devices));
	assert_int_equal(store_get(t->work.w.store, ENT_PROFILE, "second", &row, &err), 0);
	assert_int_equal(json_int(x.profiles, "second", -1), row.rev);
	assert_int_equal(json_int(x.profiles, "none", -1), 0);
	json_put_str(json_obj(doc, "config"), "user.c", "later");
	expanded_follow(&x);
	assert_string_equal(json_str(x.config, "user.c", ""), "later");
	assert_string_equal(json_str(x.config, "user.a", ""), "second");
}

/* What is committed was checked against the profiles as they are. */
static void test_a_profile_that_changes_meanwhile(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1");
	_expanded_ struct expanded x = { 0 };
	_tx_ struct tx *tx = tx_new();
	struct err err = { 0 };

	assert_int_equal(instance_check(&t->work.env, doc, NULL, tx, &x, &err), 0);
	tx_put(tx, ENT_INSTANCE, "c1", REV_NONE, doc);
	world_put(&t->work.w, ENT_PROFILE, "second",
		  json_pack("{s:{}, s:{}}", "config", "devices"));
	assert_int_equal(store_commit(t->work.w.store, tx, 0, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
}

/* --- how often ------------------------------------------------------------------------------- */

static void test_steps_share_one(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1"), *spec = NULL, *pool = NULL;
	struct address_wish wish = { .dynamic = true };
	_picks_ struct address_picks picks = { 0 };
	_expanded_ struct expanded x = { 0 };
	_tx_ struct tx *tx = tx_new();
	struct err err = { 0 };

	begin(t);
	assert_int_equal(instance_check(&t->work.env, doc, NULL, tx, &x, &err), 0);
	assert_int_equal(instance_check_host_names_here(&t->work.env, &x, &err), 0);
	assert_true(address_plan(&t->work.env, &x, &wish, tx, &picks, &err) >= 0);
	pool = spec_pool(&t->work.env, &x, &err);
	spec = spec_build(&t->work.env, &x, NULL, &err);
	assert_non_null(pool);
	assert_non_null(spec);
	assert_int_equal(count(t), 1);
}

static void on_end(void *arg, struct op *op)
{
	_json_ json_t *j = op_json(op);
	_free_ char *text = xasprintf("%s %s", json_str(j, "status", "?"), json_str(j, "err", ""));

	box_put(arg, text);
}

static void run_job(struct world *t, enum job_id id, json_t *own_args)
{
	struct job_order o = { .kind = &jobs[id], .name = "c1", .own_args = own_args };
	int ended = t->box.count;
	struct err err = { 0 };
	struct op *op = job_start(&t->work.env, &o, &err);

	if (!op)
		fail_msg("%s", err.msg);
	op_on_end(op, on_end, &t->box);
	assert_true(box_wait(&t->box, ended + 1, 20000));
	assert_string_equal(t->box.last, "Success ");
	op_unref(op);
}

static void test_jobs(void **state)
{
	struct world *t = *state;
	json_t *doc = instance(t, "c1");
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	inst_begin(doc);
	begin(t);
	run_job(t, JOB_CREATE, json_pack("{s:o, s:b}", "doc", doc, "start", 0));
	assert_int_equal(count(t), 1);
	assert_int_equal(store_get(t->work.w.store, ENT_INSTANCE, "c1", &row, &err), 0);
	assert_int_equal(inst_state(row.doc), INST_READY);

	/* As it was, and as it becomes. */
	begin(t);
	run_job(t, JOB_UPDATE,
		json_pack("{s:{s:{s:s}, s:{}, s:[s]}, s:i}", "writable", "config", "user.b", "new",
			  "devices", "profiles", "default", "rev", 0));
	assert_int_equal(count(t), 2);

	/* Before there is an operation, and in it. */
	begin(t);
	run_job(t, JOB_DELETE, NULL);
	assert_int_equal(count(t), 2);
	row_free(&row);
	assert_int_equal(store_get(t->work.w.store, ENT_INSTANCE, "c1", &row, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_revisions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_profile_that_changes_meanwhile, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_steps_share_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_jobs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
