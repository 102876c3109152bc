/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/server.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "api/http/conn.h"
#include "api/http/elsewhere.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/connect.h"
#include "base/net/httpc.h"
#include "base/net/tls.h"
#include "base/str.h"
#include "cluster/cluster.h"

#define TICK_MS 1000

static void on_prepare(uv_prepare_t *p);
static void on_idle(uv_idle_t *i)
{
}

static void init_lock(struct server *s)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->thread_ended, &attr);
	pthread_condattr_destroy(&attr);
}

static void on_tick(uv_timer_t *t);

static void init_loop(struct server *s)
{
	s->loop = xnew(uv_loop_t);
	uv_loop_init(s->loop);
	s->links.loop = s->loop;
	s->prepare = xnew(uv_prepare_t);
	uv_prepare_init(s->loop, s->prepare);
	s->prepare->data = s;
	uv_prepare_start(s->prepare, on_prepare);
	s->idle = xnew(uv_idle_t);
	uv_idle_init(s->loop, s->idle);
	s->tick = xnew(uv_timer_t);
	uv_timer_init(s->loop, s->tick);
	s->tick->data = s;
	s->mailbox = mailbox_new(s->loop);
	s->elsewhere = elsewhere_new();
	s->quota = quota_new();
}

struct server *server_new(const struct server_opts *o, struct err *err)
{
	struct listener_opts lo = { .path = o->unix_path, .group = o->unix_group };
	int fd = listener_socket(&lo, err);
	struct server *s;

	if (fd < 0)
		return NULL;
	s = xnew(struct server);
	s->env = o->env;
	s->dir = o->dir;
	s->pool = o->pool;
	s->cluster = o->cluster;
	s->routes = o->routes;
	s->hooks = o->hooks;
	s->scratch = xcalloc(SCRATCH_BYTES, 1);
	init_lock(s);
	init_loop(s);
	s->unix_listener = listener_new(s, fd, true);
	return s;
}

struct tls_ctx *server_tls(struct server *s)
{
	struct tls_ctx *t;

	pthread_mutex_lock(&s->lock);
	t = s->tls ? tls_ref(s->tls) : NULL;
	pthread_mutex_unlock(&s->lock);
	return t;
}

void server_set_tls(struct server *s, struct tls_ctx *own)
{
	struct tls_ctx *old;

	pthread_mutex_lock(&s->lock);
	old = s->tls;
	s->tls = own;
	pthread_mutex_unlock(&s->lock);
	tls_unref(old);
}

const char *server_island_line(const struct server *s, char buf[ISLAND_LINE_SIZE])
{
	int64_t ms = cluster_island_ms(s->cluster);

	if (!ms)
		return "";
	snprintf(buf, ISLAND_LINE_SIZE, HTTPC_ISLAND_HEADER ": %lld\r\n", (long long)ms / 1000);
	return buf;
}

