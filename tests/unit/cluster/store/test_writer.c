/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's queue, drained step by step by the test over a real dqlite node. */
#include <pthread.h>
#include <string.h>

#include "cluster/store/writer.h"
#include "tests/unit/cluster/db/node.h"
#include "tests/unit/base/patience.h"

static struct lone_node node;

struct world {
	struct notifier *notifier;
	struct replica *replica;
	struct writer *writer;
	struct db *db;
	int committed;
	int64_t before, revision;
};

static int start_node(void **state)
{
	lone_node_start(&node);
	return 0;
}

static int stop_node(void **state)
{
	lone_node_stop(&node);
	return 0;
}

static void on_committed(void *arg, const struct change *v, size_t n, int64_t before,
			 int64_t revision)
{
	struct world *w = arg;

	w->committed++;
	w->before = before;
	w->revision = revision;
	/* the replica has it already */
	assert_int_equal(replica_revision(w->replica), revision);
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct writer_hooks hooks = { node.dir, on_committed, w };
	struct err err = { 0 };

	w->notifier = notifier_new();
	w->replica = replica_new(w->notifier, &err);
	w->writer = writer_new(w->replica, &hooks);
	w->db = lone_node_db(&node);
	if (writer_load(w->writer, w->db, &err) < 0)
		fail_msg("%s", err.msg);
	writer_open(w->writer, true);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	writer_free(w->writer);
	db_close(w->db);
	replica_free(w->replica);
	notifier_free(w->notifier);
	free(w);
	return 0;
}

static struct wreq *submit(struct world *w, struct tx *own, int64_t ms)
{
	_tx_ struct tx *t = own;
	struct wreq *q;

	t->base = replica_revision(w->replica);
	q = wreq_new(t, deadline_in(ms));
	writer_submit(w->writer, q);
	return q;
}

static struct tx *putting(const char *key, int64_t seen)
{
	struct tx *t = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "of", key);

	tx_put(t, ENT_PROFILE, key, seen, doc);
	return t;
}

static int step(struct world *w)
{
	struct err err = { 0 };

	return writer_step(w->writer, w->db, &err);
}

/* The answer, after which the request is gone. */
static enum err_kind answer(struct world *w, struct wreq *own, int64_t *ret_rev)
{
	struct err err = { 0 };
	int64_t rev = 0;

	writer_wait(w->writer, own, &rev, &err);
	wreq_unref(own);
	*ret_rev = rev;
	return err.kind;
}

static void waiting_ones_are_committed_together(void **state)
{
	struct world *w = *state;
	int64_t base = replica_revision(w->replica), rev;
	struct wreq *v[5];

	for (int i = 0; i < 5; i++) {
		_free_ char *key = xasprintf("together-%d", i);

		v[i] = submit(w, putting(key, REV_NONE), 20000);
	}
	assert_true(writer_idle(w->writer, deadline_in(0)));
	assert_int_equal(step(w), 0);
	assert_false(writer_idle(w->writer, deadline_in(0)));
	assert_int_equal(w->committed, 1);
	assert_int_equal(w->before, base);
	assert_int_equal(w->revision, base + 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(answer(w, v[i], &rev), ERR_NONE);
		assert_int_equal(rev, base + 1 + i);
	}
}

static void one_that_fails_harms_no_neighbour(void **state)
{
	struct world *w = *state;
	struct wreq *good = submit(w, putting("good", REV_NONE), 20000);
	struct wreq *bad = submit(w, putting("good", REV_NONE), 20000);
	struct wreq *last = submit(w, putting("last", REV_NONE), 20000);
	int64_t a, b;

	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, good, &a), ERR_NONE);
	assert_int_equal(answer(w, bad, &b), ERR_CONFLICT);
	assert_int_equal(answer(w, last, &b), ERR_NONE);
	assert_int_equal(b, a + 1);
}

static void nothing_to_commit_is_no_commit(void **state)
{
	struct world *w = *state;
	struct wreq *bad = submit(w, putting("x", 77), 20000);
	int64_t rev;

	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, bad, &rev), ERR_PRECONDITION);
	assert_int_equal(step(w), 0);
	assert_int_equal(w->committed, 0);
}

/* Two attempts in the queue at once: the second is answered with what became of the first. */
static void an_attempt_twice_is_one_commit(void **state)
{
	struct world *w = *state;
	struct tx *t = putting("twice", REV_NONE);
	struct wreq *a = submit(w, tx_ref(t), 20000), *b = submit(w, t, 20000);
	int64_t rev_a, rev_b;

	assert_int_equal(step(w), 0);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, a, &rev_a), ERR_NONE);
	assert_int_equal(answer(w, b, &rev_b), ERR_NONE);
	assert_int_equal(rev_a, rev_b);
	assert_int_equal(w->committed, 1);
}

static void what_is_burnt_never_comes(void **state)
{
	struct world *w = *state;
	struct tx *t = putting("burnt", REV_NONE);
	struct wreq *burn = wreq_burn(t->id, replica_revision(w->replica), PATIENCE), *late;
	int64_t rev;

	writer_submit(w->writer, burn);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, burn, &rev), ERR_CANCELLED);
	late = submit(w, t, 20000);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, late, &rev), ERR_CANCELLED);
	assert_int_equal(replica_row_rev(w->replica, ENT_PROFILE, "burnt"), 0);
}

static void burning_what_came_says_so(void **state)
{
	struct world *w = *state;
	struct tx *t = putting("came", REV_NONE);
	_free_ char *id = xstrdup(t->id);
	struct wreq *q = submit(w, t, 20000), *burn;
	int64_t rev, same;

	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, q, &rev), ERR_NONE);
	burn = wreq_burn(id, 0, PATIENCE);
	writer_submit(w->writer, burn);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, burn, &same), ERR_NONE);
	assert_int_equal(same, rev);
}

