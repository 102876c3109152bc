/* SPDX-License-Identifier: Apache-2.0 */
/* Who may go into a container that is being moved. */
#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"

#define LONG_MS 60000

struct world {
	struct node n;
	struct visit *visit; /* the visitor's, once it is in */
	struct err err;
	atomic_bool may_come; /* nobody is in before */
	int cuts;
};

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	w->n.containers = containers_new();
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	containers_free(w->n.containers);
	free(w);
	return 0;
}

static struct visit *must_visit(struct world *w, const char *what)
{
	struct err err = { 0 };
	struct visit *v = container_visit(&w->n, "c1", what, &err);

	if (!v)
		fail_msg("%s", err.msg);
	return v;
}

static int close_in(struct world *w, int64_t ms, struct err *err)
{
	return container_close(&w->n, "c1", deadline_in(ms), err);
}

static void opens_and_closes(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_false(container_is_closed(&w->n, "c1"));
	assert_int_equal(container_await_open(&w->n, "c1", &err), 0); /* nobody knows it */
	container_open(&w->n, "c1");
	assert_int_equal(close_in(w, 0, &err), 0);
	assert_true(container_is_closed(&w->n, "c1"));
	assert_false(container_is_closed(&w->n, "c2"));
	visit_end(container_visit(&w->n, "c2", "another", &err));
	container_open(&w->n, "c1");
	assert_false(container_is_closed(&w->n, "c1"));
	assert_int_equal(container_await_open(&w->n, "c1", &err), 0);
	visit_end(must_visit(w, "a command"));
	visit_end(NULL);
}

/* Whoever moves it is told which, and everybody may go in again. */
static void names_who_stays(void **state)
{
	struct world *w = *state;
	struct visit *first = must_visit(w, "the command sleep"), *last = must_visit(w, "a copy");
	struct err err = { 0 };

	assert_int_equal(close_in(w, 0, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_string_equal(err.msg,
			    "a copy was begun in c1 during the move; end that first");
	assert_false(container_is_closed(&w->n, "c1"));
	visit_end(last);
	assert_int_equal(close_in(w, 0, &err), -1);
	assert_non_null(strstr(err.msg, "the command sleep was begun"));
	visit_end(first);
	assert_int_equal(close_in(w, 0, &err), 0);
}

static void *end_when_closed(void *arg)
{
	struct world *w = arg;

	while (!container_is_closed(&w->n, "c1"))
		sched_yield();
	visit_end(w->visit);
	return NULL;
}

static void waits_for_visits(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	pthread_t t;

	w->visit = must_visit(w, "a command");
	assert_int_equal(pthread_create(&t, NULL, end_when_closed, w), 0);
	assert_int_equal(close_in(w, LONG_MS, &err), 0);
	pthread_join(t, NULL);
	assert_true(container_is_closed(&w->n, "c1"));
}

static void *visit(void *arg)
{
	struct world *w = arg;

	w->visit = container_visit(&w->n, "c1", "a command", &w->err);
	assert(atomic_load(&w->may_come));
	return NULL;
}

static void visits_wait(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	pthread_t t;

	assert_int_equal(close_in(w, 0, &err), 0);
	assert_int_equal(pthread_create(&t, NULL, visit, w), 0);
	atomic_store(&w->may_come, true);
	container_open(&w->n, "c1");
	pthread_join(t, NULL);
	assert_non_null(w->visit);
	visit_end(w->visit);
}

/* It lives on another member now. */
static void visits_of_one_that_left(void **state)
{
	struct world *w = *state;
	struct ct *c = ct_get(&w->n, "c1", true);
	struct err err = { 0 };
	pthread_t t;

	assert_int_equal(close_in(w, 0, &err), 0);
	assert_int_equal(pthread_create(&t, NULL, visit, w), 0);
	/* Until it has the record that goes. */
	for (int refs = 0; refs < 3; sched_yield()) {
		pthread_mutex_lock(&w->n.containers->lock);
		refs = c->refs;
		pthread_mutex_unlock(&w->n.containers->lock);
	}
	atomic_store(&w->may_come, true);
	ct_forget(&w->n, c);
	pthread_join(t, NULL);
	assert_null(w->visit);
	assert_int_equal(w->err.kind, ERR_BUSY);
	assert_string_equal(w->err.msg, "instance c1 has just left this member; try again");
	ct_put(&w->n, c);
}

static void on_cut(void *arg)
{
	((struct world *)arg)->cuts++;
}

static void cuts_what_can_be_cut(void **state)
{
	struct world *w = *state;
	struct visit *a = must_visit(w, "a"), *b = must_visit(w, "b"), *c = must_visit(w, "c");

	visit_on_cut(a, on_cut, w);
	visit_on_cut(c, on_cut, w);
	container_cut_visits(&w->n, "c1");
	assert_int_equal(w->cuts, 2);
	visit_end(c);
	container_cut_visits(&w->n, "c1");
	assert_int_equal(w->cuts, 3);
	container_cut_visits(&w->n, "c2");
	assert_int_equal(w->cuts, 3);
	visit_end(b);
	visit_end(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(opens_and_closes), T(names_who_stays),
		T(waits_for_visits), T(visits_wait),
		T(visits_of_one_that_left), T(cuts_what_can_be_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
