/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/gate.h"
#include "tests/unit/base/patience.h"

#define DIR_NAME "/tmp/test-gate-XXXXXX"

/* Reads its options as CRIU does, into a file. */
static pid_t start_reader(const char *dir)
{
	_free_ char *path = xasprintf("%s/read", dir);
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_close_range, 3, CRIU_GATE_FD - 1, 0); /* as exec(2) does */
		execlp("sh", "sh", "-c", "cat \"$CRIU_CONFIG_FILE\" >\"$0\"", path, NULL);
		_exit(1);
	}
	return pid;
}

static void assert_read(const char *dir, pid_t reader, const char *want)
{
	_free_ char *path = xasprintf("%s/read", dir);
	struct err err;
	int status = 0;

	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	_free_ char *got = io_read_file(path, 4096, NULL, &err);
	assert_non_null(got);
	assert_string_equal(got, want);
}

struct place {
	char dir[sizeof(DIR_NAME)];
	int gate;
	pid_t reader;
};

static void make(struct place *p)
{
	struct err err;

	str_copy(p->dir, sizeof(p->dir), DIR_NAME);
	assert_non_null(mkdtemp(p->dir));
	p->gate = criu_gate_new(&err);
	assert_true(p->gate >= 0);
	assert_false(criu_gate_await(p->gate, -1, 0));
	p->reader = start_reader(p->dir);
	close(CRIU_GATE_FD);
	assert_true(criu_gate_await(p->gate, -1, PATIENCE));
}

static void remove_all(struct place *p)
{
	struct err err;

	io_remove_tree(p->dir, &err);
}

static void who_waits_gets_whole_options(void **state)
{
	struct place p;
	struct err err;

	make(&p);
	_free_ char *options = xasprintf("%s/options", p.dir);
	assert_int_equal(io_write_file(options, "one\ntwo\n", 8, 0600, &err), 0);
	assert_int_equal(criu_gate_open(p.gate, options, &err), 0);
	assert_read(p.dir, p.reader, "network-lock skip\none\ntwo\n");
	remove_all(&p);
}

/* Without its value the first one is an error to CRIU. */
static void a_gate_that_nobody_opens_ends_who_waits(void **state)
{
	struct place p;

	make(&p);
	close(p.gate);
	assert_read(p.dir, p.reader, "network-lock");
	remove_all(&p);
}

static void a_gate_without_options_stays_closed(void **state)
{
	struct place p;
	struct err err;

	make(&p);
	assert_int_equal(criu_gate_open(p.gate, "/nowhere/options", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_read(p.dir, p.reader, "network-lock");
	remove_all(&p);
}

static void a_reader_that_has_ended_is_not_waited_for(void **state)
{
	struct err err;
	int gate = criu_gate_new(&err), status;
	pid_t child = fork();
	int fd;

	if (child == 0)
		_exit(0);
	fd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_false(criu_gate_await(gate, fd, PATIENCE));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fd);
	close(gate);
	close(CRIU_GATE_FD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_waits_gets_whole_options),
		cmocka_unit_test(a_gate_that_nobody_opens_ends_who_waits),
		cmocka_unit_test(a_gate_without_options_stays_closed),
		cmocka_unit_test(a_reader_that_has_ended_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
