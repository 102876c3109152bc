/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/cluster.h"

#include <sqlite3.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/db/dqnode.h"
#include "cluster/feed/follow.h"
#include "cluster/feed/hub.h"
#include "cluster/member/dbnode.h"
#include "cluster/member/duties.h"
#include "cluster/member/keeper.h"
#include "cluster/member/leader.h"
#include "cluster/member/member.h"
#include "cluster/self/calls.h"
#include "cluster/store/commit.h"
#include "cluster/store/store_int.h"
#include "cluster/store/writer.h"

#define SINGLE_START_MS 20000 /* a lone node elects itself at once, after replaying its log */
#define START_MS 1000         /* with nothing to show */
#define START_WARM_MS 300     /* with a copy of the replica */
#define FIRST_WORD_MS 8000    /* for elections after the end of a leader, and the first copy */
#define HAND_OVER_MS 3000
#define LOCK_MS 10000 /* the kernel may still be ending one that was killed */
#define LOOKASIDE_BYTES 512
#define LOOKASIDE_SLOTS 96

/* --- what changes concern ourselves ----------------------------------------------------------- */

static void on_row(void *arg, enum entity e, const char *key, int64_t rev, const char *text)
{
	struct cluster *c = arg;
	struct dqnode *n;

	if (e == ENT_CERTIFICATE && !text) {
		hub_remove(c->hub, key);
		n = cluster_node(c);
		if (n)
			dqnode_drop_peer(n, key);
		dqnode_unref(n);
	}
	if (e == ENT_MEMBER || e == ENT_CONFIG || e == ENT_CLUSTER)
		keeper_wake(c->keeper);
}

static void on_committed(void *arg, const struct change *v, size_t n, int64_t before,
			 int64_t revision)
{
	struct cluster *c = arg;

	hub_rows(c->hub, v, n, revision);
}

static void on_dirty(void *arg)
{
	struct cluster *c = arg;

	hub_wake(c->hub);
	follow_wake(c->follow);
}

/* --- what the rooms above do for those below ------------------------------------------------- */

static void leader_known(struct cluster *c)
{
	follow_wake(c->follow);
}

static void duties_due(struct cluster *c)
{
	keeper_wake(c->keeper);
}

static void removed(struct cluster *c)
{
	cluster_node_stop(c);
	cluster_set_leader(c, "", "");
}

static void spread(struct cluster *c, const char *event)
{
	if (cluster_is_leader(c))
		hub_event(c->hub, event);
	else
		follow_event(c->follow, event);
}

static const struct cluster_hooks hooks = { leader_known, duties_due, removed, spread };

/* --- making ----------------------------------------------------------------------------------- */

static int lock_dir(struct cluster *c, struct err *err)
{
	_free_ char *path = cluster_path(c, "cluster.lock");

	if (io_folder(c->dir, 0711, err) < 0)
		return -1;
	c->dir_lock = lockfile_take(path, deadline_in(LOCK_MS), err);
	if (c->dir_lock >= 0)
		return 0;
	return err->kind == ERR_CONFLICT ? err_wrap(err, "another daemon uses %s", c->dir) : -1;
}

static int load_identity(struct cluster *c, struct err *err)
{
	_free_ char *peers = cluster_path(c, "peers.json");

	if (identity_load(c->dir, &c->id, err) < 0 ||
	    creds_load(c->dir, &c->id, &c->creds, err) < 0)
		return -1;
	cluster_show_identity(c);
	c->peers = peers_new(peers);
	return c->id.enabled ? peers_load(c->peers, err) : 0;
}

static int make_parts(struct cluster *c, struct err *err)
{
	struct writer_hooks told = { c->dir, on_committed, c };

	c->notifier = notifier_new();
	c->replica = replica_new(c->notifier, err);
	if (!c->replica)
		return -1;
	c->store = store_new(c);
	c->calls = calls_new();
	c->outbox = outbox_new(c);
	c->writer = writer_new(c->replica, &told);
	c->leader = leader_new(c);
	c->hub = hub_new(c);
	c->follow = follow_new(c);
	c->keeper = keeper_new(c);
	notifier_watch(c->notifier, &(struct store_watch){ .row = on_row, .arg = c });
	replica_on_dirty(c->replica, on_dirty, c);
	return 0;
}

/* The copy on disk stands in until the leader is reached. */
static void load_copy(struct cluster *c)
{
	_free_ char *path = cluster_path(c, "replica.db");
	struct err err = { 0 };

	if (c->id.db == DB_FRESH || !io_exists(path))
		return;
	if (replica_load(c->replica, path, &err) < 0)
		log_err(LOG_WARN, "copy of the replica not used", &err);
}

