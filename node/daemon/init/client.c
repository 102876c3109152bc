/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/init/client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/net/httpc.h"
#include "base/status.h"
#include "base/str.h"

#define ANSWER_MAX (16 << 20)
#define CALL_TIMEOUT_MS 120000
#define RETRY_MS 20

const char *init_dir(void)
{
	const char *dir = getenv("DUNLIN_DIR");

	return str_empty(dir) ? "/var/lib/dunlin" : dir;
}

static json_t *request(const char *method, const char *path, const json_t *body, int64_t deadline,
		       struct err *err)
{
	static const char *const headers[] = { "Content-Type: application/json", NULL };
	_free_ char *sock = xasprintf("%s/unix.socket", init_dir());
	_free_ char *text = body ? json_text(body) : NULL;
	struct http_call call = HTTP_CALL(method, path);
	struct http_reply reply = { 0 };
	struct stream *s;
	struct httpc *c;
	json_t *meta = NULL;

	s = stream_connect_unix(sock, err);
	if (!s)
		return NULL;
	call.headers = headers;
	call.body = text;
	call.body_len = text ? strlen(text) : 0;
	call.deadline = deadline ? deadline : deadline_in(CALL_TIMEOUT_MS);
	c = httpc_new(s, "dunlin");
	if (httpc_do(c, &call, ANSWER_MAX, &reply, err) == 0)
		meta = http_reply_metadata(&reply, err);
	http_reply_free(&reply);
	httpc_free(c);
	return meta;
}

static bool is_operation(const json_t *meta)
{
	return json_str(meta, "class", NULL) && json_str(meta, "status", NULL) &&
	       str_is_uuid(json_str(meta, "id", ""));
}

static json_t *wait_operation(const json_t *op, int64_t deadline, struct err *err)
{
	_free_ char *path = xasprintf("/1.0/operations/%s/wait", json_str(op, "id", ""));
	json_t *end = request("GET", path, NULL, deadline, err);

	if (!end || json_int(end, "status_code", 0) == STATUS_SUCCESS)
		return end;
	err_set(err, ERR_INTERNAL, "%s", json_str(end, "err", "the operation failed"));
	json_decref(end);
	return NULL;
}

json_t *init_call(const char *method, const char *path, const json_t *body, int64_t deadline,
		  struct err *err)
{
	json_t *meta = request(method, path, body, deadline, err);

	if (meta && strcmp(method, "GET") != 0 && is_operation(meta) &&
	    !status_is_final((enum status)json_int(meta, "status_code", 0)) &&
	    strcmp(json_str(meta, "class", ""), "task") == 0) {
		json_t *end = wait_operation(meta, deadline, err);

		json_decref(meta);
		return end;
	}
	return meta;
}

int init_do(const char *method, const char *path, const json_t *body, struct err *err)
{
	_json_ json_t *meta = init_call(method, path, body, 0, err);

	return meta ? 0 : -1;
}

int init_exists(const char *path, struct err *err)
{
	_json_ json_t *meta = init_call("GET", path, NULL, 0, err);

	if (meta)
		return 1;
	return err->kind == ERR_NOT_FOUND ? 0 : -1;
}

/* Wakes when the state folder changes (the socket appears), or after RETRY_MS. */
static void wait_change(int ino)
{
	struct pollfd p = { .fd = ino, .events = POLLIN };
	char buf[4096];

	if (poll(&p, 1, RETRY_MS) > 0 && read(ino, buf, sizeof(buf)) < 0)
		return;
}

int init_wait_ready(int64_t deadline, struct err *err)
{
	_close_ int ino = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (ino >= 0)
		inotify_add_watch(ino, init_dir(), IN_CREATE | IN_ATTRIB | IN_MOVED_TO);
	for (;;) {
		_json_ json_t *meta = request("GET", "/internal/ready", NULL, deadline, err);

		if (meta)
			return 0;
		if (deadline && clock_ms() >= deadline)
			return err_wrap(err, "dunlind is not ready");
		wait_change(ino);
	}
}