static void who_does_not_lead_takes_nothing(void **state)
{
	struct world *w = *state;
	struct wreq *queued = submit(w, putting("queued", REV_NONE), 20000), *late;
	struct err err = { 0 };
	int64_t rev;

	writer_open(w->writer, false);
	assert_int_equal(writer_wait(w->writer, queued, &rev, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "this member stopped leading the cluster");
	wreq_unref(queued);
	late = submit(w, putting("late", REV_NONE), 20000);
	assert_int_equal(writer_wait(w->writer, late, &rev, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "this member does not lead the cluster");
	wreq_unref(late);
	assert_false(writer_idle(w->writer, deadline_in(0)));
	assert_int_equal(step(w), 0);
	assert_int_equal(w->committed, 0);
}

/* Nobody drains: at the deadline it is out of the queue, and surely not committed. */
static void a_deadline_takes_it_out_of_the_queue(void **state)
{
	struct world *w = *state;
	struct wreq *q = submit(w, putting("too-late", REV_NONE), 10), *next;
	int64_t rev;

	assert_int_equal(answer(w, q, &rev), ERR_UNAVAILABLE);
	next = submit(w, putting("next", REV_NONE), 20000);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, next, &rev), ERR_NONE);
	assert_int_equal(replica_row_rev(w->replica, ENT_PROFILE, "too-late"), 0);
}

/* Another writer was there: the connection is of no more use, and nothing was committed by it. */
static void a_missed_commit_is_found_out(void **state)
{
	struct world *w = *state, *other;
	struct wreq *theirs, *ours;
	struct err err = { 0 };
	int64_t rev;

	setup((void **)&other);
	theirs = submit(other, putting("theirs", REV_NONE), 20000);
	assert_int_equal(step(other), 0);
	assert_int_equal(answer(other, theirs, &rev), ERR_NONE);
	ours = submit(w, putting("ours", REV_NONE), 20000);
	assert_int_equal(step(w), -1);
	assert_int_equal(answer(w, ours, &rev), ERR_UNAVAILABLE);
	/* loaded again, it goes on from there */
	assert_int_equal(writer_load(w->writer, w->db, &err), 0);
	assert_true(replica_row_rev(w->replica, ENT_PROFILE, "theirs") > 0);
	ours = submit(w, putting("ours", REV_NONE), 20000);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, ours, &rev), ERR_NONE);
	teardown((void **)&other);
}

/* Older than what is remembered: neither made nor denied. */
static void a_forgotten_attempt_is_not_guessed_at(void **state)
{
	struct world *w = *state;
	_tx_ struct tx *t = putting("forgotten", REV_NONE);
	struct wreq *q, *burn;
	struct err err = { 0 };
	int64_t rev;

	q = submit(w, putting("one-more", REV_NONE), 20000);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, q, &rev), ERR_NONE);
	assert_int_equal(db_prune_done(w->db, rev - 1, &err), 0);
	assert_int_equal(writer_load(w->writer, w->db, &err), 0);
	t->base = rev - 2;
	q = wreq_new(t, PATIENCE);
	burn = wreq_burn(t->id, rev - 2, PATIENCE);
	writer_submit(w->writer, q);
	writer_submit(w->writer, burn);
	assert_int_equal(step(w), 0);
	assert_int_equal(step(w), 0);
	assert_int_equal(answer(w, q, &rev), ERR_UNAVAILABLE);
	assert_int_equal(answer(w, burn, &rev), ERR_UNKNOWN);
	assert_int_equal(replica_row_rev(w->replica, ENT_PROFILE, "forgotten"), 0);
}

static void *wake(void *arg)
{
	writer_wake(arg);
	return NULL;
}

static void waiting_is_ended_by_a_wake(void **state)
{
	struct world *w = *state;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, wake, w->writer), 0);
	assert_false(writer_idle(w->writer, deadline_in(60000)));
	pthread_join(t, NULL);
	/* once only */
	assert_false(writer_idle(w->writer, deadline_in(1)));
}

#define MANY 600

/* More than one batch holds, in the order in which they came. */
static void long_queues_take_several_batches(void **state)
{
	struct world *w = *state;
	struct wreq *v[MANY];
	int64_t last = 0, rev;
	int steps = 0;

	for (int i = 0; i < MANY; i++)
		v[i] = submit(w, putting("long", REV_ANY), 60000);
	while (writer_idle(w->writer, deadline_in(0))) {
		assert_int_equal(step(w), 0);
		steps++;
	}
	assert_true(steps >= MANY / BATCH_TX_MAX);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(answer(w, v[i], &rev), ERR_NONE);
		assert_true(rev > last);
		last = rev;
	}
	assert_int_equal(replica_row_rev(w->replica, ENT_PROFILE, "long"), last);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(waiting_ones_are_committed_together),
		test(one_that_fails_harms_no_neighbour),
		test(nothing_to_commit_is_no_commit),
		test(an_attempt_twice_is_one_commit),
		test(what_is_burnt_never_comes),
		test(burning_what_came_says_so),
		test(who_does_not_lead_takes_nothing),
		test(a_deadline_takes_it_out_of_the_queue),
		test(a_missed_commit_is_found_out),
		test(a_forgotten_attempt_is_not_guessed_at),
		test(waiting_is_ended_by_a_wake),
		test(long_queues_take_several_batches),
	};

	return cmocka_run_group_tests(tests, start_node, stop_node);
}
