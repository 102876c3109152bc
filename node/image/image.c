/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image/image.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/image/image_int.h"
#include "node/node_int.h"

#define META_MAX (8 << 20)
#define COPY_BLOCK (256 << 10)

/* The tarball itself carries the lock of its image (flock): it exists exactly as long as the
 * image does, and locks of crashed processes vanish. */

char *image_part(const struct node *n, const char *fp, const char *suffix)
{
	return node_path(n, "images/%s%s", fp, suffix);
}

char *image_temp(const struct node *n, const char *what)
{
	char hex[17];

	return node_path(n, "images/%s" IMAGE_TEMP_MARK "%s", what, rng_hex(hex, 8));
}

/* For root only: set-id programs of images lie below with the host's ids. */
static int make_folder(const struct node *n, struct err *err)
{
	_free_ char *folder = node_path(n, "images");

	return io_folder(folder, 0700, err);
}

int image_check_fingerprint(const char *fp, struct err *err)
{
	if (!str_is_hex(fp, IMAGE_FP_LEN))
		return err_set(err, ERR_INVALID, "image \"%.80s\": not a complete fingerprint", fp);
	return 0;
}

bool image_present(struct node *n, const char *fp)
{
	_free_ char *path = image_part(n, fp, "");

	return str_is_hex(fp, IMAGE_FP_LEN) && io_exists(path);
}

static int open_part(struct node *n, const char *fp, const char *suffix, int64_t *ret_size,
		     struct err *err)
{
	_free_ char *path = image_part(n, fp, suffix);
	_close_ int fd = -1;
	struct stat st;

	if (image_check_fingerprint(fp, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "image %.12s%s is not on this member", fp,
			       suffix);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "open image %.12s%s", fp, suffix);
	if (ret_size)
		*ret_size = st.st_size;
	return take_fd(&fd);
}

int image_open(struct node *n, const char *fp, int64_t *ret_size, struct err *err)
{
	return open_part(n, fp, "", ret_size, err);
}

int image_open_rootfs(struct node *n, const char *fp, int64_t *ret_size, struct err *err)
{
	return open_part(n, fp, ".rootfs", ret_size, err);
}

int image_lock(struct node *n, const char *fp, struct err *err)
{
	_close_ int fd = image_open(n, fp, NULL, err);
	struct stat st;

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "lock image %.12s", fp);
	}
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return err_set(err, ERR_NOT_FOUND, "image %.12s was deleted meanwhile", fp);
	return take_fd(&fd);
}

static json_t *load_meta(struct node *n, const char *fp)
{
	_free_ char *path = image_part(n, fp, ".meta.json"), *text = NULL;
	struct err err;
	size_t len;

	if (!str_is_hex(fp, IMAGE_FP_LEN))
		return NULL;
	text = io_read_file(path, META_MAX, &len, &err);
	return text ? json_parse(text, len, "image metadata", &err) : NULL;
}

static const char *const info_keys[] = { "fingerprint", "size",       "architecture", "created_at",
					 "expires_at",  "properties", "type" };

static json_t *info_of(const json_t *meta)
{
	json_t *info = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(info_keys); i++)
		json_object_set(info, info_keys[i], json_object_get(meta, info_keys[i]));
	return info;
}

json_t *image_metadata(struct node *n, const char *fp)
{
	_json_ json_t *meta = load_meta(n, fp);

	return json_incref(json_obj(meta, "metadata"));
}

json_t *image_templates(struct node *n, const char *fp)
{
	_json_ json_t *meta = load_meta(n, fp);
	json_t *t = json_obj(meta, "templates");

	return t ? json_incref(t) : json_object();
}

/* --- import --------------------------------------------------------------------------------- */

struct import {
	struct node *n;
	const struct image_limits *limits;
	char *paths[2]; /* temporary files: unified or metadata, rootfs */
	int fds[2];
	int nparts;
	int64_t sizes[2], done;
	struct sha256 *sha;
	void (*progress)(void *arg, int64_t done, int64_t total);
	void *arg;
};

static void import_close(struct import *im)
{
	char unused[SHA256_HEX_SIZE];

	for (int i = 0; i < 2; i++) {
		if (im->paths[i])
			unlink(im->paths[i]);
		free(im->paths[i]);
		if (im->fds[i] >= 0)
			close(im->fds[i]);
	}
	if (im->sha)
		sha256_end(im->sha, unused);
}

static void tell(void *arg, int64_t done)
{
	struct import *im = arg;
	int64_t total = im->sizes[0] + im->sizes[1];

	if (done < im->done || done > total)
		return;
	im->done = done;
	if (im->progress)
		im->progress(im->arg, done, total);
}

