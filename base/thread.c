/* SPDX-License-Identifier: Apache-2.0 */
#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* Only touched pages count; OpenSSL and SQLite stay well below. */
#define STACK_BYTES (512 << 10)

static int start(pthread_t *ret, bool detached, const char *name, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, old;
	pthread_attr_t a;
	int r;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, STACK_BYTES);
	if (detached)
		pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	/* Signals belong to the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, &a, fn, arg);
	if (r == 0)
		pthread_setname_np(*ret, name);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&a);
	return r;
}

int thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg,
		 struct err *err)
{
	errno = start(ret, false, name, fn, arg);
	return errno ? err_sys(err, "start thread %s", name) : 0;
}

int thread_detached(const char *name, void *(*fn)(void *arg), void *arg, struct err *err)
{
	pthread_t t;

	errno = start(&t, true, name, fn, arg);
	return errno ? err_sys(err, "start thread %s", name) : 0;
}

void cond_init(pthread_cond_t *c)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
}

bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline)
{
	struct timespec ts;

	if (deadline == 0)
		return pthread_cond_wait(c, m) == 0;
	ts = deadline_timespec(deadline);
	return pthread_cond_timedwait(c, m, &ts) == 0;
}

int wake_new(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void wake_set(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* a full counter wakes as well */
}

void wake_clear(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
}
