/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/tls.h - one TLS 1.3 session over a non-blocking socket, for base/net/stream.c and
 * api/http.
 *
 * Everything OpenSSL is behind this. A session is used by one thread at a time; it does not own the
 * socket. Sessions are made from the contexts of base/net/stream.h.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"

struct tls_ctx;
struct ssl_st; /* OpenSSL's SSL */

/* Results of the calls below besides byte counts; 0 is the end of the stream. */
enum { TLS_FAILED = -1, TLS_WANT_READ = -2, TLS_WANT_WRITE = -3 };

struct ssl_st *tls_session_new(struct tls_ctx *t, int fd, bool server);
void tls_session_free(struct ssl_st *ssl);
/* The server's name for SNI; ignored for addresses, and when the context asks for another. */
void tls_session_set_host(struct ssl_st *ssl, const char *host);
/* 1 when established. */
int tls_handshake(struct ssl_st *ssl);
ssize_t tls_read(struct ssl_st *ssl, void *buf, size_t len);
ssize_t tls_write(struct ssl_st *ssl, const void *buf, size_t len);
/* Sends close_notify; reading goes on. Not after a failure. */
void tls_end_write(struct ssl_st *ssl);
/* Decrypted bytes wait inside. */
bool tls_pending(struct ssl_st *ssl);
/* Bytes wait inside that may or may not be a whole record: worth a read, unless the last one wanted
 * more. */
bool tls_has_raw(struct ssl_st *ssl);
/* The peer's certificate; "" or NULL without. The caller frees the PEM text. */
void tls_peer_fingerprint(struct ssl_st *ssl, char hex[SHA256_HEX_SIZE]);
char *tls_peer_pem(struct ssl_st *ssl);
/* The last second of its validity, since 1970; INT64_MAX without a certificate. */
int64_t tls_peer_not_after(struct ssl_st *ssl);
/* What OpenSSL said about the last failure of this thread. */
const char *tls_error(char *buf, size_t size);
