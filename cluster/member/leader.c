/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/leader.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/db/db.h"
#include "cluster/db/dqnode.h"
#include "cluster/feed/follow.h"
#include "cluster/feed/hub.h"
#include "cluster/member/dbnode.h"
#include "cluster/store/writer.h"

#define POLL_MS 100
#define POLL_FAST_MS 20 /* while nobody is known to lead */
#define DB_TIMEOUT_MS 5000
#define IDLE_MS 3600000

struct leader {
	struct cluster *c;
	pthread_t thread;
	bool started;
	/* The thread's own. */
	struct dqnode *node;    /* the one that the connections are to */
	struct dqclient *asker; /* LEADER requests */
	struct db *db;
	bool leading;
};

/* --- gaining and losing ----------------------------------------------------------------------- */

static void lose(struct leader *l, const char *why)
{
	if (l->leading) {
		if (!cluster_stopping(l->c))
			log_info("leadership lost", "why", why);
		l->leading = false;
		cluster_set_leading(l->c, false);
		writer_open(l->c->writer, false);
		hub_lead(l->c->hub, false);
		follow_rest(l->c->follow, false);
	}
	db_close(take_ptr(l->db));
}

static void gain(struct leader *l)
{
	struct err err = { 0 };

	assert(!l->leading);
	assert(!l->db);
	follow_rest(l->c->follow, true);
	l->db = db_open(dqnode_socket(l->node), DB_TIMEOUT_MS, &err);
	if (!l->db || writer_load(l->c->writer, l->db, &err) < 0) {
		if (err.kind != ERR_UNAVAILABLE)
			log_err(LOG_WARN, "cannot lead yet", &err);
		db_close(take_ptr(l->db));
		follow_rest(l->c->follow, false);
		return;
	}
	l->leading = true;
	writer_open(l->c->writer, true);
	hub_lead(l->c->hub, true);
	cluster_set_leading(l->c, true);
	log_info("this member leads the cluster");
}

/* --- asking ----------------------------------------------------------------------------------- */

static void forget_node(struct leader *l)
{
	lose(l, "the database node stopped");
	assert(!l->db);
	dq_free(take_ptr(l->asker));
	dqnode_unref(take_ptr(l->node));
}

/* Follows the cluster's node as it is started and stopped. */
static bool have_node(struct leader *l)
{
	struct dqnode *n = cluster_node(l->c);

	if (n != l->node) {
		forget_node(l);
		l->node = n;
	} else {
		dqnode_unref(n);
	}
	return l->node != NULL;
}

static void tell_leader(struct leader *l, const struct dq_node *n)
{
	struct peer_info p;

	if (n->id && peers_by_uuid(l->c->peers, n->address, &p) && *p.address)
		cluster_set_leader(l->c, p.name, p.address);
}

static bool ask(struct leader *l, struct dq_node *ret)
{
	struct err err = { 0 };

	if (!l->asker)
		l->asker = dq_connect(dqnode_socket(l->node), DB_TIMEOUT_MS, &err);
	if (l->asker && dq_leader(l->asker, ret, &err) == 0)
		return true;
	dq_free(take_ptr(l->asker));
	return false;
}

static void look(struct leader *l)
{
	struct dq_node n = { 0 };

	if (!ask(l, &n)) {
		lose(l, "the database node does not answer");
		return;
	}
	if (n.id == dqnode_id(l->node)) {
		if (!l->leading)
			gain(l);
		return;
	}
	lose(l, "another member was elected");
	tell_leader(l, &n);
}

/* --- the thread ------------------------------------------------------------------------------- */

static int poll_ms(struct leader *l)
{
	bool calm;

	pthread_mutex_lock(&l->c->lock);
	calm = l->leading || l->c->contact;
	pthread_mutex_unlock(&l->c->lock);
	return calm ? POLL_MS : POLL_FAST_MS;
}

static void work_until(struct leader *l, int64_t deadline)
{
	struct err err = { 0 };

	while (clock_ms() < deadline && !cluster_stopping(l->c)) {
		if (!writer_idle(l->c->writer, deadline))
			break;
		if (!l->leading)
			continue;
		if (writer_step(l->c->writer, l->db, &err) < 0) {
			log_err(LOG_WARN, "commit", &err);
			lose(l, err.msg);
			return;
		}
	}
	/* Prunes now and then also when nothing is written. */
	if (l->leading && writer_step(l->c->writer, l->db, &err) < 0)
		lose(l, err.msg);
}

static void *run(void *arg)
{
	struct leader *l = arg;

	while (!cluster_stopping(l->c)) {
		if (!have_node(l)) {
			writer_idle(l->c->writer, deadline_in(IDLE_MS));
			continue;
		}
		look(l);
		work_until(l, deadline_in(poll_ms(l)));
	}
	forget_node(l);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

struct leader *leader_new(struct cluster *c)
{
	struct leader *l = xnew(struct leader);

	l->c = c;
	return l;
}

int leader_start(struct leader *l, struct err *err)
{
	if (thread_start(&l->thread, "leader", run, l, err) < 0)
		return -1;
	l->started = true;
	return 0;
}

void leader_stop(struct leader *l)
{
	writer_wake(l->c->writer);
	if (l->started)
		pthread_join(l->thread, NULL);
	l->started = false;
}

void leader_free(struct leader *l)
{
	assert(!l || !l->started);
	free(l);
}
