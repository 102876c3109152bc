/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/child.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/pids.h"
#include "tests/unit/base/patience.h"

#define NS_OF_S 1000000000LL

/* A process that waits for a signal; `blocked` is not delivered. */
static pid_t start_waiter(int blocked)
{
	int fds[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		sigset_t set;

		sigemptyset(&set);
		if (blocked)
			sigaddset(&set, blocked);
		sigprocmask(SIG_SETMASK, &set, NULL);
		if (write(fds[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	return pid;
}

static void facts_of_a_process(void **state)
{
	int64_t before = clock_wall_ns(), started;
	pid_t pid = start_waiter(SIGPWR);

	assert_int_equal(pids_parent(pid), getpid());
	assert_true(pids_blocks_signal(pid, SIGPWR));
	assert_false(pids_blocks_signal(pid, SIGTERM));
	assert_false(pids_is_stopped(pid));
	started = pids_started_ns(pid);
	assert_in_range(started, before - NS_OF_S, clock_wall_ns() + NS_OF_S);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(pids_parent(pid), 0);
	assert_false(pids_blocks_signal(pid, SIGPWR));
}

struct seen {
	const char *wanted; /* a descriptor */
	char target[PIDS_TARGET_SIZE];
	int count;
};

static void see(void *arg, pid_t pid, const char *fd, const char *target)
{
	struct seen *s = arg;

	assert_int_equal(pid, getpid());
	s->count++;
	if (str_eq(fd, s->wanted))
		str_copy(s->target, sizeof(s->target), target);
}

static void descriptors_of_a_process(void **state)
{
	_close_ int fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
	_free_ char *whole = xasprintf("/proc/%d/setgroups", getpid());
	_free_ char *number = xasprintf("%d", fd);
	struct seen s = { .wanted = number }, none = { 0 };
	pid_t gone = start_waiter(0);

	assert_true(fd >= 0);
	pids_each_fd(getpid(), see, &s);
	assert_string_equal(s.target, whole);
	assert_true(s.count >= 4);
	kill(gone, SIGKILL);
	assert_int_equal(waitpid(gone, NULL, 0), gone);
	pids_each_fd(gone, see, &none);
	assert_int_equal(none.count, 0);
}

static void stopped_and_continued(void **state)
{
	pid_t pid = start_waiter(0);
	int status;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_true(pids_is_stopped(pid));
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, WCONTINUED), pid);
	assert_false(pids_is_stopped(pid));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void who_waits_for_a_new_program_is_seen(void **state)
{
	int64_t deadline = PATIENCE;
	int fds[2];
	pid_t pid, child;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (vfork() == 0) {
			child = getpid();
			while (write(fds[1], &child, sizeof(child)) > 0)
				pause();
			_exit(0);
		}
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &child, sizeof(child)), sizeof(child));
	while (!pids_waits_for_vfork("/proc", pid) && clock_ms() < deadline)
		sched_yield();
	assert_true(pids_waits_for_vfork("/proc", pid));
	assert_false(pids_waits_for_vfork("/proc", child));
	kill(child, SIGKILL);
	while (pids_waits_for_vfork("/proc", pid) && clock_ms() < deadline)
		sched_yield();
	assert_false(pids_waits_for_vfork("/proc", pid));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	close(fds[1]);
}

/* A pidfd outlives its process and still means it. */
static void pidfds(void **state)
{
	pid_t pid = start_waiter(0);
	struct err err = { 0 };
	_close_ int fd = pids_open(pid, &err);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status;

	assert_true(fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(pids_exit_status(fd), -1);
	assert_int_equal(pids_signal(fd, SIGTERM), 0);
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	status = pids_exit_status(fd);
	assert_true(status == -1 || WTERMSIG(status) == SIGTERM);
	assert_int_equal(pids_signal(fd, SIGTERM), -1);
	assert_int_equal(pids_open(pid, &err), -1);
	assert_non_null(strstr(err.msg, "watch process"));
}

/* --- where a process comes from, in a /proc that is made up ---------------------------------- */

static void add_process(const char *proc, int pid, int parent)
{
	_free_ char *dir = xasprintf("%s/%d", proc, pid), *path = xasprintf("%s/status", dir);
	_free_ char *text =
		xasprintf("Name:\tx\nTgid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", pid, parent);
	struct err err;

	assert_int_equal(io_mkdirs(dir, 0700, &err), 0);
	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static void origins(void **state)
{
	char proc[] = "/tmp/dunlin-test-proc-XXXXXX";
	struct err err;

	assert_non_null(mkdtemp(proc));
	add_process(proc, 1, 0);
	add_process(proc, 50, 1);   /* the monitor */
	add_process(proc, 100, 50); /* init */
	add_process(proc, 101, 100);
	add_process(proc, 102, 101);
	add_process(proc, 200, 1); /* a command that was sent in */
	add_process(proc, 201, 200);
	add_process(proc, 300, 299); /* its parent is gone, and who took it over is never seen */
	assert_int_equal(pids_origin(proc, 100, 100), PIDS_INSIDE);
	assert_int_equal(pids_origin(proc, 102, 100), PIDS_INSIDE);
	assert_int_equal(pids_origin(proc, 201, 100), PIDS_OUTSIDE);
	assert_int_equal(pids_origin(proc, 50, 100), PIDS_OUTSIDE);
	assert_int_equal(pids_origin(proc, 999, 100), PIDS_GONE);
	assert_int_equal(pids_origin(proc, 300, 100), PIDS_UNKNOWN);
	assert_int_equal(io_remove_tree(proc, &err), 0);
}

static void no_such_container(void **state)
{
	struct err err = { 0 };

	assert_int_equal(pids_container_init("dunlin-none", "c1"), 0);
	assert_int_equal(pids_check_outside("dunlin-none", "c1", 1, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_of_a_process),
		cmocka_unit_test(descriptors_of_a_process),
		cmocka_unit_test(stopped_and_continued),
		cmocka_unit_test(who_waits_for_a_new_program_is_seen),
		cmocka_unit_test(pidfds),
		cmocka_unit_test(origins),
		cmocka_unit_test(no_such_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
