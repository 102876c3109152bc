/* SPDX-License-Identifier: Apache-2.0 */
/* Mount namespaces of a container: an init and a service, in a cgroup of the test's own. */
#include "tests/unit/node/criu/join.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/criu/mounts.h"
#include "node/host/cgroup.h"
#include "node/host/mountinfo.h"

#define NAME "c1"

struct world {
	char cgroup[40], dir[40];
	pid_t init, service;
};

/* Two ramfs, of which one is in use; what is mounted here goes on to the service. */
static bool be_init(const struct world *w)
{
	_free_ char *empty = xasprintf("%s/empty", w->dir), *used = xasprintf("%s/used", w->dir);
	_free_ char *file = xasprintf("%s/used/token", w->dir);

	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", w->dir, "tmpfs", 0, NULL) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) == 0 && mkdir(empty, 0700) == 0 &&
	       mkdir(used, 0700) == 0 && mount("none", empty, "ramfs", 0, NULL) == 0 &&
	       mount("none", used, "ramfs", 0, NULL) == 0 && mknod(file, S_IFREG | 0600, 0) == 0;
}

static bool be_service(const struct world *w)
{
	return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;
}

static void wait_for_end(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
	close(fd);
}

/* The service, forked by init, tells its number through the pipe. */
static pid_t run(struct world *w)
{
	int ready[2], told[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		pid_t child;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!be_init(w) || (child = fork()) < 0)
			_exit(1);
		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (!be_service(w) || write(ready[1], "s", 1) != 1)
				_exit(1);
		} else if (write(told[1], &child, sizeof(child)) != sizeof(child)) {
			_exit(1);
		}
		for (;;)
			pause();
	}
	assert_int_equal(read(told[0], &w->service, sizeof(w->service)), sizeof(w->service));
	close(ready[1]);
	wait_for_end(ready[0]);
	close(told[0]);
	close(told[1]);
	return pid;
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	char hex[16];

	snprintf(w->cgroup, sizeof(w->cgroup), "dunlin-test-%s", rng_hex(hex, 4));
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-mounts-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->init = run(w);
	join_cgroup(w->cgroup, NAME, w->init);
	join_cgroup(w->cgroup, NAME, w->service);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	kill(w->init, SIGKILL);
	waitpid(w->init, NULL, 0);
	cgroup_kill(w->cgroup, NAME, "payload");
	cgroup_remove(w->cgroup, NAME);
	cgroup_remove(w->cgroup, "");
	rmdir(w->dir);
	free(w);
	return 0;
}

struct seen {
	size_t related, empty, used;
};

static struct seen look(const struct world *w, pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/mountinfo", pid);
	struct err err;
	_free_ char *copy = io_read_file(path, 1 << 20, NULL, &err);
	struct seen seen = { 0 };
	char *text = copy;
	struct mountinfo m;

	assert_non_null(copy);
	while (mountinfo_next(&text, &m)) {
		seen.related += m.related;
		seen.empty += str_eq(m.type, "ramfs") && str_ends(m.at, "/empty");
		seen.used += str_eq(m.type, "ramfs") && str_ends(m.at, "/used");
	}
	return seen;
}

static void relations_end_and_empty_ramfs_goes(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };
	struct seen init = look(w, w->init), service = look(w, w->service);

	assert_true(init.related > 0 && service.related > 0);
	assert_int_equal(init.empty + service.empty, 2);
	for (int times = 0; times < 2; times++)
		assert_int_equal(criu_mounts_settle(w->cgroup, NAME, w->init, &err), 0);
	init = look(w, w->init);
	service = look(w, w->service);
	/* Those of init are CRIU's business. */
	assert_true(init.related > 0);
	assert_int_equal(service.related, 0);
	assert_int_equal(init.empty + service.empty, 0);
	assert_int_equal(init.used + service.used, 2);
}

static void one_that_has_ended_is_told(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	kill(w->init, SIGKILL);
	waitpid(w->init, NULL, 0);
	assert_int_equal(criu_mounts_settle(w->cgroup, NAME, w->init, &err), -1);
	assert_non_null(strstr(err.msg, NAME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(relations_end_and_empty_ramfs_goes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_has_ended_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
