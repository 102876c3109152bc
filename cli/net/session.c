/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "cli/form/term.h"

#define MESSAGE_MS 60000
#define CTRL_A 0x01

/* An output: a websocket and the descriptor it is copied to. */
struct sink {
	struct ws *ws;
	int fd;
	bool ended;
};

struct pumps {
	struct session *s;
	struct ws *in; /* borrowed from a sink when `terminal` */
	struct ws *control;
	struct sink sinks[2];
	int nsinks;
	int signal_fd, stop_fd, left_fd;
	struct term_mode mode;
	pthread_t reader;
};

static struct ws *open_fd(struct session *s, const char *fd, struct err *err)
{
	const char *secret = json_str(json_obj(json_obj(s->op, "metadata"), "fds"), fd, NULL);
	_free_ char *path = api_path("operations/%s/websocket", json_str(s->op, "id", ""));

	if (!secret) {
		err_set(err, ERR_INTERNAL, "the server offers no stream \"%s\"", fd);
		return NULL;
	}
	path = api_query(take_ptr(path), "secret", secret);
	return api_websocket(s->cl, path, err);
}

static int open_streams(struct pumps *p, struct err *err)
{
	p->control = open_fd(p->s, "control", err);
	if (!p->control || !(p->in = open_fd(p->s, "0", err)))
		return -1;
	if (p->s->terminal) {
		p->sinks[p->nsinks++] = (struct sink){ .ws = p->in, .fd = STDOUT_FILENO };
		return 0;
	}
	for (int fd = 1; fd <= 2; fd++) {
		struct ws *w = open_fd(p->s, fd == 1 ? "1" : "2", err);

		if (!w)
			return -1;
		p->sinks[p->nsinks++] = (struct sink){ .ws = w, .fd = fd };
	}
	return 0;
}

static void close_streams(struct pumps *p)
{
	for (int i = 0; i < p->nsinks; i++)
		if (p->sinks[i].ws != p->in)
			ws_free(p->sinks[i].ws);
	ws_free(p->in);
	ws_free(p->control);
}

static void send_control(struct pumps *p, json_t *own_message)
{
	_free_ char *text = json_text(own_message);
	struct err err;

	assert(own_message);
	/* A control stream that is gone means that the command has ended, which the sinks show. */
	ws_send(p->control, WS_TEXT, text, strlen(text), &err);
	json_decref(own_message);
}

static void send_size(struct pumps *p)
{
	json_t *args = json_object(), *msg = json_object();
	char text[16];
	int width, height;

	term_size(&width, &height);
	snprintf(text, sizeof(text), "%d", width);
	json_put_str(args, "width", text);
	snprintf(text, sizeof(text), "%d", height);
	json_put_str(args, "height", text);
	json_put_str(msg, "command", "window-resize");
	json_object_set_new(msg, "args", args);
	send_control(p, msg);
}

static void take_signal(struct pumps *p)
{
	struct signalfd_siginfo si;
	json_t *msg;

	if (read(p->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH) {
		if (p->s->terminal)
			send_size(p);
		return;
	}
	msg = json_object();
	json_put_str(msg, "command", "signal");
	json_put_int(msg, "signal", si.ssi_signo);
	send_control(p, msg);
}

static void raise_fd(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

/* Leaves the bytes to pass on; true when the detach key was typed after them. `armed` remembers a
 * Ctrl-a over calls; two of them are one for the console. */
static bool strip_detach(char *buf, ssize_t *len, bool *armed)
{
	ssize_t used = 0;

	for (ssize_t i = 0; i < *len; i++) {
		char c = buf[i];

		if (*armed && c == 'q') {
			*len = used;
			return true;
		}
		if (!*armed && c == CTRL_A) {
			*armed = true;
			continue;
		}
		*armed = false;
		buf[used++] = c;
	}
	*len = used;
	return false;
}

static bool forward_input(struct pumps *p, bool *armed)
{
	char buf[32768];
	struct err err;
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	bool leaves;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		if (!p->s->terminal)
			ws_send(p->in, WS_TEXT, "", 0, &err);
		return false;
	}
	leaves = p->s->detach_key && strip_detach(buf, &n, armed);
	if (n > 0 && ws_send(p->in, WS_BINARY, buf, n, &err) < 0)
		return false;
	if (leaves)
		raise_fd(p->left_fd);
	return !leaves;
}

static void *read_input(void *arg)
{
	struct pumps *p = arg;
	bool armed = false;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = p->stop_fd, .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents)
			return NULL;
		if (fds[0].revents && !forward_input(p, &armed))
			return NULL;
	}
}

