/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/roles.h"

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
static bool fit(const struct plan *p, const struct role_member *m, enum raft_role role)
{
	if (m->leaving)
		return false;
	return m->role == role || m->role == RAFT_VOTER ? there(p, m) : m->online || m->leader;
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

		if (p->wish[i] == RAFT_NONE && fit(p, m, role) &&
		    (!best || better(p, m, best, role)))
			best = m;
	}
	if (best)
		p->wish[best - p->v] = role;
	return best != NULL;
}

static bool live(const struct role_member *m)
{
	return m->leader || m->online;
}

/* Whether one more voter that is not there leaves a majority that is. */
static bool bears_lost(const struct plan *p)
{
	size_t voters = 1, there_now = 0;

	for (size_t i = 0; i < p->n; i++) {
		voters += p->wish[i] == RAFT_VOTER;
		there_now += p->wish[i] == RAFT_VOTER && live(&p->v[i]);
	}
	return 2 * there_now > voters;
}

/* With nobody to replace it a lost one stays: it may come back. */
static bool keep_lost(struct plan *p, enum raft_role role)
{
	if (role == RAFT_VOTER && !bears_lost(p))
		return false;
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

/* Whether the voters that are there decide once this member has the role. */
static bool keeps_majority(const struct plan *p, size_t member, enum raft_role role)
{
	size_t voters = 0, there_now = 0;

	for (size_t i = 0; i < p->n; i++) {
		if ((i == member ? role : p->v[i].role) != RAFT_VOTER)
			continue;
		voters++;
		there_now += live(&p->v[i]);
	}
	return 2 * there_now > voters;
}

/* Every change of the configuration comes from here. */
static bool change(const struct plan *p, size_t i, enum raft_role role, struct role_step *ret)
{
	const struct role_member *m = &p->v[i];

	if (!keeps_majority(p, i, role))
		return false;
	ret->action = role == RAFT_NONE ? ROLE_REMOVE : m->raft_id ? ROLE_ASSIGN : ROLE_START;
	ret->member = i;
	ret->role = role;
	return true;
}

static bool step_to(struct plan *p, enum raft_role role, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (p->wish[i] != role || m->role == role || !live(m))
			continue;
		/* A voter becomes a standby only when demoted, once its successors are there. */
		if (role == RAFT_STANDBY && m->role == RAFT_VOTER)
			continue;
		if (change(p, i, role, ret))
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

/* Who steps down first: the absent only count against the majority, those that leave are no use for
 * long, and the leader needs a successor. */
enum turn { TURN_ABSENT, TURN_LEAVING, TURN_SURPLUS, TURN_LEADER, TURNS };

static enum turn turn_of(const struct role_member *m)
{
	if (m->leader)
		return TURN_LEADER;
	if (!m->online)
		return TURN_ABSENT;
	return m->leaving ? TURN_LEAVING : TURN_SURPLUS;
}

static bool step_down_in(struct plan *p, enum turn turn, struct role_step *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct role_member *m = &p->v[i];

		if (m->role == RAFT_NONE || m->role == p->wish[i] || p->wish[i] == RAFT_VOTER ||
		    turn_of(m) != turn)
			continue;
		if (m->leader ? hand_over(p, ret) : change(p, i, p->wish[i], ret))
			return true;
	}
	return false;
}

static bool step_down(struct plan *p, struct role_step *ret)
{
	bool found = false;

	for (int turn = 0; turn < TURNS && !found; turn++)
		found = step_down_in(p, (enum turn)turn, ret);
	return found;
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

bool roles_shown_at_once(enum role_action a)
{
	return a == ROLE_START || a == ROLE_ASSIGN || a == ROLE_REMOVE;
}
