/* SPDX-License-Identifier: Apache-2.0 */
/* A server that answers what a test says, and the command line before it: each unit test of cli/net
 * and cli/cmd sees what a user would see, and what the server was asked.
 *
 * One thread takes one request a connection and closes it, on a unix socket and over TLS. What no
 * answer is for is not found.
 */
#pragma once
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/handshake.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/form/cli.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"
#include "tests/unit/base/net/tls_pair.h"

#define WORLD_ANSWERS 16

struct answer {
	const char *request; /* "GET /1.0/profiles/web" */
	const char *body;    /* metadata as JSON; of an error, its text */
	int status;          /* 0: 200 */
	const char *etag;
	int times;           /* 0: always */
	const char *headers; /* more of them, each with its end of line */
	const char *raw;     /* the whole body, for what is no JSON */
};

#define DONE(request_)              \
	{                           \
		.request = request_ \
	}
#define SAYS(request_, body_)                      \
	{                                          \
		.request = request_, .body = body_ \
	}
#define TAGGED(request_, body_, etag_)                            \
	{                                                         \
		.request = request_, .body = body_, .etag = etag_ \
	}
#define FAILS(request_, text_, status_)                               \
	{                                                             \
		.request = request_, .body = text_, .status = status_ \
	}
#define ONCE(request_, body_, status_)                                            \
	{                                                                         \
		.request = request_, .body = body_, .status = status_, .times = 1 \
	}
#define NOTHING                 \
	{                       \
		.request = NULL \
	}

/* A command line, what is answered meanwhile, what is printed then, and what was asked. */
struct dialogue {
	const char *line, *input;
	struct answer answers[6];
	const char *says, *asked; /* asked: NULL is not looked at */
};

struct world {
	char dir[32], socket[64];
	int fd, stop[2];
	struct tls_peer tls; /* the same server over the network */
	pthread_t thread;
	struct answer answers[WORLD_ANSWERS];
	const char *input; /* of the next commands, or NULL */
	bool errors;       /* what is written to standard error is of what is printed */
	struct sbuf asked; /* "METHOD path [etag] [X-LXD-...] [body]" a line */
	char *seen;        /* the last text that was lent out */

	/* Websockets are answered when `talk` is set: it runs in a thread of its own once so many
	 * are open, in the order of their requests, and ends them. */
	void (*talk)(struct world *w);
	int talk_at, nsockets;
	struct stream *sockets[4];
	pthread_t talker;
};

static inline struct answer world_answer(struct world *w, const char *request)
{
	for (size_t i = 0; i < WORLD_ANSWERS && w->answers[i].request; i++) {
		struct answer *a = &w->answers[i];

		if (strcmp(a->request, request) != 0 || a->times < 0)
			continue;
		if (a->times && --a->times == 0)
			a->times = -1;
		return *a;
	}
	return (struct answer){ .status = 404, .body = "Not Found" };
}

static inline char *world_header(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	at = at ? at + strlen(name) : "";
	return xstrndup(at, strcspn(at, "\r\n"));
}

/* Head and body of one request; false when the peer has left. */
static inline bool world_read(struct stream *s, struct sbuf *in)
{
	const char *end = NULL;
	struct err err;
	char buf[4096];
	int64_t len = 0;
	ssize_t n;

	while (!end || (int64_t)(in->data + in->len - end - 4) < len) {
		n = stream_read(s, buf, sizeof(buf), &err);
		if (n <= 0)
			return false;
		sbuf_add(in, buf, (size_t)n);
		end = strstr(in->data, "\r\n\r\n");
		if (end) {
			_free_ char *text = world_header(in->data, "content-length: ");

			if (!str_to_i64(text, 0, 1 << 20, &len))
				len = 0;
		}
	}
	return true;
}

