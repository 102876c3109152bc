/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/child.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/idmap.h"

static void maps_of_specs(void **state)
{
	static const struct {
		const char *spec;
		uint32_t base, size; /* base 0 and size 1: refused */
	} rows[] = {
		{ "{\"idmap\":{\"base\":1000000,\"size\":65536}}", 1000000, 65536 },
		{ "{\"privileged\":true}", 0, 0 },
		{ "{\"privileged\":true,\"idmap\":{\"base\":5,\"size\":6}}", 0, 0 },
		{ "{\"privileged\":false,\"idmap\":{\"base\":1,\"size\":1}}", 1, 1 },
		{ "{}", 0, 1 },
		{ "{\"idmap\":{\"base\":0,\"size\":65536}}", 0, 1 },
		{ "{\"idmap\":{\"base\":1000000,\"size\":0}}", 0, 1 },
		{ "{\"idmap\":{\"base\":-5,\"size\":65536}}", 0, 1 },
		{ "{\"idmap\":{\"base\":4294967295,\"size\":65536}}", 0, 1 },
		{ "{\"idmap\":{\"base\":\"1\",\"size\":\"1\"}}", 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		_json_ json_t *spec = json_parse(rows[i].spec, strlen(rows[i].spec), "spec", &err);
		struct idmap m = { 7, 7 };
		bool refused = rows[i].base == 0 && rows[i].size == 1;

		assert_non_null(spec);
		assert_int_equal(idmap_of_spec(spec, &m, &err), refused ? -1 : 0);
		if (refused) {
			assert_int_equal(err.kind, ERR_INVALID);
			continue;
		}
		assert_int_equal(m.base, rows[i].base);
		assert_int_equal(m.size, rows[i].size);
	}
}

struct place {
	char dir[64];
	bool readonly, with_root;
};

static int stat_in(const struct place *p, const char *name, struct stat *st)
{
	_free_ char *path = xasprintf("%s/to/%s", p->dir, name);

	return lstat(path, st);
}

static int mount_place(const struct place *p, const char *spec_text, struct err *err)
{
	_json_ json_t *spec = json_parse(spec_text, strlen(spec_text), "spec", err);
	_free_ char *from = xasprintf("%s/from", p->dir), *to = xasprintf("%s/to", p->dir);
	_close_ int userns = -1;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "make a namespace");
	if (idmap_userns_of_spec(spec, p->with_root, &userns, err) < 0)
		return -1;
	return idmap_mount(from, to, userns, p->readonly, err);
}

static const char shifted[] = "{\"idmap\":{\"base\":1000000,\"size\":65536}}";

static bool shows_shifted_owners(void *arg, struct err *err)
{
	struct stat seven, root;

	return mount_place(arg, shifted, err) == 0 && stat_in(arg, "seven", &seven) == 0 &&
	       seven.st_uid == 1000007 && seven.st_gid == 1000008 &&
	       stat_in(arg, "root", &root) == 0 && root.st_uid == 1000000;
}

static bool shows_true_owners(void *arg, struct err *err)
{
	struct stat seven;

	return mount_place(arg, "{\"privileged\":true}", err) == 0 &&
	       stat_in(arg, "seven", &seven) == 0 && seven.st_uid == 7 && seven.st_gid == 8;
}

/* Root outside has no id in the map, and can make no file; with_root gives it one. */
static bool lets_root_write(void *arg, struct err *err)
{
	const struct place *p = arg;
	_free_ char *path = xasprintf("%s/to/new", p->dir);

	return mount_place(p, shifted, err) == 0 && io_write_file(path, "x", 1, 0600, err) == 0;
}

static void mounts(void **state)
{
	struct place p = { .dir = "/tmp/dunlin-test-idmap-XXXXXX" };
	_free_ char *from = NULL, *to = NULL, *seven = NULL, *root = NULL, *new = NULL;
	struct err err = { 0 };
	struct stat st;

	assert_non_null(mkdtemp(p.dir));
	from = xasprintf("%s/from", p.dir);
	to = xasprintf("%s/to", p.dir);
	seven = xasprintf("%s/seven", from);
	root = xasprintf("%s/root", from);
	new = xasprintf("%s/new", from);
	assert_int_equal(mkdir(from, 0755), 0);
	assert_int_equal(mkdir(to, 0755), 0);
	assert_int_equal(io_write_file(seven, "x", 1, 0600, &err), 0);
	assert_int_equal(io_write_file(root, "x", 1, 0600, &err), 0);
	assert_int_equal(chown(seven, 7, 8), 0);
	assert_true(in_child(shows_shifted_owners, &p));
	assert_true(in_child(shows_true_owners, &p));
	assert_false(in_child(lets_root_write, &p));
	p.with_root = true;
	assert_true(in_child(lets_root_write, &p));
	assert_int_equal(stat(new, &st), 0);
	assert_int_equal(st.st_uid, 65536); /* the id beyond the map */
	assert_int_equal(unlink(new), 0);
	p.readonly = true;
	assert_false(in_child(lets_root_write, &p));
	assert_false(io_exists(new));
	assert_int_equal(io_remove_tree(p.dir, &err), 0);
}

static void says_what_is_missing(void **state)
{
	struct err err = { 0 };

	assert_int_equal(idmap_mount("/nowhere/at/all", "/tmp", -1, false, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_of_specs),
		cmocka_unit_test(mounts),
		cmocka_unit_test(says_what_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
