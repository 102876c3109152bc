/* SPDX-License-Identifier: Apache-2.0 */
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
#include "cluster/store/batch.h"
#include "tests/unit/base/random.h"

struct world {
	struct notifier *notifier;
	struct replica *replica;
	struct batch *batch;
	struct tx *held[64]; /* until the batch is reset */
	size_t n_held;
};

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;

	w->notifier = notifier_new();
	w->replica = replica_new(w->notifier, &err);
	w->batch = batch_new(w->replica);
	*state = w;
	return w->replica ? 0 : -1;
}

static void drop_held(struct world *w)
{
	while (w->n_held)
		tx_free(w->held[--w->n_held]);
}

static int teardown(void **state)
{
	struct world *w = *state;

	batch_free(w->batch);
	drop_held(w);
	replica_free(w->replica);
	notifier_free(w->notifier);
	free(w);
	return 0;
}

static void seed(struct world *w, const char *key, int64_t rev)
{
	replica_apply(w->replica, &(struct change){ ENT_PROFILE, key, rev, "{}" }, 1, rev);
}

/* One change of a profile as a transaction; its revision, or -1 with the kind of the refusal. */
static int64_t add(struct world *w, enum tx_op op, const char *key, int64_t seen, struct err *err)
{
	_json_ json_t *doc = json_pack("{s:s}", "of", key);
	struct tx *t = w->held[w->n_held++] = tx_new();
	int64_t rev = -1;

	switch (op) {
	case TX_PUT:
		tx_put(t, ENT_PROFILE, key, seen, doc);
		break;
	case TX_DELETE:
		tx_delete(t, ENT_PROFILE, key, seen);
		break;
	case TX_CHECK:
		tx_check(t, ENT_PROFILE, key, seen);
		break;
	case TX_STILL:
		tx_check_still(t, ENT_PROFILE, seen);
		break;
	}
	*err = (struct err){ 0 };
	return batch_add(w->batch, t, &rev, err) < 0 ? -1 : rev;
}

static void an_empty_batch_is_at_the_replicas_revision(void **state)
{
	struct world *w = *state;
	size_t n = 1;

	seed(w, "p", 41);
	batch_reset(w->batch);
	assert_true(batch_empty(w->batch));
	assert_int_equal(batch_base(w->batch), 41);
	assert_int_equal(batch_revision(w->batch), 41);
	batch_changes(w->batch, &n);
	assert_int_equal(n, 0);
}

/* "old" is at revision 5, "none" is not there. */
static void what_was_seen_decides(void **state)
{
	static const struct {
		enum tx_op op;
		const char *key;
		int64_t seen;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ TX_PUT, "old", 5, ERR_NONE, NULL },
		{ TX_PUT, "old", REV_ANY, ERR_NONE, NULL },
		{ TX_PUT, "none", REV_NONE, ERR_NONE, NULL },
		{ TX_PUT, "none", REV_ANY, ERR_NONE, NULL },
		{ TX_DELETE, "old", 5, ERR_NONE, NULL },
		{ TX_DELETE, "none", REV_ANY, ERR_NONE, NULL },
		{ TX_CHECK, "old", 5, ERR_NONE, NULL },
		{ TX_CHECK, "none", REV_NONE, ERR_NONE, NULL },
		{ TX_STILL, "", 5, ERR_NONE, NULL },
		{ TX_STILL, "", 9, ERR_NONE, NULL },
		{ TX_PUT, "old", REV_NONE, ERR_CONFLICT, "profile \"old\" already exists" },
		{ TX_CHECK, "old", REV_NONE, ERR_CONFLICT, "profile \"old\" already exists" },
		{ TX_PUT, "old", 4, ERR_PRECONDITION, "profile \"old\" was changed meanwhile" },
		{ TX_DELETE, "old", 6, ERR_PRECONDITION, "profile \"old\" was changed meanwhile" },
		{ TX_PUT, "none", 4, ERR_PRECONDITION, "profile \"none\" was deleted meanwhile" },
		{ TX_CHECK, "none", 1, ERR_PRECONDITION, "profile \"none\" was deleted meanwhile" },
		{ TX_STILL, "", 4, ERR_PRECONDITION, "another profile was made or changed" },
	};
	struct world *w = *state;

	seed(w, "old", 5);
	replica_apply(w->replica, NULL, 0, 9);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err;
		int64_t rev;

		batch_reset(w->batch);
		drop_held(w);
		rev = add(w, cases[i].op, cases[i].key, cases[i].seen, &err);
		assert_int_equal(err.kind, cases[i].kind);
		assert_int_equal(rev, cases[i].kind ? -1 : 10);
		assert_int_equal(batch_empty(w->batch), cases[i].kind != ERR_NONE);
		if (cases[i].says && !strstr(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
	}
}

