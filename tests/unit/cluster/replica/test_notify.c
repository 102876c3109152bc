/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/thread.h"
#include "cluster/replica/notify.h"
#include "tests/unit/base/patience.h"

struct watcher {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sbuf text;
	int told;
	bool held; /* does not return while it is */
};

static void watcher_init(struct watcher *w)
{
	*w = (struct watcher){ .lock = PTHREAD_MUTEX_INITIALIZER, .text = SBUF(1 << 20) };
	cond_init(&w->changed);
}

static void note(struct watcher *w, const char *what, const char *a, const char *b)
{
	pthread_mutex_lock(&w->lock);
	sbuf_printf(&w->text, "%s %s %s;", what, a, b ? b : "-");
	w->told++;
	pthread_cond_broadcast(&w->changed);
	while (w->held)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static void on_row(void *arg, enum entity e, const char *key, int64_t rev, const char *text)
{
	_free_ char *what = xasprintf("row %d@%lld", (int)e, (long long)rev);

	note(arg, what, key, text);
}

static void on_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	_free_ char *what = xasprintf("fact %d/%s", (int)f, member);

	note(arg, what, key, text);
}

static void on_event(void *arg, const char *text)
{
	note(arg, "event", text, "");
}

static void await(struct watcher *w, int told)
{
	int64_t deadline = PATIENCE;

	pthread_mutex_lock(&w->lock);
	while (w->told < told)
		assert_true(cond_wait_until(&w->changed, &w->lock, deadline));
	pthread_mutex_unlock(&w->lock);
}

static void hold(struct watcher *w, bool on)
{
	pthread_mutex_lock(&w->lock);
	w->held = on;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static struct notifier *begin(struct watcher *w)
{
	struct notifier *n = notifier_new();
	struct err err;

	watcher_init(w);
	notifier_watch(n, &(struct store_watch){ on_row, on_fact, on_event, w });
	assert_int_equal(notifier_start(n, &err), 0);
	return n;
}

static void all_kinds_come_in_order(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);

	notifier_open(n);
	notify_row(n, ENT_INSTANCE, "c1", 7, "{}");
	notify_fact(n, FACT_MEMBER, "n1", "n1", NULL);
	notify_event(n, "hello");
	notify_row(n, ENT_INSTANCE, "c1", 8, NULL);
	await(&w, 4);
	notifier_free(n);
	{
		_free_ char *want = xasprintf("row %d@7 c1 {};fact %d/n1 n1 -;event hello ;"
					      "row %d@8 c1 -;",
					      ENT_INSTANCE, FACT_MEMBER, ENT_INSTANCE);

		assert_string_equal(w.text.data, want);
	}
	sbuf_free(&w.text);
}

static void nothing_is_queued_before_it_is_open(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);

	notify_event(n, "too early");
	notify_row(n, ENT_INSTANCE, "c1", 1, "{}");
	notifier_open(n);
	notify_event(n, "now");
	await(&w, 1);
	notifier_free(n);
	assert_string_equal(w.text.data, "event now ;");
	sbuf_free(&w.text);
}

static void what_is_queued_before_the_start_is_told(void **state)
{
	struct notifier *n = notifier_new();
	struct watcher w;
	struct err err;

	watcher_init(&w);
	notifier_watch(n, &(struct store_watch){ on_row, on_fact, on_event, &w });
	notifier_open(n);
	notify_event(n, "waiting");
	assert_int_equal(notifier_start(n, &err), 0);
	await(&w, 1);
	notifier_free(n);
	sbuf_free(&w.text);
}

static void texts_are_copied(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);
	char key[] = "c1", text[] = "{}";

	notifier_open(n);
	hold(&w, true);
	notify_row(n, ENT_INSTANCE, "first", 1, NULL);
	await(&w, 1);
	notify_row(n, ENT_INSTANCE, key, 2, text);
	memset(key, 'x', 2);
	memset(text, 'x', 2);
	hold(&w, false);
	await(&w, 2);
	notifier_free(n);
	assert_non_null(strstr(w.text.data, "c1 {};"));
	sbuf_free(&w.text);
}