static int copy_block(struct import *im, int part, int from, char *buf, struct err *err)
{
	ssize_t len = read(from, buf, COPY_BLOCK);

	if (len < 0)
		return errno == EINTR ? 1 : err_sys(err, "image: read");
	if (len == 0)
		return 0;
	im->sizes[part] += len;
	if ((uint64_t)im->sizes[part] > im->limits->stored)
		return err_set(err, ERR_TOO_LARGE, "image: larger than %llu bytes",
			       (unsigned long long)im->limits->stored);
	sha256_add(im->sha, buf, len);
	if (io_write_full(im->fds[part], buf, len) < 0)
		return err_sys(err, "image: store");
	return 1;
}

static int refuse_other_formats(struct import *im, int part, struct err *err)
{
	char magic[4] = "";

	if (im->sizes[part] == 0)
		return err_set(err, ERR_INVALID, "image: the file is empty");
	if (pread(im->fds[part], magic, sizeof(magic), 0) == sizeof(magic) &&
	    memcmp(magic, "hsqs", 4) == 0)
		return err_set(err, ERR_INVALID,
			       "image: squashfs is not supported: give the root file system as a "
			       "tarball (unsquashfs and tar convert it)");
	return 0;
}

static int store_part(struct import *im, int part, int from, struct err *err)
{
	_free_ char *buf = xcalloc(1, COPY_BLOCK);
	int rc;

	im->paths[part] = image_temp(im->n, "import");
	im->fds[part] = open(im->paths[part], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (im->fds[part] < 0)
		return err_sys(err, "create %s", im->paths[part]);
	/* Uploads were just written: their descriptor stands at the end. Pipes have no
	 * beginning. */
	if (lseek(from, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return err_sys(err, "image: rewind");
	while ((rc = copy_block(im, part, from, buf, err)) > 0)
		;
	return rc < 0 ? -1 : refuse_other_formats(im, part, err);
}

/* Descriptors that only read. */
static int open_parts(const struct import *im, int fds[2], struct err *err)
{
	for (int i = 0; i < im->nparts; i++) {
		fds[i] = open(im->paths[i], O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return err_sys(err, "open %s", im->paths[i]);
	}
	return 0;
}

static json_t *scan_parts(struct import *im, const char *fp, struct err *err)
{
	_close_ int first = -1, second = -1;
	struct image_job job = { .verb = "helper-scan",
				 .fp = fp,
				 .limits = im->limits,
				 .fds = { -1, -1 },
				 .progress = tell,
				 .arg = im };
	_json_ json_t *found = NULL;
	int rc = open_parts(im, job.fds, err);
	const char *left_out;

	first = job.fds[0];
	second = job.fds[1];
	found = rc < 0 ? NULL : image_job_run(&job, err);
	if (!found)
		return NULL;
	left_out = json_str(found, "left_out", NULL);
	if (left_out)
		log_warn("image: device nodes and sockets outside of /dev were left out", "image",
			 fp, "first", left_out);
	tell(im, im->sizes[0] + im->sizes[1]);
	return image_meta_make(json_object_get(found, "metadata"), json_obj(found, "files"), err);
}

/* The first part comes last: while it is not there, the image is not. */
static int publish(struct import *im, const char *fp, const json_t *meta, struct err *err)
{
	static const char *const suffix[2] = { "", ".rootfs" };
	_free_ char *meta_path = image_part(im->n, fp, ".meta.json");
	_free_ char *mine = image_part(im->n, fp, IMAGE_MINE);
	_free_ char *text = json_text(meta), *folder = node_path(im->n, "images");
	_close_ int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (io_write_file(mine, "", 0, 0600, err) < 0 ||
	    io_write_file(meta_path, text, strlen(text), 0600, err) < 0)
		return -1;
	for (int i = im->nparts - 1; i >= 0; i--) {
		_free_ char *path = image_part(im->n, fp, suffix[i]);

		assert(im->paths[i]);
		if (fsync(im->fds[i]) < 0 || rename(im->paths[i], path) < 0)
			return err_sys(err, "image: store %s", path);
		free(take_ptr(im->paths[i]));
	}
	if (dir < 0 || fsync(dir) < 0)
		return err_sys(err, "sync %s", folder);
	return 0;
}

static void unpublish(struct node *n, const char *fp)
{
	_free_ char *meta = image_part(n, fp, ".meta.json"), *rootfs = image_part(n, fp, ".rootfs");

	if (image_present(n, fp))
		return;
	unlink(meta);
	unlink(rootfs);
}

static json_t *keep_image(struct import *im, const char *fp, json_t *meta, struct err *err)
{
	_free_ char *deleted = image_part(im->n, fp, ".deleted");

	json_put_str(meta, "fingerprint", fp);
	json_put_int(meta, "size", im->sizes[0] + im->sizes[1]);
	if (image_present(im->n, fp)) {
		unlink(deleted); /* volumes kept it; it is wanted again */
	} else if (publish(im, fp, meta, err) < 0) {
		unpublish(im->n, fp);
		return NULL;
	}
	return info_of(meta);
}

static json_t *import_parts(struct import *im, const int from[2], const char *want_fp,
			    struct err *err)
{
	_json_ json_t *meta = NULL;
	char fp[SHA256_HEX_SIZE];

	assert(im->sha);
	if (make_folder(im->n, err) < 0)
		return NULL;
	for (int i = 0; i < im->nparts; i++) {
		if (store_part(im, i, from[i], err) < 0)
			return NULL;
	}
	sha256_end(take_ptr(im->sha), fp);
	if (want_fp && !str_eq(fp, want_fp)) {
		err_set(err, ERR_INVALID,
			"image: its SHA-256 is %s, not %.64s: damaged on the way, or another image",
			fp, want_fp);
		return NULL;
	}
	meta = scan_parts(im, fp, err);
	return meta ? keep_image(im, fp, meta, err) : NULL;
}

json_t *image_import_limited(struct node *n, int fd, int rootfs_fd, const char *want_fp,
			     const struct image_limits *limits,
			     void (*progress)(void *arg, int64_t done, int64_t total), void *arg,
			     struct err *err)
{
	struct import im = { .n = n,
			     .limits = limits,
			     .fds = { -1, -1 },
			     .progress = progress,
			     .arg = arg,
			     .nparts = rootfs_fd >= 0 ? 2 : 1,
			     .sha = sha256_new() };
	const int from[2] = { fd, rootfs_fd };
	json_t *info = import_parts(&im, from, want_fp, err);

	import_close(&im);
	return info;
}

json_t *image_import(struct node *n, int fd, int rootfs_fd, const char *want_fp,
		     void (*progress)(void *arg, int64_t done, int64_t total), void *arg,
		     struct err *err)
{
	return image_import_limited(n, fd, rootfs_fd, want_fp, &image_limits_default, progress, arg,
				    err);
}

/* --- unpack --------------------------------------------------------------------------------- */

static int unpack_into(struct node *n, const char *fp, const char *dir, struct err *err)
{
	_close_ int rootfs = image_open_rootfs(n, fp, NULL, err), unified = -1, dir_fd = -1;
	bool split = rootfs >= 0;
	struct image_job job = { .verb = "helper-unpack",
				 .fp = fp,
				 .limits = &image_limits_default,
				 .prefix = split ? "" : "rootfs" };
	_json_ json_t *done = NULL;

	if (!split && err->kind != ERR_NOT_FOUND)
		return -1;
	/* One of its own: the lock hangs on the caller's. */
	unified = split ? -1 : image_open(n, fp, NULL, err);
	if (!split && unified < 0)
		return -1;
	if (mkdir(dir, 0755) < 0)
		return err_sys(err, "create %s", dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || fchmod(dir_fd, 0755) < 0)
		return err_sys(err, "open %s", dir);
	job.fds[0] = split ? rootfs : unified;
	job.fds[1] = dir_fd;
	done = image_job_run(&job, err);
	if (!done)
		return -1;
	/* A root that a power failure emptied could not be told from a good one. */
	return syncfs(dir_fd) < 0 ? err_sys(err, "sync %s", dir) : 0;
}

char *image_root(struct node *n, const char *fp, struct err *err)
{
	_free_ char *root = image_part(n, fp, ".root"), *temp = NULL, *what = NULL;
	_close_ int fd = -1;
	struct err ignored;

	if (image_check_fingerprint(fp, err) < 0)
		return NULL;
	if (io_exists(root))
		return take_ptr(root);
	fd = image_lock(n, fp, err);
	if (fd < 0)
		return NULL;
	if (io_exists(root)) /* unpacked while we waited for the lock */
		return take_ptr(root);
	what = xasprintf("%s.root", fp);
	temp = image_temp(n, what);
	if (unpack_into(n, fp, temp, err) < 0) {
		err_wrap(err, "unpack image %.12s", fp);
	} else if (rename(temp, root) < 0) {
		err_sys(err, "unpack image %.12s", fp);
	} else {
		return take_ptr(root);
	}
	io_remove_tree(temp, &ignored);
	return NULL;
}
