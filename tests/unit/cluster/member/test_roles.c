/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/member/roles.h"

static const struct role_limits limits = { 3, 2, 10000 };

/* One member in words: "name role where domain": role l (leading voter), v, s, p (spare), - (none);
 * where: + connected, . absent for a moment, ! absent for long, x leaving, y leaving and absent. */
static struct role_member member(const char *text)
{
	static char names[64][4];
	static int used;
	char *name = names[used++ % 64];
	struct role_member m = { .name = name, .domain = strlen(text) > 6 ? text + 6 : "d" };

	name[0] = text[0];
	name[1] = '\0';
	m.leader = text[2] == 'l';
	m.role = text[2] == 'l' || text[2] == 'v' ? RAFT_VOTER
		 : text[2] == 's'                 ? RAFT_STANDBY
		 : text[2] == 'p'                 ? RAFT_SPARE
						  : RAFT_NONE;
	m.raft_id = m.role == RAFT_NONE ? 0 : (uint64_t)text[0];
	m.absent_ms = text[4] == '.' ? 3000 : text[4] == '!' || text[4] == 'y' ? 60000 : 0;
	m.online = m.absent_ms == 0;
	m.leaving = text[4] == 'x' || text[4] == 'y';
	return m;
}

#define MAX 8
static const struct {
	const char *what;
	const char *members[MAX];
	const char *step; /* action, member, role */
} cases[] = {
	{ "alone", { "a l +" }, "settled" },
	{ "the second becomes a standby: start it", { "a l +", "b - +" }, "start b standby" },
	{ "then give it the role", { "a l +", "b p +" }, "assign b standby" },
	{ "two are settled so", { "a l +", "b s +" }, "settled" },
	{ "three make three voters", { "a l +", "b s +", "c - +" }, "assign b voter" },
	{ "one at a time", { "a l +", "b v +", "c - +" }, "start c voter" },
	{ "three are settled", { "a l +", "b v +", "c v +" }, "settled" },
	{ "the fourth is a standby", { "a l +", "b v +", "c v +", "d - +" }, "start d standby" },
	{ "the sixth gets nothing",
	  { "a l +", "b v +", "c v +", "d s +", "e s +", "f - +" },
	  "settled" },
	{ "short absence changes nothing", { "a l +", "b v .", "c v +", "d s +" }, "settled" },
	{ "a long one does: the standby takes over",
	  { "a l +", "b v !", "c v +", "d s +" },
	  "assign d voter" },
	{ "then the lost one goes", { "a l +", "b v !", "c v +", "d v +" }, "remove b none" },
	{ "and is a standby when it is back",
	  { "a l +", "b - +", "c v +", "d v +" },
	  "start b standby" },
	{ "nobody to replace it: it stays", { "a l +", "b v !", "c v +" }, "settled" },
	{ "an absent newcomer is not promoted", { "a l +", "b v +", "c - ." }, "settled" },
	{ "nor an absent spare", { "a l +", "b v +", "c p !" }, "remove c none" },
	{ "one that leaves is replaced first",
	  { "a l +", "b v x", "c v +", "d s +" },
	  "assign d voter" },
	{ "then removed", { "a l +", "b v x", "c v +", "d v +" }, "remove b none" },
	{ "also when it is dead", { "a l +", "b v y", "c v +", "d v +" }, "remove b none" },
	{ "two remain: one votes", { "a l +", "b v x", "c v +" }, "remove b none" },
	{ "and the other stands by", { "a l +", "c v +" }, "assign c standby" },
	{ "a leader that leaves is succeeded", { "a l x", "b s +" }, "assign b voter" },
	{ "hands over", { "a l x", "b v +" }, "transfer b voter" },
	{ "and is removed by the next", { "a v x", "b l +" }, "remove a none" },
	{ "a dead one of three goes first", { "a l +", "b v +", "c v y" }, "remove c none" },
	{ "whatever its name", { "a v y", "b v +", "c l +" }, "remove a none" },
	{ "then two remain: one votes", { "a l +", "b v +" }, "assign b standby" },
	{ "a live one leaves while another is dead: the dead one goes first",
	  { "a l +", "b v x", "c v !" },
	  "remove c none" },
	{ "also while it may come back", { "a l +", "b v x", "c v ." }, "assign c standby" },
	{ "two dead of five voters",
	  { "a v y", "b v +", "c l +", "d v +", "e v y" },
	  "remove a none" },
	{ "no step while a majority is not seen",
	  { "a l +", "b v .", "c v .", "d - +" },
	  "settled" },
	{ "voters spread over failure domains",
	  { "a l + x", "b v + x", "c v + y", "d s + z" },
	  "assign d voter" },
	{ "and then the surplus goes",
	  { "a l + x", "b v + x", "c v + y", "d v + z" },
	  "assign b standby" },
};

