/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles are laid under an instance once, until they change: with the real store. How often whole
 * requests do it is counted in tests/unit/api/instance/test_expansions.c. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/check.h"
#include "api/work/spec.h"

struct world {
	struct work_world work;
	uint64_t before;
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);

	work_world_open(&t->work);
	world_start(&t->work.w);
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

/* A row that has changed only itself is laid over what is there. */
static void test_again(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1"), *next = instance(t, "c1");
	_expanded_ struct expanded x = { 0 };

	begin(t);
	expand(&t->work.env, doc, &x);
	json_object_del(json_obj(next, "config"), "user.b");
	json_put_str(json_obj(next, "config"), "user.a", "mine");
	expand(&t->work.env, next, &x);
	assert_int_equal(count(t), 1);
	assert_string_equal(json_str(x.config, "user.a", ""), "mine");
	assert_null(json_str(x.config, "user.b", NULL));
	expand(&t->work.env, doc, &x);
	assert_int_equal(count(t), 1);
	assert_string_equal(json_str(x.config, "user.a", ""), "second");
	assert_string_equal(json_str(x.config, "user.b", ""), "own");
	assert_ptr_equal(x.doc, doc);
}

/* What it was made from is not what is there. */
static void test_anew(void **state)
{
	static const char *const lists[] = { "", "second", "default", "second default",
					     "default second none" };
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1");
	_expanded_ struct expanded x = { 0 };

	expand(&t->work.env, doc, &x);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		_free_ char *text = xstrdup(lists[i]);
		json_t *profiles = json_array();
		char *v[3];
		size_t n = *text ? str_split(text, ' ', v, ARRAY_SIZE(v)) : 0;

		for (size_t k = 0; k < n; k++)
			json_array_append_new(profiles, json_string(v[k]));
		json_object_set_new(doc, "profiles", profiles);
		begin(t);
		expand(&t->work.env, doc, &x);
		assert_int_equal(count(t), 1);
		assert_int_equal(json_object_size(x.profiles), n);
	}
	world_put(&t->work.w, ENT_PROFILE, "second",
		  json_pack("{s:{s:s}, s:{}}", "config", "user.a", "changed", "devices"));
	begin(t);
	expand(&t->work.env, doc, &x);
	assert_int_equal(count(t), 1);
	assert_string_equal(json_str(x.config, "user.a", ""), "changed");
	world_put(&t->work.w, ENT_PROFILE, "none",
		  json_pack("{s:{s:s}, s:{}}", "config", "user.a", "made", "devices"));
	expand(&t->work.env, doc, &x);
	assert_int_equal(count(t), 2);
	assert_string_equal(json_str(x.config, "user.a", ""), "made");
}

/* As it was and as it becomes have the same profiles, or not. */
static void test_before_and_after(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1"), *next = instance(t, "c1");
	_expanded_ struct expanded old = { 0 }, x = { 0 }, other = { 0 };

	json_put_str(json_obj(next, "config"), "user.b", "new");
	begin(t);
	expand(&t->work.env, doc, &old);
	expanded_share(&old, &x);
	expand(&t->work.env, next, &x);
	assert_int_equal(count(t), 1);
	assert_string_equal(json_str(old.config, "user.b", ""), "own");
	assert_string_equal(json_str(x.config, "user.b", ""), "new");
	json_array_remove(json_arr(next, "profiles"), 1);
	expanded_share(&old, &other);
	expand(&t->work.env, next, &other);
	assert_int_equal(count(t), 2);
	assert_string_equal(json_str(other.config, "user.a", ""), "profile");
	assert_string_equal(json_str(old.config, "user.a", ""), "second");
}

static void test_taken(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = instance(t, "c1");
	_expanded_ struct expanded x = { 0 }, taken = { 0 };

	expand(&t->work.env, doc, &x);
	taken = expanded_take(&x);
	assert_null(x.doc);
	assert_null(x.profiles);
	assert_string_equal(json_str(taken.config, "user.a", ""), "second");
	assert_null(expanded_take(NULL).doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order_and_revisions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_profile_that_changes_meanwhile, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_steps_share_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(test_before_and_after, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
