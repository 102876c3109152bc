/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that CRIU can give back, and what processes share with others. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "migrate/plan.h"

#define KIN_MAX 6

static void sessions_whose_leader_is_gone_are_told_apart(void **state)
{
	static const struct {
		const char *what;
		struct {
			pid_t pid, parent, session;
		} v[KIN_MAX];
		pid_t lost; /* 0: none */
	} cases[] = {
		{ "all in init's", { { 1, 0, 1 }, { 2, 1, 1 }, { 3, 2, 1 } }, 0 },
		{ "leaders of their own", { { 1, 0, 1 }, { 2, 1, 2 }, { 3, 2, 3 } }, 0 },
		{ "a job of a shell", { { 1, 0, 1 }, { 2, 1, 2 }, { 3, 2, 2 } }, 0 },
		{ "a daemon that init took over", { { 1, 0, 1 }, { 3, 1, 2 }, { 4, 3, 2 } }, 0 },
		{ "one that another took over", { { 1, 0, 1 }, { 2, 1, 2 }, { 4, 2, 3 } }, 4 },
		{ "born before setsid", { { 1, 0, 1 }, { 2, 1, 2 }, { 3, 2, 3 }, { 4, 3, 2 } }, 0 },
		{ "from two sessions",
		  { { 1, 0, 1 }, { 2, 1, 2 }, { 3, 2, 3 }, { 4, 3, 4 }, { 5, 4, 2 }, { 6, 4, 3 } },
		  6 },
		{ "begun from outside", { { 1, 0, 1 }, { 2, 99, 98 } }, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct plan_kin v[KIN_MAX] = { 0 };
		size_t n = 0;

		for (; n < KIN_MAX && cases[i].v[n].pid; n++) {
			v[n].pid = cases[i].v[n].pid;
			v[n].parent = cases[i].v[n].parent;
			v[n].session = cases[i].v[n].session;
		}
		plan_sessions(v, n, 1);
		for (size_t k = 0; k < n; k++) {
			if (v[k].lost != (v[k].pid == cases[i].lost))
				fail_msg("%s: process %d", cases[i].what, (int)v[k].pid);
		}
	}
}

static int wait_for_end(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return arg != NULL;
}

static void look(pid_t pid, const char *word)
{
	const pid_t pids[] = { getpid(), pid };
	struct plan_tasks t = { .proc = "/proc", .pids = pids, .npids = 2, .init = getpid() };
	struct move_plan plan = { .kind = MOVE_LIVE };

	plan_related(&t, &plan);
	assert_int_equal(plan.kind, word ? MOVE_NEAR_LIVE : MOVE_LIVE);
	if (word)
		assert_non_null(strstr(plan.reasons[0].text, word));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Both have nothing any more, which is the same. */
static void those_that_have_ended_share_nothing(void **state)
{
	pid_t pids[3] = { getpid() };
	struct plan_tasks t = { .proc = "/proc", .pids = pids, .npids = 3, .init = getpid() };
	struct move_plan plan = { .kind = MOVE_LIVE };

	for (int i = 1; i < 3; i++) {
		siginfo_t info;

		pids[i] = fork();
		if (pids[i] == 0)
			_exit(0);
		assert_int_equal(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
	}
	plan_related(&t, &plan);
	assert_int_equal(plan.kind, MOVE_LIVE);
	for (int i = 1; i < 3; i++)
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
}

static void what_is_shared_is_named(void **state)
{
	static char stack[256 << 10];
	char *top = stack + sizeof(stack);

	look(clone(wait_for_end, top, SIGCHLD, NULL), NULL);
	look(clone(wait_for_end, top, SIGCHLD | CLONE_FILES, NULL), NULL);
	look(clone(wait_for_end, top, SIGCHLD | CLONE_FS, NULL), "shares its folders and umask");
	look(clone(wait_for_end, top, SIGCHLD | CLONE_VM, NULL), "shares its memory with process");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_whose_leader_is_gone_are_told_apart),
		cmocka_unit_test(what_is_shared_is_named),
		cmocka_unit_test(those_that_have_ended_share_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
