/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/connect.h"
#include "base/net/tls.h"

#define FILE_CHUNK (64 << 10)

struct stream {
	int fd;
	struct ssl_st *ssl;
	bool socket;
	bool nonblock;
	bool failed; /* TLS state is gone: no close_notify */
	bool dry;    /* the last read wanted more from the socket */
	short want;  /* poll events of the last call that could not go on */
	int64_t deadline;
	char *ahead;
	size_t ahead_at, ahead_len;
	char peer[SHA256_HEX_SIZE];
	char local_ip[64];
	struct cutter *cutter; /* NULL: nobody asked */
};

struct cutter {
	pthread_mutex_t lock;
	int refs;
	int fd; /* the stream's; -1 once that is freed */
};

static void learn_local_ip(struct stream *s)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	if (getsockname(s->fd, (struct sockaddr *)&a, &n) < 0 ||
	    (a.ss_family != AF_INET && a.ss_family != AF_INET6) ||
	    getnameinfo((struct sockaddr *)&a, n, s->local_ip, sizeof(s->local_ip), NULL, 0,
			NI_NUMERICHOST) != 0)
		s->local_ip[0] = '\0';
}

struct stream *stream_from_ssl(void *own_ssl, int own_fd, const void *ahead, size_t ahead_len)
{
	struct stream *s = stream_from_fd_ahead(own_fd, ahead, ahead_len);

	assert(own_ssl);
	s->ssl = own_ssl;
	tls_peer_fingerprint(s->ssl, s->peer);
	return s;
}

struct stream *stream_from_fd_ahead(int own_fd, const void *ahead, size_t ahead_len)
{
	struct stream *s = xnew(struct stream);
	struct stat st;

	assert(own_fd >= 0);
	s->fd = own_fd;
	s->want = POLLIN;
	s->socket = fstat(own_fd, &st) == 0 && S_ISSOCK(st.st_mode);
	io_set_nonblock(own_fd, true);
	learn_local_ip(s);
	stream_unread(s, ahead, ahead_len);
	return s;
}

struct stream *stream_from_fd(int own_fd)
{
	return stream_from_fd_ahead(own_fd, NULL, 0);
}

void stream_unread(struct stream *s, const void *data, size_t len)
{
	size_t rest = s->ahead_len - s->ahead_at;
	char *both;

	if (!len)
		return;
	both = xcalloc(len + rest, 1);
	memcpy(both, data, len);
	if (rest)
		memcpy(both + len, s->ahead + s->ahead_at, rest);
	free(s->ahead);
	s->ahead = both;
	s->ahead_at = 0;
	s->ahead_len = len + rest;
}

struct cutter *stream_cutter(struct stream *s)
{
	if (!s->cutter) {
		s->cutter = xnew(struct cutter);
		pthread_mutex_init(&s->cutter->lock, NULL);
		s->cutter->refs = 1;
		s->cutter->fd = s->fd;
	}
	__atomic_add_fetch(&s->cutter->refs, 1, __ATOMIC_RELAXED);
	return s->cutter;
}

void cutter_cut(struct cutter *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->fd >= 0)
		shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&c->lock);
}

void cutter_unref(struct cutter *c)
{
	int left = c ? __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) : 1;

	assert(left >= 0);
	if (left > 0)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Before the descriptor's number can be another's. */
static void cutter_forget(struct cutter *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->fd = -1;
	pthread_mutex_unlock(&c->lock);
	cutter_unref(c);
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->ssl && !s->failed)
		tls_end_write(s->ssl);
	tls_session_free(s->ssl);
	cutter_forget(s->cutter);
	assert(s->fd >= 0);
	close(s->fd);
	free(s->ahead);
	free(s);
}

void stream_shutdown(struct stream *s)
{
	shutdown(s->fd, SHUT_RDWR);
}

void stream_end_write(struct stream *s)
{
	if (s->ssl && !s->failed)
		tls_end_write(s->ssl);
	else
		shutdown(s->fd, SHUT_WR);
}

const char *stream_peer(const struct stream *s)
{
	return s->peer;
}

