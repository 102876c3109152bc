/* SPDX-License-Identifier: Apache-2.0 */
/* The helper processes of a move: from their start until they are left alone. */
#include "tests/unit/migrate/mover_world.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"
#include "migrate/sink.h"
#include "node/host/pids.h"
#include "tests/unit/base/patience.h"

#define LATE_MS 1000
#define MUCH_WORK 100 /* more than a shell does that waits */

/* Of a container that is not here: it tells so before it may begin. */
static void a_helper_that_cannot_begin_says_why(void **state)
{
	struct mover_world *t = *state;

	for (int source = 0; source < 2; source++) {
		_json_ json_t *spec = world_spec("c1");
		struct move_helper h = { .sock = -1 };
		struct move mv = a_move();
		struct err err = { 0 };

		mv.id.source = source;
		mv.spec = spec;
		assert_int_equal(
			move_helper_start(t->m, &h, source ? "helper-dump" : "helper-restore", &mv,
					  NULL, &err),
			-1);
		assert_non_null(strstr(err.msg, source ? "criu.conf" : "the restore"));
		move_helper_leave(&h);
		assert_false(h.runs);
		assert_int_equal(h.sock, -1);
		assert_int_equal(move_helper_fd(&h), -1);
	}
}

static void one_that_has_ended_has_no_answer(void **state)
{
	struct move_helper h = { .sock = -1 };
	struct err err = { 0 };

	assert_int_equal(move_helper_fd(&h), -1);
	assert_null(move_helper_end(&h, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	move_helper_leave(&h);
	move_helper_leave(&h);
}

/* Its word to begin is the last that it hears: whoever waits for more finds the end. */
static void the_go_is_said_once(void **state)
{
	struct move_helper h = { .sock = -1 };
	struct err err = { 0 };
	int pair[2];
	char c[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	assert_int_equal(move_helper_go(&h, &err), 0);
	assert_int_equal(h.sock, -1);
	assert_int_equal(read(pair[1], c, 2), 1);
	assert_int_equal(c[0], 'g');
	assert_int_equal(read(pair[1], c, 1), 0);
	close(pair[1]);
	/* A pager answers on it, and learns there that the restore holds. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	assert_int_equal(write(pair[1], "c", 1), 1);
	assert_int_equal(move_pager_go(&h, &err), 0);
	assert_int_equal(h.sock, pair[0]);
	close(pair[1]);
	assert_int_equal(move_pager_go(&h, &err), -1);
	move_helper_leave(&h);
	/* One that is gone. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	close(pair[1]);
	assert_int_equal(move_helper_go(&h, &err), -1);
	assert_int_equal(h.sock, -1);
}

/* A program in the place of a helper, which has begun another one that does nothing. */
static struct move_helper begun_by(const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct move_helper h = { .runs = true, .sock = -1, .h = { .out = -1, .log = -1 } };
	struct proc_spec spec = { .argv = argv, .nfds = 3, .fds = { -1, -1, -1 } };
	struct err err = { 0 };

	assert_int_equal(proc_spawn(&spec, &h.h.proc, &err), 0);
	return h;
}

/* What a user is told is what is late, not what its end looks like. */
static void one_that_is_late_is_named(void **state)
{
	struct move_helper h = begun_by("exec sleep 1000");
	struct err err = { 0 };
	int pair[2], fd = pids_open(h.h.proc.pid, &err);

	assert_true(fd >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	assert_int_equal(move_helper_await(&h, "CRIU", LATE_MS, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_string_equal(err.msg, "CRIU did not start within 1 s");
	assert_false(h.runs);
	assert_int_equal(read(pair[1], &(char){ 0 }, 1), 0);
	assert_int_equal(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS), 1);
	close(fd);
	close(pair[1]);
}

/* A pager that has brought everything says so; any other end means that it never will. */
static void a_pager_that_has_failed_is_noticed(void **state)
{
	static const struct {
		const char *script, *answer;
		int rc;
	} rows[] = {
		{ "exec sleep 1000", "", 0 },
		{ "exit 0", "{\"ok\":{\"bytes\":1}}", 0 },
		{ "exit 1", "", -1 },
		{ "kill -9 $$", "", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sink k = { .mv = a_move(), .pager = begun_by(rows[i].script) };
		struct pollfd pf = { .fd = move_helper_fd(&k.pager), .events = POLLIN };
		struct err err = { 0 };

		k.pager.h.out = memfd_create("answer", MFD_CLOEXEC);
		assert_int_equal(
			io_write_full(k.pager.h.out, rows[i].answer, strlen(rows[i].answer)), 0);
		if (i > 0)
			assert_int_equal(poll(&pf, 1, PATIENCE_MS), 1);
		assert_int_equal(sink_check_pager(&k, &err), rows[i].rc);
		if (rows[i].rc < 0)
			assert_non_null(strstr(err.msg, "fetch the memory of"));
		/* It is not asked twice. */
		assert_int_equal(sink_check_pager(&k, &err), 0);
		move_helper_kill(&k.pager);
	}
}

static void one_that_stands_still_is_noticed(void **state)
{
	struct move_helper works = begun_by("while :; do :; done");
	struct move_helper stands = begun_by("exec sleep 1000");
	struct err err = { 0 };

	works.worked_ms = stands.worked_ms = clock_ms() - PATIENCE_MS;
	/* The first look sees what there was before. */
	assert_int_equal(move_helper_check(&works, &err), 0);
	works.worked_ms -= PATIENCE_MS;
	works.work--;
	assert_int_equal(move_helper_check(&works, &err), 0);
	stands.work = pids_group_work(stands.h.proc.pid);
	while (move_helper_check(&stands, &err) == 0) {
		stands.work = pids_group_work(stands.h.proc.pid);
		stands.worked_ms = clock_ms() - PATIENCE_MS;
	}
	assert_int_equal(err.kind, ERR_TIMEOUT);
	move_helper_kill(&works);
	move_helper_kill(&stands);
	/* One that does not run has nothing to do. */
	assert_int_equal(move_helper_check(&stands, &err), 0);
}

/* A restore has a session of its own, for what stays of it. */
static void what_it_has_begun_elsewhere_works_for_it(void **state)
{
	struct move_helper h = begun_by("setsid sh -c 'while :; do :; done' & wait");
	int64_t first = pids_group_work(h.h.proc.pid), work = first, deadline = PATIENCE;

	while (work < first + MUCH_WORK && clock_ms() < deadline)
		work = pids_group_work(h.h.proc.pid);
	move_helper_kill(&h);
	assert_true(work >= first + MUCH_WORK);
}

/* Also one that has left its process group, and one that is stopped. */
static void it_is_killed_with_all_that_it_has_begun(void **state)
{
	struct move_helper h = begun_by("setsid sh -c 'kill -STOP $$; sleep 1000' & wait");
	pid_t pid = h.h.proc.pid, child = 0;
	int64_t deadline = PATIENCE;
	struct err err = { 0 };
	int fd;

	while (!child && clock_ms() < deadline) {
		_free_ char *path = xasprintf("/proc/%d/task/%d/children", pid, pid);
		_free_ char *text = io_read_file(path, 100, NULL, &err);

		if (text && sscanf(text, "%d", &child) == 1 && !pids_is_stopped(child))
			child = 0;
	}
	assert_true(child > 0);
	fd = pids_open(child, &err);
	assert_true(fd >= 0);
	move_helper_kill(&h);
	assert_false(h.runs);
	assert_int_equal(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS), 1);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_helper_that_cannot_begin_says_why),
		cmocka_unit_test(one_that_has_ended_has_no_answer),
		cmocka_unit_test(the_go_is_said_once),
		cmocka_unit_test(one_that_is_late_is_named),
		cmocka_unit_test(a_pager_that_has_failed_is_noticed),
		cmocka_unit_test(one_that_stands_still_is_noticed),
		cmocka_unit_test(what_it_has_begun_elsewhere_works_for_it),
		cmocka_unit_test(it_is_killed_with_all_that_it_has_begun),
	};

	return mover_world_main(argc, argv, tests);
}
