/* SPDX-License-Identifier: Apache-2.0 */
/* How instances would move: whose turn it is to be looked at, and what is told of each. */
#include "tests/unit/api/work/work_world.h"

#include "api/work/outlook.h"
#include "api/work/task.h"

/* --- turns ----------------------------------------------------------------------------------- */

static void test_who_is_next(void **state)
{
	static const struct {
		int64_t looked[3];
		size_t n, next;
	} cases[] = {
		{ { 0 }, 0, 0 },                   /* nobody runs */
		{ { 90001, 95000, 99999 }, 3, 3 }, /* nobody's turn yet */
		{ { 95000, 90000, 99999 }, 3, 1 }, /* one has waited for long enough */
		{ { 80000, 70000, 75000 }, 3, 1 }, /* who has waited for longest */
		{ { 1, INT64_MIN, 2 }, 3, 1 },     /* a new one comes first */
		{ { INT64_MIN, INT64_MIN, 2 }, 3, 0 },
		{ { 100000, 100000, 100001 }, 3, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outlook_seen v[3];

		for (size_t k = 0; k < 3; k++)
			v[k] = (struct outlook_seen){ .looked_ms = cases[i].looked[k] };
		assert_int_equal(outlook_next(v, cases[i].n, 90000 + OUTLOOK_EVERY_MS),
				 cases[i].next);
	}
}

/* Everybody has a turn before anybody has a second one, and none is wasted. */
static void test_turns_go_around(void **state)
{
	struct outlook_seen v[7];
	int turns[7] = { 0 };
	int64_t now = 5;

	for (size_t i = 0; i < 7; i++)
		v[i] = (struct outlook_seen){ .looked_ms = INT64_MIN };
	for (int round = 1; round <= 3; round++) {
		size_t next;

		/* As a task does that has time for three of them in each second. */
		for (int64_t until = now + OUTLOOK_EVERY_MS; now < until; now += 1000) {
			for (int k = 0; k < 3 && (next = outlook_next(v, 7, now)) < 7; k++) {
				v[next].looked_ms = now;
				turns[next]++;
			}
		}
		for (size_t i = 0; i < 7; i++)
			assert_int_equal(turns[i], round);
	}
}

/* --- what is told ---------------------------------------------------------------------------- */

static void test_what_is_told(void **state)
{
	static const struct {
		const char *doc, *fact;
		enum status status;
		const char *kind, *reason;
	} cases[] = {
		{ "{}", NULL, STATUS_STOPPED, "cold", "the instance is stopped" },
		{ "{\"stateful\": true}", NULL, STATUS_STOPPED, "refused", "memory is kept" },
		/* What was told of it while it ran counts no more. */
		{ "{}", "{\"kind\": \"live\"}", STATUS_STOPPED, "cold", "is stopped" },
		{ "{}", "{\"kind\": \"live\", \"reason\": \"\"}", STATUS_RUNNING, "live", "" },
		{ "{}", "{\"kind\": \"near-live\", \"reason\": \"sleep has\"}", STATUS_FROZEN,
		  "near-live", "sleep has" },
		{ "{}", NULL, STATUS_RUNNING, "unknown", "not told yet" },
		{ "{}", "{}", STATUS_RUNNING, "unknown", "" },
		{ "{}", "{\"kind\": \"live\"}", STATUS_ERROR, "unknown", "not there" },
	};
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = json_parse(cases[i].doc, strlen(cases[i].doc), "row", &err);
		_json_ json_t *fact =
			cases[i].fact
				? json_parse(cases[i].fact, strlen(cases[i].fact), "fact", &err)
				: NULL;
		_json_ json_t *told = outlook_json(doc, cases[i].status, fact);

		assert_string_equal(json_str(told, "kind", NULL), cases[i].kind);
		assert_non_null(strstr(json_str(told, "reason", NULL), cases[i].reason));
	}
}

static int setup(void **state)
{
	struct work_world *t = xnew(struct work_world);

	work_world_open_jobs(t);
	t->env.state->outlook = outlook_new();
	world_put(&t->w, ENT_INSTANCE, "c1",
		  json_pack("{s:s,s:s,s:[],s:{},s:{},s:s}", "name", "c1", "member",
			    cluster_member_name(t->w.cluster), "profiles", "config", "devices",
			    "state", "ready"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct work_world *t = *state;

	outlook_free(t->env.state->outlook);
	work_world_close_jobs(t);
	free(t);
	return 0;
}

static void put(struct work_world *t, enum fact f, const char *key, const char *value)
{
	_json_ json_t *j = value ? json_pack("{s:s}", key, value) : NULL;

	store_fact_put(t->w.store, f, "c1", j);
}

static void assert_listed(struct work_world *t, const char *kind)
{
	for (int recursion = 1; recursion <= 2; recursion++) {
		_sbuf_ struct sbuf b = SBUF(1 << 20);
		_json_ json_t *list = NULL;
		struct err err;
		json_t *c1;

		icache_list(&t->env, &(struct icache_listing){ NULL, recursion, "instances" }, &b);
		list = json_parse(b.data, b.len, "list", &err);
		c1 = json_array_get(list, 0);
		assert_string_equal(json_str(json_obj(c1, "dunlin_move"), "kind", ""), kind);
		assert_int_equal(!!json_obj(c1, "state"), recursion == 2);
	}
}

/* Whatever of it changes shows in the next list. */
static void test_lists(void **state)
{
	struct work_world *t = *state;

	assert_listed(t, "cold");
	put(t, FACT_INSTANCE, "status", "Running");
	assert_listed(t, "unknown");
	put(t, FACT_MOVE, "kind", "live");
	assert_listed(t, "live");
	put(t, FACT_MOVE, "kind", "near-live");
	assert_listed(t, "near-live");
	put(t, FACT_MOVE, NULL, NULL);
	assert_listed(t, "unknown");
	put(t, FACT_INSTANCE, NULL, NULL);
	assert_listed(t, "cold");
}

/* What another member tells, or told before the instance moved, is not of it. */
static void test_only_its_member_counts(void **state)
{
	struct work_world *t = *state;
	_json_ json_t *doc = json_pack("{s:s, s:s}", "name", "c1", "member", "m9"), *told = NULL;
	_json_ json_t *own =
		json_pack("{s:s, s:s}", "name", "c1", "member", cluster_member_name(t->w.cluster));
	_json_ json_t *own_told = NULL;

	put(t, FACT_MOVE, "kind", "live");
	told = outlook_of(&t->env, doc, STATUS_RUNNING);
	own_told = outlook_of(&t->env, own, STATUS_RUNNING);
	assert_string_equal(json_str(told, "kind", ""), "unknown");
	assert_string_equal(json_str(own_told, "kind", ""), "live");
}

/* Without a mover, as before recovery, nothing is looked at and nothing is claimed. */
static void test_nobody_looks(void **state)
{
	struct work_world *t = *state;
	_json_ json_t *fact = NULL;

	task_look_at_moves(&t->env, NULL);
	fact = store_fact_get(t->w.store, FACT_MOVE, "c1", NULL);
	assert_null(fact);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_next),
		cmocka_unit_test(test_turns_go_around),
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_its_member_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_looks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