/* Each sees what those before it in the batch did. */
static void later_ones_see_earlier_ones(void **state)
{
	struct world *w = *state;
	struct err err;

	seed(w, "p", 5);
	batch_reset(w->batch);
	assert_int_equal(add(w, TX_PUT, "p", 5, &err), 6);
	assert_int_equal(add(w, TX_PUT, "p", 5, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(add(w, TX_PUT, "p", 6, &err), 7);
	assert_int_equal(add(w, TX_STILL, "", 6, &err), -1);
	assert_int_equal(add(w, TX_DELETE, "p", 7, &err), 8);
	assert_int_equal(add(w, TX_DELETE, "p", 8, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(add(w, TX_CHECK, "p", REV_NONE, &err), 9);
	assert_int_equal(add(w, TX_PUT, "p", REV_NONE, &err), 10);
	assert_int_equal(add(w, TX_PUT, "p", REV_NONE, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(batch_base(w->batch), 5);
	assert_int_equal(batch_revision(w->batch), 10);
}

/* What was decided by looking at all of a kind stands as long as that kind is the same. */
static void other_kinds_may_change_meanwhile(void **state)
{
	struct world *w = *state;
	_json_ json_t *doc = json_object();
	struct tx *t = w->held[w->n_held++] = tx_new();
	struct err err;
	int64_t rev;

	seed(w, "p", 5);
	batch_reset(w->batch);
	tx_put(t, ENT_NETWORK, "n", REV_NONE, doc);
	assert_int_equal(batch_add(w->batch, t, &rev, &err), 0);
	assert_int_equal(add(w, TX_STILL, "", 5, &err), 7);
	assert_int_equal(add(w, TX_PUT, "p", 5, &err), 8);
	assert_int_equal(add(w, TX_STILL, "", 5, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
}

static void all_or_nothing(void **state)
{
	struct world *w = *state;
	_json_ json_t *doc = json_object();
	_tx_ struct tx *t = tx_new();
	int64_t rev = 77;
	struct err err;
	size_t n;

	seed(w, "p", 5);
	batch_reset(w->batch);
	tx_put(t, ENT_PROFILE, "q", REV_NONE, doc);
	tx_delete(t, ENT_PROFILE, "p", 4);
	assert_int_equal(batch_add(w->batch, t, &rev, &err), -1);
	assert_int_equal(rev, 77);
	assert_true(batch_empty(w->batch));
	batch_changes(w->batch, &n);
	assert_int_equal(n, 0);
	assert_int_equal(add(w, TX_CHECK, "q", REV_NONE, &err), 6);
}

static void changes_are_told_in_order_and_rows_once(void **state)
{
	struct world *w = *state;
	struct wire_value params[BATCH_PARAMS];
	const struct change *v;
	struct err err;
	int64_t rev;
	size_t n;

	seed(w, "p", 5);
	batch_reset(w->batch);
	add(w, TX_PUT, "p", 5, &err);
	add(w, TX_PUT, "p", 6, &err);
	batch_add_burnt(w->batch, "0123456789abcdef0123456789abcdef", &rev);
	assert_int_equal(rev, 8);
	add(w, TX_DELETE, "p", 7, &err);
	add(w, TX_DELETE, "p", REV_ANY, &err); /* nothing there: no change */
	v = batch_changes(w->batch, &n);
	assert_int_equal(n, 3);
	assert_int_equal(v[0].rev, 6);
	assert_int_equal(v[1].rev, 7);
	assert_int_equal(v[2].rev, 9);
	assert_null(v[2].text);
	assert_int_equal(batch_params(w->batch, params, &err), 0);
	assert_int_equal(params[BATCH_BASE].i, 5);
	assert_string_equal(params[BATCH_ROWS].text, "[[\"profiles\",\"p\",9,null]]");
	assert_non_null(
		strstr(params[BATCH_DONE].text, ",[8,\"0123456789abcdef0123456789abcdef\",1],[9,"));
}

static void only_ids_are_no_rows(void **state)
{
	struct world *w = *state;
	struct wire_value params[BATCH_PARAMS];
	struct err err;

	batch_reset(w->batch);
	assert_int_equal(add(w, TX_CHECK, "p", REV_NONE, &err), 1);
	assert_false(batch_empty(w->batch));
	assert_int_equal(batch_params(w->batch, params, &err), 0);
	assert_int_equal(params[BATCH_ROWS].type, WIRE_NULL);
	assert_int_equal(params[BATCH_DONE].type, WIRE_TEXT);
}

static void keys_with_quotes_are_json(void **state)
{
	struct world *w = *state;
	struct wire_value params[BATCH_PARAMS];
	_json_ json_t *rows = NULL;
	struct err err;

	batch_reset(w->batch);
	assert_int_equal(add(w, TX_PUT, "a\"b\\c\n", REV_NONE, &err), 1);
	assert_int_equal(batch_params(w->batch, params, &err), 0);
	rows = json_parse(params[BATCH_ROWS].text, strlen(params[BATCH_ROWS].text), "rows", &err);
	assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 0), 1)),
			    "a\"b\\c\n");
}

static void what_is_too_large_is_refused(void **state)
{
	struct world *w = *state;
	struct wire_value params[BATCH_PARAMS];
	_free_ char *big = xcalloc((33 << 20) + 1, 1);
	_json_ json_t *doc = NULL;
	struct tx *t = w->held[w->n_held++] = tx_new();
	struct err err = { 0 };
	int64_t rev;

	memset(big, 'b', 33 << 20);
	doc = json_pack("{s:s}", "v", big);
	tx_put(t, ENT_PROFILE, "p", REV_NONE, doc);
	batch_reset(w->batch);
	assert_int_equal(batch_add(w->batch, t, &rev, &err), 0);
	assert_int_equal(batch_params(w->batch, params, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

/* Applied to the replica, a batch gives what its transactions one by one would have given. */
static void a_batch_is_as_one_by_one(void **state)
{
	static const char *const keys[] = { "a", "b", "c" };
	struct world *w = *state;
	int64_t revs[3] = { 0 }, revision = 0;
	struct random r = { 31 };

	for (int round = 0; round < 200; round++) {
		const struct change *v;
		size_t n;

		batch_reset(w->batch);
		drop_held(w);
		for (size_t k = random_below(&r, 12); k; k--) {
			size_t i = random_below(&r, 3);
			enum tx_op op = random_below(&r, 3);
			int64_t seen = (int64_t[]){ REV_ANY, REV_NONE, revs[i],
						    revision }[random_below(&r, 4)];
			struct err err;
			int64_t rev = add(w, op, keys[i], seen, &err);
			bool fits = seen == REV_ANY || seen == revs[i];

			assert_int_equal(rev, fits ? revision + 1 : -1);
			if (!fits)
				continue;
			revision++;
			if (op != TX_CHECK && !(op == TX_DELETE && !revs[i]))
				revs[i] = op == TX_PUT ? revision : 0;
		}
		v = batch_changes(w->batch, &n);
		replica_apply(w->replica, v, n, batch_revision(w->batch));
		assert_int_equal(replica_revision(w->replica), revision);
		for (int i = 0; i < 3; i++)
			assert_int_equal(replica_row_rev(w->replica, ENT_PROFILE, keys[i]),
					 revs[i]);
	}
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(an_empty_batch_is_at_the_replicas_revision),
		test(what_was_seen_decides),
		test(later_ones_see_earlier_ones),
		test(other_kinds_may_change_meanwhile),
		test(all_or_nothing),
		test(changes_are_told_in_order_and_rows_once),
		test(only_ids_are_no_rows),
		test(keys_with_quotes_are_json),
		test(what_is_too_large_is_refused),
		test(a_batch_is_as_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
