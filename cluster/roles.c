/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/roles.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

struct plan {
	const struct role_member *v;
	size_t n;
	const struct role_limits *l;
	enum raft_role *wish;
};

static bool there(const struct plan *p, const struct role_member *m)
{
	return m->leader || m->online || m->absent_ms <= p->l->absent_ms;
}

/* May it hold this role: newcomers must be connected, holders only not absent for long. */
static bool fit(const struct plan *p, const struct role_member *m)
{
	if (m->leaving)
		return false;
	return m->role == RAFT_NONE || m->role == RAFT_SPARE ? m->online || m->leader : there(p, m);
}

/* Members of this one's failure domain that are wished for the same role. */
static size_t neighbours(const struct plan *p, const struct role_member *m, enum raft_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->wish[i] == role && str_eq(p->v[i].domain, m->domain);
	return n;
}

static int rank(enum raft_role role)
{
	static const int ranks[] = {
		[RAFT_VOTER] = 0, [RAFT_STANDBY] = 1, [RAFT_SPARE] = 2, [RAFT_NONE] = 3
	};

	return ranks[role];
}

/* Whether a suits the role better than b. */
static bool better(const struct plan *p, const struct role_member *a, const struct role_member *b,
		   enum raft_role role)
{
	size_t na = neighbours(p, a, role), nb = neighbours(p, b, role);

	if (a->leader != b->leader)
		return a->leader;
	if (na != nb)
		return na < nb;
	if (rank(a->role) != rank(b->role))
		return rank(a->role) < rank(b->role);
	if (a->online != b->online)
		return a->online;
	return strcmp(a->name, b->name) < 0;
}

static bool choose(struct plan *p, enum raft_role role)
{
	const struct role_member *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (p->wish[i] == RAFT_NONE && fit(p, m) && (!best || better(p, m, best, role)))
			best = m;
	}
	if (best)
		p->wish[best - p->v] = role;
	return best != NULL;
}

/* With nobody to replace it a lost voter stays: it may come back. */
static bool keep_lost(struct plan *p, enum raft_role role)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->wish[i] == RAFT_NONE && p->v[i].role == role && !p->v[i].leaving) {
			p->wish[i] = role;
			return true;
		}
	}
	return false;
}

static void fill(struct plan *p, enum raft_role role, size_t want)
{
	size_t got = 0;

	while (got < want && choose(p, role))
		got++;
	while (got < want && keep_lost(p, role))
		got++;
}

static void make_wishes(struct plan *p)
{
	size_t members = 0, voters;

	for (size_t i = 0; i < p->n; i++)
		members += !p->v[i].leaving;
	voters = members < 3 ? 1 : p->l->voters;
	fill(p, RAFT_VOTER, voters);
	fill(p, RAFT_STANDBY, p->l->standbys);
}

static bool step_to(struct plan *p, enum raft_role role, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (p->wish[i] != role || m->role == role || (!m->online && !m->leader))
			continue;
		/* A voter becomes a standby only when demoted, once its successors are there. */
		if (role == RAFT_STANDBY && m->role == RAFT_VOTER)
			continue;
		*ret = (struct role_step){ m->raft_id ? ROLE_ASSIGN : ROLE_START, i, role };
		return true;
	}
	return false;
}

/* The leader that may not stay passes on to another voter first. */
static bool hand_over(const struct plan *p, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (!m->leader && m->online && m->role == RAFT_VOTER && p->wish[i] == RAFT_VOTER) {
			*ret = (struct role_step){ ROLE_TRANSFER, i, RAFT_VOTER };
			return true;
		}
	}
	return false;
}

static bool step_down(struct plan *p, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (m->role == RAFT_NONE || m->role == p->wish[i] || p->wish[i] == RAFT_VOTER)
			continue;
		if (m->leader)
			return hand_over(p, ret);
		if (p->wish[i] == RAFT_STANDBY)
			*ret = (struct role_step){ ROLE_ASSIGN, i, RAFT_STANDBY };
		else
			*ret = (struct role_step){ ROLE_REMOVE, i, RAFT_NONE };
		return true;
	}
	return false;
}

static bool step_stray(struct plan *p, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		if (!p->v[i].stray || p->v[i].raft_id || !p->v[i].online)
			continue;
		*ret = (struct role_step){ ROLE_STOP, i, RAFT_NONE };
		return true;
	}
	return false;
}

struct role_step roles_next(const struct role_member *v, size_t n, const struct role_limits *l)
{
	struct role_step step = { ROLE_SETTLED, 0, RAFT_NONE };
	struct plan p = { v, n, l, xcalloc(n + 1, sizeof(*p.wish)) };

	make_wishes(&p);
	if (!step_to(&p, RAFT_VOTER, &step) && !step_down(&p, &step) &&
	    !step_to(&p, RAFT_STANDBY, &step))
		step_stray(&p, &step);
	free(p.wish);
	return step;
}
