/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/cluster/still_world.h - a member without threads, files or a database: nothing
 * leads, follows or reports, and what it knows is what the test says. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/self/state.h"

/* What the rooms above were told. */
struct told {
	int leader_known, duties_due;
};

struct still_world {
	struct cluster c;
	struct cluster_hooks hooks;
	struct told told;
};

static inline void still_leader_known(struct cluster *c)
{
	container_of(c, struct still_world, c)->told.leader_known++;
}

static inline void still_duties_due(struct cluster *c)
{
	container_of(c, struct still_world, c)->told.duties_due++;
}

/* The member "m1" of a cluster. */
static inline void still_open(struct still_world *w)
{
	struct cluster *c = &w->c;
	struct err err = { 0 };

	*w = (struct still_world){ .hooks = { .leader_known = still_leader_known,
					      .duties_due = still_duties_due } };
	pthread_mutex_init(&c->lock, NULL);
	cond_init(&c->changed);
	c->hooks = &w->hooks;
	c->notifier = notifier_new();
	c->replica = replica_new(c->notifier, &err);
	assert_non_null(c->replica);
	c->id.enabled = true;
	str_copy(c->id.name, sizeof(c->id.name), "m1");
	str_copy(c->id.address, sizeof(c->id.address), "10.0.0.1:1");
	c->creds.cluster_cert = xstrdup("");
	cluster_show_identity(c);
}

static inline void still_close(struct still_world *w)
{
	struct cluster *c = &w->c;

	replica_free(c->replica);
	notifier_free(c->notifier);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c->name);
	free(c->address);
	free(c->cert);
	free(c->fingerprint);
	free(c->creds.cluster_cert);
}

/* A row as of this revision; text NULL: it goes. */
static inline void still_put(struct still_world *w, enum entity e, const char *key, int64_t rev,
			     const char *text)
{
	replica_apply(w->c.replica, &(struct change){ e, key, rev, text }, 1, rev);
}

/* What a leader says of a member, or said. */
static inline void still_fact(struct still_world *w, const char *member, const char *text)
{
	replica_fact_put(w->c.replica, FACT_MEMBER, member, member, text, false);
}

/* No leader was heard for so long; 0: one is heard. */
static inline void still_island(struct still_world *w, int64_t ms)
{
	w->c.contact = ms == 0;
	w->c.heard_ms = clock_ms() - ms;
}
