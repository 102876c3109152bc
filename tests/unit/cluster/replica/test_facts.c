/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of a replica, and what its watchers are told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/replica/replica.h"
#include "tests/unit/base/random.h"

struct world {
	struct notifier *notifier;
	struct replica *r;
	int dirty;
};

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;

	w->notifier = notifier_new();
	w->r = replica_new(w->notifier, &err);
	*state = w;
	return w->r ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	replica_free(w->r);
	notifier_free(w->notifier);
	free(w);
	return 0;
}

static bool put(struct world *w, const char *key, const char *member, const char *text)
{
	return replica_fact_put(w->r, FACT_INSTANCE, key, member, text, false);
}

static bool put_own(struct world *w, const char *key, const char *text)
{
	return replica_fact_put(w->r, FACT_INSTANCE, key, "me", text, true);
}

static void expect(struct world *w, const char *key, const char *member, const char *text)
{
	char got_member[64] = "untouched";
	_free_ char *got = replica_fact(w->r, FACT_INSTANCE, key, got_member);

	assert_true(str_eq(got, text));
	assert_string_equal(got_member, text ? member : "untouched");
}

static void collect(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	sbuf_printf(arg, "%s:%d/%s=%s ", member, (int)f, key, text ? text : "-");
}

static void the_latest_claim_shows(void **state)
{
	struct world *w = *state;

	expect(w, "c1", NULL, NULL);
	assert_true(put(w, "c1", "a", "1"));
	expect(w, "c1", "a", "1");
	assert_true(put(w, "c1", "b", "2"));
	expect(w, "c1", "b", "2");
	assert_true(put(w, "c1", "a", "3"));
	expect(w, "c1", "a", "3");
	assert_true(put(w, "c1", "a", NULL));
	expect(w, "c1", "b", "2");
	assert_true(put(w, "c1", "b", NULL));
	expect(w, "c1", NULL, NULL);
}

static void nothing_new_is_no_change(void **state)
{
	struct world *w = *state;
	uint64_t changes;

	assert_false(put(w, "c1", "a", NULL));
	assert_true(put(w, "c1", "a", "1"));
	changes = replica_changes(w->r);
	assert_false(put(w, "c1", "a", "1"));
	assert_false(put(w, "c1", "b", NULL));
	assert_false(put(w, "c2", "a", NULL));
	assert_true(replica_changes(w->r) == changes);
	/* a claim that is not the latest is one, though it says the same */
	assert_true(put(w, "c1", "b", "1"));
	assert_true(put(w, "c1", "a", "1"));
	expect(w, "c1", "a", "1");
}

/* A claim below the one that shows changes what is known, but not what is shown. */
static void a_hidden_withdrawal_does_not_show(void **state)
{
	struct world *w = *state;
	uint64_t changes;

	put(w, "c1", "a", "1");
	put(w, "c1", "b", "2");
	changes = replica_changes(w->r);
	assert_true(put(w, "c1", "a", NULL));
	assert_true(replica_changes(w->r) == changes);
	expect(w, "c1", "b", "2");
	assert_true(put(w, "c1", "b", NULL));
	assert_true(replica_changes(w->r) > changes);
	expect(w, "c1", NULL, NULL);
}

static void kinds_are_apart(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(1000);
	_free_ char *text = NULL;

	for (int f = 0; f < FACT_KINDS; f++) {
		_free_ char *value = xasprintf("%d", f);

		assert_true(replica_fact_put(w->r, f, "same", "a", value, false));
	}
	for (int f = 0; f < FACT_KINDS; f++) {
		_free_ char *want = xasprintf("a:%d/same=%d ", f, f);

		sbuf_reset(&b);
		replica_each_fact(w->r, f, collect, &b);
		assert_string_equal(b.data, want);
	}
	assert_true(replica_fact_put(w->r, FACT_MEMBER, "same", "a", NULL, false));
	assert_null(replica_fact(w->r, FACT_MEMBER, "same", NULL));
	text = replica_fact(w->r, FACT_INSTANCE, "same", NULL);
	assert_non_null(text);
}

static void each_shows_a_key_once(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(1000), all = SBUF(1000), of_a = SBUF(1000);

	put(w, "c2", "a", "1");
	put(w, "c1", "a", "2");
	put(w, "c1", "b", "3");
	replica_each_fact(w->r, FACT_INSTANCE, collect, &b);
	assert_string_equal(b.data, "b:1/c1=3 a:1/c2=1 ");
	/* claims that do not show are told where all are asked for */
	replica_member_facts(w->r, NULL, collect, &all);
	assert_string_equal(all.data, "a:1/c2=1 a:1/c1=2 b:1/c1=3 ");
	replica_member_facts(w->r, "a", collect, &of_a);
	assert_string_equal(of_a.data, "a:1/c1=2 a:1/c2=1 ");
}

