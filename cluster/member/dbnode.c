/* SPDX-License-Identifier: Apache-2.0 */
/* The database node of this member: started and stopped as the identity and the leader say. */
#include "cluster/member/dbnode.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/db/dqnode.h"
#include "cluster/member/keeper.h"
#include "cluster/member/member.h"
#include "cluster/store/writer.h"

#define DB_DIR "database"

static struct stream *dial_peer(void *arg, const char *uuid, int64_t deadline, struct err *err)
{
	struct cluster *c = arg;
	struct peer_info p;

	if (!peers_by_uuid(c->peers, uuid, &p) || !*p.address) {
		err_set(err, ERR_NOT_FOUND, "no member has the uuid %s", uuid);
		return NULL;
	}
	return cluster_connect(c, p.address, "/internal/raft", "dqlite", deadline, err);
}

/* Within the folder, which is a file system of its own: dqlite does not look at hidden names. */
static int hide_content(const char *path, struct err *err)
{
	_free_ char *old = xasprintf("%s/.old", path);
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return err_sys(err, "open %s", path);
	if (io_remove_tree(old, err) < 0 || io_mkdirs(old, 0700, err) < 0)
		rc = -1;
	while (rc == 0 && (e = readdir(d))) {
		_free_ char *from = xasprintf("%s/%s", path, e->d_name);
		_free_ char *to = xasprintf("%s/%s", old, e->d_name);

		if (e->d_name[0] != '.' && !str_eq(e->d_name, "lost+found") && rename(from, to) < 0)
			rc = err_sys(err, "rename %s to %s", from, to);
	}
	closedir(d);
	return rc;
}

/* What an earlier role left is of no use to a node, and could make it vote twice; it is kept aside
 * for whoever needs it, until the next one goes the same way. */
static int set_aside(const char *path, struct err *err)
{
	_free_ char *old = xasprintf("%s.old", path);
	int empty = io_is_empty(path, err);

	if (empty)
		return empty < 0 ? -1 : 0;
	if (io_remove_tree(old, err) < 0)
		return -1;
	if (rename(path, old) == 0)
		log_info("an earlier copy of the database was set aside", "path", old);
	else if (errno == EBUSY)
		return hide_content(path, err);
	else
		return err_sys(err, "rename %s to %s", path, old);
	return 0;
}

/* A node that comes up without its log could vote twice, and number 1 would even found a new
 * cluster. */
static int check_dir(const char *path, const struct identity *id, struct err *err)
{
	int empty;

	if (id->db == DB_FRESH)
		return set_aside(path, err);
	empty = io_is_empty(path, err);
	if (empty <= 0)
		return empty;
	return err_set(err, ERR_INTERNAL,
		       "%s is empty but belongs to a database member: restore it, or remove this "
		       "member from the cluster and start again with an empty state folder",
		       path);
}

static void publish(struct cluster *c, struct dqnode *n)
{
	pthread_mutex_lock(&c->lock);
	assert(!c->node);
	c->node = n;
	pthread_mutex_unlock(&c->lock);
	writer_wake(c->writer);
}

int cluster_node_start(struct cluster *c, struct err *err)
{
	_free_ char *dir = cluster_path(c, DB_DIR);
	struct identity id;
	struct dqnode *n;

	cluster_self(c, &id);
	if (!id.raft_id)
		return set_aside(dir, err);
	if (check_dir(dir, &id, err) < 0)
		return -1;
	n = dqnode_start(&(struct dqnode_opts){ .id = id.raft_id,
						.address = id.uuid,
						.dir = dir,
						.latency_ms = id.latency_ms,
						.dial = dial_peer,
						.arg = c },
			 err);
	if (!n)
		return -1;
	publish(c, n);
	return 0;
}

void cluster_node_stop(struct cluster *c)
{
	struct dqnode *n;

	pthread_mutex_lock(&c->lock);
	n = take_ptr(c->node);
	pthread_mutex_unlock(&c->lock);
	if (!n)
		return;
	writer_wake(c->writer);
	dqnode_stop(n);
	dqnode_unref(n);
}

int cluster_node_set_aside(struct cluster *c, struct err *err)
{
	_free_ char *dir = cluster_path(c, DB_DIR);

	return set_aside(dir, err);
}

struct dqnode *cluster_node(struct cluster *c)
{
	struct dqnode *n;

	pthread_mutex_lock(&c->lock);
	n = c->node ? dqnode_ref(c->node) : NULL;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void set_ready(struct identity *id, void *arg)
{
	id->db = DB_READY;
}

int cluster_node_ready(struct cluster *c, struct err *err)
{
	return cluster_edit_identity(c, set_ready, NULL, err);
}

/* --- roles given by the leader ---------------------------------------------------------------- */

static void set_fresh(struct identity *id, void *arg)
{
	id->raft_id = *(uint64_t *)arg;
	id->db = id->raft_id ? DB_FRESH : DB_NONE;
}

static int stop_node(struct cluster *c, struct err *err)
{
	uint64_t none = 0;

	cluster_node_stop(c);
	if (cluster_edit_identity(c, set_fresh, &none, err) < 0)
		return -1;
	return cluster_node_set_aside(c, err);
}

static int start_node(struct cluster *c, uint64_t id, struct err *err)
{
	struct dqnode *n = cluster_node(c);
	bool running = n && dqnode_id(n) == id;

	dqnode_unref(n);
	if (running)
		return 0;
	cluster_node_stop(c);
	if (cluster_edit_identity(c, set_fresh, &id, err) < 0 || cluster_node_start(c, err) < 0)
		return -1;
	return cluster_node_ready(c, err);
}

json_t *cluster_serve_raft(struct cluster *c, const json_t *body, struct err *err)
{
	const char *action = json_str(body, "action", "");
	uint64_t id;
	int rc;

	if (!str_to_u64(json_str(body, "id", ""), INT64_MAX, &id) ||
	    (!str_eq(action, "stop") && !(str_eq(action, "start") && id > 1))) {
		err_set(err, ERR_INVALID, "an action (start, stop) and an id are needed");
		return NULL;
	}
	if (cluster_is_leader(c)) {
		err_set(err, ERR_CONFLICT, "this member leads the cluster");
		return NULL;
	}
	pthread_mutex_lock(&c->change_lock);
	rc = str_eq(action, "start") ? start_node(c, id, err) : stop_node(c, err);
	pthread_mutex_unlock(&c->change_lock);
	if (rc < 0)
		return NULL;
	log_info("database node", "action", action);
	member_report(c);
	return json_object();
}

void cluster_serve_raft_stream(struct cluster *c, struct stream *own_stream)
{
	struct dqnode *n = NULL;
	char name[NAME_SIZE];

	assert(own_stream);
	if (cluster_is_member_cert(c, stream_peer(own_stream), name))
		n = cluster_node(c);
	if (!n) {
		stream_free(own_stream);
		return;
	}
	dqnode_serve(n, own_stream);
	dqnode_unref(n);
}
