/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "node/host/pids.h"
#include "node/host/watch.h"

#define WAIT_S 20

/* What fired, in order. */
struct record {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char text[32];
	bool hold; /* 'h' waits meanwhile */
};

struct note {
	struct record *r;
	char mark;
};

static struct record *record_new(void)
{
	struct record *r = xnew(struct record);

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

static void record_free(struct record *r)
{
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	free(r);
}

static struct note *note_of(struct record *r, char mark)
{
	struct note *n = xnew(struct note);

	*n = (struct note){ r, mark };
	return n;
}

static void wait_changed(struct record *r)
{
	struct timespec until = { .tv_sec = time(NULL) + WAIT_S };

	assert_int_equal(pthread_cond_timedwait(&r->changed, &r->lock, &until), 0);
}

static void add_mark(void *arg)
{
	struct note *n = arg;

	pthread_mutex_lock(&n->r->lock);
	n->r->text[strlen(n->r->text)] = n->mark;
	pthread_cond_broadcast(&n->r->changed);
	while (n->mark == 'h' && n->r->hold)
		pthread_cond_wait(&n->r->changed, &n->r->lock);
	pthread_mutex_unlock(&n->r->lock);
}

static void drop_mark(void *arg)
{
	struct note *n = arg;

	n->r->text[strlen(n->r->text)] = (char)(n->mark - 'a' + 'A');
	free(n);
}

static void await_text(struct record *r, const char *text)
{
	pthread_mutex_lock(&r->lock);
	while (strlen(r->text) < strlen(text))
		wait_changed(r);
	assert_string_equal(r->text, text);
	pthread_mutex_unlock(&r->lock);
}

static struct watch *start(void)
{
	struct err err;
	struct watch *w = watch_new(&err);

	assert_non_null(w);
	return w;
}

static void moments_come_in_order(void **state)
{
	struct record *r = record_new();
	struct watch *w = start();

	watch_timer(w, 60, add_mark, note_of(r, 'b'));
	watch_timer(w, 0, add_mark, note_of(r, 'a'));
	await_text(r, "ab");
	watch_free(w);
	record_free(r);
}

static void ends_of_processes(void **state)
{
	struct record *r = record_new();
	struct watch *w = start();
	struct err err;
	int hold[2];
	pid_t pid;

	assert_int_equal(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		char c;

		close(hold[1]);
		_exit(read(hold[0], &c, 1) == 0 ? 0 : 1);
	}
	watch_fd(w, pids_open(pid, &err), add_mark, note_of(r, 'p'));
	assert_string_equal(r->text, "");
	close(hold[0]);
	close(hold[1]);
	await_text(r, "p");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	watch_free(w);
	record_free(r);
}

/* An entry fires once, however long its descriptor stays readable, and is cancelled before. */
static void once_or_never(void **state)
{
	struct record *r = record_new();
	struct watch *w = start();
	int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);
	int64_t id = watch_fd(w, fcntl(fd, F_DUPFD_CLOEXEC, 0), add_mark, note_of(r, 'n'));

	assert_true(id > 0);
	watch_cancel(w, id);
	watch_cancel(w, id);
	watch_cancel(w, 0);
	watch_cancel(w, 12345);
	eventfd_write(fd, 1);
	watch_fd(w, fcntl(other, F_DUPFD_CLOEXEC, 0), add_mark, note_of(r, 'o'));
	eventfd_write(other, 1);
	await_text(r, "o");
	watch_timer(w, 30, add_mark, note_of(r, 'z'));
	await_text(r, "oz");
	close(fd);
	close(other);
	watch_free(w);
	record_free(r);
}

struct cancel {
	struct watch *w;
	int64_t id;
	struct record *r;
};

static void *cancel_it(void *arg)
{
	struct cancel *c = arg;

	watch_cancel(c->w, c->id);
	pthread_mutex_lock(&c->r->lock);
	c->r->text[strlen(c->r->text)] = 'c';
	pthread_mutex_unlock(&c->r->lock);
	return NULL;
}

/* Who cancels what runs just now comes back after it. */
static void cancel_waits(void **state)
{
	struct record *r = record_new();
	struct cancel c = { start(), 0, r };
	pthread_t thread;

	r->hold = true;
	c.id = watch_timer(c.w, 0, add_mark, note_of(r, 'h'));
	await_text(r, "h");
	assert_int_equal(pthread_create(&thread, NULL, cancel_it, &c), 0);
	pthread_mutex_lock(&r->lock);
	assert_string_equal(r->text, "h");
	r->hold = false;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	pthread_join(thread, NULL);
	assert_string_equal(r->text, "hc");
	watch_free(c.w);
	record_free(r);
}

/* What has not fired when the watch goes is dropped by its own function. */
static void drops_what_is_left(void **state)
{
	struct record *r = record_new();
	struct watch *w = start();
	int fd = eventfd(0, EFD_CLOEXEC);

	watch_fd_drop(w, fd, add_mark, note_of(r, 'd'), drop_mark);
	watch_timer(w, 3600 * 1000, add_mark, note_of(r, 'n'));
	watch_stop(w);
	watch_stop(w);
	watch_timer(w, 0, add_mark, note_of(r, 'l')); /* later: nothing fires */
	watch_free(w);
	watch_free(NULL);
	assert_string_equal(r->text, "D");
	record_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_come_in_order), cmocka_unit_test(ends_of_processes),
		cmocka_unit_test(once_or_never),         cmocka_unit_test(cancel_waits),
		cmocka_unit_test(drops_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
