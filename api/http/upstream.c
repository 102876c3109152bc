/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/upstream.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "api/http/conn.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/net/connect.h"
#include "base/net/tls.h"
#include "base/str.h"
#include "cluster/cluster.h"

#define CONNECT_MS 5000
#define IDLE_MS 60000
#define IDLE_PER_ADDRESS 8
#define EARLY_MAX (HTTP_HEAD_MAX + (64 << 10))

struct upstream {
	struct upstream *next, *prev;
	struct server *server;
	struct link *link;
	char address[256];
	const struct upstream_ops *ops; /* NULL: idle */
	void *arg;
	bool was_idle, dropped, proved;
	int64_t deadline;  /* of connecting, or of being idle */
	struct sbuf early; /* sent before there was a link */
	uv_getaddrinfo_t *resolving;
};

static void upstream_free(struct upstream *u)
{
	if (u->next)
		u->next->prev = u->prev;
	if (u->prev)
		u->prev->next = u->next;
	else
		u->server->upstreams = u->next;
	sbuf_free(&u->early);
	free(u);
}

static void tell_gone(struct upstream *u, const struct err *why)
{
	const struct upstream_ops *ops = u->ops;

	u->ops = NULL;
	if (ops)
		ops->gone(u->arg, why);
}

/* --- the link's calls ------------------------------------------------------------------------- */

static void on_established(void *arg)
{
	struct upstream *u = arg;
	char fingerprint[SHA256_HEX_SIZE], pin[SHA256_HEX_SIZE];
	struct err e;

	u->deadline = 0;
	tls_peer_fingerprint(link_ssl(u->link), fingerprint);
	u->proved = cluster_pin(u->server->cluster, u->address, pin, &e) == 0 &&
		    secret_equal(fingerprint, pin);
	if (u->proved)
		return;
	err_set(&e, ERR_UNAVAILABLE, "it does not show the certificate of the member there");
	link_close(u->link, &e);
}

static void on_readable(void *arg)
{
	struct upstream *u = arg;

	/* An idle connection has nothing to say: it is the end, or a stray answer. */
	if (u->ops)
		u->ops->data(u->arg);
	else if (link_read(u->link, u->server->scratch, SCRATCH_BYTES) != 0)
		link_close(u->link, NULL);
}

static void on_flushed(void *arg)
{
	struct upstream *u = arg;

	if (u->ops)
		u->ops->flushed(u->arg);
}

static void on_closed(void *arg, const struct err *why)
{
	struct upstream *u = arg;

	tell_gone(u, why);
	upstream_free(u);
}

static const struct link_ops ops_of_link = {
	.established = on_established,
	.readable = on_readable,
	.flushed = on_flushed,
	.closed = on_closed,
};

/* --- connecting ------------------------------------------------------------------------------- */

static int start_connect(struct upstream *u, const struct addrinfo *a, struct err *err)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct tls_ctx *t;
	struct ssl_st *ssl;

	if (fd < 0)
		return err_sys(err, "make a socket");
	socket_tune(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS) {
		err_sys(err, "connect");
		close(fd);
		return -1;
	}
	t = cluster_client_tls(u->server->cluster);
	ssl = tls_session_new(t, fd, false);
	tls_unref(t);
	if (!ssl) {
		close(fd);
		return err_set(err, ERR_INTERNAL, "set up TLS");
	}
	u->link = link_new(&u->server->links, fd, ssl, true, &ops_of_link, u);
	link_send(u->link, u->early.data, u->early.len);
	sbuf_free(&u->early);
	return 0;
}

static void on_resolved(uv_getaddrinfo_t *q, int status, struct addrinfo *list)
{
	struct upstream *u = q->data;
	struct err e = { 0 };

	assert(u->resolving == q);
	free(take_ptr(u->resolving));
	if (status < 0)
		err_set(&e, ERR_UNAVAILABLE, "%s", uv_strerror(status));
	if (u->dropped || status < 0 || start_connect(u, list, &e) < 0) {
		tell_gone(u, &e);
		upstream_free(u);
	}
	uv_freeaddrinfo(list);
}

