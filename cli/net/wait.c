/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cli/form/progress.h"
#include "cli/net/client.h"

/* Operations that end sooner get no progress line and cost no second connection. */
#define SHORT_MS 200
#define RECV_MS 5000

/* The watching thread: draws progress from the events and turns Ctrl-C into a cancellation,
 * while the caller blocks on the operation. It has its own connections. */
struct watch {
	struct client *cl;
	const char *id;
	bool may_cancel;
	int stop_fd, signal_fd;
	struct ws *events;
	struct progress progress;
	bool asked;
	pthread_t thread;
};

/* A text of the operation's metadata under a key like "fs_progress". */
static const char *progress_of(const json_t *op)
{
	const char *key;
	json_t *v;

	json_object_foreach(json_obj(op, "metadata"), key, v)
		if (json_is_string(v) && str_ends(key, "progress"))
			return json_string_value(v);
	return "";
}

static void take_event(struct watch *w, const char *text, size_t len)
{
	struct err err;
	_json_ json_t *e = json_parse(text, len, "event", &err);
	const json_t *op = json_obj(e, "metadata");

	if (op && str_eq(json_str(op, "id", NULL), w->id))
		progress_text(&w->progress, progress_of(op));
}

static void read_event(struct watch *w)
{
	_free_ char *text = NULL;
	struct err err;
	size_t len;
	int op = ws_recv(w->events, &text, &len, deadline_in(RECV_MS), &err);

	if (op == WS_TEXT || op == WS_BINARY) {
		take_event(w, text, len);
		return;
	}
	ws_free(w->events);
	w->events = NULL;
}

/* A connection of its own: the caller's is busy with the waiting request. */
static void cancel(struct watch *w)
{
	_free_ char *path = api_path("operations/%s", w->id);
	struct cli c = *client_cli(w->cl);
	struct client *cl;
	struct err err;

	c.clients = NULL;
	cl = client_open(&c, client_remote(w->cl), &err);
	if (cl && api_do(cl, "DELETE", path, NULL, &err) == 0)
		fputs("\nCancelling: interrupt again to leave without waiting\n", stderr);
	else
		fprintf(stderr, "\nCannot cancel: %s (interrupt again to leave)\n", err.msg);
	client_close_all(&c);
}

/* The second Ctrl-C leaves at once, as an interrupted program does. */
static void interrupted(struct watch *w)
{
	struct signalfd_siginfo si;

	if (read(w->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (w->asked)
		_exit(128 + SIGINT);
	w->asked = true;
	if (w->may_cancel)
		cancel(w);
	else
		fputs("\nThis operation cannot be cancelled: interrupt again to leave it running\n",
		      stderr);
}

static void open_events(struct watch *w)
{
	struct err err;
	_free_ char *path = api_query(xstrdup("/1.0/events"), "type", "operation");

	w->events = api_websocket(w->cl, path, &err);
	progress_text(&w->progress, "");
}

static void *watch_run(void *arg)
{
	struct watch *w = arg;
	bool short_yet = w->progress.on;

	for (;;) {
		struct pollfd p[] = {
			{ .fd = w->stop_fd, .events = POLLIN },
			{ .fd = w->signal_fd, .events = POLLIN },
			{ .fd = w->events ? ws_fd(w->events) : -1, .events = POLLIN },
		};
		bool pending = w->events && ws_pending(w->events);
		int n = poll(p, ARRAY_SIZE(p), pending ? 0 : short_yet ? SHORT_MS : -1);

		if (p[0].revents)
			return NULL;
		if (p[1].revents)
			interrupted(w);
		if (n == 0 && short_yet && !pending) {
			short_yet = false;
			open_events(w);
		}
		if (pending || p[2].revents)
			read_event(w);
	}
}

static void watch_begin(struct watch *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	w->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pthread_create(&w->thread, NULL, watch_run, w) != 0)
		abort();
}

static void watch_end(struct watch *w)
{
	uint64_t one = 1;
	sigset_t set;

	if (write(w->stop_fd, &one, sizeof(one)) != sizeof(one))
		abort();
	pthread_join(w->thread, NULL);
	progress_end(&w->progress);
	ws_free(w->events);
	close(w->stop_fd);
	close(w->signal_fd);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

json_t *api_ended(json_t *own_op, struct err *err)
{
	int64_t code = json_int(own_op, "status_code", 0);
	const char *why = json_str(own_op, "err", "");

	assert(own_op);
	if (code < STATUS_FAILURE)
		return own_op;
	err_set(err,
		code == STATUS_CANCELLED
			? ERR_CANCELLED
			: err_from_http(json_int(json_obj(own_op, "metadata"), "error_code", 500)),
		"%s",
		*why                       ? why
		: code == STATUS_CANCELLED ? "cancelled"
					   : "the operation failed");
	json_decref(own_op);
	return NULL;
}

/* The server may end the wait before the operation. */
static json_t *wait_end(struct client *cl, const json_t *op, struct err *err)
{
	const char *id = json_str(op, "id", "");
	_free_ char *path = api_path("operations/%s/wait", id);
	json_t *now = json_incref((json_t *)op);

	while (now && !status_is_final((enum status)json_int(now, "status_code", 0))) {
		json_decref(now);
		now = api_get(cl, path, err);
		if (!now) {
			err_wrap(err, "operation %s", id);
			err->kind = ERR_UNKNOWN;
		}
	}
	return now;
}

json_t *api_wait_quietly(struct client *cl, const json_t *op, struct err *err)
{
	json_t *done = wait_end(cl, op, err);

	return done ? api_ended(done, err) : NULL;
}

json_t *api_wait(struct client *cl, const json_t *op, struct err *err)
{
	struct watch w = {
		.cl = cl,
		.id = json_str(op, "id", ""),
		.may_cancel = json_bool(op, "may_cancel", false),
		.progress = progress_begin(client_cli(cl), json_str(op, "description", "Working")),
	};
	json_t *done;

	if (status_is_final((enum status)json_int(op, "status_code", 0)))
		return api_wait_quietly(cl, op, err);
	watch_begin(&w);
	done = wait_end(cl, op, err);
	watch_end(&w);
	return done ? api_ended(done, err) : NULL;
}

/* --- requests whose answer may be an operation ---------------------------------------------- */

json_t *api_run(struct client *cl, const struct api_call *call, struct err *err)
{
	_reply_ struct http_reply reply = { 0 };
	_json_ json_t *meta = NULL;

	if (api_send(cl, call, &reply, err) < 0)
		return NULL;
	meta = http_reply_metadata(&reply, err);
	if (!meta || reply.head.status != 202)
		return take_ptr(meta);
	return api_wait(cl, meta, err);
}

int api_do(struct client *cl, const char *method, const char *path, const json_t *body,
	   struct err *err)
{
	struct api_call call = API_CALL(method, path);
	_json_ json_t *done = NULL;

	call.json = body;
	done = api_run(cl, &call, err);
	return done ? 0 : -1;
}
