/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/api/http/http_world.h - a real server on a unix socket, with routes of the test's own,
 * and what a client says to it byte by byte. */
#pragma once
#include "tests/unit/cluster/store_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/http/route.h"
#include "api/http/server.h"
#include "base/thread.h"

#define HTTP_WAIT_S 30
#define ANSWER_MAX (4 << 20)

struct http_world {
	struct store_world w;
	struct server *server;
	pthread_t thread;
	char path[96];
};

static inline enum caller_kind http_world_identify(const struct api_env *env,
						   const char *fingerprint, char ret_name[64])
{
	return CALLER_NOBODY;
}

static inline uint64_t http_world_change_count(const struct api_env *env)
{
	return 1;
}

/* What a test's request asks for with this parameter is refused. */
static inline int http_world_check(struct req *r)
{
	const char *why = req_query(r, "refuse");

	return why ? err_set(req_err(r), ERR_INVALID, "refused: %s", why) : 0;
}

static inline int http_world_locate(struct req *r, struct where *w)
{
	return 0;
}

static inline const struct first *http_world_first(struct req *r)
{
	return NULL;
}

static inline void *http_world_run(void *arg)
{
	server_run(arg, 5000);
	return NULL;
}

static const struct server_hooks http_world_hooks = {
	.identify = http_world_identify,
	.change_count = http_world_change_count,
	.check = http_world_check,
	.locate = http_world_locate,
	.first = http_world_first,
};

/* With a store that has been started. */
static inline void http_world_serve(struct http_world *t, const struct route *routes,
				    const struct server_hooks *hooks)
{
	struct server_opts o = {
		.dir = t->w.dir, .routes = routes, .hooks = hooks, .unix_path = t->path
	};
	struct err err = { 0 };

	snprintf(t->path, sizeof(t->path), "%s/unix.socket", t->w.dir);
	o.pool = t->w.pool;
	o.cluster = t->w.cluster;
	t->server = server_new(&o, &err);
	if (!t->server)
		fail_msg("%s", err.msg);
	assert_int_equal(thread_start(&t->thread, "server", http_world_run, t->server, &err), 0);
}

static inline void http_world_open(struct http_world *t, const struct route *routes)
{
	world_open(&t->w);
	world_start(&t->w);
	http_world_serve(t, routes, &http_world_hooks);
}

static inline void http_world_close(struct http_world *t)
{
	server_stop(t->server);
	pthread_join(t->thread, NULL);
	server_free(t->server);
	world_close(&t->w);
}

/* --- a client --------------------------------------------------------------------------------- */

static inline int http_connect(struct http_world *t)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = HTTP_WAIT_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(a.sun_path, sizeof(a.sun_path), t->path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static inline void http_say(int fd, const void *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = send(fd, (const char *)data + at, len - at, MSG_NOSIGNAL);

		assert_true(n > 0);
		at += (size_t)n;
	}
}

static inline void http_say_text(int fd, const char *text)
{
	http_say(fd, text, strlen(text));
}

static inline void http_hear(int fd, void *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = recv(fd, (char *)data + at, len - at, 0);

		assert_true(n > 0);
		at += (size_t)n;
	}
}

/* One head, up to its empty line; the caller frees. */
static inline char *http_hear_head(int fd)
{
	struct sbuf b = SBUF(8192);
	char c;

	while (b.len < 4 || memcmp(b.data + b.len - 4, "\r\n\r\n", 4) != 0) {
		http_hear(fd, &c, 1);
		sbuf_putc(&b, c);
	}
	return sbuf_take(&b);
}

/* All until the server ends the connection, which is closed; the caller frees. */
static inline char *http_hear_all(int own_fd)
{
	struct sbuf b = SBUF(ANSWER_MAX);
	char buf[4096];
	ssize_t n;

	while ((n = recv(own_fd, buf, sizeof(buf), 0)) > 0)
		sbuf_add(&b, buf, (size_t)n);
	assert_int_equal(n, 0);
	close(own_fd);
	sbuf_putc(&b, '\0');
	return sbuf_take(&b);
}

/* What is answered to these bytes on a connection of their own; the caller frees. */
static inline char *http_exchange(struct http_world *t, const char *bytes)
{
	int fd = http_connect(t);

	http_say_text(fd, bytes);
	return http_hear_all(fd);
}

/* The same, which has to begin with this status and to hold these words. */
static inline void http_expect(struct http_world *t, const char *bytes, int status,
			       const char *words)
{
	_free_ char *answer = http_exchange(t, bytes);
	_free_ char *line = xasprintf("HTTP/1.1 %d ", status);

	if (!str_starts(answer, line) || !strstr(answer, words))
		fail_msg("%.300s\n-> %.600s\nnot %d \"%s\"", bytes, answer, status, words);
}