static int resolve(struct upstream *u, const char *host, const char *port, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, port, &hints, &list);

	assert(!u->resolving);
	if (rc == 0) {
		rc = start_connect(u, list, err);
		freeaddrinfo(list);
		return rc;
	}
	hints.ai_flags = 0;
	u->resolving = xnew(uv_getaddrinfo_t);
	u->resolving->data = u;
	rc = uv_getaddrinfo(u->server->loop, u->resolving, on_resolved, host, port, &hints);
	if (rc == 0)
		return 0;
	free(take_ptr(u->resolving));
	return err_set(err, ERR_UNAVAILABLE, "%s", uv_strerror(rc));
}

static struct upstream *upstream_new(struct server *s, const char *address, struct err *err)
{
	char host[256], port[8];
	struct upstream *u;

	if (address_split(address, host, sizeof(host), port, err) < 0)
		return NULL;
	u = xnew(struct upstream);
	u->server = s;
	u->early = SBUF(EARLY_MAX);
	u->deadline = deadline_in(CONNECT_MS);
	str_copy(u->address, sizeof(u->address), address);
	u->next = s->upstreams;
	if (u->next)
		u->next->prev = u;
	s->upstreams = u;
	if (resolve(u, host, port, err) < 0) {
		upstream_free(u);
		return NULL;
	}
	return u;
}

/* --- the pool --------------------------------------------------------------------------------- */

static bool is_idle_at(const struct upstream *u, const char *address)
{
	return !u->ops && !u->dropped && u->link && !link_is_closed(u->link) &&
	       str_eq(u->address, address);
}

struct upstream *upstream_get(struct server *s, const char *address, bool fresh,
			      const struct upstream_ops *ops, void *arg, struct err *err)
{
	struct upstream *u = fresh ? NULL : s->upstreams;

	while (u && !is_idle_at(u, address))
		u = u->next;
	if (u) {
		u->was_idle = true;
		u->deadline = 0;
	} else {
		u = upstream_new(s, address, err);
	}
	if (u) {
		u->ops = ops;
		u->arg = arg;
	}
	return u;
}

bool upstream_was_idle(const struct upstream *u)
{
	return u->was_idle;
}

bool upstream_reached(const struct upstream *u)
{
	return u->proved;
}

struct link *upstream_link(struct upstream *u)
{
	return u->link;
}

void upstream_send(struct upstream *u, const void *data, size_t len)
{
	if (u->link)
		link_send(u->link, data, len);
	else
		sbuf_add(&u->early, data, len);
}

size_t upstream_queued(const struct upstream *u)
{
	return u->link ? link_queued(u->link) : LINK_HIGH + u->early.len;
}

void upstream_put(struct upstream *u)
{
	int same = 0;

	for (struct upstream *v = u->server->upstreams; v; v = v->next)
		same += is_idle_at(v, u->address);
	if (same >= IDLE_PER_ADDRESS || u->server->draining) {
		upstream_drop(u);
		return;
	}
	u->ops = NULL;
	u->deadline = deadline_in(IDLE_MS);
	link_pause(u->link, false);
}

void upstream_drop(struct upstream *u)
{
	u->ops = NULL;
	u->dropped = true;
	if (u->link)
		link_close(u->link, NULL);
}

void upstreams_tick(struct server *s, int64_t now)
{
	struct err e;

	for (struct upstream *u = s->upstreams, *next; u; u = next) {
		next = u->next;
		if (!u->deadline || now < u->deadline)
			continue;
		u->deadline = 0;
		err_set(&e, ERR_UNAVAILABLE, "no answer within %d ms", CONNECT_MS);
		if (u->link) {
			link_close(u->link, &e);
			continue;
		}
		u->dropped = true; /* the resolver cannot be stopped */
		tell_gone(u, &e);
	}
}

void upstreams_close(struct server *s)
{
	for (struct upstream *u = s->upstreams; u; u = u->next)
		upstream_drop(u);
}