/* What a request says of a file or an image. */
static inline void world_note_headers(struct world *w, const char *head)
{
	const char *end = strstr(head, "\r\n\r\n"), *at = head;
	_free_ char *type = world_header(head, "\r\ncontent-type: ");

	while ((at = strstr(at, "\r\nX-LXD-")) && at < end) {
		at += strlen("\r\n");
		sbuf_printf(&w->asked, " %.*s", (int)strcspn(at, "\r"), at);
	}
	if (str_starts(type, "multipart/"))
		sbuf_printf(&w->asked, " %s", type);
}

static inline void *world_talk(void *arg)
{
	struct world *w = arg;

	w->talk(w);
	return NULL;
}

/* True when the stream is a websocket from here on, and kept. */
static inline bool world_upgrade(struct world *w, struct stream *s, const char *head)
{
	_free_ char *key = world_header(head, "sec-websocket-key: "), *answer = NULL;
	char accept[WS_ACCEPT_SIZE];
	struct err err;

	if (!w->talk || !*key)
		return false;
	assert(w->nsockets < w->talk_at && w->talk_at <= (int)ARRAY_SIZE(w->sockets));
	ws_accept_key(key, accept);
	answer = xasprintf("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			   "Sec-WebSocket-Accept: %s\r\n\r\n",
			   accept);
	if (stream_write(s, answer, strlen(answer), &err) < 0)
		return false;
	w->sockets[w->nsockets++] = s;
	if (w->nsockets == w->talk_at)
		assert(pthread_create(&w->talker, NULL, world_talk, w) == 0);
	return true;
}

/* True when the stream is kept. */
static inline bool world_serve(struct world *w, struct stream *s)
{
	_sbuf_ struct sbuf in = SBUF(1 << 20), body = SBUF(1 << 20), out = SBUF(1 << 20);
	_free_ char *request = NULL, *etag = NULL;
	struct answer a;
	struct err err;

	if (!world_read(s, &in))
		return false;
	request = xstrndup(in.data, strstr(in.data, " HTTP/1.1") - in.data);
	etag = world_header(in.data, "if-match: ");
	sbuf_printf(&w->asked, "%s%s%s", request, *etag ? " " : "", etag);
	world_note_headers(w, in.data);
	sbuf_printf(&w->asked, "%s%s\n", strstr(in.data, "\r\n\r\n")[4] ? " " : "",
		    strstr(in.data, "\r\n\r\n") + 4);
	if (world_upgrade(w, s, in.data))
		return true;
	a = world_answer(w, request);
	a.status = a.status ? a.status : 200;
	if (a.raw)
		sbuf_puts(&body, a.raw);
	else if (a.status >= 400)
		sbuf_printf(&body, "{\"type\":\"error\",\"error\":\"%s\",\"error_code\":%d}",
			    a.body, a.status);
	else
		sbuf_printf(&body,
			    "{\"type\":\"%s\",\"status\":\"Success\",\"status_code\":%d,"
			    "\"operation\":\"/1.0/operations/op1\",\"metadata\":%s}",
			    a.status == 202 ? "async" : "sync", a.status == 202 ? 100 : 200,
			    a.body ? a.body : "{}");
	sbuf_printf(&out,
		    "HTTP/1.1 %d X\r\n%sConnection: close\r\n"
		    "%s%s%s%sContent-Length: %zu\r\n\r\n%s",
		    a.status, a.raw ? "" : "Content-Type: application/json\r\n",
		    a.headers ? a.headers : "", a.etag ? "ETag: " : "", a.etag ? a.etag : "",
		    a.etag ? "\r\n" : "", body.len, body.data ? body.data : "");
	if (stream_write(s, out.data, out.len, &err) == 0)
		stream_end_write(s);
	return false;
}

