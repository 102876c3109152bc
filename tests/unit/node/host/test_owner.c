/* SPDX-License-Identifier: Apache-2.0 */
/* The note of who may use a container's cgroups, of a tree in the hierarchies of this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/cgroup.h"
#include "node/host/owner.h"

struct note {
	char dir[64]; /* of the images */
	char cgroup[64];
	json_t *hierarchies;
};

static char *path_in(const struct note *n, size_t hierarchy, const char *path)
{
	return xasprintf(CGROUP_ROOT "/%s/%s/%s",
			 json_string_value(json_array_get(n->hierarchies, hierarchy)), n->cgroup,
			 path);
}

static int set_up(void **state)
{
	struct note *n = xnew(struct note);
	struct err err;

	str_copy(n->dir, sizeof(n->dir), "/tmp/dunlin-test-owner-XXXXXX");
	assert_non_null(mkdtemp(n->dir));
	snprintf(n->cgroup, sizeof(n->cgroup), "dunlin-test-owner-%d", getpid());
	n->hierarchies = cgroup_hierarchies();
	assert_true(json_array_size(n->hierarchies) > 0);
	for (size_t i = 0; i < json_array_size(n->hierarchies); i++) {
		_free_ char *deep = path_in(n, i, "c1/payload/a.service/b");
		_free_ char *other = path_in(n, i, "c2/payload");

		assert_int_equal(io_mkdirs(deep, 0755, &err), 0);
		assert_int_equal(io_mkdirs(other, 0755, &err), 0);
	}
	*state = n;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const folders[] = { "c1/payload/a.service/b",
					       "c1/payload/a.service",
					       "c1/payload",
					       "c1",
					       "c2/payload",
					       "c2",
					       "" };
	struct note *n = *state;
	struct err err;
	int rc = 0;

	for (size_t i = 0; i < json_array_size(n->hierarchies); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(folders); k++) {
			_free_ char *path = path_in(n, i, folders[k]);

			rc |= rmdir(path);
		}
	}
	rc |= io_remove_tree(n->dir, &err);
	json_decref(n->hierarchies);
	free(n);
	return rc;
}

static char *saved(const struct note *n)
{
	_free_ char *file = xasprintf("%s/" CGROUP_OWNERS, n->dir);
	struct err err = { 0 };
	char *text;

	if (cgroup_owners_save(n->cgroup, "c1", n->dir, &err) < 0)
		fail_msg("%s", err.msg);
	text = io_read_file(file, 32 << 20, NULL, &err);
	assert_non_null(text);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	_free_ char *whole = xasprintf("\n%s\n", line), *all = xasprintf("\n%s", text);

	return strstr(all, whole);
}

static void notes_folders_and_files_with_an_owner(void **state)
{
	const struct note *n = *state;
	const char *first = json_string_value(json_array_get(n->hierarchies, 0));
	_free_ char *folder = path_in(n, 0, "c1/payload/a.service");
	_free_ char *procs = path_in(n, 0, "c1/payload/a.service/b/cgroup.procs");
	_free_ char *of_folder = xasprintf("750 1000007 1000008 %s /a.service", first);
	_free_ char *of_file = xasprintf("600 1000009 1000009 %s /a.service/b/cgroup.procs", first);
	_free_ char *text = NULL;

	assert_int_equal(chown(folder, 1000007, 1000008), 0);
	assert_int_equal(chmod(folder, 0750), 0);
	assert_int_equal(chown(procs, 1000009, 1000009), 0);
	assert_int_equal(chmod(procs, 0600), 0);
	text = saved(n);
	assert_true(has_line(text, of_folder));
	assert_true(has_line(text, of_file));
	/* of the container alone, and below its payload */
	assert_null(strstr(text, "c2"));
	assert_null(strstr(text, "payload"));
}

/* In each hierarchy: the payload itself, whose path is empty, comes before what is in it. */
static void notes_each_hierarchy(void **state)
{
	const struct note *n = *state;
	_free_ char *text = NULL;

	for (size_t i = 0; i < json_array_size(n->hierarchies); i++) {
		_free_ char *top = path_in(n, i, "c1/payload");
		_free_ char *deep = path_in(n, i, "c1/payload/a.service/b");

		assert_int_equal(chown(top, 1000007, 1000008), 0);
		assert_int_equal(chown(deep, 0, 1000008), 0);
	}
	text = saved(n);
	for (size_t i = 0; i < json_array_size(n->hierarchies); i++) {
		const char *name = json_string_value(json_array_get(n->hierarchies, i));
		_free_ char *top = xasprintf("755 1000007 1000008 %s ", name);
		_free_ char *deep = xasprintf("755 0 1000008 %s /a.service/b", name);

		assert_true(has_line(text, top));
		assert_true(has_line(text, deep));
		assert_true(strstr(text, top) < strstr(text, deep));
	}
}

/* A new folder is as it should be, but for what CRIU writes to. */
static void leaves_out_what_is_of_the_hosts_root(void **state)
{
	const struct note *n = *state;
	_free_ char *text = NULL;

	for (size_t i = 0; i < json_array_size(n->hierarchies); i++) {
		_free_ char *top = path_in(n, i, "c1/payload");

		assert_int_equal(chown(top, 1000007, 1000008), 0);
	}
	text = saved(n);
	assert_null(strstr(text, "cgroup.procs"));
	assert_null(strstr(text, "a.service\n"));
	if (cgroup_is_v1("freezer"))
		assert_non_null(strstr(text, " 0 0 freezer /a.service/freezer.state\n"));
}

/* A privileged container's init changes modes of files that stay root's. */
static void notes_all_of_a_privileged_one(void **state)
{
	const struct note *n = *state;
	const char *first = json_string_value(json_array_get(n->hierarchies, 0));
	_free_ char *procs = path_in(n, 0, "c1/payload/a.service/cgroup.procs");
	_free_ char *line = xasprintf("640 0 0 %s /a.service/cgroup.procs", first);
	_free_ char *text = NULL;

	assert_int_equal(chmod(procs, 0640), 0);
	text = saved(n);
	assert_true(has_line(text, line));
}

static void says_what_it_cannot_write(void **state)
{
	struct err err = { 0 };

	assert_int_equal(cgroup_owners_save("none", "c1", "/nowhere", &err), -1);
	assert_non_null(strstr(err.msg, "write /nowhere/" CGROUP_OWNERS));
}

/* The folder is of the images, which may hold what a container made: no link is followed. */
static void follows_no_link(void **state)
{
	const struct note *n = *state;
	_free_ char *file = xasprintf("%s/" CGROUP_OWNERS, n->dir);
	_free_ char *other = xasprintf("%s/other", n->dir);
	struct err err = { 0 };

	assert_int_equal(symlink(other, file), 0);
	assert_int_equal(cgroup_owners_save(n->cgroup, "c1", n->dir, &err), -1);
	assert_int_equal(access(other, F_OK), -1);
}

#define OWNER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OWNER_TEST(notes_folders_and_files_with_an_owner),
		OWNER_TEST(notes_each_hierarchy),
		OWNER_TEST(leaves_out_what_is_of_the_hosts_root),
		OWNER_TEST(notes_all_of_a_privileged_one),
		OWNER_TEST(says_what_it_cannot_write),
		OWNER_TEST(follows_no_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
