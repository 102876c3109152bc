/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for objects, made by hand and answered by the handlers of a table of routes, on a real
 * store. */
#pragma once
#include "tests/unit/cluster/store_world.h"

#include <string.h>

#include "api/api.h"
#include "api/http/req_int.h"
#include "api/rest/object.h"
#include "tests/unit/base/patience.h"

static inline json_t *parsed(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "case", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static inline void assert_json(const json_t *is, const char *want)
{
	_json_ json_t *j = parsed(want);
	_free_ char *text = json_text(is);

	if (!json_equal(is, j))
		fail_msg("%s, not %s", text, want);
}

struct object_world {
	struct store_world w;
	struct api_env env;
	struct box events;
	const struct route *routes;
	struct caller caller; /* who asks: the administrator, unless a test says else */
	struct req *r;        /* the last one, answered */
	void (*before)(void); /* called before each request, or NULL */
};

static inline void deliver(void *arg, const char *text, size_t len)
{
	box_put(arg, text);
}

static inline void forget(struct object_world *t)
{
	if (!t->r)
		return;
	json_decref(t->r->json);
	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(t->r->refs[i]);
	sbuf_free(&t->r->body);
	sbuf_free(&t->r->reply.headers);
	sbuf_free(&t->r->reply.body);
	free(t->r->path);
	free(t->r->decoded);
	free(t->r);
	t->r = NULL;
}

static inline void object_world_open(struct object_world *t, const struct route *routes)
{
	t->routes = routes;
	t->caller = (struct caller){ .kind = CALLER_ADMIN, .name = "root" };
	world_open(&t->w);
	t->env = (struct api_env){ .dir = t->w.dir,
				   .cluster = t->w.cluster,
				   .store = t->w.store,
				   .events = events_new(t->w.store, world_location, t->w.cluster) };
	world_start(&t->w);
	box_init(&t->events);
	event_listen(t->env.events, &(struct event_filter){ .types = EV_LIFECYCLE }, deliver,
		     &t->events);
}

static inline void object_world_close(struct object_world *t)
{
	forget(t);
	world_close(&t->w);
	events_free(t->env.events);
}

/* The status of the answer. etag: an If-Match, or NULL. */
static inline int ask_if(struct object_world *t, const char *line, const char *body,
			 const char *etag)
{
	char method[8], target[160];
	struct req *r;

	forget(t);
	assert_int_equal(sscanf(line, "%7s %159s", method, target), 2);
	t->r = r = xnew(struct req);
	r->env = &t->env;
	r->body_fd = -1;
	r->project = PROJECT_DEFAULT;
	r->caller = t->caller;
	r->head.method = method;
	if (etag)
		r->head.headers[r->head.nheaders++] = (struct http_header){ "If-Match", etag };
	if (strstr(target, "?filter=")) {
		r->pairs[r->npairs++] =
			(struct pair){ "filter", strstr(target, "?filter=") + strlen("?filter=") };
		for (char *c = target; *c; c++)
			*c = *c == '+' ? ' ' : *c;
	}
	if (strstr(target, "?recursion=1"))
		r->pairs[r->npairs++] = (struct pair){ "recursion", "1" };
	r->path = xstrndup(target, strcspn(target, "?"));
	r->route = route_match(t->routes, method, r->path, r->params, &r->err);
	assert_non_null(r->route);
	r->body = SBUF(4096);
	if (body)
		sbuf_puts(&r->body, body);
	if (t->before)
		t->before();
	if (r->route->handler(r) < 0)
		return err_http(r->err.kind);
	return r->reply.status;
}

static inline int ask(struct object_world *t, const char *line, const char *body)
{
	return ask_if(t, line, body, NULL);
}

static inline json_t *answer(struct object_world *t)
{
	_json_ json_t *j = parsed(t->r->reply.body.data);

	return json_incref(json_object_get(j, "metadata"));
}

static inline void assert_answer(struct object_world *t, const char *want)
{
	_json_ json_t *j = answer(t);

	assert_json(j, want);
}

/* An ETag that t's last answer had; the caller frees. */
static inline char *etag(struct object_world *t)
{
	const char *at = strstr(t->r->reply.headers.data, "ETag: \"");

	assert_non_null(at);
	at += strlen("ETag: \"");
	return xstrndup(at, strcspn(at, "\""));
}

static inline void assert_event(struct object_world *t, int count, const char *action,
				const char *url)
{
	_json_ json_t *j = NULL;

	assert_true(box_wait(&t->events, count, PATIENCE_MS));
	j = parsed(t->events.last);
	assert_string_equal(json_str(json_obj(j, "metadata"), "action", ""), action);
	assert_string_equal(json_str(json_obj(j, "metadata"), "source", ""), url);
}

/* The fixtures of a test that asks the daemon's own routes. */
static inline int object_world_setup(void **state)
{
	struct object_world *t = xnew(struct object_world);

	object_world_open(t, api_routes);
	*state = t;
	return 0;
}

static inline int object_world_teardown(void **state)
{
	object_world_close(*state);
	free(*state);
	return 0;
}
