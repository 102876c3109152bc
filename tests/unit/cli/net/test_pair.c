/* SPDX-License-Identifier: Apache-2.0 */
/* Images in two tarballs: files to a form, and a form to files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/multipart.h"
#include "base/str.h"
#include "cli/net/pair.h"

#define BOUNDARY "0123456789abcdef"
#define BIG (200 << 10) /* more than one read */

struct folder {
	char dir[32], before[4096];
};

static int setup(void **state)
{
	struct folder *f = xnew(struct folder);

	str_copy(f->dir, sizeof(f->dir), "/tmp/dunlin-test-pair-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_non_null(getcwd(f->before, sizeof(f->before)));
	assert_int_equal(chdir(f->dir), 0);
	assert_int_equal(mkdir("out", 0755), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct folder *f = *state;
	struct err err;
	int rc = chdir(f->before) < 0 ? -1 : io_remove_tree(f->dir, &err);

	free(f);
	return rc;
}

static void put(const char *path, const char *text, size_t len)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, len), 0);
}

static void assert_holds(int fd, const char *text, size_t len)
{
	_free_ char *is = xcalloc(len + 2, 1);
	size_t n = 0;
	ssize_t got;

	while (n <= len && (got = read(fd, is + n, len + 1 - n)) > 0)
		n += (size_t)got;
	assert_int_equal(n, len);
	assert_memory_equal(is, text, len);
}

static void assert_file(const char *path, const char *text)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("there is no %s", path);
	assert_holds(fd, text, strlen(text));
}

/* --- to a form ------------------------------------------------------------------------------- */

static void both_files_are_in_the_form(void **state)
{
	_free_ char *big = xcalloc(BIG, 1), *type = NULL, *boundary = NULL;
	struct multipart m = { 0 };
	struct err err = { 0 };
	struct stat st;
	int form;

	memset(big, 'r', BIG);
	put("meta", "about", 5);
	put("root", big, BIG);
	form = pair_join("meta", "root", &type, &err);
	if (form < 0)
		fail_msg("%s", err.msg);
	boundary = multipart_boundary(type);
	assert_non_null(boundary);
	assert_int_equal(lseek(form, 0, SEEK_CUR), 0);
	assert_int_equal(fstat(form, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(multipart_split(form, st.st_size, boundary, "/tmp", &m, &err), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.names[0], "metadata");
	assert_string_equal(m.names[1], "rootfs");
	assert_holds(m.fds[0], "about", 5);
	assert_holds(m.fds[1], big, BIG);
	multipart_free(&m);
	close(form);
}

static void boundaries_differ(void **state)
{
	_free_ char *one = NULL, *two = NULL;
	struct err err = { 0 };

	put("meta", "about", 5);
	close(pair_join("meta", "meta", &one, &err));
	close(pair_join("meta", "meta", &two, &err));
	assert_string_not_equal(one, two);
}

static void names_the_file_that_is_missing(void **state)
{
	static const struct {
		const char *meta, *rootfs, *words;
	} cases[] = {
		{ "none", "meta", "cannot open \"none\"" },
		{ "meta", "nothing", "cannot open \"nothing\"" },
		{ "out", "meta", "cannot read \"out\"" },
		{ "meta", "out", "cannot read \"out\"" },
	};

	put("meta", "about", 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *type = NULL;
		struct err err = { 0 };

		assert_int_equal(pair_join(cases[i].meta, cases[i].rootfs, &type, &err), -1);
		assert_null(type);
		if (!strstr(err.msg, cases[i].words))
			fail_msg("%s", err.msg);
	}
}

/* --- to files -------------------------------------------------------------------------------- */

static int form_of(const char *meta, const char *rootfs)
{
	struct err err = { 0 };
	int a = io_temp_fd("/tmp", &err), b = io_temp_fd("/tmp", &err);
	int form = io_temp_fd("/tmp", &err);
	struct multipart_file files[] = { { "metadata", meta, a, 5 }, { "rootfs", rootfs, b, 4 } };

	assert_int_equal(io_write_full(a, "about", 5), 0);
	assert_int_equal(io_write_full(b, "root", 4), 0);
	assert_int_equal(multipart_write(form, BOUNDARY, files, 2, &err), 0);
	close(a);
	close(b);
	return form;
}

static void files_get_their_names(void **state)
{
	static const struct {
		const char *target, *meta, *rootfs; /* as offered */
		const char *meta_path, *rootfs_path;
	} cases[] = {
		{ NULL, "m.tar.xz", "r.tar.gz", "m.tar.xz", "r.tar.gz" },
		{ NULL, "m", "r", "m", "r" },
		{ "out", "m.tar.xz", "r.tar", "out/m.tar.xz", "out/r.tar" },
		{ "out/", "m2.tar", "r2.tar", "out/m2.tar", "out/r2.tar" },
		{ "image", "m.tar.xz", "r.tar.gz", "image.tar.xz", "image.root.tar.gz" },
		{ "out/image", "m.tar", "r.squashfs", "out/image.tar", "out/image.root" },
	};
	struct cli c = { .quiet = true };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_close_ int form = form_of(cases[i].meta, cases[i].rootfs);
		struct err err = { 0 };

		if (pair_export(&c, form, BOUNDARY, cases[i].target, &err) < 0)
			fail_msg("%s", err.msg);
		assert_file(cases[i].meta_path, "about");
		assert_file(cases[i].rootfs_path, "root");
	}
}

static void what_was_there_is_replaced(void **state)
{
	_close_ int form = form_of("m.tar", "r.tar");
	struct cli c = { .quiet = true };
	struct err err = { 0 };

	put("m.tar", "something longer", 16);
	assert_int_equal(pair_export(&c, form, BOUNDARY, NULL, &err), 0);
	assert_file("m.tar", "about");
}

/* A server must not choose where the files of a client are written. */
static void names_of_paths_are_refused(void **state)
{
	static const char *const names[] = { "../stolen", "/tmp/dunlin-stolen", "a/b", "..", "." };
	struct cli c = { .quiet = true };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_close_ int form = form_of(names[i], "r9.tar");
		struct err err = { 0 };

		if (pair_export(&c, form, BOUNDARY, "out", &err) == 0)
			fail_msg("\"%s\" was written", names[i]);
		assert_int_equal(access("stolen", F_OK), -1);
		assert_int_equal(access("out/r9.tar", F_OK), -1);
	}
}

static void says_what_it_cannot_write(void **state)
{
	_close_ int form = form_of("m.tar", "r.tar");
	struct cli c = { .quiet = true };
	struct err err = { 0 };

	assert_int_equal(pair_export(&c, form, BOUNDARY, "nowhere/image", &err), -1);
	assert_non_null(strstr(err.msg, "cannot write \"nowhere/image.tar\""));
	assert_int_equal(pair_export(&c, form, "another", NULL, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_files_are_in_the_form),
		cmocka_unit_test(boundaries_differ),
		cmocka_unit_test(names_the_file_that_is_missing),
		cmocka_unit_test(files_get_their_names),
		cmocka_unit_test(what_was_there_is_replaced),
		cmocka_unit_test(names_of_paths_are_refused),
		cmocka_unit_test(says_what_it_cannot_write),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
