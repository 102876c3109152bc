/* SPDX-License-Identifier: Apache-2.0 */
/* bench/load.c - load SOCKET CONNECTIONS SECONDS PATH: asks for PATH over keep-alive connections
 * to a unix socket, one request in flight each, and prints the answers per second.
 *
 * bench/load.c is also the baseline: load --ideal SOCKET BYTES answers anything with a fixed
 * body of that size from one thread without parsing, the least that any server must do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define BUF_BYTES (16 << 20)
#define EVENTS 64

struct conn {
	int fd;
	char *buf;
	size_t len;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!str_copy(a.sun_path, sizeof(a.sun_path), path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	return a;
}

static void watch(int ep, struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl");
}

/* The length of the whole answer in the buffer, 0 while it is incomplete. */
static size_t answer_length(struct conn *c)
{
	char *head_end, *length;
	uint64_t body;

	c->buf[c->len] = '\0';
	head_end = strstr(c->buf, "\r\n\r\n");
	if (!head_end)
		return 0;
	length = strcasestr(c->buf, "content-length:");
	if (!length || length > head_end)
		return 0;
	body = strtoull(length + strlen("content-length:"), NULL, 10);
	return head_end + 4 - c->buf + body <= c->len ? head_end + 4 - c->buf + body : 0;
}

static void ask(struct conn *c, const char *request)
{
	c->len = 0;
	if (write(c->fd, request, strlen(request)) < 0)
		die("write");
}

static int client(const char *path, uint64_t n, uint64_t seconds, const char *target)
{
	_free_ char *request = xasprintf("GET %s HTTP/1.1\r\nHost: dunlin\r\n\r\n", target);
	struct sockaddr_un a = address(path);
	struct epoll_event ev[EVENTS];
	struct conn *conns = xcalloc(n, sizeof(*conns));
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int64_t start = clock_us(), end = start + (int64_t)seconds * 1000000;
	uint64_t done = 0;

	for (uint64_t i = 0; i < n; i++) {
		conns[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		conns[i].buf = xcalloc(1, BUF_BYTES);
		if (connect(conns[i].fd, (void *)&a, sizeof(a)) < 0)
			die(path);
		watch(ep, &conns[i]);
		ask(&conns[i], request);
	}
	while (clock_us() < end) {
		int k = epoll_wait(ep, ev, EVENTS, 100);

		for (int i = 0; i < k; i++) {
			struct conn *c = ev[i].data.ptr;
			ssize_t r = read(c->fd, c->buf + c->len, BUF_BYTES - 1 - c->len);

			if (r <= 0)
				die("read");
			c->len += r;
			if (answer_length(c)) {
				done++;
				ask(c, request);
			}
		}
	}
	printf("%.0f\n", done * 1e6 / (clock_us() - start));
	return 0;
}

static void answer(struct conn *c, const char *reply, size_t len)
{
	char in[4096];
	ssize_t r = read(c->fd, in, sizeof(in));

	if (r <= 0) {
		close(c->fd);
		free(c);
		return;
	}
	while (len) {
		r = write(c->fd, reply, len);
		if (r < 0)
			return;
		reply += r;
		len -= r;
	}
}

__attribute__((noreturn)) static void ideal(const char *path, uint64_t bytes)
{
	_free_ char *reply = xcalloc(1, bytes + 128);
	struct sockaddr_un a = address(path);
	struct conn listener = { .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev[EVENTS];
	size_t len;

	unlink(path);
	if (bind(listener.fd, (void *)&a, sizeof(a)) < 0 || listen(listener.fd, 128) < 0)
		die(path);
	watch(ep, &listener);
	len = snprintf(reply, 128, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		       (unsigned long long)bytes);
	memset(reply + len, 'x', bytes);
	for (;;) {
		int k = epoll_wait(ep, ev, EVENTS, -1);

		for (int i = 0; i < k; i++) {
			struct conn *c = ev[i].data.ptr;

			if (c != &listener) {
				answer(c, reply, len + bytes);
				continue;
			}
			c = xnew(struct conn);
			c->fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
			watch(ep, c);
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t a, b;

	if (argc == 4 && strcmp(argv[1], "--ideal") == 0 && str_to_u64(argv[3], 64 << 20, &a))
		ideal(argv[2], a);
	if (argc == 5 && str_to_u64(argv[2], 1024, &a) && str_to_u64(argv[3], 600, &b))
		return client(argv[1], a, b, argv[4]);
	fprintf(stderr,
		"usage: load SOCKET CONNECTIONS SECONDS PATH | load --ideal SOCKET BYTES\n");
	return 2;
}
