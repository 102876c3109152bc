/* SPDX-License-Identifier: Apache-2.0 */
/* All that handlers reach, on a real store and with a node that runs nothing: requests find their
 * rows in api/routes.def, and what is asked before a handler runs is asked here, too. */
#pragma once
#include "tests/unit/cluster/store_world.h"

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/api.h"
#include "api/http/req_int.h"
#include "api/http/server_int.h"
#include "api/rest/query.h"
#include "base/rng.h"
#include "node/daemon/host.h"
#include "node/host/cgroup.h"
#include "tests/unit/base/patience.h"

struct api_world {
	struct store_world w;
	struct api_env env;
	char cgroup[40];
	struct caller caller; /* of the next requests */
	struct box events;    /* of the lifecycle */
	struct req *r;        /* the last one, answered */
};

static inline void api_world_event(void *arg, const char *text, size_t len)
{
	box_put(arg, text);
}

static inline void api_world_server(struct api_world *t)
{
	_free_ char *path = xasprintf("%s/unix.socket", t->w.dir);
	struct server_opts o = { .env = &t->env,
				 .dir = t->env.dir,
				 .pool = t->env.pool,
				 .cluster = t->env.cluster,
				 .routes = api_routes,
				 .hooks = &api_hooks,
				 .unix_path = path };
	struct err err = { 0 };

	t->env.server = server_new(&o, &err);
	if (!t->env.server)
		fail_msg("%s", err.msg);
}

/* What must be there before the store starts may be added after this. */
static inline void api_world_make(struct api_world *t)
{
	struct node_opts o = { .cgroup_name = t->cgroup };
	struct err err = { 0 };
	char hex[16];

	snprintf(t->cgroup, sizeof(t->cgroup), "dunlin-test-%s", rng_hex(hex, 4));
	world_open(&t->w);
	o.dir = t->w.dir;
	o.pool = t->w.pool;
	t->env = (struct api_env){
		.dir = t->w.dir, .cluster = t->w.cluster, .store = t->w.store, .pool = t->w.pool
	};
	t->env.node = node_new(&o, &err);
	assert_non_null(t->env.node);
	t->env.ops = ops_new(t->w.store, t->w.pool, world_location, t->w.cluster);
	t->env.events = events_new(t->w.store, world_location, t->w.cluster);
	assert_int_equal(api_init(&t->env, &err), 0);
	api_world_server(t);
}

static inline void api_world_run(struct api_world *t)
{
	world_start(&t->w);
	box_init(&t->events);
	event_listen(t->env.events, &(struct event_filter){ .types = EV_LIFECYCLE },
		     api_world_event, &t->events);
	t->caller = (struct caller){ .kind = CALLER_ADMIN, .name = "root", .address = "@" };
}

static inline int api_world_open(void **state)
{
	struct api_world *t = xnew(struct api_world);

	api_world_make(t);
	api_world_run(t);
	*state = t;
	return 0;
}

static inline void api_world_forget(struct api_world *t)
{
	req_free(t->r);
	t->r = NULL;
}

static inline int api_world_close(void **state)
{
	struct api_world *t = *state;
	struct err err;

	api_world_forget(t);
	api_stop(&t->env);
	server_free(t->env.server);
	node_stop(t->env.node);
	pool_free(t->w.pool);
	node_free(t->env.node);
	events_free(t->env.events);
	ops_free(t->env.ops);
	cluster_free(t->w.cluster);
	cgroup_remove(t->cgroup, "");
	io_remove_tree(t->w.dir, &err);
	free(t);
	return 0;
}

/* For a group of tests with rows of networks, which are made at once: what they make is not the
 * host's. Addresses should be "none", for a dnsmasq would outlive the test. */
static inline int api_own_netns(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	return 0;
}

/* A request "METHOD TARGET" as it is when its head has been read and routed. headers: "Name: value"
 * by "\n", or NULL. */
static inline struct req *api_request(struct api_world *t, const char *line, const char *headers)
{
	_free_ char *text = xasprintf("%s HTTP/1.1\r\nHost: here\r\n", line);
	_sbuf_ struct sbuf head = SBUF(8192);
	struct http_head h;
	struct err err = { 0 };

	sbuf_puts(&head, text);
	for (const char *c = headers ? headers : ""; *c; c++) {
		if (*c == '\n')
			sbuf_puts(&head, "\r\n");
		else
			sbuf_putc(&head, *c);
	}
	sbuf_puts(&head, headers ? "\r\n\r\n" : "\r\n");
	if (http_parse_request(&h, head.data, head.len, &err) <= 0)
		fail_msg("%s: %s", line, err.msg);
	api_world_forget(t);
	t->r = req_new(t->env.server, NULL, &h);
	t->r->caller = t->caller;
	return t->r;
}

