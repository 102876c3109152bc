/* SPDX-License-Identifier: Apache-2.0 */
/* What a member tells others of itself, and what of it decides about a move. */
#include "tests/unit/migrate/mover_world.h"

#include "tests/unit/migrate/stream/channel_pair.h"

static void a_member_tells_what_it_is(void **state)
{
	struct mover_world *t = *state;
	_json_ json_t *facts = move_facts(t->m), *later = NULL;

	assert_string_equal(json_str(facts, "member", ""), mover_member(t->m));
	assert_int_equal(json_int(facts, "page_size", 0), sysconf(_SC_PAGESIZE));
	assert_true(json_array_size(json_arr(facts, "storage_drivers")) > 0);
	assert_string_not_equal(json_str(facts, "kernel_architecture", ""), "");
	assert_non_null(json_str(facts, "lsm", NULL));
	assert_string_equal(json_str(facts, "closed", "?"), "");
	assert_string_equal(json_str(facts, "no_live", "?"), t->m->trouble);
	/* What changes is asked each time; what is handed out is the caller's. */
	json_object_clear(facts);
	t->closed = "this member is being emptied";
	later = move_facts(t->m);
	assert_string_equal(json_str(later, "closed", ""), t->closed);
	assert_true(json_array_size(json_arr(later, "storage_drivers")) > 0);
}

struct peer {
	struct mover_world *t;
	struct channel *c;
	json_t *facts;
	struct err err;
};

static void *greet_main(void *arg)
{
	struct peer *p = arg;

	p->facts = hello_exchange(p->t->m, p->c, false, &p->err);
	return NULL;
}

static void two_members_greet_each_other(void **state)
{
	struct mover_world *t = *state;
	struct pair p = pair_new();
	struct peer peer = { .t = t, .c = p.b };
	_json_ json_t *facts = NULL;
	struct err err = { 0 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, greet_main, &peer), 0);
	facts = hello_exchange(t->m, p.a, true, &err);
	assert_non_null(facts);
	frame_flush(p.b, &err);
	pthread_join(thread, NULL);
	assert_non_null(peer.facts);
	/* What is free changes from one moment to the next. */
	assert_int_equal(json_object_del(facts, "memory_free"), 0);
	assert_int_equal(json_object_del(peer.facts, "memory_free"), 0);
	assert_true(json_equal(facts, peer.facts));
	assert_string_equal(json_str(facts, "member", ""), mover_member(t->m));
	json_decref(peer.facts);
	pair_free(&p);
}

static void strange_greetings_are_refused(void **state)
{
	static const struct {
		enum frame_type type;
		const char *text;
		enum err_kind kind;
		const char *word;
	} cases[] = {
		{ FR_HELLO, "{\"version\": 99, \"facts\": {}}", ERR_UNSUPPORTED, "version 99" },
		{ FR_HELLO, "{\"facts\": {}}", ERR_UNSUPPORTED, "version 0" },
		{ FR_HELLO, "hello", ERR_INVALID, "migration message" },
		{ FR_CONFIG, "{}", ERR_INVALID, "CONFIG where HELLO was due" },
		{ FR_FAIL, "{\"kind\": \"ERR_BUSY\", \"message\": \"not now\"}", ERR_BUSY,
		  "not now" },
	};
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair p = pair_new();
		struct err err = { 0 };

		assert_int_equal(frame_send(p.a, cases[i].type, cases[i].text,
					    strlen(cases[i].text), &err),
				 0);
		assert_int_equal(frame_flush(p.a, &err), 0);
		assert_null(hello_exchange(t->m, p.b, false, &err));
		if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].word))
			fail_msg("%s: %s: %s", cases[i].text, err_name(err.kind), err.msg);
		pair_free(&p);
	}
}

/* One that is stopped need not be restored anywhere, but its files have to fit. */
static void a_stopped_instance_moves_cold(void **state)
{
	static const struct {
		const char *key, *value; /* a fact of the target */
		enum move_kind kind;
		const char *reason;
	} cases[] = {
		{ NULL, NULL, MOVE_COLD, "the instance is stopped" },
		{ "criu_version", "1.0", MOVE_COLD, "the instance is stopped" },
		{ "kernel_architecture", "mips", MOVE_REFUSED, "mips" },
	};
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *target = move_facts(t->m), *pool = world_pool();
		struct move_plan plan = { 0 };
		char buf[2000];

		if (cases[i].key)
			json_put_str(target, cases[i].key, cases[i].value);
		move_plan_with(t->m, "c1", pool, target, &plan);
		assert_int_equal(plan.kind, cases[i].kind);
		move_plan_text(&plan, MOVE_LIVE, buf, sizeof(buf));
		if (!strstr(buf, cases[i].reason))
			fail_msg("%s", buf);
		/* What only a running one would mind is not told. */
		if (plan.kind == MOVE_COLD)
			assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 1);
	}
}

static void a_target_that_is_unknown_is_named(void **state)
{
	struct mover_world *t = *state;
	struct row row = { .key = (char *)"c1", .doc = json_pack("{ss}", "name", "c1") };
	struct move_plan plan;
	struct err err = { 0 };

	assert_int_equal(move_plan(t->m, &row, "m7", &plan, &err), -1);
	assert_non_null(strstr(err.msg, "m7"));
	json_decref(row.doc);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_member_tells_what_it_is),         T(two_members_greet_each_other),
		T(strange_greetings_are_refused),     T(a_stopped_instance_moves_cold),
		T(a_target_that_is_unknown_is_named),
	};

	return mover_world_main(argc, argv, tests);
}
