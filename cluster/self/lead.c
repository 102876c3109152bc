/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/self/state.h"

#define ELECTION_LATENCIES 15 /* dqlite's election timeout */

static void note_leader(struct cluster *c, const char *name, const char *address)
{
	if (str_eq(c->leader_name, name) && str_eq(c->leader_address, address))
		return;
	str_copy(c->leader_name, sizeof(c->leader_name), name);
	str_copy(c->leader_address, sizeof(c->leader_address), address);
	pthread_cond_broadcast(&c->changed);
	if (*address)
		c->hooks->leader_known(c);
}

void cluster_set_leader(struct cluster *c, const char *name, const char *address)
{
	pthread_mutex_lock(&c->lock);
	if (!c->leading)
		note_leader(c, name, address);
	pthread_mutex_unlock(&c->lock);
}

void cluster_expect_leader(struct cluster *c, const char *fingerprint)
{
	pthread_mutex_lock(&c->lock);
	str_copy(c->leader_fingerprint, sizeof(c->leader_fingerprint), fingerprint);
	pthread_mutex_unlock(&c->lock);
}

void cluster_forget_leader(struct cluster *c, const char *address)
{
	pthread_mutex_lock(&c->lock);
	if (!c->leading && str_eq(c->leader_address, address))
		note_leader(c, "", "");
	pthread_mutex_unlock(&c->lock);
}

void cluster_set_leading(struct cluster *c, bool on)
{
	pthread_mutex_lock(&c->lock);
	/* A leader steps down when it has heard no majority for an election timeout. */
	if (c->leading && !on)
		c->heard_ms = clock_ms() - (int64_t)c->id.latency_ms * ELECTION_LATENCIES;
	c->leading = on;
	c->loaded |= on;
	note_leader(c, on ? c->id.name : "", on ? c->id.address : "");
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	if (on)
		c->hooks->duties_due(c);
}

void cluster_set_contact(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	c->contact = true;
	c->loaded = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	c->hooks->duties_due(c);
}

void cluster_lose_contact(struct cluster *c, int64_t heard_ms)
{
	pthread_mutex_lock(&c->lock);
	c->contact = false;
	if (heard_ms)
		c->heard_ms = heard_ms;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

#define WAIT_LEADER_MS 25

bool cluster_wait_leader(struct cluster *c, int64_t deadline)
{
	int64_t until = deadline_in(WAIT_LEADER_MS);

	if (deadline && deadline < until)
		until = deadline;
	pthread_mutex_lock(&c->lock);
	if (!c->stopping)
		cond_wait_until(&c->changed, &c->lock, until);
	pthread_mutex_unlock(&c->lock);
	return !deadline || clock_ms() < deadline;
}

static bool flag(struct cluster *c, const bool *field)
{
	bool v;

	pthread_mutex_lock(&c->lock);
	v = *field;
	pthread_mutex_unlock(&c->lock);
	return v;
}

bool cluster_stopping(struct cluster *c)
{
	return flag(c, &c->stopping);
}

bool cluster_is_leader(struct cluster *c)
{
	return flag(c, &c->leading);
}

bool cluster_is_island(struct cluster *c)
{
	return !flag(c, &c->leading) && !flag(c, &c->contact);
}

/* Under the lock. */
static bool starting(const struct cluster *c)
{
	return c->id.enabled && !c->id.removed && !c->loaded && !c->stopping &&
	       (clock_ms() < c->start_until || replica_revision(c->replica) == 0);
}

bool cluster_is_starting(struct cluster *c)
{
	bool v;

	pthread_mutex_lock(&c->lock);
	v = starting(c);
	pthread_mutex_unlock(&c->lock);
	return v;
}

int cluster_await_started(struct cluster *c, struct err *err)
{
	bool over;

	pthread_mutex_lock(&c->lock);
	while (!(over = !starting(c)) && clock_ms() < c->start_until)
		cond_wait_until(&c->changed, &c->lock, c->start_until);
	pthread_mutex_unlock(&c->lock);
	if (over)
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
		       "member \"%s\" has just started, has no copy of the database and hears no "
		       "leader; start the other members, or ask again",
		       cluster_member_name(c));
}

bool cluster_leader_address(struct cluster *c, char *buf, size_t size)
{
	bool known;

	pthread_mutex_lock(&c->lock);
	known = *c->leader_address && str_copy(buf, size, c->leader_address);
	pthread_mutex_unlock(&c->lock);
	return known;
}
