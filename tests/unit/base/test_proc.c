/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "tests/unit/base/patience.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGV("sh", "-c", script)

static void expect_output(const char *const *argv, const char *want)
{
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err = { 0 };

	if (proc_run(argv, &out, PATIENCE, &err) < 0)
		fail_msg("%s: %s", argv[0], err.msg);
	assert_string_equal(out.data ? out.data : "", want);
}

static void expect_failure(const char *const *argv, enum err_kind kind, const char *msg)
{
	struct err err = { 0 };

	assert_int_equal(proc_run(argv, NULL, PATIENCE, &err), -1);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.msg, msg);
}

static void output_is_collected(void **state)
{
	expect_output(ARGV("true"), "");
	expect_output(ARGV("/bin/echo", "a b", "$HOME", "*"), "a b $HOME *\n");
	expect_output(SH("echo out; echo err >&2"), "out\nerr\n");
	expect_output(SH("printf x"), "x");
}

static void failures_tell_the_last_line(void **state)
{
	expect_failure(SH("echo first; echo the reason >&2; exit 3"), ERR_INTERNAL,
		       "sh failed: the reason");
	expect_failure(SH("printf 'why  \\n\\n'; exit 1"), ERR_INTERNAL, "sh failed: why");
	expect_failure(SH("exit 1"), ERR_INTERNAL, "sh failed: no output");
	expect_failure(SH("kill -KILL $$"), ERR_INTERNAL, "sh failed: no output");
	expect_failure(ARGV("/nonexistent/program"), ERR_INTERNAL,
		       "/nonexistent/program: cannot be run");
	expect_failure(ARGV("dunlin-no-such-program"), ERR_INTERNAL,
		       "dunlin-no-such-program: cannot be run");
	expect_failure(ARGV("/etc/passwd"), ERR_INTERNAL, "/etc/passwd: cannot be run");
}

static void output_beyond_the_bound_is_dropped(void **state)
{
	_sbuf_ struct sbuf out = SBUF(5000);
	struct err err = { 0 };

	assert_int_equal(proc_run(ARGV("head", "-c", "1000000", "/dev/zero"), &out, PATIENCE, &err),
			 0);
	assert_true(out.overflow);
	assert_true(out.len <= 5000);
}

static void input_is_given(void **state)
{
	_sbuf_ struct sbuf out = SBUF(1 << 20);
	_free_ char *big = xcalloc(500001, 1);
	struct err err = { 0 };

	assert_int_equal(proc_run_input(ARGV("cat"), "given", &out, PATIENCE, &err), 0);
	assert_string_equal(out.data, "given");
	sbuf_reset(&out);
	assert_int_equal(proc_run_input(ARGV("cat"), "", &out, PATIENCE, &err), 0);
	assert_int_equal(out.len, 0);
	/* more than a pipe holds */
	memset(big, 'b', 500000);
	assert_int_equal(proc_run_input(ARGV("wc", "-c"), big, &out, PATIENCE, &err), 0);
	assert_string_equal(out.data, "500000\n");
	/* a child that reads nothing */
	assert_int_equal(proc_run_input(ARGV("true"), big, NULL, PATIENCE, &err), 0);
	/* without input the end is read at once */
	sbuf_reset(&out);
	assert_int_equal(proc_run(ARGV("cat"), &out, PATIENCE, &err), 0);
	assert_int_equal(out.len, 0);
}

