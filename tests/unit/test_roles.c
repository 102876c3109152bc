/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/roles.h"

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
}

/* From any start, with everybody there, it settles, and never leaves fewer voters than half. */
static void test_settles(void **state)
{
	static const char *const texts[] = { "- +", "p +", "s +", "v +" };

	for (int seed = 0; seed < 4 * 4 * 4 * 4; seed++) {
		struct role_member v[5];
		struct role_step s;
		int steps = 0, bits = seed, voters = 0;

		v[0] = member("a l +");
		for (int i = 1; i < 5; i++, bits /= 4) {
			_free_ char *text = xasprintf("%c %s", 'a' + i, texts[bits % 4]);

			v[i] = member(text);
			v[i].domain = "d";
		}
		while ((s = roles_next(v, 5, &limits)).action != ROLE_SETTLED) {
			assert_true(++steps < 20);
			v[s.member].raft_id = s.action == ROLE_REMOVE ? 0 : 1;
			v[s.member].role = s.action == ROLE_START ? RAFT_SPARE : s.role;
		}
		for (int i = 0; i < 5; i++)
			voters += v[i].role == RAFT_VOTER;
		assert_int_equal(voters, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_stray),
		cmocka_unit_test(test_settles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
