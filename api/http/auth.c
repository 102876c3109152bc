/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "api/http/conn.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/net/tls.h"
#include "base/str.h"
#include "cluster/cluster.h"

/* Access to the socket is a matter of its mode and group: who could connect is an administrator. */
void auth_peer_unix(struct conn *c, int fd)
{
	struct ucred u = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(u);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n);
	if (u.uid == 0)
		str_copy(c->peer.name, sizeof(c->peer.name), "root");
	else
		snprintf(c->peer.name, sizeof(c->peer.name), "uid %u", u.uid);
	str_copy(c->peer.address, sizeof(c->peer.address), "@");
}

void auth_peer_tls(struct conn *c, int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	char host[46], port[8];

	if (getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
	    getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(c->peer.address, sizeof(c->peer.address),
			 strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

void auth_peer_certificate(struct conn *c)
{
	tls_peer_fingerprint(link_ssl(c->link), c->peer.fingerprint);
	c->peer_not_after = tls_peer_not_after(link_ssl(c->link));
}

/* Members pin each other's certificates, whatever their dates; a client's ends with its date. */
bool auth_has_expired(const struct conn *c)
{
	return c->trust == CALLER_CLIENT && clock_wall() > c->peer_not_after;
}

static enum caller_kind trust_of(struct conn *c)
{
	char name[sizeof(c->peer.name)];
	enum caller_kind kind = CALLER_NOBODY;

	if (c->peer.fingerprint[0])
		kind = c->server->hooks->identify(c->server->env, c->peer.fingerprint, name);
	if (kind != CALLER_NOBODY)
		str_copy(c->peer.name, sizeof(c->peer.name), name);
	return kind;
}

static const struct {
	const char *name;
	enum caller_kind kind;
} forwardable[] = {
	{ "nobody", CALLER_NOBODY },
	{ "client", CALLER_CLIENT },
	{ "admin", CALLER_ADMIN },
};

static const char *forwarded(const struct req *r, const char *what)
{
	_free_ char *name = xasprintf(FORWARDED "%s", what);
	const char *v = req_header(r, name);

	return v ? v : "";
}

char *auth_caller_text(const char *kind, const char *fingerprint)
{
	return xasprintf("%s %s", kind, fingerprint);
}

/* A member passes on what its callers ask, and proves that it is more than its certificate. Without
 * the proof it remains a member, for whom there is only /internal. */
static void take_forwarded(struct req *r)
{
	const char *kind = forwarded(r, "Kind");
	_free_ char *text = auth_caller_text(kind, forwarded(r, "Fingerprint"));
	struct caller *who = &r->caller;

	if (!*kind ||
	    !cluster_is_vouched(r->server->cluster, who->fingerprint, text, forwarded(r, "Proof")))
		return;
	*who = (struct caller){ .kind = CALLER_NOBODY };
	for (size_t i = 0; i < ARRAY_SIZE(forwardable); i++) {
		if (str_eq(kind, forwardable[i].name))
			who->kind = forwardable[i].kind;
	}
	str_copy(who->fingerprint, sizeof(who->fingerprint), forwarded(r, "Fingerprint"));
	str_copy(who->name, sizeof(who->name), forwarded(r, "Name"));
	str_copy(who->address, sizeof(who->address), forwarded(r, "Address"));
	r->forwarded = true;
}

/* The PEM is made here, for the handler must not touch the connection's TLS. */
static void keep_pem(struct conn *c, struct req *r)
{
	if (c->is_unix || strcmp(r->head.method, "POST") != 0)
		return;
	if (!c->peer_pem)
		c->peer_pem = tls_peer_pem(link_ssl(c->link));
	r->peer_pem = xstrdup(c->peer_pem);
}

enum caller_kind auth_trust(struct conn *c)
{
	uint64_t at = c->server->hooks->change_count(c->server->env);

	if (!c->trust_at || at != c->trust_at) {
		c->trust = trust_of(c);
		c->trust_at = at;
	}
	return auth_has_expired(c) ? CALLER_NOBODY : c->trust;
}

void auth_identify(struct conn *c, struct req *r)
{
	enum caller_kind kind;

	if (c->is_unix) {
		r->caller = c->peer;
		r->caller.kind = CALLER_ADMIN;
		return;
	}
	kind = auth_trust(c); /* which learns the name, too */
	r->caller = c->peer;
	r->caller.kind = kind;
	admit_as(c, r->caller.kind);
	keep_pem(c, r);
	if (c->trust == CALLER_MEMBER)
		take_forwarded(r);
}

static bool role_fits(enum role role, const struct caller *c)
{
	switch (role) {
	case ROLE_ANY:
		return true;
	case ROLE_TRUSTED:
		return caller_is_trusted(c);
	case ROLE_MEMBER:
		return c->kind == CALLER_MEMBER;
	case ROLE_ADMIN:
		return c->kind == CALLER_ADMIN;
	}
	return false;
}

/* A page of another site must not use a browser's client certificate. */
static bool from_other_site(struct req *r)
{
	const char *site = req_header(r, "Sec-Fetch-Site");

	return site && (strcasecmp(site, "cross-site") == 0 || strcasecmp(site, "same-site") == 0);
}

/* Without the default port, which browsers leave out and clients may not. */
static size_t authority_len(const char *s)
{
	size_t n = strcspn(s, "/");

	return n > 4 && strncmp(s + n - 4, ":443", 4) == 0 ? n - 4 : n;
}

/* Browsers name the page that asks, for websockets too, which no other rule of theirs holds back.
 * Other clients say nothing, or the address that they called with a scheme of their own. */
static bool origin_is_foreign(struct req *r)
{
	const char *origin = req_header(r, "Origin"), *host = req_header(r, "Host");
	const char *at = origin ? strstr(origin, "://") : NULL;
	bool page = origin && strncasecmp(origin, "http", 4) == 0;
	bool secure = origin && (strncasecmp(origin, "https:", 6) == 0 ||
				 strncasecmp(origin, "wss:", 4) == 0);

	/* The member that the client called has looked at it. */
	if (str_empty(origin) || r->forwarded || (r->conn->is_unix && at && !page))
		return false;
	if (!at || !host || !secure)
		return true;
	at += strlen("://");
	return authority_len(at) != authority_len(host) ||
	       strncasecmp(at, host, authority_len(host)) != 0;
}

static int refuse(struct req *r)
{
	char text[CLOCK_TEXT_SIZE];

	if (!r->conn || !auth_has_expired(r->conn))
		return err_set(&r->err, ERR_FORBIDDEN, "not authorized");
	return err_set(&r->err, ERR_FORBIDDEN,
		       "not authorized: the client certificate %.12s expired at %s: make a new one "
		       "and have it trusted",
		       r->caller.fingerprint,
		       clock_text(r->conn->peer_not_after * 1000000000LL, text));
}

int auth_check(struct req *r)
{
	if (from_other_site(r) || origin_is_foreign(r))
		return err_set(&r->err, ERR_FORBIDDEN, "requests from other sites are refused");
	if (!role_fits(r->route->role, &r->caller))
		return refuse(r);
	if (r->caller.kind == CALLER_NOBODY && req_header(r, "X-LXD-authenticated"))
		return err_set(&r->err, ERR_FORBIDDEN, "not authorized");
	return 0;
}
