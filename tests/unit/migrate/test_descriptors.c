/* SPDX-License-Identifier: Apache-2.0 */
/* Unlinked files: they go into the images unless they are too large. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "migrate/task.h"
#include "node/criu/criu.h"

static void large_unlinked_files_are_named(void **state)
{
	struct err err;
	_close_ int fd = io_temp_fd("/var/tmp", &err);
	_free_ char *link = xasprintf("/proc/self/fd/%d", fd);
	const pid_t pids[] = { getpid() };
	struct plan_tasks all = { .proc = "/proc", .pids = pids, .npids = 1, .init = pids[0] };
	struct move_plan plan = { .kind = MOVE_LIVE };
	struct task t = task_of(&all, pids[0], &plan);

	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, CRIU_GHOST_MAX_BYTES), 0);
	task_ghost(&t, link, "/srv/large (deleted)");
	assert_int_equal(plan.kind, MOVE_LIVE);
	assert_int_equal(posix_fallocate(fd, CRIU_GHOST_MAX_BYTES, 1 << 20), 0);
	task_ghost(&t, link, "/srv/large (deleted)");
	assert_int_equal(plan.kind, MOVE_NEAR_LIVE);
	assert_non_null(strstr(plan.reasons[0].text, "unlinked file /srv/large of 65"));
}

/* One that has a name somewhere, however large, stays with the root file system. */
static void others_are_not(void **state)
{
	const pid_t pids[] = { getpid() };
	struct plan_tasks all = { .proc = "/proc", .pids = pids, .npids = 1, .init = pids[0] };
	struct move_plan plan = { .kind = MOVE_LIVE };
	struct task t = task_of(&all, pids[0], &plan);

	task_ghost(&t, "/proc/self/exe", "/proc/self/exe");
	task_ghost(&t, "/nowhere", "/nowhere (deleted)");
	assert_int_equal(plan.kind, MOVE_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_unlinked_files_are_named),
		cmocka_unit_test(others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