const char *server_date(struct server *s)
{
	int64_t now = clock_wall();
	time_t t = now;
	struct tm tm;

	if (now != s->date_at) {
		s->date_at = now;
		gmtime_r(&t, &tm);
		strftime(s->date, sizeof(s->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return s->date;
}

/* --- listening -------------------------------------------------------------------------------- */

struct listen_post {
	struct post post;
	struct server *server;
	int fd; /* -1: stop */
};

static void on_listen(struct post *p)
{
	struct listen_post *lp = container_of(p, struct listen_post, post);
	struct server *s = lp->server;

	listener_free(s->tls_listener);
	s->tls_listener = NULL;
	if (lp->fd >= 0 && s->draining)
		close(lp->fd);
	else if (lp->fd >= 0)
		s->tls_listener = listener_new(s, lp->fd, false);
	free(lp);
}

int server_listen(struct server *s, const char *address, struct err *err)
{
	struct listener_opts lo = { .address = address };
	int fd = *address ? listener_socket(&lo, err) : -1;
	struct listen_post *lp;

	if (*address && fd < 0)
		return -1;
	lp = xnew(struct listen_post);
	*lp = (struct listen_post){ { NULL, on_listen }, s, fd };
	if (!mailbox_post(s->mailbox, &lp->post)) {
		if (fd >= 0)
			close(fd);
		free(lp);
		return err_set(err, ERR_UNAVAILABLE, "the server has stopped");
	}
	return 0;
}

/* --- connections ------------------------------------------------------------------------------ */

static struct ssl_st *new_session(struct server *s, int fd)
{
	struct tls_ctx *t = server_tls(s);
	struct ssl_st *ssl = t ? tls_session_new(t, fd, true) : NULL;

	tls_unref(t);
	return ssl;
}

void server_accepted(struct server *s, int own_fd, bool is_unix)
{
	struct ssl_st *ssl = NULL;

	assert(own_fd >= 0);
	if (!is_unix) {
		socket_tune(own_fd);
		ssl = new_session(s, own_fd);
	}
	if (!is_unix && !ssl) {
		close(own_fd);
		return;
	}
	conn_new(s, own_fd, ssl, is_unix);
	if (!uv_is_active((uv_handle_t *)s->tick))
		uv_timer_start(s->tick, on_tick, TICK_MS, TICK_MS);
}

struct drop_post {
	struct post post;
	struct server *server;
	char fingerprint[SHA256_HEX_SIZE];
};

static void on_drop(struct post *p)
{
	struct drop_post *d = container_of(p, struct drop_post, post);

	for (struct conn *c = d->server->conns; c; c = c->next) {
		if (str_eq(c->peer.fingerprint, d->fingerprint))
			conn_close(c, "its certificate is no longer trusted");
	}
	upgrade_threads_shut(d->server, d->fingerprint);
	free(d);
}

void server_drop_certificate(struct server *s, const char *fingerprint)
{
	struct drop_post *d = xnew(struct drop_post);

	d->post.fn = on_drop;
	d->server = s;
	str_copy(d->fingerprint, sizeof(d->fingerprint), fingerprint);
	if (!*fingerprint || !mailbox_post(s->mailbox, &d->post))
		free(d);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void begin_drain(struct server *s)
{
	s->draining = true;
	listener_free(s->unix_listener);
	listener_free(s->tls_listener);
	s->unix_listener = s->tls_listener = NULL;
	for (struct conn *c = s->conns; c; c = c->next)
		conn_wind_down(c);
	upgrade_threads_shut(s, NULL);
}

static void on_tick(uv_timer_t *t)
{
	struct server *s = t->data;
	int64_t now = clock_ms();

	listener_retry(s->unix_listener);
	listener_retry(s->tls_listener);
	for (struct conn *c = s->conns; c; c = c->next)
		conn_tick(c, now);
	upstreams_tick(s, now);
	/* An idle daemon is not woken every second. */
	if (!s->conns && !s->upstreams && !s->draining)
		uv_timer_stop(t);
}

static void on_prepare(uv_prepare_t *p)
{
	struct server *s = p->data;

	if (link_set_turn(&s->links))
		uv_idle_start(s->idle, on_idle);
	else
		uv_idle_stop(s->idle);
}

static bool drained(struct server *s)
{
	return !s->conns && !s->nworkers;
}

static void close_all(struct server *s)
{
	for (struct conn *c = s->conns; c; c = c->next)
		conn_close(c, "the server stops");
}

void server_run(struct server *s, int64_t drain_ms)
{
	while (!s->stop)
		uv_run(s->loop, UV_RUN_ONCE);
	s->drain_deadline = deadline_in(drain_ms);
	begin_drain(s);
	uv_timer_start(s->tick, on_tick, TICK_MS / 10, TICK_MS / 10);
	while (!drained(s) && clock_ms() < s->drain_deadline)
		uv_run(s->loop, UV_RUN_ONCE);
	close_all(s);
	/* Handlers cannot be interrupted; their deadlines end them. */
	while (!drained(s))
		uv_run(s->loop, UV_RUN_ONCE);
}

void server_stop(struct server *s)
{
	s->stop = true;
	mailbox_wake(s->mailbox);
}

static void on_handle_closed(uv_handle_t *h)
{
	free(h);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	s->draining = true; /* for an address that mailbox_close() delivers */
	listener_free(s->unix_listener);
	listener_free(s->tls_listener);
	upstreams_close(s);
	mailbox_close(s->mailbox);
	close_all(s);
	while (link_set_turn(&s->links))
		;
	upgrade_threads_shut(s, NULL);
	upgrade_threads_wait(s);
	uv_close((uv_handle_t *)s->prepare, on_handle_closed);
	uv_close((uv_handle_t *)s->idle, on_handle_closed);
	uv_close((uv_handle_t *)s->tick, on_handle_closed);
	uv_run(s->loop, UV_RUN_DEFAULT);
	uv_loop_close(s->loop);
	free(s->loop);
	mailbox_unref(s->mailbox);
	elsewhere_free(s->elsewhere);
	quota_free(s->quota);
	tls_unref(s->tls);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->thread_ended);
	free(s->scratch);
	free(s);
}

void server_note_operation(struct server *s, const char *operation_id, const char *member)
{
	elsewhere_note(s->elsewhere, operation_id, member);
}

bool server_find_operation(struct server *s, const char *operation_id, char ret_member[64])
{
	return elsewhere_find(s->elsewhere, operation_id, ret_member);
}
