/* SPDX-License-Identifier: Apache-2.0 */
/* api/server.h - the listeners and the loop thread that drives every connection.
 *
 * The loop thread accepts, does TLS, HTTP, websockets, relays to other members and timers; it never
 * blocks. Requests are matched with api/routes.def and run in the pool.
 */
#pragma once
#include "api/env.h"

struct server;

struct server_opts {
	const struct api_env *env; /* borrowed for the server's life */
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
/* Noted above, or by an answer that was forwarded. */
bool server_knows_operation(struct server *s, const char *operation_id);