static int start_parts(struct cluster *c, struct err *err)
{
	if (!cluster_is_removed(c) && cluster_node_start(c, err) < 0)
		return -1;
	if (hub_start(c->hub, err) < 0 || leader_start(c->leader, err) < 0)
		return -1;
	return follow_start(c->follow, err);
}

static bool wait_current(struct cluster *c, int64_t deadline)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	while (!(ok = c->leading || c->contact)) {
		if (!cond_wait_until(&c->changed, &c->lock, deadline) && clock_ms() >= deadline)
			break;
	}
	pthread_mutex_unlock(&c->lock);
	return ok;
}

static int begin(struct cluster *c, struct err *err)
{
	bool warm = replica_revision(c->replica) > 0;

	if (cluster_check_member(c, err) < 0) {
		log_error("this member was removed from its cluster", "dir", c->dir, "remedy",
			  err->msg);
		return 0;
	}
	if (c->id.enabled) {
		if (!wait_current(c, deadline_in(warm ? START_WARM_MS : START_MS)))
			log_warn("no leader answers: what is shown here may be old");
		return 0;
	}
	if (!wait_current(c, deadline_in(SINGLE_START_MS)))
		return err_set(err, ERR_UNAVAILABLE, "the database in %s does not start", c->dir);
	return member_ensure_single(c, err);
}

/* dqlite opens a connection for each commit that it applies: small ones, off the slow paths of
 * malloc. The statistics of memory stay on: only with them SQLite rounds every size up, and dqlite
 * 1.11 asks for its first frame with one byte where it needs eight. */
static void tune_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, LOOKASIDE_BYTES, LOOKASIDE_SLOTS);
}

struct cluster *cluster_new(const struct cluster_opts *o, struct err *err)
{
	struct cluster *c = xnew(struct cluster);

	tune_sqlite();
	c->o = *o;
	c->hooks = &hooks;
	c->dir = xstrdup(o->dir);
	c->dir_lock = -1;
	c->heard_ms = clock_ms();
	c->start_until = deadline_in(FIRST_WORD_MS);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->id_lock, NULL);
	pthread_mutex_init(&c->change_lock, NULL);
	cond_init(&c->changed);
	if (lock_dir(c, err) < 0 || load_identity(c, err) < 0 || make_parts(c, err) < 0) {
		cluster_free(c);
		return NULL;
	}
	load_copy(c);
	if (start_parts(c, err) < 0 || begin(c, err) < 0) {
		cluster_free(c);
		return NULL;
	}
	notifier_open(c->notifier);
	return c;
}

int cluster_start(struct cluster *c, struct err *err)
{
	if (notifier_start(c->notifier, err) < 0)
		return -1;
	return keeper_start(c->keeper, err);
}

/* --- ending ----------------------------------------------------------------------------------- */

static void hand_over(struct cluster *c)
{
	int64_t deadline = deadline_in(HAND_OVER_MS);

	if (!cluster_is_leader(c) || !cluster_enabled(c))
		return;
	roles_hand_over(c);
	pthread_mutex_lock(&c->lock);
	while (c->leading && clock_ms() < deadline)
		cond_wait_until(&c->changed, &c->lock, deadline);
	pthread_mutex_unlock(&c->lock);
}

void cluster_stop(struct cluster *c)
{
	bool again;

	if (c->keeper) {
		keeper_stop(c->keeper);
		hand_over(c);
	}
	pthread_mutex_lock(&c->lock);
	again = c->stopping;
	c->stopping = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (again || !c->keeper)
		return;
	leader_stop(c->leader);
	follow_stop(c->follow);
	hub_stop(c->hub);
	cluster_node_stop(c);
	notifier_stop(c->notifier);
	calls_reset(c->calls);
}

static void free_texts(struct cluster *c)
{
	for (size_t i = 0; i < c->n_retired; i++)
		free(c->retired[i]);
	free(c->retired);
	free(c->name);
	free(c->address);
	free(c->cert);
	free(c->fingerprint);
	free(c->dir);
	creds_free(&c->creds);
}

void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	cluster_stop(c);
	if (c->notifier)
		notifier_free(c->notifier);
	keeper_free(c->keeper);
	follow_free(c->follow);
	hub_free(c->hub);
	leader_free(c->leader);
	writer_free(c->writer);
	outbox_free(c->outbox);
	calls_free(c->calls);
	store_free(c->store);
	replica_free(c->replica);
	peers_free(c->peers);
	if (c->dir_lock >= 0)
		close(c->dir_lock);
	free_texts(c);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->id_lock);
	pthread_mutex_destroy(&c->change_lock);
	pthread_cond_destroy(&c->changed);
	free(c);
}
