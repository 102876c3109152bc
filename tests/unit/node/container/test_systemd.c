/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/container/systemd.h"
#include "tests/unit/base/patience.h"

#define SERVICE "run/systemd/system/service.d/zzz-dunlin.conf"
#define LOOKS 5000
#define MANAGER "run/systemd/system.conf.d/zzz-dunlin.conf"

static atomic_bool stop;

/* --- a root file system ------------------------------------------------------------------- */

static char *in(const char *root, const char *path)
{
	return xasprintf("%s/%s", root, path);
}

static void folder(const char *root, const char *path)
{
	_free_ char *at = in(root, path);
	struct err err;

	assert_int_equal(io_mkdirs(at, 0755, &err), 0);
}

static void put(const char *root, const char *path, const char *text)
{
	_free_ char *at = in(root, path);
	struct err err;

	assert_int_equal(io_write_file(at, text, strlen(text), 0755, &err), 0);
}

static void point(const char *root, const char *path, const char *target)
{
	_free_ char *at = in(root, path);

	unlink(at);
	assert_int_equal(symlink(target, at), 0);
}

static char *text_of(const char *root, const char *path)
{
	_free_ char *at = in(root, path);
	struct err err;

	return io_read_file(at, 4096, NULL, &err);
}

/* As a distribution with merged folders has it. */
static int setup(void **state)
{
	char *root = xstrdup("/tmp/test-systemd-XXXXXX");

	assert_non_null(mkdtemp(root));
	folder(root, "usr/lib/systemd");
	folder(root, "usr/sbin");
	folder(root, "run");
	point(root, "sbin", "usr/sbin");
	point(root, "lib", "usr/lib");
	put(root, "usr/lib/systemd/systemd", "\177ELF libsystemd-shared-257.so libc.so.6");
	point(root, "usr/sbin/init", "/lib/systemd/systemd");
	*state = root;
	return 0;
}

static int teardown(void **state)
{
	struct err err;

	io_remove_tree(*state, &err);
	free(*state);
	return 0;
}

/* --- recognising it ----------------------------------------------------------------------- */

static void its_version_is_found(void **state)
{
	const char *root = *state;

	assert_int_equal(systemd_version(root, ""), 257);
	assert_int_equal(systemd_version(root, "/sbin/init --log-level=debug"), 257);
	assert_int_equal(systemd_version(root, "/lib/systemd/systemd"), 257);
	point(root, "usr/sbin/init", "../lib/systemd/systemd");
	assert_int_equal(systemd_version(root, ""), 257);
	put(root, "usr/lib/systemd/systemd", "libsystemd-shared-252.6.so");
	assert_int_equal(systemd_version(root, ""), 252);
	put(root, "usr/lib/systemd/systemd", "all in one");
	assert_int_equal(systemd_version(root, ""), SYSTEMD_UNKNOWN);
	put(root, "usr/lib/systemd/systemd", "libsystemd-shared-.so");
	assert_int_equal(systemd_version(root, ""), SYSTEMD_UNKNOWN);
}

static void another_init_is_left_alone(void **state)
{
	const char *root = *state;

	put(root, "usr/lib/systemd/systemd-shutdown", "libsystemd-shared-257.so");
	assert_int_equal(systemd_version(root, "/usr/lib/systemd/systemd-shutdown"), SYSTEMD_NONE);
	assert_int_equal(systemd_version(root, "/bin/sh"), SYSTEMD_NONE);
	point(root, "usr/sbin/init", "busybox");
	assert_int_equal(systemd_version(root, ""), SYSTEMD_NONE);
	assert_int_equal(systemd_version("/nowhere/at/all", ""), SYSTEMD_NONE);
}

static void nothing_is_followed_out_of_the_root(void **state)
{
	const char *root = *state;
	char *outside = xasprintf("%s.outside", root);
	_free_ char *up = NULL;

	assert_int_equal(mkdir(outside, 0755), 0);
	put(outside, "systemd", "libsystemd-shared-257.so");
	up = xasprintf("../../../../../..%s/systemd", outside);
	point(root, "usr/sbin/init", up);
	assert_int_equal(systemd_version(root, ""), SYSTEMD_NONE);
	teardown((void **)&outside);
}

static void its_tmpfs_needs_a_folder(void **state)
{
	const char *root = *state;
	_free_ char *run = in(root, "run");

	assert_int_equal(rmdir(run), 0);
	assert_int_equal(systemd_version(root, ""), SYSTEMD_NONE);
	point(root, "run", "/usr");
	assert_int_equal(systemd_version(root, ""), SYSTEMD_NONE);
}

