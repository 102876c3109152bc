/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/server_int.h - the inside of the server. All but the marked members belong to the loop
 * thread. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "api/http/link.h"
#include "api/http/mailbox.h"
#include "api/http/quota.h"
#include "api/http/server.h"

struct uv_loop_s;
struct uv_prepare_s;
struct uv_idle_s;
struct uv_timer_s;
struct listener;
struct conn;
struct upstream;
struct stream_thread;
struct elsewhere;

#define SCRATCH_BYTES (64 << 10)

struct server {
	const struct api_env *env;
	const char *dir;
	struct pool *pool;
	struct cluster *cluster;
	const struct route *routes;
	const struct server_hooks *hooks;
	struct uv_loop_s *loop;
	struct uv_prepare_s *prepare;
	struct uv_idle_s *idle;
	struct uv_timer_s *tick;
	struct link_set links;
	struct mailbox *mailbox;
	struct listener *unix_listener, *tls_listener;
	struct conn *conns; /* newest first */
	struct conn *newest_stranger, *oldest_stranger;
	struct quota *quota;
	struct upstream *upstreams; /* connections to members, busy and idle */
	int nworkers; /* handlers that run */
	char *scratch; /* every read lands here first */
	char date[40];
	int64_t date_at;
	struct elsewhere *elsewhere; /* any thread */
	bool draining;
	int64_t drain_deadline;
	atomic_bool stop;     /* any thread */
	pthread_mutex_t lock; /* guards the rest */
	struct tls_ctx *tls;
	struct stream_thread *threads;
	pthread_cond_t thread_ended;
};

/* New reference; NULL before a certificate was set. */
struct tls_ctx *server_tls(struct server *s);
/* HTTPC_ISLAND_HEADER with its line's end while no leader is heard, else "". */
#define ISLAND_LINE_SIZE 48
const char *server_island_line(const struct server *s, char buf[ISLAND_LINE_SIZE]);
const char *server_date(struct server *s);
/* A fresh client socket. */
void server_accepted(struct server *s, int own_fd, bool is_unix);

/* --- listener.c ------------------------------------------------------------------------------- */

struct listener_opts {
	const char *path, *group; /* unix, or */
	const char *address;	  /* host:port */
};
int listener_socket(const struct listener_opts *o, struct err *err);
struct listener *listener_new(struct server *s, int own_fd, bool is_unix);
void listener_free(struct listener *l); /* NULL is fine */
/* Goes on accepting after descriptors ran out. */
void listener_retry(struct listener *l);
