/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/duties.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/db/dqclient.h"
#include "cluster/db/dqnode.h"
#include "cluster/feed/hub.h"
#include "cluster/member/dbnode.h"
#include "cluster/member/roles.h"
#include "cluster/model/group.h"
#include "cluster/replica/settings.h"
#include "cluster/store/store.h"

#define MEMBERS_MAX 4096
#define NODE_CALL_MS 10000
#define ASSIGN_MS 60000 /* dqlite waits 50 s for a node to catch up */
#define HAND_OVER_MS 3000
#define ANSWER_MS 1500 /* of one that is counted on */

static const char *const role_names[] = {
	[RAFT_NONE] = "none",
	[RAFT_VOTER] = "voter",
	[RAFT_STANDBY] = "standby",
	[RAFT_SPARE] = "spare",
};

struct picture {
	struct cluster *c;
	struct dqclient *dq;
	struct dq_node nodes[DQ_NODES_MAX];
	size_t n_nodes;
	struct role_member *v;
	struct row *rows; /* beside v; key NULL for a node that is no member's */
	size_t n;
};

static enum raft_role role_of(enum dq_role r)
{
	return r == DQ_VOTER ? RAFT_VOTER : r == DQ_STANDBY ? RAFT_STANDBY : RAFT_SPARE;
}

static enum dq_role dq_role_of(enum raft_role r)
{
	return r == RAFT_VOTER ? DQ_VOTER : r == RAFT_STANDBY ? DQ_STANDBY : DQ_SPARE;
}

/* --- looking ---------------------------------------------------------------------------------- */

static const struct dq_node *node_of(const struct picture *p, const char *uuid)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (str_eq(p->nodes[i].address, uuid))
			return &p->nodes[i];
	}
	return NULL;
}

static bool runs_node(struct cluster *c, const char *name)
{
	_json_ json_t *fact = store_fact_get(c->store, FACT_MEMBER, name, NULL);

	return json_bool(fact, "raft", false);
}

static void add_member(struct picture *p, struct row *own_row)
{
	struct role_member *m = &p->v[p->n];
	const struct dq_node *node = node_of(p, json_str(own_row->doc, "uuid", ""));

	assert(own_row->key);
	p->rows[p->n++] = *own_row;
	*m = (struct role_member){ .name = own_row->key,
				   .domain = member_domain(own_row->doc),
				   .leaving = json_bool(own_row->doc, "removing", false) };
	m->leader = str_eq(m->name, cluster_member_name(p->c));
	m->absent_ms = m->leader ? 0 : hub_absent_ms(p->c->hub, m->name);
	m->online = m->absent_ms == 0;
	if (node) {
		m->raft_id = node->id;
		m->role = role_of(node->role);
	}
	m->stray = !node && !m->leader && runs_node(p->c, m->name);
	*own_row = (struct row){ 0 };
}

/* Nodes that belong to no member: left behind by a removal that was cut off. */
static void add_orphans(struct picture *p, size_t members)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct dq_node *node = &p->nodes[i];
		bool owned = false;

		for (size_t k = 0; k < members && !owned; k++)
			owned = p->v[k].raft_id == node->id;
		if (owned)
			continue;
		p->v[p->n++] = (struct role_member){ .name = node->address,
						     .domain = "",
						     .raft_id = node->id,
						     .leaving = true,
						     .role = role_of(node->role),
						     .absent_ms = INT64_MAX };
	}
}

static int look(struct picture *p, struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (dq_nodes(p->dq, p->nodes, &p->n_nodes, err) < 0 ||
	    store_list(p->c->store, ENT_MEMBER, NULL, &rows, err) < 0)
		return -1;
	p->v = xcalloc(rows.n + p->n_nodes + 1, sizeof(*p->v));
	p->rows = xcalloc(rows.n + p->n_nodes + 1, sizeof(*p->rows));
	for (size_t i = 0; i < rows.n; i++)
		add_member(p, &rows.v[i]);
	add_orphans(p, p->n);
	return 0;
}

static void picture_free(struct picture *p)
{
	for (size_t i = 0; i < p->n; i++)
		row_free(&p->rows[i]);
	free(p->rows);
	free(p->v);
	dq_free(p->dq);
}

/* --- the rows show what is -------------------------------------------------------------------- */

static bool row_differs(const struct row *row, const struct role_member *m)
{
	return !str_eq(json_str(row->doc, "role", ""), role_names[m->role]) ||
	       json_int(row->doc, "raft_id", 0) != (int64_t)m->raft_id;
}

static int record_roles(struct picture *p, struct err *err)
{
	_tx_ struct tx *t = tx_new();
	bool any = false;

	for (size_t i = 0; i < p->n; i++) {
		struct row *row = &p->rows[i];

		if (!row->key || !row_differs(row, &p->v[i]))
			continue;
		json_put_str(row->doc, "role", role_names[p->v[i].role]);
		json_put_int(row->doc, "raft_id", (int64_t)p->v[i].raft_id);
		tx_put(t, ENT_MEMBER, row->key, row->rev, row->doc);
		any = true;
	}
	return any ? store_commit(p->c->store, t, 0, NULL, err) : 0;
}

/* --- steps ------------------------------------------------------------------------------------ */

static int call_node(struct cluster *c, const struct row *row, const char *action, uint64_t id,
		     struct err *err)
{
	char text[24];
	_json_ json_t *body = NULL, *answer = NULL;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	body = json_pack("{s:s,s:s}", "action", action, "id", text);
	answer = cluster_call(c, json_str(row->doc, "address", ""), "POST", "/internal/raft", body,
			      deadline_in(NODE_CALL_MS), err);
	return answer ? 0 : -1;
}

