/* SPDX-License-Identifier: Apache-2.0 */
/* Post-copy, target: carries bytes between the pager of a container (node/criu/pages.h) and the
 * member that it came from, until the pager ends; then tells that member how. A connection that
 * breaks or is silent is made again for as long as it takes: only the source has that memory. */
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "node/criu/criu.h"
#include "node/criu/pages.h"

#define CONNECT_MS 5000
#define SILENCE_MS 5000
#define AGAIN_MS 300
#define RESULT_MAX 4096
#define KILL_MS 20000
#define CARRY_BYTES (256 << 10)

struct fetch {
	struct mover *m;
	struct move *mv;
	struct fetch *next;
	pthread_t thread;
	int wake; /* readable: given up */
	uint8_t *buf;

	pthread_mutex_t lock; /* below the mover's */
	pthread_cond_t changed;
	bool committed, given_up;
	enum fetch_state state;
	int64_t bytes;
	struct err why;
};

/* --- carrying ----------------------------------------------------------------------------- */

/* The pager's socket; -1: it has ended. */
static int dial_pager(struct fetch *f)
{
	_free_ char *path = move_images(f->m, f->mv);
	_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/" PAGES_SOCKET, dir);
	if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -1;
	return take_fd(&fd);
}

static struct stream *dial_source(struct fetch *f)
{
	struct cluster *c = f->m->o.cluster;
	struct stream *s;
	char address[256];
	struct err err;

	if (cluster_member_address(c, f->mv->source, address, sizeof(address), &err) < 0)
		return NULL;
	s = cluster_connect(c, address, MOVE_PAGES_PATH, MOVE_PAGES_PROTOCOL,
			    deadline_in(CONNECT_MS), &err);
	if (!s)
		return NULL;
	stream_set_deadline(s, deadline_in(SILENCE_MS));
	if (stream_write(s, f->mv->id.op, strlen(f->mv->id.op), &err) == 0)
		return s;
	stream_free(s);
	return NULL;
}

static void count(struct fetch *f, ssize_t n)
{
	pthread_mutex_lock(&f->lock);
	f->bytes += n;
	pthread_mutex_unlock(&f->lock);
}

static int from_source(struct fetch *f, struct stream *s, int pager)
{
	struct err err;

	do {
		ssize_t n = stream_read(s, f->buf, CARRY_BYTES, &err);

		if (n <= 0 || io_write_full(pager, f->buf, (size_t)n) < 0)
			return -1;
		count(f, n);
	} while (stream_pending(s));
	return 0;
}

static int from_pager(struct fetch *f, struct stream *s, int pager)
{
	ssize_t n = read(pager, f->buf, CARRY_BYTES);
	struct err err;

	return n > 0 && stream_write(s, f->buf, (size_t)n, &err) == 0 ? 0 : -1;
}

/* Until one of the two goes away, or the source is silent: the pager asks it every second whether
 * it is there. */
static void carry(struct fetch *f, struct stream *s, int pager)
{
	int64_t heard = clock_ms();

	for (;;) {
		struct pollfd pf[] = { { .fd = stream_fd(s), .events = POLLIN },
				       { .fd = pager, .events = POLLIN },
				       { .fd = f->wake, .events = POLLIN } };

		stream_set_deadline(s, deadline_in(SILENCE_MS));
		if (!stream_pending(s))
			poll(pf, ARRAY_SIZE(pf), PAGES_PING_MS);
		if (pf[2].revents || clock_ms() - heard > SILENCE_MS)
			return;
		if (pf[0].revents || stream_pending(s)) {
			heard = clock_ms();
			if (from_source(f, s, pager) < 0)
				return;
		}
		if (pf[1].revents && from_pager(f, s, pager) < 0)
			return;
	}
}

/* False: given up. */
static bool pause_a_moment(struct fetch *f)
{
	struct pollfd pf = { .fd = f->wake, .events = POLLIN };

	return poll(&pf, 1, AGAIN_MS) == 0;
}

/* --- the end ------------------------------------------------------------------------------ */

/* A pager that ended without a word has left tasks that wait for ever. */
static int result(struct fetch *f, struct err *err)
{
	_free_ char *dir = move_images(f->m, f->mv), *path = xasprintf("%s/" PAGES_RESULT, dir);
	_free_ char *text = io_read_file(path, RESULT_MAX, NULL, err);
	_json_ json_t *j = text ? json_parse(text, strlen(text), "a pager's result", err) : NULL;

	if (j && !json_object_get(j, "error"))
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "%s was killed on %s: %s", f->mv->id.name,
		       f->mv->target,
		       json_str(j, "error", "the process that fetched its memory is gone"));
}

static int tell(struct fetch *f, uint32_t cmd)
{
	struct page_msg m = { .cmd = cmd };
	struct stream *s = dial_source(f);
	struct err err;
	int rc;

	if (!s)
		return -1;
	rc = stream_write(s, &m, sizeof(m), &err) < 0 ? -1
						      : stream_read_full(s, &m, sizeof(m), &err);
	stream_free(s);
	return rc;
}