/* The kernel does not go up while it cannot tell where to. */
static void *rename_on(void *arg)
{
	_free_ char *a = in(arg, "a"), *b = in(arg, "b");

	assert_int_equal(mkdir(a, 0755), 0);
	while (!stop) {
		if (rename(a, b) < 0 || rename(b, a) < 0)
			return arg;
	}
	return NULL;
}

static void it_is_found_whatever_the_host_does(void **state)
{
	const char *root = *state;
	pthread_t renames;
	void *failed;

	point(root, "usr/sbin/init", "../lib/systemd/systemd");
	stop = false;
	assert_int_equal(pthread_create(&renames, NULL, rename_on, *state), 0);
	for (int i = 0; i < LOOKS; i++)
		assert_int_equal(systemd_version(root, ""), 257);
	stop = true;
	assert_int_equal(pthread_join(renames, &failed), 0);
	assert_null(failed);
}

static void who_may_not_move_is_left_alone(void **state)
{
	static const struct {
		const char *privileged, *stateful;
		bool wanted;
	} cases[] = {
		{ "false", NULL, true },
		{ "false", "true", true },
		{ "false", "false", false },
		{ "true", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *spec = json_pack("{s{},s{si,si},sb}", "config", "idmap", "base",
						1000000, "size", 65536, "privileged",
						str_eq(cases[i].privileged, "true"));

		if (cases[i].stateful)
			json_put_str(json_obj(spec, "config"), "migration.stateful",
				     cases[i].stateful);
		assert_int_equal(systemd_is_wanted(spec), cases[i].wanted);
	}
}

/* --- what it is told ---------------------------------------------------------------------- */

/* Runs the hook as liblxc does, on the folder of the root file system. */
static int take_line(void *arg, const char *key, const char *value, struct err *err)
{
	_free_ char *command = xasprintf("exec %s", value);

	if (str_eq(key, "lxc.hook.mount")) {
		setenv("LXC_ROOTFS_MOUNT", arg, 1);
		assert_int_equal(proc_run((const char *const[]){ "/bin/sh", "-c", command, NULL },
					  NULL, PATIENCE, err),
				 0);
	}
	assert_null(strchr(value, '\n'));
	return 0;
}

static void lines_that_it_knows_are_written(void **state)
{
	const char *root = *state;
	struct err err;
	char *service, *manager;

	assert_int_equal(systemd_lines(252, take_line, *state, &err), 0);
	service = text_of(root, SERVICE);
	manager = text_of(root, MANAGER);
	assert_string_equal(service, "[Service]\nPrivateUsers=no\nProtectHostname=no\n"
				     "LoadCredential=\nSetCredential=\n"
				     "LoadCredentialEncrypted=\nSetCredentialEncrypted=\n");
	assert_string_equal(manager, "[Manager]\n");
	free(service);
	free(manager);
	assert_int_equal(systemd_lines(SYSTEMD_UNKNOWN, take_line, *state, &err), 0);
	service = text_of(root, SERVICE);
	manager = text_of(root, MANAGER);
	assert_non_null(strstr(service, "\nImportCredential=\nMemoryPressureWatch=off\n"));
	assert_string_equal(manager, "[Manager]\nDefaultMemoryPressureWatch=off\n");
	free(service);
	free(manager);
}

static int refuse_hook(void *arg, const char *key, const char *value, struct err *err)
{
	(*(int *)arg)++;
	return str_eq(key, "lxc.hook.mount") ? err_set(err, ERR_INVALID, "no hooks") : 0;
}

static void a_line_that_is_refused_ends_it(void **state)
{
	struct err err;
	int calls = 0;

	assert_int_equal(systemd_lines(257, refuse_hook, &calls, &err), -1);
	assert_int_equal(calls, 2);
	assert_string_equal(err.msg, "no hooks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(its_version_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(another_init_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_followed_out_of_the_root, setup,
						teardown),
		cmocka_unit_test_setup_teardown(its_tmpfs_needs_a_folder, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_found_whatever_the_host_does, setup,
						teardown),
		cmocka_unit_test(who_may_not_move_is_left_alone),
		cmocka_unit_test_setup_teardown(lines_that_it_knows_are_written, setup, teardown),
		cmocka_unit_test(a_line_that_is_refused_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
