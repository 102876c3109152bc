/* SPDX-License-Identifier: Apache-2.0 */
/* What members ask of each other, and the daemon's own verbs. */
#include "api/rest/handle.h"
#include "api/work/boot.h"
#include "api/work/job.h"
#include "base/mem.h"
#include "migrate/migrate.h"
#include "node/image/image.h"

/* --- the daemon's verbs ---------------------------------------------------------------------- */

int h_ready(struct req *r)
{
	return reply_sync(r, NULL);
}

int h_shutdown(struct req *r)
{
	static const struct json_field fields[] = { { "instances", JW_BOOL, false },
						    { NULL, 0, 0 } };
	const struct api_env *env = req_env(r);
	json_t *body = req_json(r, fields, "shutdown");

	if (!body || (json_bool(body, "instances", false) &&
		      boot_stop_instances(env, req_err(r)) < 0))
		return -1;
	if (reply_sync(r, NULL) < 0)
		return -1;
	env->shutdown(env->shutdown_arg);
	return 0;
}

/* --- the database and membership ------------------------------------------------------------- */

static int reply_answer(struct req *r, json_t *answer)
{
	return answer ? reply_sync(r, answer) : -1;
}

int h_leader(struct req *r)
{
	return reply_answer(r, cluster_serve_leader(req_env(r)->cluster, req_err(r)));
}

int h_certificate_pair(struct req *r)
{
	return reply_answer(r, cluster_serve_certificate(req_env(r)->cluster, req_err(r)));
}

static int serve(struct req *r,
		 json_t *(*fn)(struct cluster *c, const json_t *body, struct err *err))
{
	json_t *body = req_json(r, NULL, "request");

	return body ? reply_answer(r, fn(req_env(r)->cluster, body, req_err(r))) : -1;
}

int h_membership(struct req *r)
{
	return reply_answer(r, cluster_serve_membership(req_env(r)->cluster,
							req_caller(r)->fingerprint));
}

int h_tx(struct req *r)
{
	return serve(r, cluster_serve_tx);
}

int h_outcome(struct req *r)
{
	return serve(r, cluster_serve_outcome);
}

int h_row(struct req *r)
{
	return serve(r, cluster_serve_row);
}

int h_raft_post(struct req *r)
{
	return serve(r, cluster_serve_raft);
}

int h_join(struct req *r)
{
	json_t *body = req_json(r, NULL, "join request");

	if (!body)
		return -1;
	return reply_answer(r, cluster_serve_join(req_env(r)->cluster, body,
						  req_caller(r)->fingerprint, req_err(r)));
}

static void run_feed(void *arg, struct stream *own)
{
	cluster_serve_feed(arg, own);
}

static void run_raft(void *arg, struct stream *own)
{
	cluster_serve_raft_stream(arg, own);
}

static void run_migrate(void *arg, struct stream *own)
{
	move_serve(arg, own);
}

static void run_pages(void *arg, struct stream *own)
{
	move_serve_pages(arg, own);
}

int h_feed(struct req *r)
{
	return reply_upgrade(r, "dunlin-feed", run_feed, req_env(r)->cluster);
}

int h_raft(struct req *r)
{
	return reply_upgrade(r, "dqlite", run_raft, req_env(r)->cluster);
}

/* --- moves and images ------------------------------------------------------------------------ */

int h_migrate(struct req *r)
{
	return reply_upgrade(r, "dunlin-migrate/1", run_migrate, req_env(r)->mover);
}

int h_migrate_pages(struct req *r)
{
	return reply_upgrade(r, "dunlin-pages/1", run_pages, req_env(r)->mover);
}

int h_migrate_facts(struct req *r)
{
	return reply_answer(r, move_facts(req_env(r)->mover));
}

/* Only what this member has itself: the asker tries the others. */
int h_internal_image_export(struct req *r)
{
	int64_t size;
	int fd = image_open(req_env(r)->node, req_param(r, 0), &size, req_err(r));

	return fd < 0 ? -1 : reply_file(r, fd, size, "application/octet-stream");
}

int h_internal_image_rootfs(struct req *r)
{
	int64_t size;
	int fd = image_open_rootfs(req_env(r)->node, req_param(r, 0), &size, req_err(r));

	return fd < 0 ? -1 : reply_file(r, fd, size, "application/octet-stream");
}