/* The status of the answer, of an error as well. */
static inline int api_ask_with(struct api_world *t, const char *line, const char *body,
			       const char *headers)
{
	struct req *r = api_request(t, line, headers);

	r->body = SBUF(1 << 20);
	if (body)
		sbuf_puts(&r->body, body);
	if (req_route(r) < 0 || query_check(r) < 0 || r->route->handler(r) < 0)
		return err_http(r->err.kind);
	return r->reply.status;
}

static inline int api_ask(struct api_world *t, const char *line, const char *body)
{
	return api_ask_with(t, line, body, NULL);
}

/* Fails with what was said instead. */
static inline void api_expect(struct api_world *t, const char *line, const char *body, int status)
{
	int is = api_ask(t, line, body);

	if (is != status)
		fail_msg("%s %s: %d %s", line, body ? body : "", is, t->r->err.msg);
}

/* The request is refused in so many words. */
static inline void api_refused(struct api_world *t, const char *line, const char *body, int status,
			       const char *words)
{
	api_expect(t, line, body, status);
	if (!strstr(t->r->err.msg, words))
		fail_msg("%s %s: \"%s\" does not say \"%s\"", line, body ? body : "", t->r->err.msg,
			 words);
}

struct api_case {
	const char *line, *body; /* JSON with single quotes, or NULL */
	int status;
	const char *words; /* that the error says */
};

static inline void api_cases(struct api_world *t, const struct api_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_free_ char *body = cases[i].body ? quoted_text(cases[i].body) : NULL;

		api_refused(t, cases[i].line, body, cases[i].status, cases[i].words);
	}
}

/* The metadata of the last answer; new reference. */
static inline json_t *api_answer(struct api_world *t)
{
	struct err err = { 0 };
	_json_ json_t *j = json_parse(t->r->reply.body.data, t->r->reply.body.len, "answer", &err);

	if (!j)
		fail_msg("%s", err.msg);
	return json_incref(json_object_get(j, "metadata"));
}

/* want: JSON with single quotes. */
static inline void api_answers(struct api_world *t, const char *want)
{
	_json_ json_t *is = api_answer(t), *j = quoted(want);
	_free_ char *text = json_text(is);

	if (!json_equal(is, j))
		fail_msg("%s, not %s", text, want);
}

/* The value of a header of the last answer; the caller frees. NULL without. */
static inline char *api_header(struct api_world *t, const char *name)
{
	_free_ char *start = xasprintf("%s: ", name);
	const char *at = t->r->reply.headers.data ? strstr(t->r->reply.headers.data, start) : NULL;

	return at ? xstrndup(at + strlen(start), strcspn(at + strlen(start), "\r")) : NULL;
}

/* The count-th event since the world opened says this. */
static inline void api_event(struct api_world *t, int count, const char *action, const char *url)
{
	_json_ json_t *j = NULL;
	struct err err;

	assert_true(box_wait(&t->events, count, PATIENCE_MS));
	j = json_parse(t->events.last, strlen(t->events.last), "event", &err);
	assert_string_equal(json_str(json_obj(j, "metadata"), "action", ""), action);
	assert_string_equal(json_str(json_obj(j, "metadata"), "source", ""), url);
}

static inline void api_ended(void *arg, struct op *op)
{
	box_put(arg, "");
}

/* Once the operation that the last answer tells of has ended; new reference. */
static inline json_t *api_ended_op(struct api_world *t)
{
	_json_ json_t *told = api_answer(t), *ended = NULL;
	struct op *op = ops_find(t->env.ops, json_str(told, "id", ""));
	struct box box;

	assert_non_null(op);
	box_init(&box);
	op_on_end(op, api_ended, &box);
	assert_true(box_wait(&box, 1, PATIENCE_MS));
	ended = op_json(op);
	op_unref(op);
	return json_incref(ended);
}

/* It ends well. */
static inline void api_await(struct api_world *t)
{
	_json_ json_t *ended = api_ended_op(t);

	if (!str_eq(json_str(ended, "status", ""), "Success"))
		fail_msg("%s", json_str(ended, "err", ""));
}

/* It does not, and says so in so many words. */
static inline void api_await_failure(struct api_world *t, const char *words)
{
	_json_ json_t *ended = api_ended_op(t);

	assert_string_equal(json_str(ended, "status", ""), "Failure");
	if (!strstr(json_str(ended, "err", ""), words))
		fail_msg("\"%s\" does not say \"%s\"", json_str(ended, "err", ""), words);
}

/* Of 127.0.0.1, for a listener of the test's own. */
static inline int api_free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}
