/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/req.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "api/http/req_int.h"
#include "api/http/server_int.h"
#include "base/mem.h"
#include "base/net/handshake.h"
#include "base/str.h"

#define JSON_FILE_MAX (4 << 20)
#define DESCRIPTION_MAX 4096

void file_parts_close(const struct file_part *parts, int n)
{
	for (int i = 0; i < n; i++)
		close(parts[i].fd);
}

struct req *req_new(struct server *s, struct conn *c, struct http_head *own_head)
{
	struct req *r = xnew(struct req);

	assert(own_head);
	r->server = s;
	r->env = s->env;
	r->conn = c;
	r->head = *own_head;
	own_head->store = NULL;
	r->body_fd = -1;
	r->project = PROJECT_DEFAULT;
	return r;
}

void req_free(struct req *r)
{
	if (!r)
		return;
	quota_give(r->server->quota, r->caller.kind, quota_net(r->caller.address), QUOTA_BODY,
		   r->body_counted);
	quota_drop(r->server->quota, &r->work, QUOTA_REQUESTS);
	http_head_free(&r->head);
	free(r->path);
	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(r->refs[i]);
	free(r->decoded);
	free(r->query);
	free(r->peer_pem);
	sbuf_free(&r->body);
	if (r->body_fd >= 0)
		close(r->body_fd);
	json_decref(r->json);
	free(r->own_type);
	sbuf_free(&r->reply.headers);
	sbuf_free(&r->reply.body);
	file_parts_close(r->reply.parts, r->reply.nparts);
	free(r);
}

static int parse_query(struct req *r)
{
	char *parts[QUERY_PAIRS_MAX];
	size_t n = str_split(r->query, '&', parts, QUERY_PAIRS_MAX);

	if (n > QUERY_PAIRS_MAX)
		return err_set(&r->err, ERR_INVALID, "more than %d query parameters",
			       QUERY_PAIRS_MAX);
	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(parts[i], '=');
		char *value = eq ? eq + 1 : parts[i] + strlen(parts[i]);

		if (eq)
			*eq = '\0';
		if (!str_url_decode(parts[i], true) || !str_url_decode(value, true))
			return err_set(&r->err, ERR_INVALID, "the query has a bad %%-escape");
		if (*parts[i])
			r->pairs[r->npairs++] = (struct pair){ parts[i], value };
	}
	return 0;
}

int req_route(struct req *r)
{
	const char *q = strchr(r->head.target, '?');

	r->path = q ? xstrndup(r->head.target, q - r->head.target) : xstrdup(r->head.target);
	if (q) {
		r->query = xstrdup(q + 1);
		if (parse_query(r) < 0)
			return -1;
	}
	if (!str_empty(req_query(r, "project")))
		r->project = req_query(r, "project");
	r->route = route_match(r->server->routes, r->head.method, r->path, r->params, &r->err);
	return r->route ? 0 : -1;
}

const struct api_env *req_env(const struct req *r)
{
	return r->env;
}

const struct caller *req_caller(const struct req *r)
{
	return &r->caller;
}

const struct route *req_row(const struct req *r)
{
	return r->route;
}

const char *req_method(const struct req *r)
{
	return r->head.method;
}

const char *req_path(const struct req *r)
{
	struct req *m = (struct req *)r;

	if (!m->decoded) {
		m->decoded = xstrndup(r->head.target, strcspn(r->head.target, "?"));
		str_url_decode(m->decoded, false);
	}
	return m->decoded;
}

const char *req_param(const struct req *r, int index)
{
	return index >= 0 && index < ROUTE_PARAMS_MAX ? r->params[index] : NULL;
}

const char *req_project(const struct req *r)
{
	return r->project;
}

const char *req_ref(struct req *r, int index)
{
	assert(index >= 0);
	assert(index < ROUTE_PARAMS_MAX);
	assert(r->params[index]);
	if (r->route->role == ROLE_MEMBER)
		return r->params[index];
	if (!r->refs[index])
		r->refs[index] = ref_text(r->project, r->params[index]);
	return r->refs[index];
}

char *req_key(const struct req *r, enum entity e, const char *name)
{
	return ref_key(e, r->project, name);
}

const char *req_lists_of(const struct req *r)
{
	return req_query_true(r, "all-projects") ? NULL : r->project;
}

bool req_lists(const struct req *r, enum entity e, const char *key)
{
	return entity_scope(e) == SCOPE_GLOBAL || ref_is_in(key, req_lists_of(r));
}

const char *req_query(const struct req *r, const char *key)
{
	for (int i = 0; i < r->npairs; i++) {
		if (strcmp(r->pairs[i].key, key) == 0)
			return r->pairs[i].value;
	}
	return NULL;
}

bool req_query_true(const struct req *r, const char *key)
{
	bool b;

	return str_to_bool(req_query(r, key), &b) && b;
}

int req_recursion(const struct req *r)
{
	uint64_t v;

	return str_to_u64(req_query(r, "recursion"), 2, &v) ? (int)v : 0;
}

const char *req_header(const struct req *r, const char *name)
{
	return http_header(&r->head, name);
}

struct err *req_err(struct req *r)
{
	return &r->err;
}

const char *req_peer_pem(struct req *r)
{
	return r->peer_pem;
}

/* A JSON body on a row that also takes files was spooled. */
static int read_spooled(struct req *r)
{
	_free_ char *text = NULL;

	if (r->body_size > JSON_FILE_MAX)
		return err_set(&r->err, ERR_TOO_LARGE, "a JSON body may have %d bytes at most",
			       JSON_FILE_MAX);
	text = xcalloc(r->body_size + 1, 1);
	for (int64_t at = 0; at < r->body_size;) {
		ssize_t n = pread(r->body_fd, text + at, r->body_size - at, at);

		if (n <= 0)
			return err_sys(&r->err, "read the body");
		at += n;
	}
	r->body = SBUF(JSON_FILE_MAX);
	sbuf_add(&r->body, text, r->body_size);
	return 0;
}

/* Of whatever has one. */
static int check_description(const json_t *body, const char *what, struct err *err)
{
	if (strlen(json_str(body, "description", "")) <= DESCRIPTION_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "%s: the description is longer than %d bytes", what,
		       DESCRIPTION_MAX);
}

json_t *req_json(struct req *r, const struct json_field *fields, const char *what)
{
	if (!r->json) {
		if (r->body_fd >= 0 && !r->body.len && r->body_size && read_spooled(r) < 0)
			return NULL;
		r->json = r->body.len ? json_parse(r->body.data, r->body.len, what, &r->err)
				      : json_object();
	}
	if (!r->json || !fields)
		return r->json;
	if (json_check(r->json, fields, what, &r->err) < 0 ||
	    check_description(r->json, what, &r->err) < 0)
		return NULL;
	return r->json;
}

int req_body_fd(const struct req *r, int64_t *ret_size)
{
	*ret_size = r->body_size;
	if (r->body_fd >= 0)
		lseek(r->body_fd, 0, SEEK_SET);
	return r->body_fd;
}

int req_if_match(struct req *r, const char *etag)
{
	const char *given = req_header(r, "If-Match");
	size_t n = given ? strlen(given) : 0;
	_free_ char *bare = NULL;

	if (!n)
		return 0;
	if (n >= 2 && given[0] == '"' && given[n - 1] == '"')
		bare = xstrndup(given + 1, n - 2);
	else
		bare = xstrdup(given);
	if (strcmp(bare, "*") == 0 || strcmp(bare, etag) == 0)
		return 0;
	return err_set(&r->err, ERR_PRECONDITION, "ETag doesn't match: %s vs %.80s", etag, bare);
}
