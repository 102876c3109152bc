/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/watch.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/mem.h"

#define BATCH 16
#define STACK_BYTES (256 << 10)

struct entry {
	int64_t id;
	int fd;
	void (*fn)(void *arg);
	void *arg;
	void (*drop)(void *arg);
	struct entry *next;
};

/* lock guards the list, last_id, running and stopping. Nothing else is locked under it. */
struct watch {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	pthread_t thread;
	int epoll, wake;
	struct entry *entries;
	int64_t last_id, running;
	bool started, stopping;
};

static struct entry *unlink_entry(struct watch *w, int64_t id)
{
	for (struct entry **pp = &w->entries; *pp; pp = &(*pp)->next) {
		struct entry *e = *pp;

		if (e->id != id)
			continue;
		*pp = e->next;
		return e;
	}
	return NULL;
}

static void free_entry(struct entry *e)
{
	close(e->fd);
	free(e->arg);
	free(e);
}

static void fire(struct watch *w, int64_t id)
{
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	e = w->stopping ? NULL : unlink_entry(w, id);
	w->running = e ? id : 0;
	pthread_mutex_unlock(&w->lock);
	if (!e)
		return;
	epoll_ctl(w->epoll, EPOLL_CTL_DEL, e->fd, NULL);
	e->fn(e->arg);
	free_entry(e);
	pthread_mutex_lock(&w->lock);
	w->running = 0;
	pthread_cond_broadcast(&w->idle);
	pthread_mutex_unlock(&w->lock);
}

static bool is_stopping(struct watch *w)
{
	bool r;

	pthread_mutex_lock(&w->lock);
	r = w->stopping;
	pthread_mutex_unlock(&w->lock);
	return r;
}

static void *run(void *arg)
{
	struct watch *w = arg;
	struct epoll_event ev[BATCH];

	while (!is_stopping(w)) {
		int n = epoll_wait(w->epoll, ev, BATCH, -1);

		/* The wake-up descriptor has number 0, which no entry has. */
		for (int i = 0; i < n; i++)
			fire(w, (int64_t)ev[i].data.u64);
	}
	return NULL;
}

static int start_thread(struct watch *w, struct err *err)
{
	struct epoll_event ev = { .events = EPOLLIN };
	pthread_attr_t attr;
	int rc;

	if (w->epoll < 0 || w->wake < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &ev) < 0)
		return err_sys(err, "make the process watch");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&w->thread, &attr, run, w);
	pthread_attr_destroy(&attr);
	w->started = rc == 0;
	return rc ? err_set(err, ERR_INTERNAL, "start the watch thread: error %d", rc) : 0;
}

static void free_watch(struct watch *w)
{
	while (w->entries) {
		struct entry *e = w->entries;

	assert(!w->started);
		w->entries = e->next;
		if (e->drop)
			e->drop(take_ptr(e->arg));
		free_entry(e);
	}
	if (w->epoll >= 0)
		close(w->epoll);
	if (w->wake >= 0)
		close(w->wake);
	pthread_cond_destroy(&w->idle);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

struct watch *watch_new(struct err *err)
{
	struct watch *w = xnew(struct watch);

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->idle, NULL);
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->wake = eventfd(0, EFD_CLOEXEC);
	if (start_thread(w, err) == 0)
		return w;
	free_watch(w);
	return NULL;
}

void watch_stop(struct watch *w)
{
	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_mutex_unlock(&w->lock);
	eventfd_write(w->wake, 1);
	pthread_join(w->thread, NULL);
	w->started = false;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	watch_stop(w);
	free_watch(w);
}

int64_t watch_fd_drop(struct watch *w, int own_fd, void (*fn)(void *arg), void *own_arg,
		      void (*drop)(void *arg))
{
	struct entry *e = xnew(struct entry);
	struct epoll_event ev = { .events = EPOLLIN };
	int64_t id;

	assert(own_fd >= 0);
	*e = (struct entry){ 0, own_fd, fn, own_arg, drop, NULL };
	pthread_mutex_lock(&w->lock);
	id = e->id = ++w->last_id;
	e->next = w->entries;
	w->entries = e;
	ev.data.u64 = (uint64_t)id;
	epoll_ctl(w->epoll, EPOLL_CTL_ADD, own_fd, &ev);
	pthread_mutex_unlock(&w->lock);
	return id;
}

int64_t watch_fd(struct watch *w, int own_fd, void (*fn)(void *arg), void *own_arg)
{
	assert(own_fd >= 0);
	return watch_fd_drop(w, own_fd, fn, own_arg, NULL);
}

int64_t watch_timer(struct watch *w, int64_t ms, void (*fn)(void *arg), void *own_arg)
{
	struct itimerspec t = { .it_value = { ms / 1000, (ms % 1000) * 1000000 + 1 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	assert(fn);
	if (fd < 0) {
		free(own_arg);
		return 0;
	}
	timerfd_settime(fd, 0, &t, NULL);
	return watch_fd(w, fd, fn, own_arg);
}

void watch_cancel(struct watch *w, int64_t id)
{
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	e = unlink_entry(w, id);
	if (e)
		epoll_ctl(w->epoll, EPOLL_CTL_DEL, e->fd, NULL);
	else if (w->started && !pthread_equal(pthread_self(), w->thread))
		while (id && w->running == id)
			pthread_cond_wait(&w->idle, &w->lock);
	pthread_mutex_unlock(&w->lock);
	if (e)
		free_entry(e);
}
