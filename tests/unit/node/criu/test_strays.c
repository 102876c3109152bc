/* SPDX-License-Identifier: Apache-2.0 */
/* A shell that is called like CRIU, with a fork that holds its pipe and waits for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/strays.h"
#include "tests/unit/base/patience.h"

#define SCRIPT "(read x <\"$3/never\") & echo ready; "

struct world {
	char dir[40];
	pid_t pid;
	int out; /* what it and its forks say */
};

static void begin(struct world *w, const char *verb, const char *rest)
{
	_free_ char *script = xasprintf("%s%s", SCRIPT, rest);
	char word[6];
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	w->pid = fork();
	if (w->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		setpgid(0, 0);
		execl("/bin/sh", "sh", "-c", script, "criu", verb, "-D", w->dir, NULL);
		_exit(1);
	}
	close(fds[1]);
	w->out = fds[0];
	assert_int_equal(read(w->out, word, sizeof(word)), sizeof(word));
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	_free_ char *never = NULL;

	str_copy(w->dir, sizeof(w->dir), "/tmp/test-strays-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	never = xasprintf("%s/never", w->dir);
	assert_int_equal(mkfifo(never, 0600), 0);
	w->out = -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	kill(-w->pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(w->out);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

/* Nobody has the pipe any more. */
static bool all_ended(const struct world *w, int ms)
{
	struct pollfd pf = { .fd = w->out, .events = POLLIN };

	return poll(&pf, 1, ms) > 0 && pf.revents & POLLHUP;
}

static void a_fork_of_a_killed_one_is_killed(void **state)
{
	struct world *w = *state;
	struct strays *s = strays_begin(w->dir);

	begin(w, "dump", "wait");
	kill(w->pid, SIGKILL);
	assert_true(all_ended(w, PATIENCE_MS));
	strays_end(s);
}

/* A fork of a fork is the helper's when that has ended. */
static void forks_of_forks_are_killed(void **state)
{
	struct world *w = *state;
	struct strays *s = strays_begin(w->dir);

	begin(w, "dump", "((read x <\"$3/never\") & wait) & wait");
	kill(w->pid, SIGKILL);
	assert_true(all_ended(w, PATIENCE_MS));
	strays_end(s);
}

static void nothing_is_killed_while_it_runs(void **state)
{
	struct world *w = *state;
	struct strays *s = strays_begin(w->dir);

	begin(w, "dump", "wait");
	strays_end(s);
	assert_false(all_ended(w, 0));
	assert_int_equal(waitpid(w->pid, NULL, WNOHANG), 0);
}

static void others_are_left_alone(void **state)
{
	struct world *w = *state;
	_free_ char *other = xasprintf("%s/other", w->dir);
	struct strays *s;

	s = strays_begin(other);
	begin(w, "dump", "wait");
	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, NULL, 0), w->pid);
	strays_end(s);
	assert_false(all_ended(w, 0));
	strays_end(NULL);
}

/* What CRIU has called is no fork of it. */
static void programs_are_left_alone(void **state)
{
	struct world *w = *state;
	int subreaper = 0;
	struct strays *s = strays_begin(w->dir);

	begin(w, "restore", "wait");
	kill(w->pid, SIGKILL);
	assert_int_equal(waitpid(w->pid, NULL, 0), w->pid);
	assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &subreaper), 0);
	assert_int_equal(subreaper, 1);
	strays_end(s);
	assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &subreaper), 0);
	assert_int_equal(subreaper, 0);
	assert_false(all_ended(w, 0));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_fork_of_a_killed_one_is_killed), T(forks_of_forks_are_killed),
		T(nothing_is_killed_while_it_runs),  T(others_are_left_alone),
		T(programs_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
