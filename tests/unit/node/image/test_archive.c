/* SPDX-License-Identifier: Apache-2.0 */
/* The table of libarchive's functions. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "base/mem.h"
#include "node/image/image_int.h"

/* A row is by its name what the library has, and so is what calls it. */
static void has_every_function(void **state)
{
	static const struct {
		const char *name;
		void *ours;
	} rows[] = {
#define ARCHIVE(result, fn, params, args) { #fn, (void *)fn },
#include "node/image/archive.def"
#undef ARCHIVE
	};
	void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
	struct err err = { 0 };

	if (image_tar_load(&err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(library);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *theirs = dlsym(library, rows[i].name);

		if (!theirs || !rows[i].ours)
			fail_msg("%s", rows[i].name);
		/* Twice the same would be a call of the wrong one. */
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rows[i].name, rows[k].name);
	}
	dlclose(library);
}

/* Each by what it does to an archive of one file. */
static void reads_an_archive(void **state)
{
	/* tar(5), ustar. */
	struct archive *a = archive_read_new();
	struct archive_entry *e = NULL;
	char block[512] = "ab", end[1024] = { 0 };
	unsigned sum = 0;
	int pipefd[2];

	assert_int_equal(pipe(pipefd), 0);
	memcpy(block + 100,
	       "0000640\0" "0000005\0" "0000006\0" "00000000000\0" "00000000100\0", 48);
	memset(block + 148, ' ', 8);
	block[156] = '0';
	memcpy(block + 257, "ustar\0" "00", 8);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	snprintf(block + 148, 8, "%06o", sum);
	assert_int_equal(write(pipefd[1], block, sizeof(block)), sizeof(block));
	assert_int_equal(write(pipefd[1], end, sizeof(end)), sizeof(end));
	close(pipefd[1]);
	assert_non_null(a);
	assert_int_equal(archive_read_support_format_tar(a), ARCHIVE_OK);
	assert_int_equal(archive_read_open_fd(a, pipefd[0], 512), ARCHIVE_OK);
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
	assert_string_equal(archive_entry_pathname(e), "ab");
	assert_null(archive_entry_hardlink(e));
	assert_null(archive_entry_symlink(e));
	assert_int_equal(archive_entry_filetype(e), AE_IFREG);
	assert_int_equal(archive_entry_perm(e), 0640);
	assert_int_equal(archive_entry_uid(e), 5);
	assert_int_equal(archive_entry_gid(e), 6);
	assert_int_equal(archive_entry_size(e), 0);
	assert_int_equal(archive_entry_mtime(e), 0100);
	assert_int_equal(archive_entry_mtime_nsec(e), 0);
	assert_int_equal(archive_entry_xattr_reset(e), 0);
	assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_EOF);
	assert_true(archive_filter_bytes(a, -1) >= 512);
	assert_int_equal(archive_read_free(a), ARCHIVE_OK);
	close(pipefd[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_every_function),
		cmocka_unit_test(reads_an_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
