/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"

#define UNACKED_MAX_MS 30000

void socket_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 15 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 5 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MAX_MS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

/* 0 once connected; else -1 with errno. */
static int finish_connect(int fd, int64_t deadline)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	socklen_t n = sizeof(int);
	int rc, error = 0;

	do {
		rc = poll(&p, 1, deadline_left(deadline));
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		error = ETIMEDOUT;
	else if (rc < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	errno = error;
	return error ? -1 : 0;
}

static int connect_one(const struct addrinfo *a, int64_t deadline)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int saved;

	if (fd < 0)
		return -1;
	socket_tune(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0 ||
	    (errno == EINPROGRESS && finish_connect(fd, deadline) == 0))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int connect_tcp(const char *address, char *host, size_t host_size, int64_t deadline,
		struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char port[8];
	int rc, fd = -1;

	if (address_split(address, host, host_size, port, err) < 0)
		return -1;
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_UNAVAILABLE, "%s: %s", address, gai_strerror(rc));
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next)
		fd = connect_one(a, deadline);
	if (fd < 0)
		err_sys(err, "connect to %s", address);
	freeaddrinfo(list);
	return fd;
}

int connect_unix(const char *path, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (!str_copy(a.sun_path, sizeof(a.sun_path), path))
		return err_set(err, ERR_INVALID, "the socket path %s is too long", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "make a socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		err_sys(err, "connect to %s", path);
		close(fd);
		return -1;
	}
	return fd;
}
