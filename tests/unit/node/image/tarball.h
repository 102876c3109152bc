/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/node/image/tarball.h - small tarballs for the tests of images, good and bad, out of
 * tables. */
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "base/io.h"

#define META                                                            \
	"architecture: amd64\ncreation_date: 1700000000\nproperties:\n" \
	"  os: Busybox\n  release: 12\ntemplates:\n  /etc/hostname:\n"  \
	"    when: [create]\n    template: host.tpl\n    create_only: true\n"

struct item {
	const char *path;
	int type;
	const char *text; /* content, or target */
	size_t zeros;     /* content instead */
	int mode;
	const char *cap;
};

#define FILE_(p, t)                                                      \
	{                                                                \
		.path = (p), .type = AE_IFREG, .text = (t), .mode = 0644 \
	}
#define DIR_(p)                                             \
	{                                                   \
		.path = (p), .type = AE_IFDIR, .mode = 0755 \
	}
#define LINK_(p, t)                                                      \
	{                                                                \
		.path = (p), .type = AE_IFLNK, .text = (t), .mode = 0777 \
	}
#define HARD_(p, t)                                                \
	{                                                          \
		.path = (p), .type = -1, .text = (t), .mode = 0644 \
	}
#define DEV_(p, k)                                     \
	{                                              \
		.path = (p), .type = (k), .mode = 0644 \
	}
#define GOOD_META FILE_("metadata.yaml", META), FILE_("templates/host.tpl", "{{ name }}\n")

static inline void write_zeros(struct archive *a, size_t len)
{
	static const char block[65536];

	while (len) {
		size_t n = len < sizeof(block) ? len : sizeof(block);

		assert_true(archive_write_data(a, block, n) == (ssize_t)n);
		len -= n;
	}
}

static inline void write_item(struct archive *a, const struct item *it)
{
	struct archive_entry *e = archive_entry_new();
	size_t len = it->zeros ? it->zeros : it->text ? strlen(it->text) : 0;

	archive_entry_set_pathname(e, it->path);
	archive_entry_set_mtime(e, 1600000000, 0);
	archive_entry_set_perm(e, it->mode);
	archive_entry_set_uid(e, 7);
	archive_entry_set_gid(e, 8);
	archive_entry_set_filetype(e, it->type < 0 ? AE_IFREG : (unsigned)it->type);
	if (it->type == AE_IFREG)
		archive_entry_set_size(e, (int64_t)len);
	else if (it->type == AE_IFLNK)
		archive_entry_set_symlink(e, it->text);
	else if (it->type < 0)
		archive_entry_set_hardlink(e, it->text);
	if (it->type == AE_IFCHR || it->type == AE_IFBLK)
		archive_entry_set_rdev(e, makedev(1, 3));
	if (it->cap)
		archive_entry_xattr_add_entry(e, "security.capability", it->cap, 20);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (it->type == AE_IFREG && it->zeros)
		write_zeros(a, len);
	else if (it->type == AE_IFREG && len)
		assert_true(archive_write_data(a, it->text, len) == (ssize_t)len);
	archive_entry_free(e);
}

static inline int make_tar(const char *dir, int filter, const struct item *items)
{
	struct err err;
	int fd = io_temp_fd(dir, &err);
	struct archive *a = archive_write_new();
	/* For writing only: reading must do without the process' locale. */
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), old = uselocale(utf8);

	assert_true(fd >= 0);
	archive_write_set_format_pax_restricted(a);
	archive_write_add_filter(a, filter);
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (; items->path; items++)
		write_item(a, items);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	uselocale(old);
	freelocale(utf8);
	return fd;
}
