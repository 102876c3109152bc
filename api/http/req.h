/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/req.h - one request, as a handler sees it.
 *
 * The route's row has already been applied: the caller may do this, the body is within its limit,
 * and the request is at the member that must answer. A handler runs in a worker (or on the loop for
 * rows with F_INLINE, then it must not block), sets exactly one reply and returns 0, or returns -1
 * with req->err set. Everything belongs to the request and lives until the reply is sent.
 */
#pragma once
#include "base/digest.h"
#include "base/json.h"
#include "base/net/stream.h"
#include "cluster/model/ref.h"

enum caller_kind { CALLER_NOBODY, CALLER_CLIENT, CALLER_MEMBER, CALLER_ADMIN /* unix socket */ };

struct caller {
	enum caller_kind kind;
	char fingerprint[SHA256_HEX_SIZE]; /* of the TLS client certificate, "" without */
	char name[64];			   /* member name, certificate name or user name */
	char address[64];		   /* "@" for the unix socket */
};

/* May use the public API. A member may not: its certificate opens /internal only. */
static inline bool caller_is_trusted(const struct caller *c)
{
	return c->kind == CALLER_CLIENT || c->kind == CALLER_ADMIN;
}

struct req;
struct route;
struct api_env;

const struct api_env *req_env(const struct req *r); /* what the server was made with */
const struct caller *req_caller(const struct req *r);
const struct route *req_row(const struct req *r);
const char *req_method(const struct req *r);
const char *req_path(const struct req *r);	       /* decoded, without query */
const char *req_param(const struct req *r, int index); /* decoded {parts} of the route's path */
/* The project that the request is about: the one of its query, else the default one. */
const char *req_project(const struct req *r);
/* The object of SCOPE_PROJECT that part `index` of the path names, as a text form (ref.h); between
 * members paths have text forms already. */
const char *req_ref(struct req *r, int index);
/* The key of a row of this kind that the request names otherwise: in its body. The caller frees. */
char *req_key(const struct req *r, enum entity e, const char *name);
/* The project whose objects its list has; NULL: those of all. */
const char *req_lists_of(const struct req *r);
/* Has its list a row of this kind and key? */
bool req_lists(const struct req *r, enum entity e, const char *key);
const char *req_query(const struct req *r, const char *key); /* decoded; NULL when absent */
/* Of a parameter that api/http/queries.def checks as true or false. */
bool req_query_true(const struct req *r, const char *key);
int req_recursion(const struct req *r);
const char *req_header(const struct req *r, const char *name); /* NULL when absent */
struct err *req_err(struct req *r);
/* The connection's TLS client certificate as PEM (for trust requests, POST only); NULL without. */
const char *req_peer_pem(struct req *r);

/* The JSON body (of BODY_MEM, or of BODY_FILE up to 4 MiB), borrowed; checked against fields when
 * given (see json_check). `what` names it in errors. An empty body reads as {} . */
json_t *req_json(struct req *r, const struct json_field *fields, const char *what);
int req_body_fd(const struct req *r, int64_t *ret_size); /* BODY_FILE: at offset 0, unlinked */
/* 412 unless If-Match is absent or names this tag (quotes optional). */
int req_if_match(struct req *r, const char *etag);

/* --- replies ---------------------------------------------------------------------------------- */

int reply_sync(struct req *r, json_t *own_metadata); /* NULL: {} */
/* metadata already serialised; copied. */
int reply_sync_text(struct req *r, const char *text, size_t len);
void reply_etag(struct req *r, const char *etag); /* unquoted; before the reply */
void reply_header(struct req *r, const char *name, const char *value); /* before the reply */
int reply_created(struct req *r, const char *location); /* 201 */
int reply_bytes(struct req *r, int status, const char *type, const void *data, size_t len);
int reply_file(struct req *r, int own_fd, int64_t size, const char *type);
#define FILE_PARTS_MAX 5
struct file_part {
	int fd;
	int64_t size;
};
void file_parts_close(const struct file_part *parts, int n);
/* One file after the other, each from its beginning, as one body. */
int reply_files(struct req *r, const struct file_part *own_parts, int n, const char *type);
/* A stable tag of what may be changed: SHA-256 of the value's compact text. */
const char *etag_of(const json_t *j, char hex[SHA256_HEX_SIZE]);

/* The answer comes later, from any thread: the head is sent now (200, JSON, chunked). Exactly one
 * reply_late_end must follow; it takes an envelope text. gone, when not NULL, is told (on the loop)
 * when the client left first; reply_late_end is then still due and harmless. */
struct late;
struct late *reply_late(struct req *r, void (*gone)(void *arg), void *arg);
void reply_late_end(struct late *l, const char *text, size_t len);
/* The client has left. From any thread, before reply_late_end. */
bool late_is_abandoned(const struct late *l);

/* 101; the connection leaves the loop and belongs to fn, which runs in a thread of its own. fn is
 * called in any case: with a stream that has ended when the client left first. -1 with req->err
 * when the client did not ask for this protocol: then fn is not called. */
int reply_upgrade(struct req *r, const char *protocol, void (*fn)(void *arg, struct stream *own),
		  void *arg);

/* A websocket served by the loop. Callbacks run on the loop and must not block. */
struct wsconn;
struct ws_callbacks {
	void (*message)(void *arg, bool text, const char *data, size_t len);
	void (*closed)(void *arg); /* last call; the wsconn is gone after it */
	void (*drained)(void *arg); /* part was sent and little is queued now; may be NULL */
};
/* NULL with req->err when the request is no websocket handshake. The result is borrowed: valid
 * until `closed`, longer with a reference. */
struct wsconn *reply_websocket(struct req *r, const struct ws_callbacks *cb, void *arg);
/* From any thread while the connection is referenced. False when it has closed or its queue is over
 * the hard limit (the connection is then closed). */
bool wsconn_send(struct wsconn *w, bool text, const void *data, size_t len);
size_t wsconn_queued(struct wsconn *w); /* bytes not yet taken by the kernel */
void wsconn_pause(struct wsconn *w, bool pause); /* stop or go on reading; loop thread only */
void wsconn_close(struct wsconn *w); /* after what is queued; from any thread */
/* In or after `closed`: the connection ended without a close frame of either side. */
bool wsconn_was_lost(const struct wsconn *w);
struct wsconn *wsconn_ref(struct wsconn *w);
void wsconn_unref(struct wsconn *w);

/* Joins a websocket and a descriptor (pty, pipe end or socket; taken over even when NULL is
 * returned, made non-blocking), with back-pressure both ways. LXD's conventions: binary frames; an
 * empty text frame is the end of the stream, in each direction. Reads from the fd go out when
 * fd_to_ws, messages are written to it when ws_to_fd. done (from the loop) is told once both
 * directions have ended. A client that leaves ends both, but with `outlives` the descriptor is
 * still read to its end, so that whoever writes there does not notice. */
struct bridge;
struct bridge_opts {
	int own_fd;
	bool fd_to_ws, ws_to_fd, outlives;
	void (*lost)(void *arg); /* the client left without a close; before done; may be NULL */
	void (*done)(void *arg);
	void *arg;
};
/* A counted reference; NULL with req->err when the request is no websocket handshake. */
struct bridge *reply_bridge(struct req *r, const struct bridge_opts *o);
void bridge_unref(struct bridge *b);
/* From any thread. Ends both directions: what was read goes out, and then the end. */
void bridge_end(struct bridge *b);
uint64_t bridge_read_bytes(const struct bridge *b); /* of the descriptor so far */
size_t bridge_queued(const struct bridge *b);	    /* bytes on their way to the client */