/* Whoever changes something does not wait for a watcher that is slow. */
static void a_slow_watcher_holds_nobody_up_and_loses_only_events(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);

	notifier_open(n);
	hold(&w, true);
	notify_event(n, "first");
	await(&w, 1);
	for (int i = 0; i < 10100; i++)
		notify_event(n, "e");
	notify_row(n, ENT_INSTANCE, "c1", 1, "{}");
	hold(&w, false);
	await(&w, 1 + 10000 + 1);
	notifier_free(n);
	assert_int_equal(w.told, 10002);
	assert_non_null(strstr(w.text.data, "c1 {};"));
	sbuf_free(&w.text);
}

static void every_watcher_is_told_what_it_asked_for(void **state)
{
	struct watcher rows, events, both;
	struct notifier *n = begin(&both);

	notifier_free(n);
	n = notifier_new();
	watcher_init(&rows);
	watcher_init(&events);
	notifier_watch(n, &(struct store_watch){ .row = on_row, .arg = &rows });
	notifier_watch(n, &(struct store_watch){ .event = on_event, .arg = &events });
	notifier_watch(n, &(struct store_watch){ on_row, on_fact, on_event, &both });
	notifier_open(n);
	assert_int_equal(notifier_start(n, &(struct err){ 0 }), 0);
	notify_row(n, ENT_POOL, "p", 1, NULL);
	notify_fact(n, FACT_INSTANCE, "c1", "n1", "x");
	notify_event(n, "e");
	await(&both, 3);
	notifier_free(n);
	assert_int_equal(rows.told, 1);
	assert_int_equal(events.told, 1);
	sbuf_free(&rows.text);
	sbuf_free(&events.text);
	sbuf_free(&both.text);
}

static void after_a_stop_nobody_is_told(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);

	notifier_open(n);
	notify_event(n, "before");
	await(&w, 1);
	notifier_stop(n);
	notify_event(n, "after");
	notifier_stop(n);
	notifier_free(n);
	assert_string_equal(w.text.data, "event before ;");
	sbuf_free(&w.text);
}

struct writer {
	struct notifier *n;
	int number;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;
	char key[8];

	snprintf(key, sizeof(key), "k%d", w->number);
	for (int i = 1; i <= 300; i++)
		notify_row(w->n, ENT_INSTANCE, key, i, NULL);
	return NULL;
}

/* Many write, one is told: each writer's changes keep their order. */
static void changes_of_threads_keep_their_order(void **state)
{
	struct watcher w;
	struct notifier *n = begin(&w);
	struct writer writers[4];
	int64_t last[4] = { 0 };
	pthread_t t[4];

	notifier_open(n);
	for (int i = 0; i < 4; i++) {
		writers[i] = (struct writer){ n, i };
		assert_int_equal(pthread_create(&t[i], NULL, write_many, &writers[i]), 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	await(&w, 1200);
	notifier_free(n);
	for (char *p = w.text.data; *p; p = strchr(p, ';') + 1) {
		long long rev;
		int e, k;

		assert_int_equal(sscanf(p, "row %d@%lld k%d", &e, &rev, &k), 3);
		assert_int_equal(rev, ++last[k]);
	}
	sbuf_free(&w.text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_kinds_come_in_order),
		cmocka_unit_test(nothing_is_queued_before_it_is_open),
		cmocka_unit_test(what_is_queued_before_the_start_is_told),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(a_slow_watcher_holds_nobody_up_and_loses_only_events),
		cmocka_unit_test(every_watcher_is_told_what_it_asked_for),
		cmocka_unit_test(after_a_stop_nobody_is_told),
		cmocka_unit_test(changes_of_threads_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
