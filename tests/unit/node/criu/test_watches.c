/* SPDX-License-Identifier: Apache-2.0 */
/* A process with an overlay as its root watches folders whose names the kernel has forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/watches.h"
#include "tests/unit/base/patience.h"

struct world {
	char dir[40];
	pid_t pid;
};

static bool watch_files(void)
{
	int fd = inotify_init();

	return inotify_add_watch(fd, "/a/b", IN_CREATE) == 1 &&
	       inotify_add_watch(fd, "/a/c", IN_CREATE) == 2;
}

/* Its folders are those of the lower one: what was made through an overlay keeps its names. */
static bool enter_overlay(const struct world *w)
{
	static const char *const folders[] = { "lower", "upper",   "work",      "root",
					       "lower/a", "lower/a/b", "lower/a/c" };
	_free_ char *root = xasprintf("%s/root", w->dir);
	_free_ char *options = xasprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work,"
					 "redirect_dir=on,index=on,nfs_export=on",
					 w->dir, w->dir, w->dir);
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_free_ char *path = xasprintf("%s/%s", w->dir, folders[i]);

		if (io_folder(path, 0755, &err) < 0)
			return false;
	}
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("dunlin", root, "overlay", 0, options) == 0 && chroot(root) == 0 &&
	       chdir("/") == 0;
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	int ready[2];
	char c;

	str_copy(w->dir, sizeof(w->dir), "/var/tmp/test-watches-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(pipe(ready), 0);
	w->pid = fork();
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (enter_overlay(w) && watch_files() && write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static int handles(const struct world *w)
{
	int n = 0;

	for (int fd = 0; fd < 20; fd++) {
		_free_ char *path = xasprintf("/proc/%d/fdinfo/%d", w->pid, fd);
		struct err err;
		_free_ char *text = io_read_file(path, 65536, NULL, &err);

		for (const char *s = text; s && (s = strstr(s, "fhandle-bytes:")); s++)
			n++;
	}
	return n;
}

static void forget_names(const struct world *w)
{
	int64_t deadline = PATIENCE;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	while (handles(w) > 0) {
		assert_true(clock_ms() < deadline);
		assert_int_equal(write(fd, "2", 1), 1);
	}
	close(fd);
}

static void forgotten_names_come_back_and_stay(void **state)
{
	struct world *w = *state;
	struct watches *watches;

	assert_int_equal(handles(w), 2);
	forget_names(w);
	watches = watches_new(w->pid);
	watches_look(watches, w->pid);
	assert_int_equal(watches_hold(watches), 0);
	assert_int_equal(handles(w), 2);
	watches_free(watches);
}

static void nothing_is_searched_while_all_are_known(void **state)
{
	struct world *w = *state;
	struct watches *watches = watches_new(w->pid);

	watches_look(watches, w->pid);
	assert_int_equal(watches_hold(watches), 0);
	watches_free(watches);
	watches_free(NULL);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(forgotten_names_come_back_and_stay),
		T(nothing_is_searched_while_all_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