static const char *const actions[] = {
	[ROLE_SETTLED] = "settled", [ROLE_START] = "start",       [ROLE_ASSIGN] = "assign",
	[ROLE_REMOVE] = "remove",   [ROLE_TRANSFER] = "transfer", [ROLE_STOP] = "stop",
};
static const char *const roles[] = {
	[RAFT_NONE] = "none",
	[RAFT_VOTER] = "voter",
	[RAFT_STANDBY] = "standby",
	[RAFT_SPARE] = "spare",
};

static void test_steps(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct role_member v[MAX];
		struct role_step s;
		_free_ char *got = NULL;
		size_t n = 0;

		for (; n < MAX && cases[i].members[n]; n++)
			v[n] = member(cases[i].members[n]);
		s = roles_next(v, n, &limits);
		got = s.action == ROLE_SETTLED ? xstrdup("settled")
					       : xasprintf("%s %s %s", actions[s.action],
							   v[s.member].name, roles[s.role]);
		if (!str_eq(got, cases[i].step))
			print_error("%s: %s, not %s\n", cases[i].what, got, cases[i].step);
		assert_string_equal(got, cases[i].step);
	}
}

static void test_stray(void **state)
{
	struct role_member v[] = { member("a l +"), member("b s +"), member("c - x") };
	struct role_step s;

	v[2].stray = true;
	s = roles_next(v, 3, &limits);
	assert_int_equal(s.action, ROLE_STOP);
	assert_int_equal(s.member, 2);
	/* It stays a stray until it has reported: whoever looks again before stops it again. */
	assert_int_equal(roles_next(v, 3, &limits).action, ROLE_STOP);
	assert_false(roles_shown_at_once(ROLE_STOP));
	assert_false(roles_shown_at_once(ROLE_TRANSFER));
	assert_true(roles_shown_at_once(ROLE_ASSIGN));
}

/* --- every state ------------------------------------------------------------------------------ */

/* What one member can be; the whole state is one digit a member, in the order of their names, and
 * who of them leads. */
struct look {
	enum raft_role role;
	int64_t absent_ms;
	bool leaving;
};

struct space {
	struct role_limits limits;
	size_t n;      /* members */
	size_t n_role; /* of all_roles */
	const int64_t *absences;
	size_t n_absence;
	const char *domains; /* one letter a member */
};

#define HERE 0
#define MOMENT 3000
#define LONG 60000
#define STEPS_MAX 32

static const enum raft_role all_roles[] = { RAFT_NONE, RAFT_STANDBY, RAFT_VOTER, RAFT_SPARE };
static const int64_t all_absences[] = { HERE, MOMENT, LONG };
static const int64_t sure_absences[] = { HERE, LONG };
static const char *const names[MAX] = { "a", "b", "c", "d", "e", "f", "g", "h" };
static const char *const domains[] = { "x", "y" };

static size_t looks(const struct space *s)
{
	return s->n_role * s->n_absence * 2;
}

static void read_state(const struct space *s, size_t code, size_t leader, struct role_member *v)
{
	for (size_t i = 0; i < s->n; i++, code /= looks(s)) {
		size_t digit = code % looks(s);
		enum raft_role role = all_roles[digit / 2 % s->n_role];
		int64_t absent = s->absences[digit / 2 / s->n_role];

		v[i] = (struct role_member){ .name = names[i],
					     .domain = domains[s->domains[i] == 'y'],
					     .role = role,
					     .raft_id = role == RAFT_NONE ? 0 : i + 1,
					     .leader = i == leader,
					     .online = absent == HERE,
					     .absent_ms = absent,
					     .leaving = digit % 2 };
	}
}

struct count {
	size_t voters, live_voters, live_standbys, spares, lost_leaving, members, live;
};

static struct count count(const struct role_member *v, size_t n)
{
	struct count k = { 0 };

	for (size_t i = 0; i < n; i++) {
		k.voters += v[i].role == RAFT_VOTER;
		k.live_voters += v[i].role == RAFT_VOTER && v[i].online;
		k.live_standbys += v[i].role == RAFT_STANDBY && v[i].online;
		k.spares += v[i].role == RAFT_SPARE;
		k.lost_leaving += v[i].leaving && v[i].role != RAFT_NONE;
		k.members += !v[i].leaving;
		k.live += !v[i].leaving && v[i].online;
	}
	return k;
}

