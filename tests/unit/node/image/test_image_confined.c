/* SPDX-License-Identifier: Apache-2.0 */
/* Who reads tarballs: processes that can do little else, and whose end is an error like others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/helper/verbs.h"
#include "node/image/image.h"
#include "node/image/image_int.h"
#include "node/node_int.h"
#include "tests/unit/node/image/tarball.h"

#define HELD_MS 30000
#define STEP_MS 5

static const struct item good[] = {
	GOOD_META, DIR_("rootfs"), FILE_("rootfs/x", "content"), { .path = NULL }
};

struct world {
	struct node n;
	char dir[64];
	int tarball;
	pthread_t thread;
	char *fp, *root; /* what the thread made */
	struct err err;
};

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/dunlin-test-confined-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->n.dir = w->dir;
	w->tarball = make_tar(w->dir, ARCHIVE_FILTER_XZ, good);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	unsetenv("DUNLIN_FAULT");
	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	close(w->tarball);
	free(w->fp);
	free(w->root);
	free(w);
	return 0;
}

static void *import_thread(void *arg)
{
	struct world *w = arg;
	_json_ json_t *info = image_import(&w->n, w->tarball, -1, NULL, NULL, NULL, &w->err);

	w->fp = xstrdup(json_str(info, "fingerprint", NULL));
	return NULL;
}

static void *unpack_thread(void *arg)
{
	struct world *w = arg;

	w->root = image_root(&w->n, w->fp, &w->err);
	return NULL;
}

static char *proc_text(pid_t pid, const char *file)
{
	_free_ char *path = xasprintf("/proc/%d/%s", pid, file);
	struct err err;

	return io_read_file(path, 1 << 16, NULL, &err);
}

static bool says(const char *status, const char *key, const char *value)
{
	_free_ char *line = xasprintf("\n%s:\t%s\n", key, value);

	return status && strstr(status, line);
}

static pid_t child_called(const char *comm)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid = 0;
	bool found = false;

	assert_non_null(d);
	while (!found && (e = readdir(d))) {
		_free_ char *status = NULL, *parent = xasprintf("%d", getpid());

		if (!str_to_u64(e->d_name, INT32_MAX, &pid))
			continue;
		status = proc_text((pid_t)pid, "status");
		found = says(status, "PPid", parent) &&
			str_starts(status + strlen("Name:\t"), comm);
	}
	closedir(d);
	return found ? (pid_t)pid : 0;
}

/* At its fault point it has given up all it ever will. */
static pid_t held(const char *comm)
{
	int64_t deadline = deadline_in(HELD_MS);
	pid_t pid;

	for (;;) {
		_free_ char *status = (pid = child_called(comm)) ? proc_text(pid, "status") : NULL;

		if (says(status, "Seccomp", "2") && strstr(status, "\nState:\tS"))
			return pid;
		if (deadline_left(deadline) == 0)
			fail_msg("no confined child %s:\n%s", comm, status ? status : "none");
		poll(NULL, 0, STEP_MS); /* nobody tells */
	}
}

static void expect_nobody(pid_t pid, const char *caps)
{
	static const char *const ids = "65534\t65534\t65534\t65534";
	_free_ char *status = proc_text(pid, "status");

	if (!says(status, "Uid", ids) || !says(status, "Gid", ids) ||
	    !says(status, "Groups", " ") || !says(status, "CapEff", caps) ||
	    !says(status, "CapPrm", caps) || !says(status, "CapBnd", "0000000000000000") ||
	    !says(status, "CapInh", "0000000000000000") ||
	    !says(status, "CapAmb", "0000000000000000") || !says(status, "NoNewPrivs", "1"))
		fail_msg("%s", status);
}

static void expect_limits(pid_t pid)
{
	_free_ char *limits = proc_text(pid, "limits");

	assert_non_null(strstr(limits, "Max processes             0 "));
	assert_non_null(strstr(limits, "Max open files            32 "));
	assert_non_null(strstr(limits, "Max core file size        0 "));
	assert_null(strstr(limits, "Max cpu time              unlimited"));
#ifndef __SANITIZE_ADDRESS__
	assert_null(strstr(limits, "Max address space         unlimited"));
#endif
}

