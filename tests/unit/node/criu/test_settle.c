/* SPDX-License-Identifier: Apache-2.0 */
/* What a CRIU that dies leaves of a container, put in order: on a process in a cgroup of the test's
 * own. */
#include "tests/unit/node/criu/join.h"

#include <stdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/criu/criu.h"
#include "node/node_int.h"
#include "tests/unit/base/patience.h"

#define NAME "c1"

struct world {
	struct node n;
	char cgroup[40];
	pid_t task;
};

static void enter(struct world *w, pid_t pid)
{
	join_cgroup(w->cgroup, NAME, pid);
}

static pid_t task(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	char hex[16];

	snprintf(w->cgroup, sizeof(w->cgroup), "dunlin-test-%s", rng_hex(hex, 4));
	w->n.cgroup_name = w->cgroup;
	w->task = task();
	enter(w, w->task);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kill(w->task, SIGKILL);
	waitpid(w->task, NULL, 0);
	cgroup_remove(w->cgroup, NAME);
	cgroup_remove(w->cgroup, "");
	free(w);
	return 0;
}

static void a_tracer_is_noticed_and_waited_for(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	int64_t began = clock_ms();

	assert_false(criu_holds(&w->n, NAME));
	assert_int_equal(criu_await(&w->n, NAME, PATIENCE, &err), 0);
	assert_int_equal(ptrace(PTRACE_SEIZE, w->task, 0, 0), 0);
	assert_true(criu_holds(&w->n, NAME));
	assert_false(criu_holds(&w->n, "c2"));
	assert_int_equal(criu_await(&w->n, NAME, deadline_in(50), &err), -1);
	assert_true(clock_ms() >= began + 50);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, NAME));
	assert_int_equal(ptrace(PTRACE_INTERRUPT, w->task, 0, 0), 0);
	assert_int_equal(waitpid(w->task, NULL, __WALL), w->task);
	assert_int_equal(ptrace(PTRACE_DETACH, w->task, 0, 0), 0);
	assert_int_equal(criu_await(&w->n, NAME, PATIENCE, &err), 0);
	assert_false(criu_holds(&w->n, NAME));
}

static bool is_gone(pid_t pid)
{
	int status = 0;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

struct reaper {
	pid_t pid;
	bool gone;
};

/* Who waits for an empty cgroup does not reap. */
static void *reap_main(void *arg)
{
	struct reaper *r = arg;

	r->gone = is_gone(r->pid);
	return NULL;
}

static void what_runs_is_killed_frozen_or_not(void **state)
{
	struct world *w = *state;

	for (int frozen = 0; frozen < 2; frozen++) {
		struct reaper r = { .pid = w->task };
		struct err err = { 0 };
		pthread_t thread;

		if (frozen)
			assert_int_equal(cgroup_freeze(w->cgroup, NAME, true, PATIENCE, &err), 0);
		assert_int_equal(pthread_create(&thread, NULL, reap_main, &r), 0);
		if (criu_kill_payload(&w->n, NAME, PATIENCE, &err) < 0)
			fail_msg("%s", err.msg);
		pthread_join(thread, NULL);
		assert_true(r.gone);
		assert_false(cgroup_is_frozen(w->cgroup, NAME));
		w->task = task();
		enter(w, w->task);
	}
}

/* In the cgroups of nobody yet: found by what it was called with. */
static pid_t restorer(const char *verb, const char *option, const char *root)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "criu", verb, option, root, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static void await_command(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/cmdline", pid);

	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 2)) {
		struct err err;
		_free_ char *line = io_read_file(path, 1000, NULL, &err);

		if (str_eq(line, "criu"))
			return;
	}
	fail_msg("process %d did not start", pid);
}

static void a_restorer_without_a_parent_is_found(void **state)
{
	struct world *w = *state;
	_free_ char *own = xasprintf("memory:/%s/" NAME "/payload", w->cgroup);
	_free_ char *other = xasprintf("memory:/%s/c2/payload", w->cgroup);
	const struct {
		const char *verb, *option, *root;
		bool killed;
	} cases[] = {
		{ "restore", "--cgroup-root", own, true },
		{ "restore", "--cgroup-root", other, false },
		{ "dump", "--cgroup-root", own, false },
		{ "restore", "--root", own, false },
	};
	struct err err = { 0 };

	kill(w->task, SIGKILL);
	assert_true(is_gone(w->task));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct reaper r = { .pid = restorer(cases[i].verb, cases[i].option,
						    cases[i].root) };
		pthread_t thread;

		await_command(r.pid);
		assert_int_equal(pthread_create(&thread, NULL, reap_main, &r), 0);
		if (criu_kill_tree(&w->n, NAME, PATIENCE, &err) < 0)
			fail_msg("%s", err.msg);
		/* The others end by another signal. */
		kill(r.pid, SIGTERM);
		pthread_join(thread, NULL);
		if (r.gone != cases[i].killed)
			fail_msg("%s %s %s", cases[i].verb, cases[i].option, cases[i].root);
	}
	w->task = task();
}

/* Reading from a socket in repair mode fails: those of the container, and no others, leave it. */
static void sockets_leave_the_repair_mode(void **state)
{
	struct world *w = *state;
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), mode = -1;
	socklen_t len = sizeof(mode);
	pid_t holder;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		fail_msg("no repair mode: %m");
	holder = task(); /* it has the socket, too */
	criu_mend(w->cgroup, NAME);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &mode, &len), 0);
	assert_int_equal(mode, 1);
	enter(w, holder);
	criu_mend(w->cgroup, NAME);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &mode, &len), 0);
	assert_int_equal(mode, 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &mode, &len), 0);
	assert_int_equal(mode, 1);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tracer_is_noticed_and_waited_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_runs_is_killed_frozen_or_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_restorer_without_a_parent_is_found, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sockets_leave_the_repair_mode, setup, teardown),
	};

	/* restorer() */
	while (str_eq(argv[0], "criu"))
		pause();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
