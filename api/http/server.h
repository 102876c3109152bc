/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/server.h - the listeners and the loop thread that drives every connection.
 *
 * The loop thread accepts, does TLS, HTTP, websockets, relays to other members and timers; it never
 * blocks. Requests are matched with the routes given and run in the pool.
 */
#pragma once
#include "api/http/req.h"
#include "base/pool.h"

struct cluster;
struct route;
struct server;

/* Where a request must be answered; an empty member is this one. */
struct where {
	char member[64], address[256];
	bool known; /* also to be so for those who were sent here */
};

/* Runs in a worker of that lane. -1 with the request's error: it is refused. */
struct first {
	enum pool_lane lane;
	int (*work)(struct req *r);
};

/* What the server is told from above: it knows requests, and nothing of what they are about. */
struct server_hooks {
	/* Whose the certificate is, as the rows have it now; name: of the member or client. */
	enum caller_kind (*identify)(const struct api_env *env, const char *fingerprint,
				     char ret_name[64]);
	/* Becomes another number when identify may answer otherwise. */
	uint64_t (*change_count)(const struct api_env *env);
	/* May it be asked like this? The request has its route and its caller. -1 with the
	 * request's error. Does not block. */
	int (*check)(struct req *r);
	/* -1 with the request's error: nowhere. Does not block. */
	int (*locate)(struct req *r, struct where *w);
	/* What has to be done before anybody can say where; asked again when that is over. NULL:
	 * nothing. Does not block. */
	const struct first *(*first)(struct req *r);
};

struct server_opts {
	/* Borrowed for the server's life, as are the next five. For handlers and hooks: the server
	 * knows nothing of what is in it. */
	const struct api_env *env;
	const char *dir; /* bodies that become files are spooled there */
	struct pool *pool;
	struct cluster *cluster;    /* for what is passed on to other members */
	const struct route *routes; /* ended by a row without a method */
	const struct server_hooks *hooks;
	const char *unix_path;
	const char *unix_group; /* group that may use the socket; NULL: root only */
};
struct server *server_new(const struct server_opts *o, struct err *err);
/* Runs the loop in the calling thread until server_stop; then drains for at most drain_ms. */
void server_run(struct server *s, int64_t drain_ms);
void server_stop(struct server *s); /* from any thread or a signal handler */
void server_free(struct server *s);
/* Listens on host:port (":8443" is every address) besides the present connections; "" stops
 * listening. On failure the old listener stays. From any thread. */
int server_listen(struct server *s, const char *address, struct err *err);
/* What new connections are shown from now on. From any thread. */
struct tls_ctx;
void server_set_tls(struct server *s, struct tls_ctx *own);
/* The trust in this certificate has ended: its connections are closed. */
void server_drop_certificate(struct server *s, const char *fingerprint);
/* An operation that began on another member on behalf of a request here: requests about it go
 * there, even before its fact has arrived. From any thread. */
void server_note_operation(struct server *s, const char *operation_id, const char *member);
/* The member, when noted above or by an answer that was forwarded. */
bool server_find_operation(struct server *s, const char *operation_id, char ret_member[64]);