static inline void *world_run(void *arg)
{
	struct world *w = arg;

	for (;;) {
		struct pollfd p[] = { { .fd = w->stop[0], .events = POLLIN },
				      { .fd = w->fd, .events = POLLIN },
				      { .fd = w->tls.listener, .events = POLLIN } };
		struct stream *s;

		if (poll(p, 3, -1) < 0 || p[0].revents)
			return NULL;
		s = p[1].revents ? stream_from_fd(accept4(w->fd, NULL, NULL, SOCK_CLOEXEC))
				 : tls_peer_accept(&w->tls);
		if (!s || !world_serve(w, s))
			stream_free(s);
	}
}

static inline struct world *world_new(void)
{
	struct world *w = xnew(struct world);
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-cli-XXXXXX");
	assert(mkdtemp(w->dir));
	snprintf(w->socket, sizeof(w->socket), "%s/s", w->dir);
	str_copy(at.sun_path, sizeof(at.sun_path), w->socket);
	setenv("DUNLIN_CONF", w->dir, 1);
	w->asked = (struct sbuf)SBUF(1 << 20);
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert(bind(w->fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(w->fd, 8) == 0);
	assert(tls_peer_listen(&w->tls) == 0);
	assert(pipe(w->stop) == 0);
	assert(pthread_create(&w->thread, NULL, world_run, w) == 0);
	return w;
}

static inline void world_free(struct world *w)
{
	struct err err;

	close(w->stop[1]);
	pthread_join(w->thread, NULL);
	close(w->stop[0]);
	close(w->fd);
	close(w->tls.listener);
	tls_unref(w->tls.ctx);
	assert(io_remove_tree(w->dir, &err) == 0);
	sbuf_free(&w->asked);
	free(w->seen);
	free(w);
}

/* What comes from here on; forgets what was asked. */
static inline void world_answers(struct world *w, const struct answer *answers, size_t n)
{
	assert(n <= WORLD_ANSWERS);
	memset(w->answers, 0, sizeof(w->answers));
	if (n)
		memcpy(w->answers, answers, n * sizeof(*answers));
	sbuf_reset(&w->asked);
}

#define WORLD_ANSWER(w, ...)                                     \
	world_answers(w, (const struct answer[]){ __VA_ARGS__ }, \
		      sizeof((const struct answer[]){ __VA_ARGS__ }) / sizeof(struct answer))

static inline const char *world_asked(struct world *w)
{
	return w->asked.data ? w->asked.data : "";
}

static inline int world_file(const char *text)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	assert(fd >= 0 && io_write_full(fd, text, strlen(text)) == 0);
	assert(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static inline int world_command(struct world *w, int argc, char **argv, struct err *err)
{
	_free_ struct cli *c = xnew(struct cli);
	int r = args_parse(&commands, &c->args, argc, argv, err);

	if (r == 0 && c->args.cmd) {
		c->conf = conf_load(w->socket, err);
		assert(c->conf);
		c->quiet = args_flag(&c->args, "quiet");
		c->conf->project = args_value(&c->args, "project");
		r = c->args.cmd->run(c, err);
		client_close_all(c);
		conf_free(c->conf);
	}
	return r;
}

/* What "dunlin LINE" prints, and its error; lent until the next. Words are parted by blanks. */
static inline const char *world_says(struct world *w, const char *line)
{
	_free_ char *copy = xasprintf("dunlin %s", line);
	int out = world_file(""), in = world_file(w->input ? w->input : "");
	int old_out, old_in, old_err;
	struct err err = { 0 };
	char *argv[64] = { NULL };
	int argc = (int)str_split(copy, ' ', argv, 63), r;
	FILE *text;
	size_t n;

	fflush(stdout);
	old_out = fcntl(1, F_DUPFD_CLOEXEC, 3);
	old_in = fcntl(0, F_DUPFD_CLOEXEC, 3);
	old_err = fcntl(2, F_DUPFD_CLOEXEC, 3);
	dup2(out, 1);
	dup2(in, 0);
	if (w->errors)
		dup2(out, 2);
	__fpurge(stdin);
	clearerr(stdin);
	r = world_command(w, argc, argv, &err);
	if (r < 0)
		printf("Error: %s\n", err.msg);
	else if (r > 0)
		printf("status %d\n", r);
	fflush(stdout);
	dup2(old_out, 1);
	dup2(old_in, 0);
	dup2(old_err, 2);
	close(old_err);
	close(old_out);
	close(old_in);
	close(in);
	lseek(out, 0, SEEK_SET);
	text = fdopen(out, "r");
	free(w->seen);
	w->seen = xcalloc(1 << 16, 1);
	n = fread(w->seen, 1, (1 << 16) - 1, text);
	w->seen[n] = '\0';
	fclose(text);
	return w->seen;
}

static inline void world_check(struct world *w, const struct dialogue *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		world_answers(w, d[i].answers, ARRAY_SIZE(d[i].answers));
		w->input = d[i].input;
		assert_string_equal(world_says(w, d[i].line), d[i].says);
		if (d[i].asked)
			assert_string_equal(world_asked(w), d[i].asked);
	}
	w->input = NULL;
}

/* Frames of a server (RFC 6455, section 5), of less than 126 bytes. */
static inline void world_frame(struct world *w, int socket, int op, const char *text)
{
	size_t len = strlen(text);
	unsigned char head[2] = { (unsigned char)(0x80 | op), (unsigned char)len };
	struct err err;

	assert(len < 126);
	/* A client that has left is what its test looks at. */
	if (stream_write(w->sockets[socket], head, 2, &err) == 0)
		(void)!stream_write(w->sockets[socket], text, len, &err);
}

/* The next frame of the client, whose text the caller frees; its kind in *ret_op, 0 at the end. */
static inline char *world_framed(struct world *w, int socket, int *ret_op)
{
	unsigned char head[2], mask[4];
	struct err err;
	char *text;

	*ret_op = 0;
	if (stream_read_full(w->sockets[socket], head, 2, &err) < 0 ||
	    stream_read_full(w->sockets[socket], mask, 4, &err) < 0)
		return xstrdup("");
	assert((head[1] & 0x80) && (head[1] & 0x7f) < 126);
	text = xcalloc((head[1] & 0x7f) + 1, 1);
	if (stream_read_full(w->sockets[socket], text, head[1] & 0x7f, &err) < 0)
		return text;
	for (int i = 0; i < (head[1] & 0x7f); i++)
		text[i] ^= mask[i % 4];
	*ret_op = head[0] & 0x0f;
	return text;
}

/* What is said when the sockets of the next commands are open. */
static inline void world_will_talk(struct world *w, int sockets, void (*talk)(struct world *w))
{
	w->talk = talk;
	w->talk_at = sockets;
	w->nsockets = 0;
}

/* Waits for what was said, and ends all sockets. */
static inline void world_has_talked(struct world *w)
{
	assert_int_equal(w->nsockets, w->talk_at);
	pthread_join(w->talker, NULL);
	for (int i = 0; i < w->nsockets; i++)
		stream_free(w->sockets[i]);
	w->talk = NULL;
}

/* The server over the network becomes the remote `name`, which shows the certificate `pin`. */
static inline void world_add_remote(struct world *w, const char *name, const char *pin)
{
	struct err err;
	struct conf *c = conf_load(w->socket, &err);

	assert(c && conf_add(c, name, w->tls.address, pin, NULL, &err) == 0);
	assert(conf_save(c, &err) == 0);
	conf_free(c);
}

/* A command without its words, for what lies below commands. */
static inline struct cli *world_cli(struct world *w)
{
	struct cli *c = xnew(struct cli);
	struct err err;

	c->conf = conf_load(w->socket, &err);
	assert(c->conf);
	c->quiet = true;
	return c;
}

static inline void world_end_cli(struct cli *c)
{
	client_close_all(c);
	conf_free(c->conf);
	free(c);
}

static inline int world_set_up(void **state)
{
	*state = world_new();
	return 0;
}

static inline int world_tear_down(void **state)
{
	world_free(*state);
	return 0;
}
