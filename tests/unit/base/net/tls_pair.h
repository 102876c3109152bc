/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS server on loopback for tests: accepts one connection in a thread and serves it as a
 * stream. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/net/stream.h"
#include "base/net/tls.h"

struct tls_peer {
	struct tls_ctx *ctx;
	char fingerprint[SHA256_HEX_SIZE], address[64];
	int listener;
	pthread_t thread;
	void (*serve)(struct stream *own, void *arg);
	void *arg;
};

static inline struct stream *tls_peer_accept(struct tls_peer *p)
{
	int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ssl_st *ssl = tls_session_new(p->ctx, fd, true);
	int rc;

	while ((rc = tls_handshake(ssl)) != 1) {
		struct pollfd pfd = { fd, rc == TLS_WANT_WRITE ? POLLOUT : POLLIN, 0 };

		if (rc == TLS_FAILED) {
			tls_session_free(ssl);
			close(fd);
			return NULL;
		}
		poll(&pfd, 1, 5000);
	}
	return stream_from_ssl(ssl, fd, NULL, 0);
}

static inline void *tls_peer_thread(void *arg)
{
	struct tls_peer *p = arg;
	struct stream *s = tls_peer_accept(p);

	if (s)
		p->serve(s, p->arg);
	return NULL;
}

static inline int tls_peer_listen(struct tls_peer *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	_free_ char *cert = NULL;
	_free_ char *key = NULL;
	struct err err;

	if (x509_make("server", &cert, &key, &err) < 0 ||
	    x509_fingerprint(cert, p->fingerprint, &err) < 0)
		return -1;
	p->ctx = tls_server_new(cert, key, &err);
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->listener, (struct sockaddr *)&a, n) < 0 || listen(p->listener, 4) < 0 ||
	    getsockname(p->listener, (struct sockaddr *)&a, &n) < 0)
		return -1;
	snprintf(p->address, sizeof(p->address), "127.0.0.1:%d", ntohs(a.sin_port));
	return 0;
}

static inline int tls_peer_start(struct tls_peer *p, void (*serve)(struct stream *own, void *arg),
				 void *arg)
{
	if (tls_peer_listen(p) < 0)
		return -1;
	p->serve = serve;
	p->arg = arg;
	return pthread_create(&p->thread, NULL, tls_peer_thread, p) ? -1 : 0;
}

static inline void tls_peer_end(struct tls_peer *p)
{
	pthread_join(p->thread, NULL);
	close(p->listener);
	tls_unref(p->ctx);
}
