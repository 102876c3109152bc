/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/req_int.h - the inside of a request, shared by the files that receive, run and answer
 * it.
 *
 * Made on the loop when a head has been parsed; belongs to the worker while the handler runs, else
 * to the loop. `conn` is for the loop alone and becomes NULL when the client leaves.
 */
#pragma once
#include <stdatomic.h>

#include "api/http/mailbox.h"
#include "api/http/quota.h"
#include "api/http/route.h"
#include "base/net/http1.h"

struct conn;
struct late;

/* Headers that tell a member who asked the one that passes a request on (auth.c, proxy.c). */
#define FORWARDED "X-Dunlin-Forwarded-"

enum reply_kind {
	REPLY_NONE,
	REPLY_BYTES,
	REPLY_FILE,
	REPLY_LATE,
	REPLY_UPGRADE,
	REPLY_WEBSOCKET,
};

struct reply {
	enum reply_kind kind;
	int status;
	const char *type; /* borrowed; a literal, or req->own_type */
	struct sbuf headers, body;
	struct file_part parts[FILE_PARTS_MAX];
	int nparts;
	struct late *late;
	struct wsconn *ws;
	void (*fn)(void *arg, struct stream *own);
	void *arg;
};

#define QUERY_PAIRS_MAX 32
struct pair {
	const char *key, *value;
};

struct req {
	struct post post;
	struct server *server;
	const struct api_env *env;
	struct conn *conn;
	struct http_head head;
	struct caller caller;
	bool forwarded; /* by another member: forwarded again only by who knows better */
	bool waited;    /* for the end of a move, and then went where that ended */
	bool looked_up; /* the leader was asked for the row that decides the member */
	bool running;	/* in a worker */
	const struct first *first; /* of which it is under way */
	const struct route *route;
	char *path;	      /* split into segments by the route's match */
	char *params[ROUTE_PARAMS_MAX];
	char *refs[ROUTE_PARAMS_MAX]; /* their text forms; made when asked for */
	char *decoded;	      /* the whole path; made when asked for */
	char *query;	      /* decoded pairs point into it */
	struct pair pairs[QUERY_PAIRS_MAX];
	int npairs;
	const char *project;
	char *peer_pem;
	struct sbuf body;     /* BODY_MEM */
	size_t body_counted;  /* in the quota of the caller's kind */
	struct quota_slot work; /* once the client has left */
	int body_fd;	      /* BODY_FILE, or -1 */
	int64_t body_size;
	json_t *json;
	char *own_type;
	struct reply reply;
	struct err err;
};

struct req *req_new(struct server *s, struct conn *c, struct http_head *own_head);
void req_free(struct req *r);
/* Splits target into path and query and finds the row. */
int req_route(struct req *r);

/* The error in r->err becomes the reply, whatever was set before. */
void reply_error(struct req *r);
