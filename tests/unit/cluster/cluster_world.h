/* SPDX-License-Identifier: Apache-2.0 */
/* A few members as processes, on loopback addresses, and what tests say to them. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/digest.h"
#include "tests/unit/cluster/cluster_member.h"
#include "tests/unit/base/patience.h"

#define MEMBERS 4

struct world {
	char dir[64];
	struct member_proc m[MEMBERS];
};

static inline int free_port(const char *host)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;

	inet_pton(AF_INET, host, &sa.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	port = ntohs(sa.sin_port);
	close(fd);
	return port;
}

static inline json_t *ask(struct member_proc *m, const char *verb, json_t *own_body)
{
	_json_ json_t *body = own_body;
	struct err err = { 0 };
	json_t *j = member_ask(m, verb, body, &err);

	if (!j)
		print_error("%s %s: %s\n", m->name, verb, err.msg);
	assert_non_null(j);
	return j;
}

static inline void tell(struct member_proc *m, const char *verb, json_t *own_body)
{
	json_decref(ask(m, verb, own_body));
}

/* The error of a request that has to fail. */
static inline struct err refuse(struct member_proc *m, const char *verb, json_t *own_body)
{
	_json_ json_t *body = own_body;
	struct err err = { 0 };
	_json_ json_t *j = member_ask(m, verb, body, &err);

	assert_null(j);
	return err;
}

static inline void await_up(struct member_proc *m)
{
	int64_t deadline = PATIENCE;
	struct err err = { 0 };
	json_t *j;

	while (!(j = member_ask(m, "info", NULL, &err))) {
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 20);
	}
	json_decref(j);
}

static inline void start(struct member_proc *m)
{
	member_spawn(m, NULL);
	await_up(m);
}

static inline char *token_for(struct member_proc *m, const char *name)
{
	_json_ json_t *t = ask(m, "token", json_pack("{s:s}", "name", name));
	_json_ json_t *j = json_pack("{s:s,s:s,s:O,s:s,s:s}", "server_name",
				     json_str(t, "serverName", ""), "fingerprint",
				     json_str(t, "fingerprint", ""), "addresses",
				     json_arr(t, "addresses"), "secret", json_str(t, "secret", ""),
				     "expires_at", json_str(t, "expiresAt", ""));
	_free_ char *text = json_text(j);

	return base64_encode(text, strlen(text));
}

static inline void join(struct member_proc *m, struct member_proc *via)
{
	_free_ char *token = token_for(via, m->name);

	tell(m, "join", json_pack("{s:s,s:s}", "name", m->name, "token", token));
}

/* Waits until so many members show this role. */
static inline void await_role(struct member_proc *m, const char *role, int count)
{
	int64_t deadline = PATIENCE;

	for (;;) {
		_json_ json_t *info = ask(m, "info", NULL);
		json_t *members = json_arr(info, "members"), *v, *r;
		size_t i, k;
		int n = 0;

		json_array_foreach(members, i, v) {
			json_array_foreach(json_arr(v, "roles"), k, r)
				n += str_eq(json_string_value(r), role);
		}
		if (n == count)
			return;
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 50);
	}
}

static inline struct member_proc *leader_of(struct world *w)
{
	int64_t deadline = PATIENCE;

	for (int i = 0; clock_ms() < deadline; i = (i + 1) % MEMBERS) {
		struct err err = { 0 };
		_json_ json_t *info = w->m[i].pid ? member_ask(&w->m[i], "info", NULL, &err) : NULL;

		if (json_bool(info, "leading", false))
			return &w->m[i];
		poll(NULL, 0, 5);
	}
	fail_msg("nobody leads");
	return NULL;
}

static inline struct member_proc *other_than(struct world *w, const struct member_proc *m)
{
	for (int i = 0; i < MEMBERS; i++) {
		if (w->m[i].pid && &w->m[i] != m)
			return &w->m[i];
	}
	return NULL;
}

static inline void put(struct member_proc *m, const char *key, const char *value)
{
	tell(m, "put", json_pack("{s:s,s:s}", "key", key, "value", value));
}

static inline void await_value(struct member_proc *m, const char *key, const char *value)
{
	int64_t deadline = PATIENCE;

	for (;;) {
		struct err err = { 0 };
		_json_ json_t *body = json_pack("{s:s}", "key", key);
		_json_ json_t *j = member_ask(m, "get", body, &err);

		if (str_eq(json_str(j, "value", NULL), value))
			return;
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 20);
	}
}

static inline int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-cluster-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	for (int i = 0; i < MEMBERS; i++) {
		struct member_proc *m = &w->m[i];
		_free_ char *dir = xasprintf("%s/m%d", w->dir, i + 1);
		char host[20];

		snprintf(host, sizeof(host), "127.0.0.%d", 11 + i);
		snprintf(m->name, sizeof(m->name), "m%d", i + 1);
		str_copy(m->dir, sizeof(m->dir), dir);
		snprintf(m->address, sizeof(m->address), "%s:%d", host, free_port(host));
		assert_int_equal(io_mkdirs(m->dir, 0700, &err), 0);
	}
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	for (int i = 0; i < MEMBERS; i++)
		member_kill(&w->m[i]);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static inline void make_cluster(struct world *w, int n)
{
	start(&w->m[0]);
	tell(&w->m[0], "enable", json_pack("{s:s}", "name", w->m[0].name));
	for (int i = 1; i < n; i++) {
		start(&w->m[i]);
		join(&w->m[i], &w->m[0]);
	}
	await_role(&w->m[0], "database", n >= 3 ? 3 : 1);
}