static void explain(const struct role_member *v, size_t n, const char *what)
{
	for (size_t i = 0; i < n; i++)
		print_error("%s%s %s%s%s ", v[i].name, v[i].leader ? "*" : "", roles[v[i].role],
			    v[i].online ? "" : " absent", v[i].leaving ? " leaving" : "");
	print_error(": %s\n", what);
}

static void apply(struct role_member *v, size_t n, const struct role_step *s)
{
	struct role_member *m = &v[s->member];

	if (s->action == ROLE_TRANSFER) {
		assert_true(m->online && m->role == RAFT_VOTER);
		for (size_t i = 0; i < n; i++)
			v[i].leader = &v[i] == m;
		return;
	}
	/* Nobody starts, is promoted or leads who cannot be reached. */
	assert_true(s->action == ROLE_REMOVE || m->online || s->role == RAFT_STANDBY);
	assert_false(s->action == ROLE_REMOVE && m->leader);
	m->raft_id = s->action == ROLE_REMOVE ? 0 : s->member + 1;
	m->role = s->action == ROLE_START ? RAFT_SPARE : s->role;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* With nobody about to come back, what is left is what was wanted. */
static bool wanted(const struct space *s, const struct count *k)
{
	size_t want = k->members < 3 ? 1 : s->limits.voters;
	size_t standbys = least(k->live - least(k->live, want), s->limits.standbys);

	return k->live == 0 ||
	       (k->live_voters == least(k->live, want) && k->voters <= want &&
		k->live_standbys == standbys && k->spares == 0 && k->lost_leaving == 0);
}

static void walk(const struct space *s, struct role_member *v, bool sure)
{
	struct role_step step;
	struct count k = count(v, s->n);
	size_t steps = 0;

	while ((step = roles_next(v, s->n, &s->limits)).action != ROLE_SETTLED) {
		apply(v, s->n, &step);
		k = count(v, s->n);
		if (2 * k.live_voters <= k.voters || ++steps > STEPS_MAX) {
			explain(v, s->n, steps > STEPS_MAX ? "no end" : "no majority is there");
			fail();
		}
	}
	if (sure && !wanted(s, &k)) {
		explain(v, s->n, "not what is wanted");
		fail();
	}
}

/* From every state in which a majority of the voters is there, whoever leads, whatever the order of
 * names: no step loses the majority, and the steps end. */
static void walk_all(const struct space *s)
{
	size_t codes = 1;

	for (size_t i = 0; i < s->n; i++)
		codes *= looks(s);
	for (size_t code = 0; code < codes; code++) {
		for (size_t leader = 0; leader < s->n; leader++) {
			struct role_member v[MAX];
			struct count k;

			read_state(s, code, leader, v);
			k = count(v, s->n);
			if (v[leader].role == RAFT_VOTER && v[leader].online &&
			    2 * k.live_voters > k.voters)
				walk(s, v, s->n_absence == ARRAY_SIZE(sure_absences));
		}
	}
}

static void test_every_state(void **state)
{
	static const struct space spaces[] = {
		{ { 3, 2, 10000 }, 1, 4, all_absences, 3, "x" },
		{ { 3, 2, 10000 }, 2, 4, all_absences, 3, "xx" },
		{ { 3, 2, 10000 }, 3, 4, all_absences, 3, "xxx" },
		{ { 3, 2, 10000 }, 3, 4, all_absences, 3, "xyx" },
		{ { 3, 1, 10000 }, 4, 3, all_absences, 3, "xxxx" },
		{ { 3, 1, 10000 }, 4, 3, all_absences, 3, "xyyx" },
		{ { 3, 2, 10000 }, 1, 4, sure_absences, 2, "x" },
		{ { 3, 2, 10000 }, 2, 4, sure_absences, 2, "xx" },
		{ { 3, 2, 10000 }, 3, 4, sure_absences, 2, "xxx" },
		{ { 3, 2, 10000 }, 4, 4, sure_absences, 2, "xxxx" },
		{ { 3, 1, 10000 }, 4, 4, sure_absences, 2, "xxyy" },
		{ { 3, 2, 10000 }, 5, 3, sure_absences, 2, "xxxxx" },
		{ { 5, 0, 10000 }, 5, 3, sure_absences, 2, "xyxyx" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++)
		walk_all(&spaces[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_every_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
