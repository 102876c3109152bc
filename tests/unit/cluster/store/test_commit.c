/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a transaction over ways that lose, refuse and delay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/store/commit.h"

#define OK ERR_NONE
#define TRIES_MAX 6

/* A leader that answers as a script says, and may have committed what it did not answer. */
struct leader {
	enum err_kind answers[TRIES_MAX]; /* of the attempts, the last one for good */
	int committed_by;                 /* the attempt that was committed; -1: none */
	bool answers_look_ups;
	int sent, looked_up, tries_left;
	int64_t revision, bases[TRIES_MAX];
};

static int send(void *arg, struct tx *t, int64_t deadline, int64_t *ret_rev, struct err *err)
{
	struct leader *l = arg;
	int i = l->sent < TRIES_MAX ? l->sent : TRIES_MAX - 1;
	enum err_kind kind = l->answers[i];

	l->bases[i] = t->base;
	l->sent++;
	l->revision++; /* others write, too */
	if (kind != ERR_NONE)
		return err_set(err, kind, "as the script says");
	*ret_rev = 7;
	return 0;
}

static int look_up(void *arg, const struct tx *t, int64_t deadline, int64_t *ret_rev,
		   struct err *err)
{
	struct leader *l = arg;

	l->looked_up++;
	if (!l->answers_look_ups)
		return err_set(err, ERR_UNAVAILABLE, "nobody there");
	*ret_rev = 5;
	return l->committed_by >= 0 && l->committed_by < l->sent;
}

static int64_t revision(void *arg)
{
	return ((struct leader *)arg)->revision;
}

static bool again(void *arg, int64_t deadline)
{
	return ((struct leader *)arg)->tries_left-- > 0;
}

static struct commit_way way_to(struct leader *l)
{
	return (struct commit_way){ send, look_up, revision, again, l };
}

static int commit(struct leader *l, struct tx *t, int64_t *ret_rev, struct err *err)
{
	struct commit_way w = way_to(l);

	return commit_over(&w, t, deadline_in(1000), ret_rev, err);
}

/* Every kind of error, as the second answer after a lost first one: never "not committed" unless
 * the leader was asked and said so. */
static void test_lost_first(void **state)
{
	for (int kind = ERR_NONE + 1; kind < ERR_MAX; kind++) {
		for (int committed = -1; committed <= 0; committed++) {
			struct leader l = { .answers = { ERR_UNKNOWN, (enum err_kind)kind, kind,
							 kind, kind, kind },
					    .committed_by = committed,
					    .answers_look_ups = true,
					    .tries_left = 3 };
			_tx_ struct tx *t = tx_new();
			struct err err = { 0 };
			int64_t rev = 0;
			int rc = commit(&l, t, &rev, &err);

			/* The leader itself says that it is burnt. */
			if (kind == ERR_CANCELLED) {
				assert_int_equal(err.kind, ERR_UNAVAILABLE);
				assert_int_equal(t->fate, TX_DEAD);
				continue;
			}
			if (rc == 0) {
				assert_int_equal(committed, 0);
				assert_int_equal(rev, 5);
				assert_int_equal(t->fate, TX_COMMITTED);
			} else if (t->fate == TX_OPEN) {
				assert_int_equal(err.kind, ERR_UNKNOWN);
			} else {
				assert_int_equal(committed, -1);
				assert_int_equal(t->fate, TX_DEAD);
				assert_int_equal(err.kind, kind);
				assert_true(l.looked_up > 0);
			}
		}
	}
}

/* The same when nobody answers the question either. */
static void test_lost_and_silent(void **state)
{
	for (int kind = ERR_NONE + 1; kind < ERR_MAX; kind++) {
		struct leader l = { .answers = { ERR_UNKNOWN, kind, kind, kind, kind, kind },
				    .committed_by = 0,
				    .tries_left = 3 };
		struct commit_way w = way_to(&l);
		_tx_ struct tx *t = tx_new();
		struct err err = { 0 };
		int64_t rev = 0;

		assert_int_equal(commit(&l, t, &rev, &err), -1);
		if (kind == ERR_CANCELLED)
			continue;
		assert_int_equal(err.kind, ERR_UNKNOWN);
		assert_int_equal(t->fate, TX_OPEN);
		/* Later the leader answers. */
		l.answers_look_ups = true;
		assert_int_equal(outcome_over(&w, t, deadline_in(1000), &rev, &err), 1);
		assert_int_equal(t->fate, TX_COMMITTED);
	}
}

static void test_refused_at_once(void **state)
{
	static const enum err_kind refusals[] = { ERR_CONFLICT, ERR_PRECONDITION, ERR_NO_SPACE,
						  ERR_FORBIDDEN, ERR_TOO_LARGE };

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct leader l = { .answers = { refusals[i] }, .committed_by = -1 };
		struct commit_way w = way_to(&l);
		_tx_ struct tx *t = tx_new();
		struct err err = { 0 };
		int64_t rev = 0;

		assert_int_equal(commit(&l, t, &rev, &err), -1);
		assert_int_equal(err.kind, refusals[i]);
		assert_int_equal(l.sent, 1);
		/* Nobody has it: there is nothing to ask. */
		assert_int_equal(outcome_over(&w, t, deadline_in(1000), &rev, &err), 0);
		assert_int_equal(l.looked_up, 0);
	}
}

/* Attempts in vain do not bind it to an old revision; an open one does. */
static void test_base(void **state)
{
	struct leader l = { .answers = { ERR_UNAVAILABLE, ERR_LIMIT, ERR_UNKNOWN, ERR_UNAVAILABLE,
					 OK },
			    .committed_by = -1,
			    .tries_left = 9,
			    .revision = 100 };
	_tx_ struct tx *t = tx_new();
	struct err err = { 0 };
	int64_t rev = 0;

	assert_int_equal(commit(&l, t, &rev, &err), 0);
	assert_int_equal(rev, 7);
	assert_int_equal(l.bases[0], 100);
	assert_int_equal(l.bases[1], 101);
	assert_int_equal(l.bases[2], 102);
	assert_int_equal(l.bases[3], 102);
	assert_int_equal(l.bases[4], 102);
}

static void test_never_sent(void **state)
{
	struct leader l = { .answers = { ERR_UNAVAILABLE, ERR_LIMIT }, .tries_left = 1 };
	_tx_ struct tx *t = tx_new();
	struct err err = { 0 };
	int64_t rev = 0;

	assert_int_equal(commit(&l, t, &rev, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_int_equal(t->fate, TX_HELD);
	assert_int_equal(l.sent, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lost_first),      cmocka_unit_test(test_lost_and_silent),
		cmocka_unit_test(test_refused_at_once), cmocka_unit_test(test_base),
		cmocka_unit_test(test_never_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
