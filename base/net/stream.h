/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/stream.h - a byte stream over a plain socket or TLS 1.3, blocking or not.
 *
 * Used by worker threads (feed, migration, Raft pump, HTTP client); the API server's loop drives
 * its own connections and hands one over as a stream when a request upgrades. A stream is owned by
 * one thread at a time; stream_shutdown() may be called by another to wake the owner. The
 * descriptor is always non-blocking underneath; a blocking call waits with poll(2). Making a
 * tls_ctx ignores SIGPIPE in the whole process.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/net/x509.h"

struct tls_ctx; /* certificate and settings of one side; reference counted, immutable */

/* cert and key as PEM; NULL, NULL for a client without a certificate. */
struct tls_ctx *tls_client_new(const char *cert_pem, const char *key_pem, struct err *err);
/* Asks for a client certificate and accepts any; trust is the caller's decision. */
struct tls_ctx *tls_server_new(const char *cert_pem, const char *key_pem, struct err *err);
struct tls_ctx *tls_ref(struct tls_ctx *t);
void tls_unref(struct tls_ctx *t);
/* A second pair, shown to whoever asks for this server name. Before the first session. */
int tls_server_add(struct tls_ctx *t, const char *name, const char *cert_pem, const char *key_pem,
		   struct err *err);
/* The server name that sessions of this client ask for, instead of the host's. Before the first
 * session. */
void tls_client_ask(struct tls_ctx *t, const char *name);

struct stream;

/* address is "host:port", "[v6]:port". `pin` is the expected fingerprint of the server, or NULL to
 * accept any (the fingerprint is then available for a decision by stream_peer); ERR_STRANGER when
 * it shows another. TCP_NODELAY and keepalive are set. */
struct stream *stream_connect_tls(struct tls_ctx *t, const char *address, const char *pin,
				  int64_t deadline, struct err *err);
struct stream *stream_connect_unix(const char *path, struct err *err);
struct stream *stream_from_fd(int own_fd);
/* An established server or client TLS session; takes over ssl (SSL *) and its fd, and bytes that
 * were read ahead. */
struct stream *stream_from_ssl(void *own_ssl, int own_fd, const void *ahead, size_t ahead_len);
/* Plain fd with bytes that were read ahead. */
struct stream *stream_from_fd_ahead(int own_fd, const void *ahead, size_t ahead_len);
/* Puts bytes back; the next read returns them first. */
void stream_unread(struct stream *s, const void *data, size_t len);
void stream_free(struct stream *s); /* NULL is fine */
void stream_shutdown(struct stream *s);
/* For who has to end a stream that another thread owns and may free at any time: a reference that
 * holds neither the stream nor its descriptor. Cutting shuts the socket down, once the stream is
 * freed it does nothing. */
struct cutter;
struct cutter *stream_cutter(struct stream *s); /* new reference */
void cutter_cut(struct cutter *c);
void cutter_unref(struct cutter *c);     /* NULL is fine */
void stream_end_write(struct stream *s); /* the peer reads the end; reading here goes on */

const char *stream_peer(const struct stream *s);     /* fingerprint of the peer, "" without TLS */
const char *stream_local_ip(const struct stream *s); /* this side's address, "" if unix */
int stream_fd(const struct stream *s);
bool stream_pending(const struct stream *s);                  /* bytes readable without poll(2) */
void stream_set_deadline(struct stream *s, int64_t deadline); /* for blocking calls; 0 none */
int stream_set_nonblock(struct stream *s, bool on);

/* Bytes read (0 at end) or -1: ERR_TIMEOUT at the deadline; ERR_BUSY when non-blocking and nothing
 * is ready. */
ssize_t stream_read(struct stream *s, void *buf, size_t len, struct err *err);
int stream_read_full(struct stream *s, void *buf, size_t len, struct err *err);
ssize_t stream_write_some(struct stream *s, const void *buf, size_t len, struct err *err);
int stream_write(struct stream *s, const void *buf, size_t len, struct err *err);
/* After ERR_BUSY: what poll(2) should wait for before the call is repeated. */
short stream_poll_events(const struct stream *s);
/* A range of a file; sendfile(2) is not used, for it could raise SIGPIPE. */
int stream_send_file(struct stream *s, int fd, int64_t offset, int64_t len, struct err *err);

/* Relays bytes between two streams until both directions ended, one failed, or idle for longer than
 * idle_ms (0: for ever). Used by the Raft pump. */
void stream_pump(struct stream *a, struct stream *b, int64_t idle_ms);
