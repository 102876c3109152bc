/* SPDX-License-Identifier: Apache-2.0 */
/* The database node of this member: started and stopped as the identity and the leader say. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/keeper.h"
#include "cluster/state.h"

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

/* A file system of its own may be mounted there: then the folder stays, without its content. */
static int remove_db(const char *path, struct err *err)
{
	if (io_empty_dir(path, err) < 0)
		return -1;
	if (rmdir(path) == 0 || errno == ENOENT || errno == EBUSY || errno == ENOTDIR)
		return 0;
	return err_sys(err, "remove %s", path);
}

/* But for what a file system brings along. */
static bool dir_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (!d)
		return true;
	while ((e = readdir(d)))
		empty = empty && (e->d_name[0] == '.' || str_eq(e->d_name, "lost+found"));
	closedir(d);
	return empty;
}

/* A node that comes up without its log could vote twice, and number 1 would even found a new
 * cluster. */
static int check_dir(const char *path, const struct identity *id, struct err *err)
{
	if (id->db == DB_FRESH)
		return remove_db(path, err);
	if (!dir_empty(path))
		return 0;
	return err_set(err, ERR_INTERNAL,
		       "%s is empty but belongs to a database member: restore it, or remove this "
		       "member from the cluster and start again with an empty state folder",
		       path);
}

static void publish(struct cluster *c, struct dqnode *n)
{
	pthread_mutex_lock(&c->lock);
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
		return remove_db(dir, err);
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

int cluster_node_wipe(struct cluster *c, struct err *err)
{
	_free_ char *dir = cluster_path(c, DB_DIR);

	return remove_db(dir, err);
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
	return cluster_node_wipe(c, err);
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
	keeper_report(c->keeper);
	return json_object();
}

void cluster_serve_raft_stream(struct cluster *c, struct stream *own_stream)
{
	struct dqnode *n = NULL;
	char name[NAME_SIZE];

	if (cluster_is_member_cert(c, stream_peer(own_stream), name))
		n = cluster_node(c);
	if (!n) {
		stream_free(own_stream);
		return;
	}
	dqnode_serve(n, own_stream);
	dqnode_unref(n);
}
