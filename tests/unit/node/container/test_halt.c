/* SPDX-License-Identifier: Apache-2.0 */
/* How an init is asked to shut down. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/container/halt.h"
#include "node/host/pids.h"

#define REQUEST_SIZE 384

/* The signal that it gets; with a FIFO, 1000 and more: what a request of that size asks for. */
static int answer(const char *fifo)
{
	int fd = -1, from[4];
	struct signalfd_siginfo info;
	char rest[REQUEST_SIZE];
	sigset_t set;

	sigfillset(&set);
	if (!fifo || strcmp(fifo, "/run/initctl") != 0) {
		fd = signalfd(-1, &set, 0);
		return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : -1;
	}
	fd = open(fifo, O_RDWR);
	if (fd < 0 || read(fd, from, sizeof(from)) != sizeof(from) ||
	    read(fd, rest, REQUEST_SIZE) != REQUEST_SIZE - (int)sizeof(from))
		return -1;
	return from[0] == 0x03091969 && from[1] == 1 ? 1000 + from[2] : -1;
}

/* In a mount namespace of its own, where /run may be filled. */
static int asked(int own_signal, int unblocked, const char *fifo)
{
	struct err err = { 0 };
	int ready[2], told[2], got = -1, pidfd;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		sigset_t set;

		sigfillset(&set);
		if (unblocked)
			sigdelset(&set, unblocked);
		sigprocmask(SIG_SETMASK, &set, NULL);
		if (fifo && (unshare(CLONE_NEWNS) < 0 ||
			     mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			     mount("none", "/run", "tmpfs", 0, NULL) < 0 || mkfifo(fifo, 0600) < 0))
			_exit(1);
		int held = fifo ? open(fifo, O_RDWR) : -1;

		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		got = answer(fifo);
		close(held);
		_exit(write(told[1], &got, sizeof(got)) != sizeof(got));
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	pidfd = pids_open(pid, &err);
	if (halt_ask(pid, pidfd, own_signal, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(read(told[0], &got, sizeof(got)), sizeof(got));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pidfd);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(told[i]);
	}
	return got;
}

static void each_init_in_its_way(void **state)
{
	const struct {
		int own, unblocked;
		const char *fifo;
		int got;
	} cases[] = {
		/* systemd blocks what it takes by signalfd */
		{ 0, 0, NULL, SIGRTMIN + 3 },
		/* any other */
		{ 0, SIGRTMIN + 3, NULL, SIGPWR },
		/* System V */
		{ 0, SIGRTMIN + 3, "/run/initctl", 1000 + '0' },
		/* a FIFO of another name */
		{ 0, SIGRTMIN + 3, "/run/other", SIGPWR },
		/* as configured */
		{ SIGTERM, 0, NULL, SIGTERM },
		{ SIGUSR1, SIGRTMIN + 3, NULL, SIGUSR1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int got = asked(cases[i].own, cases[i].unblocked, cases[i].fifo);

		if (got != cases[i].got)
			fail_msg("case %zu: %d", i, got);
	}
}

/* It has not got so far as to listen, or never does; the kernel drops what an init is sent then. */
static void one_that_does_not_listen_is_not_asked(void **state)
{
	static const int signals[] = { 0, SIGTERM };
	pid_t pid = fork();
	struct err err;
	int pidfd;

	if (pid == 0)
		for (;;)
			pause();
	pidfd = pids_open(pid, &err);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		assert_int_equal(halt_ask(pid, pidfd, signals[i], &err), 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(halt_ask(pid, pidfd, SIGKILL, &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(pidfd);
}

/* busybox' and others: none is blocked as long as it waits, and none has a handler. */
static void one_that_waits_for_signals_is_asked(void **state)
{
	pid_t pid = fork();
	int pidfd, status, got, rc;
	struct err err;
	sigset_t set;

	if (pid == 0) {
		sigfillset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		_exit(sigwait(&set, &got) == 0 ? got : 0);
	}
	pidfd = pids_open(pid, &err);
	/* Before it waits for it, it blocks that of systemd. */
	while (pids_blocks_signal(pid, SIGRTMIN + 3) || !pids_takes_signal(pid, SIGPWR))
		sched_yield();
	rc = halt_ask(pid, pidfd, 0, &err);
	assert_int_equal(rc, 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), SIGPWR);
	close(pidfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_does_not_listen_is_not_asked),
		cmocka_unit_test(one_that_waits_for_signals_is_asked),
		cmocka_unit_test(each_init_in_its_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
