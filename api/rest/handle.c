/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/handle.h"

#include <assert.h>
#include <string.h>

#include "api/http/envelope.h"
#include "api/http/server.h"
#include "api/work/job.h"
#include "base/mem.h"
#include "base/str.h"

bool caller_trusted(const struct req *r)
{
	return caller_is_trusted(req_caller(r));
}

static const char *protocol_of(const struct caller *c)
{
	switch (c->kind) {
	case CALLER_ADMIN:
		return "unix";
	case CALLER_MEMBER:
		return "cluster";
	default:
		return "tls";
	}
}

void tell_event_at(struct req *r, const char *action, const char *url, const char *key)
{
	const struct caller *c = req_caller(r);

	event_lifecycle(req_env(r)->events,
			&(struct event_source){
				.action = action,
				.url = url,
				.key = key,
				.username = c->kind == CALLER_CLIENT ? c->fingerprint : c->name,
				.protocol = protocol_of(c),
			});
}

void tell_event(struct req *r, const char *action, const char *url, const char *key)
{
	_free_ char *whole = key ? ref_add_project(url, key) : xstrdup(url);

	tell_event_at(r, action, whole, key);
}

static int accepted(struct req *r, const json_t *op)
{
	_free_ char *url = ref_url("operations", json_str(op, "id", ""));
	_free_ char *text = json_text(op), *head = xasprintf(ENVELOPE_ASYNC, url);
	_free_ char *envelope = xasprintf("%s%s}", head, text);

	reply_header(r, "Location", url);
	return reply_bytes(r, 202, "application/json", envelope, strlen(envelope));
}

int reply_operation(struct req *r, struct op *own_ref)
{
	_json_ json_t *op = op_json(own_ref);

	op_unref(own_ref);
	return accepted(r, op);
}

int reply_operation_json(struct req *r, json_t *own_op)
{
	_json_ json_t *op = own_op;

	server_note_operation(req_env(r)->server, json_str(op, "id", ""),
			      json_str(op, "location", ""));
	return accepted(r, op);
}

int reply_job(struct req *r, const struct job_order *o)
{
	struct op *op = job_start(req_env(r), o, req_err(r));

	return op ? reply_operation(r, op) : -1;
}

void set_etag(struct req *r, const json_t *writable)
{
	char hex[SHA256_HEX_SIZE];

	reply_etag(r, etag_of(writable, hex));
}

int check_etag(struct req *r, const json_t *writable)
{
	char hex[SHA256_HEX_SIZE];

	return req_if_match(r, etag_of(writable, hex));
}

bool is_patch(const struct req *r)
{
	return str_eq(req_method(r), "PATCH");
}

void merge_map(json_t *doc, const char *key, const json_t *body, bool patch)
{
	json_t *next = json_obj(body, key), *map;
	const char *name;
	json_t *v;

	if (patch && !next)
		return;
	map = patch && json_obj(doc, key) ? json_deep_copy(json_obj(doc, key)) : json_object();
	json_object_foreach(next, name, v)
		json_object_set(map, name, v);
	json_object_set_new(doc, key, map);
}

int check_fixed(struct req *r, const char *what, const json_t *body, const json_t *present,
		const char *const *fields)
{
	for (; *fields; fields++) {
		const char *sent = json_str(body, *fields, "");
		const char *is = json_str(present, *fields, "");

		if (!str_empty(sent) && !str_eq(sent, is))
			return err_set(req_err(r), ERR_INVALID,
				       "%s: \"%s\" can't be changed to \"%.64s\": it is \"%s\"",
				       what, *fields, sent, is);
	}
	return 0;
}

int need_cluster(struct req *r)
{
	if (cluster_enabled(req_env(r)->cluster))
		return 0;
	return err_set(req_err(r), ERR_UNAVAILABLE,
		       "This server is not clustered; enable it with \"cluster enable NAME\"");
}
