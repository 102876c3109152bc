/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/tls.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/net/stream.h"

/* A record and its overhead: with read-ahead one recv(2) fetches a whole record. */
#define READ_AHEAD_BYTES 17000

struct tls_ctx {
	SSL_CTX *ctx;
	char *name;	/* asked for by a client; of `named` in a server */
	SSL_CTX *named; /* what a server shows to those who ask for `name`, or NULL */
	atomic_int refs; /* of owners and sessions */
};

/* Whoever connects chooses what a handshake costs here, as far as this lets it: a key exchange over
 * ffdhe8192 takes 200 ms, one over these groups about 1 ms. */
#define GROUPS "X25519:P-256:P-384"
#define RSA_BITS_MAX 8192
#define CERTIFICATES_MAX (32 << 10) /* bytes of a peer's chain, of which only the first counts */

/* Trust is decided by fingerprint: signatures of issuers would be checked for nothing. */
static int accept_any(X509_STORE_CTX *store, void *arg)
{
	EVP_PKEY *key = X509_get0_pubkey(X509_STORE_CTX_get0_cert(store));

	if (key && EVP_PKEY_get_bits(key) <= RSA_BITS_MAX)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

const char *tls_error(char *buf, size_t size)
{
	unsigned long e = ERR_get_error();

	if (e)
		snprintf(buf, size, "%s", ERR_reason_error_string(e) ?: "unknown TLS error");
	else
		snprintf(buf, size, "%s", errno ? strerror(errno) : "connection closed");
	ERR_clear_error();
	return buf;
}

static int fail(struct err *err, const char *what)
{
	char text[160];

	return err_set(err, ERR_INVALID, "%s: %s", what, tls_error(text, sizeof(text)));
}

static int use_key_pair(SSL_CTX *ctx, const char *cert_pem, const char *key_pem, struct err *err)
{
	BIO *cb = BIO_new_mem_buf(cert_pem, -1), *kb = BIO_new_mem_buf(key_pem, -1);
	X509 *cert = PEM_read_bio_X509(cb, NULL, no_passphrase, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(kb, NULL, no_passphrase, NULL);
	int rc = 0;

	if (!cert || SSL_CTX_use_certificate(ctx, cert) != 1)
		rc = fail(err, "use the certificate");
	else if (!key || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
		 SSL_CTX_check_private_key(ctx) != 1)
		rc = fail(err, "use the certificate's key");
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cb);
	BIO_free(kb);
	return rc;
}

static void configure(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				      "TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set1_groups_list(ctx, GROUPS);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* Tickets would arrive after the handshake and make the socket readable without data. */
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, READ_AHEAD_BYTES);
}

