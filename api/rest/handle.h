/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/handle.h - what handlers have in common. */
#pragma once
#include "api/rest/handlers.h"

bool caller_trusted(const struct req *r);
/* A lifecycle event with the caller as its requestor. key: of the object, or NULL; url: without
 * its project. */
void tell_event(struct req *r, const char *action, const char *url, const char *key);
/* The same; the URL has its project. */
void tell_event_at(struct req *r, const char *action, const char *url, const char *key);
/* Starts the job, and answers with its operation. */
struct job_order;
int reply_job(struct req *r, const struct job_order *o);
int reply_operation(struct req *r, struct op *own_ref); /* 202 */
/* 202 for an operation that is known only by its object (a token, or one of another member). */
int reply_operation_json(struct req *r, json_t *own_op);
/* reply_etag of what may be changed; steals nothing. */
void set_etag(struct req *r, const json_t *writable);
int check_etag(struct req *r, const json_t *writable);
/* config of a PUT replaces, of a PATCH is merged: the result is left in doc. */
void merge_map(json_t *doc, const char *key, const json_t *body, bool patch);
bool is_patch(const struct req *r);

/* Refuses a body whose texts differ from those present: clients may send them back unchanged.
 * `fields` ends with NULL. */
int check_fixed(struct req *r, const char *what, const json_t *body, const json_t *present,
		const char *const *fields);
/* Refuses what only a cluster has. */
int need_cluster(struct req *r);
