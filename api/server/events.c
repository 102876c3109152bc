/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/rest/handle.h"
#include "base/mem.h"
#include "base/str.h"

struct subscription {
	struct events *events;
	struct event_listener *listener;
	struct wsconn *ws;
};

static void deliver(void *arg, const char *text, size_t len)
{
	struct subscription *s = arg;

	wsconn_send(s->ws, true, text, len);
}

static void on_message(void *arg, bool text, const char *data, size_t len)
{
}

static void on_closed(void *arg)
{
	struct subscription *s = arg;

	event_unlisten(s->events, s->listener);
	wsconn_unref(s->ws);
	free(s);
}

static int parse_types(struct req *r, unsigned *ret)
{
	static const struct {
		const char *name;
		unsigned type;
	} known[] = { { "operation", EV_OPERATION },
		      { "lifecycle", EV_LIFECYCLE },
		      { "logging", EV_LOGGING } };
	_free_ char *copy = xstrdup(req_query(r, "type"));
	char *parts[16];
	size_t n;

	*ret = 0;
	if (str_empty(copy)) {
		*ret = EV_OPERATION | EV_LIFECYCLE | EV_LOGGING;
		return 0;
	}
	n = str_split(copy, ',', parts, ARRAY_SIZE(parts));
	if (n > ARRAY_SIZE(parts))
		return err_set(req_err(r), ERR_INVALID, "type: more than %zu event types",
			       ARRAY_SIZE(parts));
	for (size_t i = 0; i < n; i++) {
		unsigned found = 0;

		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			found |= str_eq(parts[i], known[k].name) ? known[k].type : 0;
		if (!found)
			return err_set(req_err(r), ERR_INVALID,
				       "\"%.40s\" isn't a supported event type", parts[i]);
		*ret |= found;
	}
	return 0;
}

/* On the loop, so that the listener is there before the client has seen the 101. */
int h_events(struct req *r)
{
	static const struct ws_callbacks callbacks = { .message = on_message, .closed = on_closed };
	struct event_filter f = { .project = req_lists_of(r) };
	struct subscription *s;

	if (parse_types(r, &f.types) < 0)
		return -1;
	s = xnew(struct subscription);
	s->events = req_env(r)->events;
	s->ws = reply_websocket(r, &callbacks, s);
	if (!s->ws) {
		free(s);
		return -1;
	}
	wsconn_ref(s->ws);
	s->listener = event_listen(s->events, &f, deliver, s);
	return 0;
}