static void finish(struct fetch *f)
{
	struct err err;
	int rc = result(f, &err), told = -1;

	if (rc < 0)
		criu_kill_payload(f->m->o.node, f->mv->id.name, deadline_in(KILL_MS),
				  &(struct err){ 0 });
	/* The source holds what it has until it knows. */
	if (rc == 0 && fault_point(move_target_fetched, &err) < 0)
		log_err(LOG_WARN, "memory of a container", &err);
	while ((told = tell(f, rc < 0 ? PAGE_FAILED : PAGE_ALL)) < 0 && pause_a_moment(f))
		;
	if (told < 0)
		return;
	pthread_mutex_lock(&f->lock);
	f->state = rc < 0 ? FETCH_LOST : FETCH_ALL;
	f->why = err;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Before it nobody but the source has anything to lose. */
static bool await_commit(struct fetch *f)
{
	bool committed;

	pthread_mutex_lock(&f->lock);
	while (!f->committed && !f->given_up)
		pthread_cond_wait(&f->changed, &f->lock);
	committed = f->committed && !f->given_up;
	pthread_mutex_unlock(&f->lock);
	return committed;
}

static void *fetch_main(void *arg)
{
	struct fetch *f = arg;
	int pager;

	do {
		struct stream *s = NULL;

		pager = dial_pager(f);
		if (pager >= 0 && (s = dial_source(f)))
			carry(f, s, pager);
		stream_free(s);
		if (pager >= 0)
			close(pager);
	} while (pager >= 0 && pause_a_moment(f));
	if (pager < 0 && await_commit(f))
		finish(f);
	return NULL;
}

/* --- for those who want it ---------------------------------------------------------------- */

static struct fetch *find(struct mover *m, const struct move *mv)
{
	struct fetch *f = m->fetches;

	while (f && !str_eq(f->mv->id.op, mv->id.op))
		f = f->next;
	return f;
}

static struct fetch *fetch_new(struct mover *m, const struct move *mv)
{
	struct fetch *f = xnew(struct fetch);
	pthread_condattr_t attr;

	f->m = m;
	f->mv = move_copy(mv);
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->buf = xcalloc(CARRY_BYTES, 1);
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->changed, &attr);
	pthread_condattr_destroy(&attr);
	return f;
}

static void fetch_free(struct fetch *own)
{
	uint64_t one = 1;

	assert(own->wake >= 0);
	pthread_mutex_lock(&own->lock);
	own->given_up = true;
	pthread_cond_broadcast(&own->changed);
	pthread_mutex_unlock(&own->lock);
	if (write(own->wake, &one, sizeof(one)) < 0)
		log_debug("event counter is full");
	pthread_join(own->thread, NULL);
	close(own->wake);
	pthread_mutex_destroy(&own->lock);
	pthread_cond_destroy(&own->changed);
	move_free(own->mv);
	free(own->buf);
	free(own);
}

void fetch_begin(struct mover *m, const struct move *mv, bool committed)
{
	struct fetch *f;

	assert(mv->lazy);
	pthread_mutex_lock(&m->lock);
	f = find(m, mv);
	if (!f) {
		f = fetch_new(m, mv);
		f->next = m->fetches;
		m->fetches = f;
		if (pthread_create(&f->thread, NULL, fetch_main, f) != 0)
			abort();
	}
	pthread_mutex_lock(&f->lock);
	f->committed |= committed;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	pthread_mutex_unlock(&m->lock);
}

bool fetch_is_known(struct mover *m, const struct move *mv)
{
	bool known;

	pthread_mutex_lock(&m->lock);
	known = find(m, mv) != NULL;
	pthread_mutex_unlock(&m->lock);
	return known;
}

enum fetch_state fetch_await(struct mover *m, const struct move *mv, int64_t ms, int64_t *ret_bytes,
			     struct err *err)
{
	struct timespec until = deadline_timespec(deadline_in(ms));
	enum fetch_state state;
	struct fetch *f;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	f = find(m, mv);
	pthread_mutex_unlock(&m->lock);
	assert(f);
	pthread_mutex_lock(&f->lock);
	while (f->state == FETCH_RUNS && rc == 0)
		rc = pthread_cond_timedwait(&f->changed, &f->lock, &until);
	state = f->state;
	*ret_bytes = f->bytes;
	if (state == FETCH_LOST)
		*err = f->why;
	pthread_mutex_unlock(&f->lock);
	return state;
}

void fetch_drop(struct mover *m, const struct move *mv)
{
	struct fetch **pp = &m->fetches, *f;

	pthread_mutex_lock(&m->lock);
	while ((f = *pp) && !str_eq(f->mv->id.op, mv->id.op))
		pp = &f->next;
	if (f)
		*pp = f->next;
	pthread_mutex_unlock(&m->lock);
	if (f)
		fetch_free(f);
}

void fetch_stop(struct mover *m)
{
	while (m->fetches) {
		struct fetch *f = m->fetches;

		m->fetches = f->next;
		fetch_free(f);
	}
}