static int take_output(struct sink *k, struct err *err)
{
	_free_ char *data = NULL;
	size_t len = 0;
	int op = ws_recv(k->ws, &data, &len, deadline_in(MESSAGE_MS), err);

	if (op < 0 || op == WS_CLOSE || (op == WS_TEXT && len == 0)) {
		k->ended = true;
		return 0;
	}
	if (io_write_full(k->fd, data, len) < 0)
		return err_sys(err, "cannot write the output");
	return 0;
}

/* The server speaks on the control stream only to close it. */
static void take_control(struct pumps *p, bool *open)
{
	_free_ char *data = NULL;
	struct err err;
	size_t len;
	int op = ws_recv(p->control, &data, &len, deadline_in(MESSAGE_MS), &err);

	*open = op > 0 && op != WS_CLOSE;
}

static bool all_ended(const struct pumps *p)
{
	for (int i = 0; i < p->nsinks; i++)
		if (!p->sinks[i].ended)
			return false;
	return true;
}

enum { P_SIGNAL, P_LEFT, P_CONTROL, P_SINK, P_MAX = P_SINK + 2 };

static void fill_poll(struct pumps *p, struct pollfd fds[P_MAX], bool control, bool *pending)
{
	for (int i = 0; i < P_MAX; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[P_SIGNAL].fd = p->signal_fd;
	fds[P_LEFT].fd = p->left_fd;
	fds[P_CONTROL].fd = control ? ws_fd(p->control) : -1;
	*pending = control && ws_pending(p->control);
	for (int i = 0; i < p->nsinks; i++) {
		if (p->sinks[i].ended)
			continue;
		fds[P_SINK + i].fd = ws_fd(p->sinks[i].ws);
		*pending |= ws_pending(p->sinks[i].ws);
	}
}

static int pump(struct pumps *p, struct err *err)
{
	bool control = true;

	/* A command may close its outputs and run on: only its end closes the control stream. */
	while (!all_ended(p) || (control && !p->s->detach_key)) {
		struct pollfd fds[P_MAX];
		bool pending;

		fill_poll(p, fds, control, &pending);
		if (poll(fds, P_MAX, pending ? 0 : -1) < 0 && errno != EINTR)
			return err_sys(err, "poll");
		if (fds[P_LEFT].revents)
			return ws_close(p->in, err);
		if (fds[P_SIGNAL].revents)
			take_signal(p);
		if (control && (fds[P_CONTROL].revents || ws_pending(p->control)))
			take_control(p, &control);
		for (int i = 0; i < p->nsinks; i++) {
			struct sink *k = &p->sinks[i];

			if (!k->ended && (fds[P_SINK + i].revents || ws_pending(k->ws)) &&
			    take_output(k, err) < 0)
				return -1;
		}
	}
	return 0;
}

static void block_signals(sigset_t *ret_old, int *ret_fd)
{
	static const int signals[] = {
		SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2
	};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, ret_old);
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_terminal(struct pumps *p, struct err *err)
{
	int r;

	if (p->s->terminal && isatty(STDIN_FILENO)) {
		if (p->s->detach_hint)
			fputs(p->s->detach_hint, stderr);
		if (term_raw(&p->mode, err) < 0)
			return -1;
		send_size(p);
	}
	if (p->s->no_stdin) {
		if (!p->s->terminal && ws_send(p->in, WS_TEXT, "", 0, err) < 0)
			return -1;
	} else if (pthread_create(&p->reader, NULL, read_input, p) != 0) {
		abort();
	}
	r = pump(p, err);
	raise_fd(p->stop_fd);
	/* The reader may be blocked on a server that no longer reads. */
	shutdown(ws_fd(p->in), SHUT_RDWR);
	if (!p->s->no_stdin)
		pthread_join(p->reader, NULL);
	term_restore(&p->mode);
	return r;
}

int session_run(struct session *s, struct err *err)
{
	struct pumps p = { .s = s };
	sigset_t old;
	int r;

	block_signals(&old, &p.signal_fd);
	p.stop_fd = eventfd(0, EFD_CLOEXEC);
	p.left_fd = eventfd(0, EFD_CLOEXEC);
	r = open_streams(&p, err);
	if (r == 0)
		r = run_terminal(&p, err);
	close_streams(&p);
	close(p.stop_fd);
	close(p.left_fd);
	close(p.signal_fd);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}
