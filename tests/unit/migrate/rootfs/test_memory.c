/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "migrate/rootfs/memory.h"

static struct seen file(void)
{
	return (struct seen){ .ino = 7,
			      .size = 10,
			      .mtime_ns = 100,
			      .ctime_ns = 200,
			      .mode = S_IFREG | 0644,
			      .uid = 1,
			      .gid = 2,
			      .nlink = 1 };
}

static void notes_what_stat_says(void **state)
{
	struct stat st = { .st_ino = 7,
			   .st_size = 10,
			   .st_rdev = 3,
			   .st_mode = S_IFREG | 0644,
			   .st_uid = 1,
			   .st_gid = 2,
			   .st_nlink = 4,
			   .st_mtim = { 1, 5 },
			   .st_ctim = { -1, 999999999 } };
	struct seen e = { 0 };

	seen_of(&e, &st);
	assert_int_equal(e.ino, 7);
	assert_int_equal(e.size, 10);
	assert_int_equal(e.rdev, 3);
	assert_int_equal(e.mode, S_IFREG | 0644);
	assert_int_equal(e.uid, 1);
	assert_int_equal(e.gid, 2);
	assert_int_equal(e.nlink, 4);
	assert_int_equal(e.mtime_ns, 1000000005);
	assert_int_equal(e.ctime_ns, -1);
}

static void sees_each_change(void **state)
{
	static const struct {
		struct seen by; /* what is added */
		bool file_same, folder_same;
	} cases[] = {
		{ { .ino = 0 }, true, true },        { { .ino = 1 }, false, false },
		{ { .ctime_ns = 1 }, false, false }, { { .mode = 1 }, false, false },
		{ { .uid = 1 }, false, false },      { { .gid = 1 }, false, false },
		{ { .rdev = 1 }, false, false },     { { .size = 1 }, false, true },
		{ { .mtime_ns = 1 }, false, true },  { { .nlink = 1 }, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct seen a = file(), b = file();

		b.ino += cases[i].by.ino;
		b.ctime_ns += cases[i].by.ctime_ns;
		b.mode += cases[i].by.mode;
		b.uid += cases[i].by.uid;
		b.gid += cases[i].by.gid;
		b.rdev += cases[i].by.rdev;
		b.size += cases[i].by.size;
		b.mtime_ns += cases[i].by.mtime_ns;
		b.nlink += cases[i].by.nlink;
		assert_int_equal(seen_same(&a, &b), cases[i].file_same);
		a.mode = a.mode - S_IFREG + S_IFDIR;
		b.mode = b.mode - S_IFREG + S_IFDIR;
		assert_int_equal(seen_same(&a, &b), cases[i].folder_same);
	}
}

static void what_is_spoilt_equals_nothing(void **state)
{
	struct seen a = file(), b = file();

	seen_spoil(&a);
	assert_false(seen_same(&a, &b));
	assert_false(seen_same(&b, &a));
}

static void finds_children_by_name(void **state)
{
	struct seen folder = { 0 };

	assert_null(seen_find(NULL, "f1"));
	assert_null(seen_find(&folder, "f1"));
	seen_sort(&folder);
	for (int i = 99; i >= 0; i--) { /* more than there is room for at first */
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		seen_add(&folder, name)->ino = (uint64_t)i;
	}
	seen_sort(&folder);
	assert_int_equal(folder.nchild, 100);
	for (int i = 0; i < 100; i++) {
		const struct seen *e;
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		e = seen_find(&folder, name);
		assert_non_null(e);
		assert_int_equal(e->ino, i);
	}
	assert_null(seen_find(&folder, "f"));
	assert_null(seen_find(&folder, "f100"));
	seen_add(&folder.child[0], "below");
	seen_clear(&folder);
	assert_int_equal(folder.nchild, 0);
	assert_null(folder.child);
}

static void keeps_the_first_name_of_an_inode(void **state)
{
	struct names n = { 0 };

	assert_null(names_get(&n, 1));
	assert_false(names_fresh(&n, 1));
	names_put(&n, 1, "a", true);
	names_put(&n, 1, "b", false);
	assert_string_equal(names_get(&n, 1), "a");
	assert_true(names_fresh(&n, 1));
	for (uint64_t ino = 2; ino < 500; ino++) {
		char path[24];

		snprintf(path, sizeof(path), "p%d", (int)ino);
		names_put(&n, ino << 20, path, ino % 2);
	}
	assert_int_equal(n.count, 499);
	for (uint64_t ino = 2; ino < 500; ino++) {
		char path[24];

		snprintf(path, sizeof(path), "p%d", (int)ino);
		assert_string_equal(names_get(&n, ino << 20), path);
		assert_int_equal(names_fresh(&n, ino << 20), ino % 2);
	}
	assert_string_equal(names_get(&n, 1), "a");
	assert_null(names_get(&n, 500 << 20));
	names_clear(&n);
	assert_null(names_get(&n, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_what_stat_says),
		cmocka_unit_test(sees_each_change),
		cmocka_unit_test(what_is_spoilt_equals_nothing),
		cmocka_unit_test(finds_children_by_name),
		cmocka_unit_test(keeps_the_first_name_of_an_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
