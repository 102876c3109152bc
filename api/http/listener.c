/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <uv.h>

#include "api/http/server_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"

#define BACKLOG 1024
#define ACCEPTS_A_TURN 32

struct listener {
	struct server *server;
	uv_poll_t *poll;
	int fd;
	bool is_unix, waiting; /* waiting: for descriptors */
};

static void on_handle_closed(uv_handle_t *h)
{
	free(h);
}

static void on_connection(uv_poll_t *p, int status, int events)
{
	struct listener *l = p->data;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			server_accepted(l->server, fd, l->is_unix);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			log_warn("no descriptor for a new connection", "cause", strerror(errno));
			l->waiting = true;
			uv_poll_stop(l->poll);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

struct listener *listener_new(struct server *s, int own_fd, bool is_unix)
{
	struct listener *l = xnew(struct listener);

	assert(own_fd >= 0);
	l->server = s;
	l->fd = own_fd;
	l->is_unix = is_unix;
	l->poll = xnew(uv_poll_t);
	uv_poll_init(s->loop, l->poll, own_fd);
	l->poll->data = l;
	uv_poll_start(l->poll, UV_READABLE, on_connection);
	return l;
}

void listener_retry(struct listener *l)
{
	if (!l || !l->waiting)
		return;
	l->waiting = false;
	uv_poll_start(l->poll, UV_READABLE, on_connection);
}

void listener_free(struct listener *l)
{
	if (!l)
		return;
	uv_poll_stop(l->poll);
	uv_close((uv_handle_t *)l->poll, on_handle_closed);
	close(l->fd);
	free(l);
}

/* A socket file is left behind by a killed daemon; one that answers belongs to a living one. */
static int remove_stale(const struct sockaddr_un *a, struct err *err)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (lstat(a->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFLICT, "%s exists and is not a socket", a->sun_path);
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 || errno == EAGAIN)
		return err_set(err, ERR_CONFLICT, "another daemon answers on %s", a->sun_path);
	if (unlink(a->sun_path) < 0)
		return err_sys(err, "remove the stale socket %s", a->sun_path);
	return 0;
}

static int set_owner(const char *path, const char *group, struct err *err)
{
	struct group *g = group ? getgrnam(group) : NULL;

	if (group && !g)
		return err_set(err, ERR_INVALID, "there is no group \"%s\" for %s", group, path);
	if (g && chown(path, (uid_t)-1, g->gr_gid) < 0)
		return err_sys(err, "give %s to the group %s", path, group);
	if (chmod(path, 0660) < 0)
		return err_sys(err, "set the mode of %s", path);
	return 0;
}

static int listen_unix(const struct listener_opts *o, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_close_ int fd = -1;
	mode_t mask;
	int rc;

	if (!str_copy(a.sun_path, sizeof(a.sun_path), o->path))
		return err_set(err, ERR_INVALID, "the socket path %s is longer than %zu bytes",
			       o->path, sizeof(a.sun_path) - 1);
	if (remove_stale(&a, err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "make a socket");
	mask = umask(0177); /* nobody else gets in before the mode is set */
	rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
	umask(mask);
	if (rc < 0)
		return err_sys(err, "bind %s", o->path);
	if (set_owner(o->path, o->group, err) < 0)
		return -1;
	if (listen(fd, BACKLOG) < 0)
		return err_sys(err, "listen on %s", o->path);
	return take_fd(&fd);
}

static int bind_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, saved;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int listen_tcp(const struct listener_opts *o, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list = NULL;
	char host[256], port[8];
	int rc, fd = -1;

	if (address_split(o->address, host, sizeof(host), port, err) < 0)
		return -1;
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (rc != 0)
		return err_set(err, ERR_INVALID, "listen on %s: %s", o->address, gai_strerror(rc));
	/* "every address" is one IPv6 socket that takes IPv4 too, where the kernel has IPv6. */
	for (int pass = 0; pass < 2 && fd < 0; pass++) {
		int first = *host ? list->ai_family : AF_INET6;

		for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
			if ((a->ai_family == first) == (pass == 0))
				fd = bind_one(a);
		}
	}
	if (fd < 0) {
		err_sys(err, "listen on %s", o->address);
		err->kind = err->sys == EADDRINUSE ? ERR_CONFLICT : err->kind;
	}
	freeaddrinfo(list);
	return fd;
}

int listener_socket(const struct listener_opts *o, struct err *err)
{
	return o->path ? listen_unix(o, err) : listen_tcp(o, err);
}