const char *stream_local_ip(const struct stream *s)
{
	return s->local_ip;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

bool stream_pending(const struct stream *s)
{
	if (s->ahead_len > s->ahead_at)
		return true;
	return s->ssl && (tls_pending(s->ssl) || (!s->dry && tls_has_raw(s->ssl)));
}

void stream_set_deadline(struct stream *s, int64_t deadline)
{
	s->deadline = deadline;
}

int stream_set_nonblock(struct stream *s, bool on)
{
	s->nonblock = on;
	return 0;
}

short stream_poll_events(const struct stream *s)
{
	return s->want;
}

/* 0 when the descriptor is ready again. */
static int wait_ready(struct stream *s, struct err *err)
{
	struct pollfd p = { s->fd, s->want, 0 };
	int rc;

	if (s->nonblock)
		return err_set(err, ERR_BUSY, "nothing is ready");
	do {
		rc = poll(&p, 1, deadline_left(s->deadline));
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, "wait for the connection");
	return rc > 0 ? 0 : err_set(err, ERR_TIMEOUT, "the other side did not answer in time");
}

/* The outcome of one attempt in the terms of base/net/tls.h. */
static ssize_t raw_read(struct stream *s, void *buf, size_t len)
{
	ssize_t n;

	if (s->ssl)
		return tls_read(s->ssl, buf, len);
	do {
		n = s->socket ? recv(s->fd, buf, len, 0) : read(s->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? TLS_WANT_READ : n;
}

static ssize_t raw_write(struct stream *s, const void *buf, size_t len)
{
	ssize_t n;

	if (s->ssl)
		return tls_write(s->ssl, buf, len);
	do {
		n = s->socket ? send(s->fd, buf, len, MSG_NOSIGNAL) : write(s->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? TLS_WANT_WRITE : n;
}

static int failure(struct stream *s, const char *what, struct err *err)
{
	char text[160];

	s->failed = true;
	if (!s->ssl)
		err_sys(err, "%s", what);
	else
		err_set(err, ERR_UNAVAILABLE, "%s: %s", what, tls_error(text, sizeof(text)));
	if (err->kind == ERR_INTERNAL)
		err->kind = ERR_UNAVAILABLE;
	return -1;
}

static ssize_t take_ahead(struct stream *s, void *buf, size_t len)
{
	size_t n = s->ahead_len - s->ahead_at;

	assert(n > 0);
	n = n < len ? n : len;
	memcpy(buf, s->ahead + s->ahead_at, n);
	s->ahead_at += n;
	if (s->ahead_at == s->ahead_len) {
		free(take_ptr(s->ahead));
		s->ahead_at = s->ahead_len = 0;
	}
	return n;
}

ssize_t stream_read(struct stream *s, void *buf, size_t len, struct err *err)
{
	if (s->ahead_len)
		return take_ahead(s, buf, len);
	for (;;) {
		ssize_t n = raw_read(s, buf, len);

		s->dry = n < 0;
		if (n >= 0)
			return n;
		if (n == TLS_FAILED)
			return failure(s, "read from the connection", err);
		s->want = n == TLS_WANT_WRITE ? POLLOUT : POLLIN;
		if (wait_ready(s, err) < 0)
			return -1;
	}
}

int stream_read_full(struct stream *s, void *buf, size_t len, struct err *err)
{
	char *p = buf;

	while (len) {
		ssize_t n = stream_read(s, p, len, err);

		if (n < 0)
			return -1;
		if (n == 0)
			return err_set(err, ERR_UNAVAILABLE, "the connection ended early");
		p += n;
		len -= n;
	}
	return 0;
}

ssize_t stream_write_some(struct stream *s, const void *buf, size_t len, struct err *err)
{
	for (;;) {
		ssize_t n = len ? raw_write(s, buf, len) : 0;

		if (n >= 0)
			return n;
		if (n == TLS_FAILED)
			return failure(s, "write to the connection", err);
		s->want = n == TLS_WANT_READ ? POLLIN : POLLOUT;
		if (wait_ready(s, err) < 0)
			return -1;
	}
}

int stream_write(struct stream *s, const void *buf, size_t len, struct err *err)
{
	const char *p = buf;

	while (len) {
		ssize_t n = stream_write_some(s, p, len, err);

		if (n < 0)
			return -1;
		p += n;
		len -= n;
	}
	return 0;
}

int stream_send_file(struct stream *s, int fd, int64_t offset, int64_t len, struct err *err)
{
	_free_ char *buf = xcalloc(FILE_CHUNK, 1);

	while (len > 0) {
		ssize_t n = pread(fd, buf, len > FILE_CHUNK ? FILE_CHUNK : len, offset);

		if (n < 0)
			return err_sys(err, "read the file to send");
		if (n == 0)
			return err_set(err, ERR_INTERNAL, "the file is shorter than it was");
		if (stream_write(s, buf, n, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static int handshake(struct stream *s, struct err *err)
{
	for (;;) {
		int rc = tls_handshake(s->ssl);

		if (rc == 1)
			return 0;
		if (rc == TLS_FAILED)
			return failure(s, "TLS", err);
		s->want = rc == TLS_WANT_WRITE ? POLLOUT : POLLIN;
		if (wait_ready(s, err) < 0)
			return -1;
	}
}

static int check_pin(struct stream *s, const char *pin, struct err *err)
{
	tls_peer_fingerprint(s->ssl, s->peer);
	if (!pin || secret_equal(pin, s->peer))
		return 0;
	return err_set(err, ERR_STRANGER, "shows the certificate %s, expected was %s",
		       s->peer, pin);
}

struct stream *stream_connect_tls(struct tls_ctx *t, const char *address, const char *pin,
				  int64_t deadline, struct err *err)
{
	char host[256];
	int fd = connect_tcp(address, host, sizeof(host), deadline, err);
	struct stream *s;

	if (fd < 0)
		return NULL;
	s = stream_from_fd(fd);
	s->deadline = deadline;
	s->ssl = tls_session_new(t, fd, false);
	if (!s->ssl) {
		err_set(err, ERR_INTERNAL, "set up TLS to %s", address);
		stream_free(s);
		return NULL;
	}
	tls_session_set_host(s->ssl, host);
	if (handshake(s, err) < 0 || check_pin(s, pin, err) < 0) {
		err_wrap(err, "%s", address);
		stream_free(s);
		return NULL;
	}
	s->deadline = 0;
	return s;
}

struct stream *stream_connect_unix(const char *path, struct err *err)
{
	int fd = connect_unix(path, err);

	return fd < 0 ? NULL : stream_from_fd(fd);
}