/* By number; NULL is one that must be closed. */
static void expect_files(pid_t pid, const char *const want[], size_t n)
{
	_free_ char *folder = xasprintf("/proc/%d/fd", pid);
	DIR *d = opendir(folder);
	struct dirent *e;
	uint64_t fd;
	size_t seen = 0, open = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		_free_ char *path = xasprintf("%s/%s", folder, e->d_name);
		char to[256] = "";

		if (!str_to_u64(e->d_name, INT32_MAX, &fd))
			continue;
		assert_true(readlink(path, to, sizeof(to) - 1) > 0);
		if (fd >= n || !want[fd] || !strstr(to, want[fd]))
			fail_msg("descriptor %s is %s", e->d_name, to);
		seen++;
	}
	closedir(d);
	for (size_t i = 0; i < n; i++)
		open += want[i] != NULL;
	assert_int_equal(seen, open);
}

static size_t count_entries(const struct world *w)
{
	_free_ char *path = xasprintf("%s/images", w->dir);
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void expect_refusal(const struct world *w)
{
	if (w->err.kind != ERR_INVALID ||
	    !strstr(w->err.msg, "its archive could not be read: a helper process"))
		fail_msg("%s: %s", err_name(w->err.kind), w->err.msg);
}

static void reader(void **state)
{
	static const int signals[] = { SIGKILL, SIGSEGV, SIGSYS, SIGABRT };
	static const char *const files[] = { "/dev/null",    "memfd:log", "memfd:log",    NULL,
					     "memfd:answer", "pipe:",     "images/import" };
	struct world *w = *state;

	setenv("DUNLIN_FAULT", "image_scan_confined=hang", 1);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		pid_t pid;

		assert_int_equal(pthread_create(&w->thread, NULL, import_thread, w), 0);
		pid = held("helper-scan");
		expect_nobody(pid, "0000000000000000");
		expect_limits(pid);
		expect_files(pid, files, ARRAY_SIZE(files));
		kill(pid, signals[i]);
		pthread_join(w->thread, NULL);
		assert_null(w->fp);
		expect_refusal(w);
		assert_int_equal(count_entries(w), 0);
	}
	unsetenv("DUNLIN_FAULT");
	import_thread(w);
	assert_non_null(w->fp);
}

static void unpacker(void **state)
{
	static const char *const files[] = {
		"/dev/null",    "memfd:log", "memfd:log", NULL,
		"memfd:answer", "pipe:",     "images/",   ".root.tmp-"
	};
	struct world *w = *state;
	_free_ char *text = NULL, *path = NULL, *top = NULL;
	char root[256] = "";
	size_t before;
	pid_t pid;

	import_thread(w);
	assert_non_null(w->fp);
	before = count_entries(w);
	setenv("DUNLIN_FAULT", "image_unpack_confined=hang", 1);
	assert_int_equal(pthread_create(&w->thread, NULL, unpack_thread, w), 0);
	pid = held("helper-unpack");
	/* CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP */
	expect_nobody(pid, "000000008000001b");
	expect_limits(pid);
	expect_files(pid, files, ARRAY_SIZE(files));
	top = xasprintf("/proc/%d/root", pid);
	assert_true(readlink(top, root, sizeof(root) - 1) > 0);
	assert_non_null(strstr(root, ".root.tmp-"));
	kill(pid, SIGKILL);
	pthread_join(w->thread, NULL);
	assert_null(w->root);
	expect_refusal(w);
	assert_int_equal(count_entries(w), before);
	unsetenv("DUNLIN_FAULT");
	unpack_thread(w);
	assert_non_null(w->root);
	path = xasprintf("%s/x", w->root);
	text = io_read_file(path, 100, NULL, &w->err);
	assert_string_equal(text, "content");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(unpacker, set_up, tear_down),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