static int start_node(struct picture *p, size_t i, struct err *err)
{
	uint64_t id = rng_u64() >> 1;

	if (call_node(p->c, &p->rows[i], "start", id, err) < 0)
		return -1;
	return dq_add(p->dq, id, json_str(p->rows[i].doc, "uuid", ""), err);
}

static int remove_node(struct picture *p, size_t i, struct err *err)
{
	struct err ignored = { 0 };

	if (dq_remove(p->dq, p->v[i].raft_id, err) < 0)
		return -1;
	/* One that cannot be told now runs a stray node, which is stopped when it is back. */
	if (p->rows[i].key && p->v[i].online)
		call_node(p->c, &p->rows[i], "stop", p->v[i].raft_id, &ignored);
	return 0;
}

static int take(struct picture *p, const struct role_step *s, struct err *err)
{
	static const char *const words[] = {
		[ROLE_START] = "start",       [ROLE_ASSIGN] = "assign", [ROLE_REMOVE] = "remove",
		[ROLE_TRANSFER] = "transfer", [ROLE_STOP] = "stop",
	};
	const struct role_member *m = &p->v[s->member];

	assert(s->member < p->n);
	log_info("database role", "member", m->name, "step", words[s->action], "role",
		 role_names[s->role]);
	dq_timeout(p->dq, ASSIGN_MS);
	switch (s->action) {
	case ROLE_START:
		return start_node(p, s->member, err);
	case ROLE_ASSIGN:
		return dq_assign(p->dq, m->raft_id, dq_role_of(s->role), err);
	case ROLE_REMOVE:
		return remove_node(p, s->member, err);
	case ROLE_TRANSFER:
		return dq_transfer(p->dq, m->raft_id, err);
	case ROLE_STOP:
		return call_node(p->c, &p->rows[s->member], "stop", 0, err);
	case ROLE_SETTLED:
		break;
	}
	return 0;
}

static struct dqclient *connect_node(struct cluster *c, struct err *err)
{
	struct dqnode *n = cluster_node(c);
	struct dqclient *dq = NULL;

	if (n)
		dq = dq_connect(dqnode_socket(n), NODE_CALL_MS, err);
	else
		err_set(err, ERR_UNAVAILABLE, "no database node runs here");
	dqnode_unref(n);
	return dq;
}

/* Others decide afterwards: one voter less, or one more. */
static bool moves_majority(const struct picture *p, const struct role_step *s)
{
	if (s->action != ROLE_REMOVE && s->action != ROLE_ASSIGN)
		return false;
	return p->v[s->member].role == RAFT_VOTER || s->role == RAFT_VOTER;
}

static bool answers(struct cluster *c, const struct row *row)
{
	_json_ json_t *answer = NULL;
	struct err err;

	answer = cluster_call(c, json_str(row->doc, "address", ""), "GET", "/internal/leader", NULL,
			      deadline_in(ANSWER_MS), &err);
	return answer || (err.kind != ERR_TIMEOUT && err.kind != ERR_UNAVAILABLE);
}

/* A host that has lost its power looks alive until it is missed. False when one does. */
static bool voters_answer(struct picture *p, const struct role_step *s)
{
	bool all = true;

	for (size_t i = 0; i < p->n; i++) {
		struct role_member *m = &p->v[i];
		bool counts = m->role == RAFT_VOTER || (i == s->member && s->role == RAFT_VOTER);

		if (m->leader || !m->online || !counts || !p->rows[i].key ||
		    answers(p->c, &p->rows[i]))
			continue;
		m->online = all = false;
		m->absent_ms = 1;
	}
	return all;
}

static int run_step(struct picture *p, struct err *err)
{
	struct role_limits l = {
		.voters = (size_t)setting_get(p->c->replica, "cluster.max_voters"),
		.standbys = (size_t)setting_get(p->c->replica, "cluster.max_standby"),
		.absent_ms = cluster_offline_ms(p->c),
	};
	struct role_step s;

	if (look(p, err) < 0 || record_roles(p, err) < 0)
		return -1;
	do {
		s = roles_next(p->v, p->n, &l);
	} while (moves_majority(p, &s) && !voters_answer(p, &s));
	if (s.action == ROLE_SETTLED)
		return 0;
	if (take(p, &s, err) < 0)
		return -1;
	return roles_shown_at_once(s.action);
}

int roles_run(struct cluster *c, struct err *err)
{
	struct picture p = { .c = c };
	int rc;

	p.dq = connect_node(c, err);
	if (!p.dq)
		return -1;
	rc = run_step(&p, err);
	picture_free(&p);
	return rc;
}

/* --- handing over ----------------------------------------------------------------------------- */

static void transfer_to_first(struct picture *p)
{
	struct err err = { 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (m->leader || !m->online || m->role != RAFT_VOTER)
			continue;
		dq_timeout(p->dq, HAND_OVER_MS);
		if (dq_transfer(p->dq, m->raft_id, &err) == 0)
			return;
		log_err(LOG_WARN, "hand leadership over", &err);
	}
}

void roles_hand_over(struct cluster *c)
{
	struct picture p = { .c = c };
	struct err err = { 0 };

	p.dq = connect_node(c, &err);
	if (p.dq && look(&p, &err) == 0)
		transfer_to_first(&p);
	picture_free(&p);
}
