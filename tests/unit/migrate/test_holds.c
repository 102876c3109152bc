/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/holds.h"
#include "tests/unit/base/patience.h"

#define OP "11111111-2222-4333-8444-555555555555"

struct world {
	char dir[200];
	struct holds *holds;
	struct hold_id stray;
	int strays; /* an event counter */
};

static const struct hold_id source = { true, OP, "c1", 7 }, target = { false, OP, "c1", 7 };

static void on_stray(void *arg, const struct hold_id *id)
{
	struct world *w = arg;
	uint64_t one = 1;

	w->stray = *id;
	assert_int_equal(write(w->strays, &one, sizeof(one)), sizeof(one));
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;

	/* Longer than the name of a socket may be. */
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-holds-%0100d-XXXXXX", 7);
	assert_non_null(mkdtemp(w->dir));
	w->strays = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->holds = holds_new(w->dir, on_stray, w, &err);
	assert_non_null(w->holds);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	holds_free(w->holds);
	io_remove_tree(w->dir, &err);
	close(w->strays);
	free(w);
	return 0;
}

/* An action script says its line. */
static int say(struct world *w, const char *line)
{
	_close_ int dir = open(w->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/move.sock", dir);
	assert_int_equal(connect(s, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(write(s, line, strlen(line)), strlen(line));
	return s;
}

static bool readable(int fd, int ms)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	return poll(&pf, 1, ms) > 0;
}

static char verdict(int fd)
{
	char c = 0;

	assert_true(readable(fd, PATIENCE_MS));
	return read(fd, &c, 1) == 1 ? c : 0;
}

static void verdicts_reach_those_who_wait(void **state)
{
	struct world *w = *state;

	for (int go = 0; go < 2; go++) {
		struct hold *h = hold_new(w->holds, &source);
		int s;

		assert_false(hold_here(h));
		s = say(w, "hold source " OP " c1 7 4711\n");
		assert_true(readable(hold_fd(h), PATIENCE_MS));
		hold_seen(h);
		assert_true(hold_here(h));
		assert_int_equal(hold_pid(h), 4711);
		assert_false(readable(s, 0));
		hold_tell(h, go);
		assert_int_equal(verdict(s), go ? '0' : '1');
		assert_false(hold_here(h));
		close(s);
		hold_free(h);
	}
	assert_false(readable(w->strays, 0));
}

static void a_verdict_may_be_there_first(void **state)
{
	struct world *w = *state;
	struct hold *h = hold_new(w->holds, &target);
	int s;

	hold_tell(h, true);
	s = say(w, "hold target " OP " c1 7 1\n");
	assert_int_equal(verdict(s), '0');
	close(s);
	hold_free(h);
}

static void sides_are_told_apart(void **state)
{
	struct world *w = *state;
	struct hold *h = hold_new(w->holds, &source);
	int s = say(w, "hold target " OP " c1 7 1\n");

	assert_true(readable(w->strays, PATIENCE_MS));
	assert_false(hold_here(h));
	assert_false(w->stray.source);
	hold_free(h);
	close(s);
}

static void strays_are_announced_and_can_be_taken(void **state)
{
	struct world *w = *state;
	int s = say(w, "hold source " OP " c1 7 \n");
	struct hold *h;

	assert_true(readable(w->strays, PATIENCE_MS));
	assert_string_equal(w->stray.op, OP);
	assert_string_equal(w->stray.name, "c1");
	assert_int_equal(w->stray.epoch, 7);
	h = hold_new(w->holds, &w->stray);
	assert_true(hold_here(h));
	hold_tell(h, false);
	assert_int_equal(verdict(s), '1');
	hold_free(h);
	close(s);
}

static void one_left_waiting_becomes_a_stray(void **state)
{
	struct world *w = *state;
	struct hold *h = hold_new(w->holds, &source);
	int s = say(w, "hold source " OP " c1 7 1\n");

	assert_true(readable(hold_fd(h), PATIENCE_MS));
	hold_free(h);
	assert_true(readable(w->strays, 0));
	close(s);
}

static void a_script_that_dies_is_noticed(void **state)
{
	struct world *w = *state;
	struct hold *h = hold_new(w->holds, &source);
	int s = say(w, "hold source " OP " c1 7 1\n");

	assert_true(readable(hold_fd(h), PATIENCE_MS));
	hold_seen(h);
	assert_true(hold_here(h));
	close(s);
	assert_true(readable(hold_fd(h), PATIENCE_MS));
	assert_false(hold_here(h));
	hold_free(h);
}

static void resumed_is_noted(void **state)
{
	struct world *w = *state;
	struct hold *h = hold_new(w->holds, &target);
	int s = say(w, "resumed target " OP " c1 7 99\n");

	assert_true(readable(hold_fd(h), PATIENCE_MS));
	assert_true(hold_resumed(h));
	assert_false(hold_here(h));
	assert_int_equal(hold_pid(h), 99);
	assert_true(readable(s, PATIENCE_MS)); /* the end */
	close(s);
	hold_free(h);
}

/* By the daemon, if it has said so; else the script does it, and need not wait. */
static void interfaces_are_plugged_by_whom_it_concerns(void **state)
{
	struct world *w = *state;
	struct hold *h = NULL;
	int s = say(w, "plug target " OP " c1 7 99\n");

	assert_int_equal(verdict(s), 0);
	close(s);
	assert_false(readable(w->strays, 0));
	h = hold_new(w->holds, &target);
	s = say(w, "plug target " OP " c1 7 99\n");
	assert_int_equal(verdict(s), 0);
	close(s);
	assert_false(hold_plugs(h));

	hold_seen(h);
	hold_takes_plug(h);
	s = say(w, "plug target " OP " c1 7 99\n");
	assert_true(readable(hold_fd(h), PATIENCE_MS));
	assert_true(hold_plugs(h));
	assert_false(hold_here(h));
	assert_false(readable(s, 0));
	hold_plugged(h);
	assert_int_equal(verdict(s), 0);
	assert_false(hold_plugs(h));
	hold_plugged(h);
	close(s);

	/* Who goes away lets it go on. */
	hold_seen(h);
	s = say(w, "plug target " OP " c1 7 99\n");
	assert_true(readable(hold_fd(h), PATIENCE_MS));
	hold_free(h);
	assert_int_equal(verdict(s), 0);
	assert_false(readable(w->strays, 0));
	close(s);
}

static void odd_lines_are_dropped(void **state)
{
	static const char *const bad[] = {
		"\n",
		"hold\n",
		"hold source x c1 7 1\n",
		"hold source " OP " ../c1 7 1\n",
		"hold middle " OP " c1 7 1\n",
		"hold source " OP " c1 -1 1\n",
		"hold source " OP " c1 7 x\n",
		"hello source " OP " c1 7 1\n",
		"hold source " OP " c1 7 1 2\n",
	};
	struct world *w = *state;
	_free_ char *longer = xcalloc(600, 1);
	int s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		s = say(w, bad[i]);
		assert_int_equal(verdict(s), 0);
		close(s);
	}
	memset(longer, 'a', 599);
	s = say(w, longer);
	assert_int_equal(verdict(s), 0);
	close(s);
	assert_false(readable(w->strays, 0));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(verdicts_reach_those_who_wait),
		T(a_verdict_may_be_there_first),
		T(sides_are_told_apart),
		T(strays_are_announced_and_can_be_taken),
		T(one_left_waiting_becomes_a_stray),
		T(a_script_that_dies_is_noticed),
		T(resumed_is_noted),
		T(interfaces_are_plugged_by_whom_it_concerns),
		T(odd_lines_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
