/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/keeper.h"

#include <assert.h>
#include <malloc.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/feed/follow.h"
#include "cluster/member/duties.h"
#include "cluster/member/member.h"
#include "cluster/member/renew.h"
#include "cluster/member/rotate.h"
#include "cluster/replica/settings.h"
#include "cluster/self/calls.h"

#define TICK_MS 1000
#define REPORT_MS 10000
#define SAVE_MS 30000
#define FIRST_SAVE_MS 3000

struct keeper {
	struct cluster *c;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool woken, stopping;
	int64_t reported, saved, saved_revision;
	int64_t told; /* of a certificate that cannot be had */
	int64_t renew_ms;
};

static void save_copy(struct keeper *k)
{
	_free_ char *path = cluster_path(k->c, "replica.db");
	int64_t revision = replica_revision(k->c->replica);
	struct err err = { 0 };

	if (revision == k->saved_revision)
		return;
	if (replica_save(k->c->replica, path, &err) < 0)
		log_err(LOG_WARN, "copy of the replica", &err);
	else
		k->saved_revision = revision;
	/* What a burst of writes left behind. */
	malloc_trim(0);
}

/* Not while a join replaces what is copied. */
static void save(struct keeper *k)
{
	if (pthread_mutex_trylock(&k->c->change_lock) != 0)
		return;
	save_copy(k);
	pthread_mutex_unlock(&k->c->change_lock);
}

static void refresh_peers(struct keeper *k)
{
	struct err err = { 0 };

	if (peers_refresh(k->c->peers, k->c->replica, &err) < 0)
		log_err(LOG_WARN, "list of members", &err);
}

static void set_latency(struct identity *id, void *arg)
{
	id->latency_ms = (unsigned)*(uint64_t *)arg;
}

/* The latency is read from the identity when the node starts, before there is a replica. */
static void take_latency(struct keeper *k)
{
	struct cluster *c = k->c;
	struct err err = { 0 };
	struct identity id;
	uint64_t ms;

	if (!replica_revision(c->replica))
		return;
	ms = (uint64_t)setting_get(c->replica, "cluster.raft_latency_ms");
	cluster_self(c, &id);
	if (id.latency_ms != ms && cluster_edit_identity(c, set_latency, &ms, &err) < 0)
		log_err(LOG_WARN, "raft latency", &err);
}

static void run_roles(struct keeper *k)
{
	struct err err = { 0 };
	int r = 1;

	while (r > 0 && cluster_is_leader(k->c) && !cluster_stopping(k->c))
		r = roles_run(k->c, &err);
	if (r < 0 && cluster_is_leader(k->c))
		log_err(LOG_DEBUG, "database roles", &err);
}

static void tick(struct keeper *k, bool woken)
{
	int64_t now = clock_ms();

	if (now - k->reported >= REPORT_MS) {
		member_report(k->c);
		k->reported = now;
	}
	if (woken) {
		refresh_peers(k);
		take_latency(k);
	}
	renew_run(k->c, &k->renew_ms);
	rotate_run(k->c, &k->told);
	if (now - k->saved >= SAVE_MS) {
		save(k);
		k->saved = now;
	}
	calls_expire(k->c->calls);
	if (cluster_enabled(k->c))
		run_roles(k);
}

static bool wait_tick(struct keeper *k, bool *ret_woken)
{
	int64_t until = deadline_in(TICK_MS);
	bool go_on;

	pthread_mutex_lock(&k->lock);
	while (!k->woken && !k->stopping) {
		if (!cond_wait_until(&k->wake, &k->lock, until) && clock_ms() >= until)
			break;
	}
	*ret_woken = k->woken;
	k->woken = false;
	go_on = !k->stopping;
	pthread_mutex_unlock(&k->lock);
	return go_on;
}

static void *run(void *arg)
{
	struct keeper *k = arg;
	bool woken = true;

	/* The first report is not waited for. */
	k->reported = -REPORT_MS;
	k->saved = clock_ms() - SAVE_MS + FIRST_SAVE_MS;
	do {
		tick(k, woken);
	} while (wait_tick(k, &woken));
	save(k);
	return NULL;
}

struct keeper *keeper_new(struct cluster *c)
{
	struct keeper *k = xnew(struct keeper);

	k->c = c;
	pthread_mutex_init(&k->lock, NULL);
	cond_init(&k->wake);
	return k;
}

int keeper_start(struct keeper *k, struct err *err)
{
	if (thread_start(&k->thread, "keeper", run, k, err) < 0)
		return -1;
	k->started = true;
	return 0;
}

void keeper_stop(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_broadcast(&k->wake);
	pthread_mutex_unlock(&k->lock);
	if (k->started)
		pthread_join(k->thread, NULL);
	k->started = false;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	assert(!k->started);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->wake);
	free(k);
}

void keeper_wake(struct keeper *k)
{
	pthread_mutex_lock(&k->lock);
	k->woken = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
}
