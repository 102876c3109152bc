/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/conn.h - one client connection on the loop, from its requests' heads to their answers.
 *
 *   HEAD ──head──► BODY ──all──► WAIT ──reply──► SEND ──sent──► HEAD
 *     │              │             │               └─ close ──► DRAIN ──end──► closed
 *     │              │             ├─ 101 ──► WEBSOCKET, or handed over to a thread
 *     │              └─ 413, 507 ─►│
 *     └─ another member's ──► PROXY ──► SEND, or a raw relay
 *
 * Requests on a connection are answered one after the other; what a client sends ahead waits in
 * `in`.
 */
#pragma once
#include "api/http/req_int.h"
#include "api/http/server_int.h"

/* In the head of every answer: what an instance's file holds is not for browsers to guess. */
#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"

enum conn_state { C_HEAD, C_BODY, C_WAIT, C_SEND, C_PROXY, C_WEBSOCKET, C_UPGRADE, C_DRAIN };

struct spool;
struct proxy;
struct file_sender;

struct conn {
	struct server *server;
	struct conn *next, *prev;
	struct link *link;
	enum conn_state state;
	bool is_unix, closing /* after this reply */, eof, in_process, head_begun;
	struct caller peer; /* who connected; `kind` is decided for each request */
	char *peer_pem;
	int64_t peer_not_after; /* of its certificate, wall clock; INT64_MAX without */
	uint64_t trust_at; /* change_count() of the decision */
	enum caller_kind trust;
	uint64_t net;		 /* of the peer's address */
	struct quota_slot place; /* as a connection */
	struct quota_slot work;	 /* its request, until the answer was taken */
	struct conn *newer, *older; /* among strangers */
	int64_t until;	   /* in which a stranger's request must be over; 0 none */
	int64_t progress_at; /* when some of the queue was last sent */
	struct sbuf in; /* received ahead */
	struct req *req;
	struct http_body body;
	int64_t deadline; /* for what the state waits for; 0 none */
	int64_t body_mark; /* bytes when the deadline was set */
	size_t drained;
	struct spool *spool;
	struct proxy *proxy;
	struct file_sender *file;
	struct wsconn *ws;
};

void conn_new(struct server *s, int own_fd, struct ssl_st *own_ssl, bool is_unix);
void conn_close(struct conn *c, const char *why);
/* Goes on with what is in `in`. To be called whenever what held it up is over. */
void conn_process(struct conn *c);
void conn_free(struct conn *c); /* the link has gone, or was detached */
/* Deadlines for what the connection waits for next. */
void conn_expect_head(struct conn *c);
void conn_expect_body(struct conn *c);
void conn_expect_send(struct conn *c);
/* After what is queued: the end, then what the client still sends is dropped for a while, since
 * closing with unread bytes would destroy the reply on its way. */
void conn_finish(struct conn *c);
void conn_tick(struct conn *c, int64_t now);
/* Nothing of a request is going on. */
bool conn_is_idle(const struct conn *c);
/* The server stops: idle connections and websockets end, the others after their reply. */
void conn_wind_down(struct conn *c);

/* --- read.c: bytes in; returns how many were used, less when the connection must wait. */
size_t conn_take(struct conn *c, const char *data, size_t len);
void conn_send_continue(struct conn *c);

/* --- answer.c: the request's reply goes out ----------------------------------------------- */
void conn_reply(struct conn *c);
/* For failures before a handler ran; the connection closes afterwards when a body was left
 * unread. */
void conn_refuse(struct conn *c);
void conn_flushed(struct conn *c);
/* The answer is complete: the next request, or the end. */
void conn_reply_done(struct conn *c);
void file_sender_free(struct file_sender *f);
void reply_abandon(struct req *r); /* the client left before its answer was sent */

/* --- admit.c ---------------------------------------------------------------------------------- */
/* Its place among the connections; when there is none another one gives way, or this one goes. */
void admit_conn(struct conn *c);
/* Who it is has become known, or has changed. */
void admit_as(struct conn *c, enum caller_kind kind);
/* Its place is free; to be called before it is freed. */
void admit_gone(struct conn *c);
/* Takes what a request may hold; -1 with r->err. */
int admit_request(struct conn *c, struct req *r);
/* The answer was taken, or will never be. */
void admit_request_over(struct conn *c);
/* It showed the secret of what it is connected to from now on: it is no stranger's any more. */
void admit_vouched(struct conn *c);
/* A stranger's answer of that many bytes may take its time, but not for ever. */
void admit_answer(struct conn *c, int64_t size);

/* --- auth.c ----------------------------------------------------------------------------------- */
void auth_peer_unix(struct conn *c, int fd);
void auth_peer_tls(struct conn *c, int fd);
void auth_peer_certificate(struct conn *c); /* after the handshake */
enum caller_kind auth_trust(struct conn *c); /* as it is now */
/* Who asks: decided anew for every request. */
void auth_identify(struct conn *c, struct req *r);
int auth_check(struct req *r);
/* What a member vouches for when it passes a request on; the caller frees. */
char *auth_caller_text(const char *kind, const char *fingerprint);
/* Was trusted, until its certificate's last day. */
bool auth_has_expired(const struct conn *c);

/* --- dispatch.c ------------------------------------------------------------------------------- */
/* A head has arrived: route, rights, member, limits. Sets the next state. */
void dispatch_head(struct conn *c);
/* The body is complete: runs the handler. */
void dispatch_run(struct conn *c);

/* --- body.c ----------------------------------------------------------------------------------- */
/* Is the announced body within the row's limit, and is there room for it? */
int body_check(struct req *r);
int body_begin(struct conn *c);
/* Decoded bytes; -1 with r->err. */
int body_put(struct conn *c, const char *data, size_t len);
bool body_is_full(const struct conn *c); /* cannot take more at present */
/* True when everything is in its place; else the handler is run later. */
bool body_end(struct conn *c);
void spool_free(struct spool *s);

/* --- proxy.c ---------------------------------------------------------------------------------- */
void proxy_start(struct conn *c, const char *address, const char *member);
size_t proxy_take(struct conn *c, const char *data, size_t len);
void proxy_client_flushed(struct conn *c);
void proxy_client_eof(struct conn *c);
bool proxy_is_relay(const struct proxy *p);
/* True when the member takes too long, and the client was told. */
bool proxy_tick(struct conn *c, int64_t now);
void proxy_free(struct proxy *p); /* NULL is fine */
void upstreams_tick(struct server *s, int64_t now);
void upstreams_close(struct server *s);

/* --- websocket.c, upgrade.c ------------------------------------------------------------------- */
void wsconn_start(struct conn *c);
size_t wsconn_take(struct conn *c, const char *data, size_t len);
void wsconn_flushed(struct conn *c);
void wsconn_gone(struct conn *c);
void wsconn_tick(struct conn *c, int64_t now);
void wsconn_shut(struct conn *c);
void wsconn_abandon(struct wsconn *w); /* the client left before the 101 */
void upgrade_flushed(struct conn *c);
/* fn gets a stream that has ended. */
void upgrade_abandon(struct server *s, void (*fn)(void *arg, struct stream *own), void *arg);
void upgrade_threads_shut(struct server *s, const char *fingerprint); /* NULL: all */
void upgrade_threads_wait(struct server *s);