static void late_programs_are_ended(void **state)
{
	struct err err = { 0 };
	int64_t start = clock_ms();

	assert_int_equal(proc_run(ARGV("sleep", "100"), NULL, deadline_in(30), &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_string_equal(err.msg, "sleep did not end in time");
	/* one that closed its output and goes on */
	assert_int_equal(proc_run(SH("exec >&- 2>&-; sleep 100"), NULL, deadline_in(30), &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_true(clock_ms() - start < 20000);
}

/* The pipe ends with its last writer, so its end says that nobody of the group is left. */
static void the_whole_group_is_ended(void **state)
{
	struct proc_spec spec = { .argv = SH("sleep 1000 & echo ready; wait"), .nfds = 3 };
	struct proc p;
	struct err err;
	char text[16];
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spec.fds[0] = spec.fds[2] = -1;
	spec.fds[1] = fds[1];
	assert_int_equal(proc_spawn(&spec, &p, &err), 0);
	close(fds[1]);
	assert_int_equal(io_read_full(fds[0], text, 6), 0);
	assert_memory_equal(text, "ready\n", 6);
	proc_kill(&p);
	assert_int_equal(read(fds[0], text, 1), 0);
	close(fds[0]);
	assert_int_equal(p.pid, 0);
	assert_int_equal(p.pidfd, -1);
	proc_kill(&p);
}

static void the_status_is_told(void **state)
{
	static const struct {
		const char *script;
		int exited, signaled;
	} cases[] = { { "exit 0", 0, 0 }, { "exit 7", 7, 0 }, { "kill -TERM $$", 0, SIGTERM } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_spec spec = { .argv = SH(cases[i].script), .nfds = 0 };
		struct err err = { 0 };
		struct proc p;
		int status = -1;

		assert_int_equal(proc_spawn(&spec, &p, &err), 0);
		assert_true(p.pid > 0);
		assert_int_equal(proc_wait(&p, PATIENCE, &status, &err), 0);
		assert_int_equal(p.pid, 0);
		if (cases[i].signaled)
			assert_int_equal(WTERMSIG(status), cases[i].signaled);
		else
			assert_int_equal(WEXITSTATUS(status), cases[i].exited);
	}
}

static void a_wait_that_ends_early_leaves_the_child(void **state)
{
	struct proc_spec spec = { .argv = ARGV("cat"), .nfds = 3 };
	struct err err = { 0 };
	struct proc p;
	int fds[2], status;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	spec.fds[0] = fds[0];
	spec.fds[1] = spec.fds[2] = -1;
	assert_int_equal(proc_spawn(&spec, &p, &err), 0);
	close(fds[0]);
	assert_int_equal(proc_wait(&p, deadline_in(1), &status, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(kill(p.pid, 0), 0);
	close(fds[1]);
	assert_int_equal(proc_wait(&p, PATIENCE, &status, &err), 0);
	assert_true(WIFEXITED(status));
}

static void a_child_has_only_what_it_is_given(void **state)
{
	int leak = open("/dev/null", O_RDONLY); /* not close-on-exec */

	assert_true(leak >= 0);
	/* 0, 1, 2 and the folder itself */
	expect_output(SH("ls /proc/self/fd | wc -l"), "4\n");
	close(leak);
}

/* Given in an order in which each takes the place of another. */
static void descriptors_are_mapped(void **state)
{
	struct proc_spec spec = { .argv = SH("cat <&3; cat <&4; echo done >&5"), .nfds = 6 };
	struct err err = { 0 };
	struct proc p;
	char text[32] = "";
	int a[2], b[2], out[2], status;

	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(a[1], "from a ", 7), 7);
	assert_int_equal(write(b[1], "from b ", 7), 7);
	close(a[1]);
	close(b[1]);
	spec.fds[0] = spec.fds[2] = -1;
	spec.fds[1] = spec.fds[5] = out[1];
	spec.fds[3] = b[0];
	spec.fds[4] = a[0];
	assert_int_equal(proc_spawn(&spec, &p, &err), 0);
	close(out[1]);
	assert_int_equal(io_read_full(out[0], text, 19), 0);
	assert_string_equal(text, "from b from a done\n");
	assert_int_equal(read(out[0], text, 1), 0);
	assert_int_equal(proc_wait(&p, PATIENCE, &status, &err), 0);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(a[0]);
	close(b[0]);
	close(out[0]);
}

static void additions_to_the_environment_win(void **state)
{
	struct proc_spec spec = { .argv = SH("echo $A $B; test -n \"$PATH\""),
				  .env = ARGV("A=added", "DUNLIN_NEW=x"),
				  .nfds = 3 };
	struct err err = { 0 };
	struct proc p;
	char text[32] = "";
	int out[2], status;

	setenv("A", "inherited", 1);
	setenv("B", "kept", 1);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	spec.fds[0] = spec.fds[2] = -1;
	spec.fds[1] = out[1];
	assert_int_equal(proc_spawn(&spec, &p, &err), 0);
	close(out[1]);
	assert_int_equal(io_read_full(out[0], text, 11), 0);
	assert_string_equal(text, "added kept\n");
	assert_int_equal(proc_wait(&p, PATIENCE, &status, &err), 0);
	assert_int_equal(WEXITSTATUS(status), 0);
	close(out[0]);
	assert_string_equal(getenv("A"), "inherited");
	unsetenv("A");
	unsetenv("B");
}

static void signals_are_as_by_default(void **state)
{
	sigset_t usr1, old;
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err = { 0 };
	char *ignored, *blocked;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, &old), 0);
	assert_int_equal(proc_run(ARGV("cat", "/proc/self/status"), &out, PATIENCE, &err), 0);
	ignored = strstr(out.data, "SigIgn:\t");
	blocked = strstr(out.data, "SigBlk:\t");
	assert_non_null(ignored);
	assert_true(str_starts(ignored, "SigIgn:\t0000000000000000\n"));
	assert_true(str_starts(blocked, "SigBlk:\t0000000000000000\n"));
	/* and ours are as they were */
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, &usr1), 0);
	assert_true(sigismember(&usr1, SIGUSR1));
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_IGN);
}

static void no_child_and_no_descriptor_is_left(void **state)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;
	struct err err;

	close(before);
	for (int i = 0; i < 20; i++)
		proc_run_input(i % 2 ? ARGV("true") : ARGV("/nonexistent/x"), "in", NULL, PATIENCE,
			       &err);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(before, after);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_is_collected),
		cmocka_unit_test(failures_tell_the_last_line),
		cmocka_unit_test(output_beyond_the_bound_is_dropped),
		cmocka_unit_test(input_is_given),
		cmocka_unit_test(late_programs_are_ended),
		cmocka_unit_test(the_whole_group_is_ended),
		cmocka_unit_test(the_status_is_told),
		cmocka_unit_test(a_wait_that_ends_early_leaves_the_child),
		cmocka_unit_test(a_child_has_only_what_it_is_given),
		cmocka_unit_test(descriptors_are_mapped),
		cmocka_unit_test(additions_to_the_environment_win),
		cmocka_unit_test(signals_are_as_by_default),
		cmocka_unit_test(no_child_and_no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
