/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/node/storage/storage_world.h - the folder of a node without containers, with an image
 * in it as if it had been unpacked.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/node_int.h"

#define FP "e58293b7c3de3e7efe1d7414e64978fe86b1e6dca50101012e675b60d5ad3024"

struct world {
	struct node n;
	char dir[64];
	char *image;     /* images/FP.root */
	const void *row; /* of the test that runs for each row of a table */
};

static inline char *path_in(struct world *w, const char *rest)
{
	return xasprintf("%s/%s", w->dir, rest);
}

static inline void put_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	struct err err;

	if (io_write_file(path, text, strlen(text), mode, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(chmod(path, mode), 0);
}

/* An image as if it were unpacked: what a copy has to keep. */
static inline void make_image(struct world *w)
{
	_free_ char *tarball = path_in(w, "images/" FP),
		    *etc = path_in(w, "images/" FP ".root/etc");
	_free_ char *a = xasprintf("%s/a", etc), *b = xasprintf("%s/b", etc);
	_free_ char *link = xasprintf("%s/link", etc), *sparse = xasprintf("%s/sparse", etc);
	_free_ char *pipe = xasprintf("%s/pipe", etc);
	_close_ int fd = -1;
	struct err err;

	w->image = path_in(w, "images/" FP ".root");
	assert_int_equal(io_mkdirs(etc, 0755, &err), 0);
	put_file(w->dir, "images/" FP, "tarball", 0600);
	assert_true(io_exists(tarball));
	put_file(etc, "a", "content", 04755);
	assert_int_equal(chown(a, 7, 8), 0);
	assert_int_equal(chmod(a, 04755), 0);
	assert_int_equal(setxattr(a, "user.note", "x", 1, 0), 0);
	assert_int_equal(linkat(AT_FDCWD, a, AT_FDCWD, b, 0), 0);
	assert_int_equal(symlink("/nowhere", link), 0);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	fd = open(sparse, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_int_equal(pwrite(fd, "data", 4, 8 << 20), 4);
	assert_int_equal(chmod(etc, 0711), 0);
	assert_int_equal(chmod(w->image, 0751), 0);
}

static inline int set_up(void **state)
{
	struct world *w = xnew(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/dunlin-test-storage-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->n.dir = w->dir;
	make_image(w);
	*state = w;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w->image);
	free(w);
	return 0;
}

static inline json_t *pool_of(const char *driver, const char *source)
{
	json_t *p = json_object(), *config = json_object();

	json_put_str(p, "name", "default");
	json_put_str(p, "driver", driver);
	json_put_str(config, "source", source);
	json_object_set_new(p, "config", config);
	return p;
}

static inline void check_ok(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->msg);
}

/* Entries of a folder; 0 when there is none. */
static inline int count_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += !str_eq(e->d_name, ".") && !str_eq(e->d_name, "..");
	if (d)
		closedir(d);
	return n;
}

/* What a driver shows of the image's files at root. */
static inline void check_copy(const char *root)
{
	_free_ char *a = xasprintf("%s/etc/a", root), *b = xasprintf("%s/etc/b", root);
	_free_ char *link = xasprintf("%s/etc/link", root), *etc = xasprintf("%s/etc", root);
	_free_ char *sparse = xasprintf("%s/etc/sparse", root);
	_free_ char *pipe = xasprintf("%s/etc/pipe", root);
	char buf[16] = "";
	struct stat sa, sb;

	assert_int_equal(stat(a, &sa), 0);
	assert_int_equal(stat(b, &sb), 0);
	assert_int_equal(sa.st_ino, sb.st_ino);
	assert_int_equal(sa.st_mode & 07777, 04755);
	assert_int_equal(sa.st_uid, 7);
	assert_int_equal(sa.st_gid, 8);
	assert_int_equal(getxattr(a, "user.note", buf, sizeof(buf)), 1);
	assert_int_equal(readlink(link, buf, sizeof(buf)), 8);
	assert_int_equal(lstat(pipe, &sa), 0);
	assert_true(S_ISFIFO(sa.st_mode));
	assert_int_equal(stat(sparse, &sa), 0);
	assert_int_equal(sa.st_size, 16 << 20);
	assert_true(sa.st_blocks * 512 < 1 << 20);
	assert_int_equal(stat(etc, &sa), 0);
	assert_int_equal(sa.st_mode & 07777, 0711);
	assert_int_equal(stat(root, &sa), 0);
	assert_int_equal(sa.st_mode & 07777, 0751);
}