static void a_renamed_member_keeps_its_facts(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(1000);

	put(w, "c1", "none", "1");
	put(w, "c2", "none", "2");
	put(w, "c2", "n1", "old");
	replica_facts_rename(w->r, "none", "n1");
	replica_member_facts(w->r, "none", collect, &b);
	assert_int_equal(b.len, 0);
	expect(w, "c1", "n1", "1");
	expect(w, "c2", "n1", "2");
}

static void own_changes_wait_until_they_are_taken(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(1000);

	assert_false(replica_take_dirty(w->r, "me", 100, collect, &b));
	put_own(w, "c1", "1");
	put_own(w, "c1", "2");
	put_own(w, "c2", "3");
	put_own(w, "c2", NULL);
	put(w, "c3", "other", "9");
	assert_true(replica_take_dirty(w->r, "me", 10000, collect, &b));
	assert_string_equal(b.data, "me:1/c1=2 me:1/c2=- ");
	assert_false(replica_take_dirty(w->r, "me", 10000, collect, &b));
	put_own(w, "c1", "2");
	assert_false(replica_take_dirty(w->r, "me", 10000, collect, &b));
	put_own(w, "c1", "3");
	replica_drop_dirty(w->r);
	assert_false(replica_take_dirty(w->r, "me", 10000, collect, &b));
}

static void a_little_is_taken_at_a_time(void **state)
{
	struct world *w = *state;
	char key[16];
	int rounds = 0;
	_sbuf_ struct sbuf b = SBUF(100000);

	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "c%02d", i);
		put_own(w, key, "0123456789");
	}
	while (replica_take_dirty(w->r, "me", 50, collect, &b))
		rounds++;
	assert_in_range(rounds, 5, 50);
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "/c%02d=", i);
		assert_non_null(strstr(b.data, key));
	}
}

static void count_dirty(void *arg)
{
	((struct world *)arg)->dirty++;
}

static void own_changes_are_told_at_once(void **state)
{
	struct world *w = *state;

	replica_on_dirty(w->r, count_dirty, w);
	put_own(w, "c1", "1");
	assert_int_equal(w->dirty, 1);
	put_own(w, "c1", "1");
	put(w, "c1", "other", "2");
	assert_int_equal(w->dirty, 1);
	put_own(w, "c1", NULL);
	assert_int_equal(w->dirty, 2);
	replica_on_dirty(w->r, NULL, NULL);
	put_own(w, "c1", "3");
	assert_int_equal(w->dirty, 2);
}

/* Everything above a mark comes, once, in the order in which it was put. */
static void what_came_since_is_told_in_order(void **state)
{
	struct world *w = *state;
	_sbuf_ struct sbuf b = SBUF(1000);
	int64_t seq = 0;

	put(w, "c1", "a", "1");
	put(w, "c2", "b", "2");
	put(w, "c1", "a", "3");
	while (replica_facts_since(w->r, NULL, &seq, 1, collect, &b))
		;
	assert_string_equal(b.data, "b:1/c2=2 a:1/c1=3 ");
	sbuf_reset(&b);
	assert_false(replica_facts_since(w->r, NULL, &seq, 1000, collect, &b));
	assert_int_equal(b.len, 0);
	put(w, "c3", "b", "4");
	put(w, "c4", "a", "5");
	assert_false(replica_facts_since(w->r, "a", &seq, 1000, collect, &b));
	assert_string_equal(b.data, "a:1/c4=5 ");
}

struct claim {
	int member, value; /* value 0: none */
	int order;
};

/* Puts and withdrawals at random, beside a list of the claims on one key. */
static void claims_agree_with_a_plain_list(void **state)
{
	static const char *const members[] = { "a", "b", "c" };
	struct claim claims[3] = { { 0 } };
	struct world *w = *state;
	struct random r = { 8 };

	for (int step = 1; step < 1000; step++) {
		int m = (int)random_below(&r, 3), value = (int)random_below(&r, 4);
		const struct claim *top = NULL;
		char text[8], want[8];

		snprintf(text, sizeof(text), "%d", value);
		put(w, "c1", members[m], value ? text : NULL);
		for (int i = 0; i < 3; i++)
			if (claims[i].value && (!top || claims[i].order > top->order))
				top = &claims[i];
		/* the same again is no newer claim */
		if (!(top == &claims[m] && claims[m].value == value))
			claims[m] = (struct claim){ m, value, step };
		top = NULL;
		for (int i = 0; i < 3; i++)
			if (claims[i].value && (!top || claims[i].order > top->order))
				top = &claims[i];
		snprintf(want, sizeof(want), "%d", top ? top->value : 0);
		expect(w, "c1", top ? members[top->member] : NULL, top ? want : NULL);
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(the_latest_claim_shows),
		test(nothing_new_is_no_change),
		test(a_hidden_withdrawal_does_not_show),
		test(kinds_are_apart),
		test(each_shows_a_key_once),
		test(a_renamed_member_keeps_its_facts),
		test(own_changes_wait_until_they_are_taken),
		test(a_little_is_taken_at_a_time),
		test(own_changes_are_told_at_once),
		test(what_came_since_is_told_in_order),
		test(claims_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