static struct tls_ctx *ctx_new(const SSL_METHOD *method, const char *cert_pem, const char *key_pem,
			       struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	struct tls_ctx *t;

	if (!ctx) {
		fail(err, "set up TLS");
		return NULL;
	}
	configure(ctx);
	if (cert_pem && use_key_pair(ctx, cert_pem, key_pem, err) < 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	/* OpenSSL writes with write(2): a peer that left must not end the process. */
	signal(SIGPIPE, SIG_IGN);
	t = xnew(struct tls_ctx);
	t->ctx = ctx;
	t->refs = 1;
	return t;
}

struct tls_ctx *tls_client_new(const char *cert_pem, const char *key_pem, struct err *err)
{
	return ctx_new(TLS_client_method(), cert_pem, key_pem, err);
}

struct tls_ctx *tls_server_new(const char *cert_pem, const char *key_pem, struct err *err)
{
	static const unsigned char id[] = "dunlin";
	struct tls_ctx *t = ctx_new(TLS_server_method(), cert_pem, key_pem, err);

	if (t)
		SSL_CTX_set_session_id_context(t->ctx, id, sizeof(id) - 1);
	return t;
}

static int choose_pair(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *t = SSL_get_app_data(ssl);
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	if (asked && strcmp(asked, t->name) == 0)
		SSL_set_SSL_CTX(ssl, t->named);
	return SSL_TLSEXT_ERR_OK;
}

int tls_server_add(struct tls_ctx *t, const char *name, const char *cert_pem, const char *key_pem,
		   struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert(!t->named);
	if (!ctx)
		return fail(err, "set up TLS");
	configure(ctx);
	if (use_key_pair(ctx, cert_pem, key_pem, err) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	t->named = ctx;
	t->name = xstrdup(name);
	SSL_CTX_set_tlsext_servername_callback(t->ctx, choose_pair);
	return 0;
}

void tls_client_ask(struct tls_ctx *t, const char *name)
{
	assert(!t->name);
	t->name = xstrdup(name);
}

struct tls_ctx *tls_ref(struct tls_ctx *t)
{
	assert(t->refs > 0);
	t->refs++;
	return t;
}

void tls_unref(struct tls_ctx *t)
{
	int left = t ? --t->refs : 1;

	assert(left >= 0);
	if (left > 0)
		return;
	SSL_CTX_free(t->ctx);
	SSL_CTX_free(t->named);
	free(t->name);
	free(t);
}

SSL *tls_session_new(struct tls_ctx *t, int fd, bool server)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl && SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	if (!ssl)
		return NULL;
	SSL_set_app_data(ssl, tls_ref(t));
	if (server) {
		SSL_set_accept_state(ssl);
	} else {
		SSL_set_connect_state(ssl);
		if (t->name)
			SSL_set_tlsext_host_name(ssl, t->name);
	}
	return ssl;
}

void tls_session_free(SSL *ssl)
{
	struct tls_ctx *t = ssl ? SSL_get_app_data(ssl) : NULL;

	SSL_free(ssl);
	tls_unref(t);
}

void tls_session_set_host(SSL *ssl, const char *host)
{
	const struct tls_ctx *t = SSL_get_app_data(ssl);
	struct in6_addr any;

	if (!t->name && inet_pton(AF_INET, host, &any) != 1 && inet_pton(AF_INET6, host, &any) != 1)
		SSL_set_tlsext_host_name(ssl, host);
}

static int result_of(SSL *ssl, int rc)
{
	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return TLS_FAILED;
	}
}

int tls_handshake(SSL *ssl)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(ssl);
	if (rc == 1)
		return 1;
	rc = result_of(ssl, rc);
	return rc == 0 ? TLS_FAILED : rc;
}

ssize_t tls_read(SSL *ssl, void *buf, size_t len)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_read(ssl, buf, len > INT_MAX ? INT_MAX : (int)len);
	return rc > 0 ? rc : result_of(ssl, rc);
}

ssize_t tls_write(SSL *ssl, const void *buf, size_t len)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_write(ssl, buf, len > INT_MAX ? INT_MAX : (int)len);
	if (rc > 0)
		return rc;
	rc = result_of(ssl, rc);
	return rc == 0 ? TLS_FAILED : rc;
}

void tls_end_write(SSL *ssl)
{
	ERR_clear_error();
	SSL_shutdown(ssl);
	ERR_clear_error();
}

bool tls_pending(SSL *ssl)
{
	return SSL_pending(ssl) > 0;
}

bool tls_has_raw(SSL *ssl)
{
	return SSL_has_pending(ssl);
}

void tls_peer_fingerprint(SSL *ssl, char hex[SHA256_HEX_SIZE])
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	hex[0] = '\0';
	if (x && X509_digest(x, EVP_sha256(), sum, &n)) {
		for (unsigned int i = 0; i < n; i++)
			snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	}
	X509_free(x);
}

int64_t tls_peer_not_after(SSL *ssl)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	struct tm tm;
	int64_t at = INT64_MAX;

	/* What cannot be read has expired. */
	if (x)
		at = ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? timegm(&tm) : 0;
	X509_free(x);
	return at;
}

char *tls_peer_pem(SSL *ssl)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	BIO *b = BIO_new(BIO_s_mem());
	char *data, *pem = NULL;

	if (x && b && PEM_write_bio_X509(b, x)) {
		long n = BIO_get_mem_data(b, &data);

		pem = xstrndup(data, n);
	}
	X509_free(x);
	BIO_free(b);
	return pem;
}
