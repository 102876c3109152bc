/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/child.h"

#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/host/modes.h"

/* Modes as an older version may have left them, and as they are afterwards. */
static const struct {
	const char *path; /* folders end with "/" */
	mode_t before, after;
} rows[] = {
	{ "/", 0755, 0711 },
	{ "/unix.socket", 0666, 0660 },
	{ "/cluster.crt", 0664, 0644 },
	{ "/cluster.key", 0644, 0600 },
	{ "/server.crt", 0600, 0600 }, /* nothing is given */
	{ "/database/", 0755, 0700 },
	{ "/database/rows.db", 0644, 0600 },
	{ "/run/", 0755, 0700 },
	{ "/containers/", 0755, 0711 },
	{ "/containers/c1/", 0755, 0711 },
	{ "/containers/c1/config", 0644, 0600 },
	{ "/containers/c1/stage/", 0777, 0711 },
	{ "/containers/c1/stage/rootfs/", 0755,
	  0755 }, /* what is mounted there is the container's */
	{ "/containers/c1/rootfs/", 0755, 0700 },
	{ "/containers/c1/rootfs/etc", 0644, 0644 },
	{ "/images/", 0755, 0700 },
	{ "/images/aa", 0644, 0600 },
	{ "/images/aa.root/", 0755, 0755 },
	{ "/images/aa.root/passwd", 0644, 0644 },
	{ "/storage-pools/", 0755, 0700 },
	{ "/storage-pools/p/", 0755, 0700 },
	{ "/storage-pools/p/containers/", 0755, 0700 },
	{ "/storage-pools/p/containers/c1/", 0755, 0755 },
	{ "/storage-pools/p/containers/c1/sudo", 04755, 04755 },
	{ "/networks/", 0755, 0711 },
	{ "/networks/n0/", 0755, 0711 },
	{ "/networks/n0/dnsmasq.hosts", 0666, 0644 },
	{ "/networks/n0/dnsmasq.conf", 0644, 0600 },
	{ "/networks/n0/names/", 0777, 0755 },
	{ "/networks/n0/names/hosts", 0644, 0644 },
};

static void tightens(void **state)
{
	char dir[] = "/tmp/dunlin-test-modes-XXXXXX";
	struct err err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *path = xasprintf("%s%s", dir, rows[i].path);

		if (path[strlen(path) - 1] == '/')
			assert_true(io_exists(path) || mkdir(path, 0700) == 0);
		else
			assert_int_equal(io_write_file(path, "x", 1, 0600, &err), 0);
		assert_int_equal(chmod(path, rows[i].before), 0);
	}
	for (int again = 0; again < 2; again++) {
		assert_int_equal(modes_tighten(dir, &err), 0);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_free_ char *path = xasprintf("%s%s", dir, rows[i].path);

			assert_int_equal(stat(path, &st), 0);
			if ((st.st_mode & 07777) != rows[i].after)
				fail_msg("%s: %o, not %o", rows[i].path, st.st_mode & 07777,
					 rows[i].after);
		}
	}
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

/* A link is not followed to what it names. */
static void leaves_what_links_name(void **state)
{
	char dir[] = "/tmp/dunlin-test-modes-XXXXXX", outside[] = "/tmp/dunlin-test-outside-XXXXXX";
	_free_ char *link = NULL;
	struct err err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(dir));
	assert_non_null(mkdtemp(outside));
	assert_int_equal(chmod(outside, 0755), 0);
	link = xasprintf("%s/link", dir);
	assert_int_equal(symlink(outside, link), 0);
	assert_int_equal(modes_tighten(dir, &err), 0);
	assert_int_equal(stat(outside, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(io_remove_tree(dir, &err), 0);
	assert_int_equal(rmdir(outside), 0);
}

static void says_what_is_missing(void **state)
{
	struct err err = { 0 };

	assert_int_equal(modes_tighten("/nowhere/at/all", &err), -1);
	assert_non_null(strstr(err.msg, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tightens),
		cmocka_unit_test(leaves_what_links_name),
		cmocka_unit_test(says_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
