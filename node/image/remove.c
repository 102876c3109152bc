/* SPDX-License-Identifier: Apache-2.0 */
/* Whose images these are, and how they go. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/image/image_int.h"
#include "node/node_int.h"

bool image_is_mine(struct node *n, const char *fp)
{
	_free_ char *path = image_part(n, fp, IMAGE_MINE);

	return access(path, F_OK) == 0;
}

int image_disown_all(struct node *n, struct err *err)
{
	_free_ char *folder = node_path(n, "images");
	DIR *d = opendir(folder);
	struct dirent *e;

	if (!d)
		return err_sys(err, "open %s", folder);
	while ((e = readdir(d))) {
		if (str_ends(e->d_name, IMAGE_MINE) && unlinkat(dirfd(d), e->d_name, 0) < 0)
			err_sys(err, "delete %s/%s", folder, e->d_name);
	}
	closedir(d);
	return 0;
}

/* --- delete and recover --------------------------------------------------------------------- */

static int remove_parts(struct node *n, const char *fp, struct err *err)
{
	static const char *const suffixes[] = { "", ".rootfs", ".meta.json", ".deleted",
						IMAGE_MINE };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_free_ char *path = image_part(n, fp, suffixes[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return err_sys(err, "delete image %.12s%s", fp, suffixes[i]);
	}
	return 0;
}

/* 1 when it is used. Who makes a volume looks for the root after that: it misses the root, or it is
 * seen here. */
static int remove_unless_used(struct node *n, const char *fp, image_user *used, struct err *err)
{
	_free_ char *root = image_part(n, fp, ".root");
	_free_ char *what = xasprintf("%s.root", fp), *aside = image_temp(n, what);
	bool unpacked;

	if (used(n, fp))
		return 1;
	unpacked = rename(root, aside) == 0;
	if (!unpacked && errno != ENOENT)
		return err_sys(err, "delete image %.12s", fp);
	if (used(n, fp)) {
		if (unpacked && rename(aside, root) < 0)
			return err_sys(err, "keep image %.12s", fp);
		return 1;
	}
	return remove_parts(n, fp, err) < 0 ? -1 : io_remove_tree(aside, err);
}

int image_delete(struct node *n, const char *fp, image_user *used, struct err *err)
{
	_free_ char *deleted = image_part(n, fp, ".deleted");
	_close_ int fd = image_lock(n, fp, err);
	int rc;

	if (fd < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : -1;
	rc = remove_unless_used(n, fp, used, err);
	if (rc <= 0)
		return rc;
	if (io_write_file(deleted, "", 0, 0600, err) < 0)
		return -1;
	/* The last of them may have gone before it could see that. */
	rc = remove_unless_used(n, fp, used, err);
	return rc < 0 ? -1 : 0;
}

void image_released(struct node *n, const char *fp, image_user *used)
{
	_free_ char *deleted = image_part(n, fp, ".deleted");
	struct err err;

	if (access(deleted, F_OK) == 0 && image_delete(n, fp, used, &err) < 0)
		log_err(LOG_WARN, "image not removed after its last volume", &err);
}

/* What a file in images/ is about, by its name: an image that is not there owns nothing. */
static bool is_leftover(struct node *n, const char *name)
{
	static const char *const suffixes[] = { ".root", ".rootfs", ".meta.json", ".deleted",
						IMAGE_MINE };
	char fp[IMAGE_FP_LEN + 1];

	if (strstr(name, IMAGE_TEMP_MARK))
		return true;
	if (strlen(name) <= IMAGE_FP_LEN || name[IMAGE_FP_LEN] != '.')
		return false;
	str_copy(fp, sizeof(fp), name);
	if (!str_is_hex(fp, IMAGE_FP_LEN))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (str_eq(name + IMAGE_FP_LEN, suffixes[i]))
			return !image_present(n, fp);
	}
	return true;
}

int image_recover(struct node *n, struct err *err)
{
	_free_ char *folder = node_path(n, "images");
	DIR *d = opendir(folder);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "open %s", folder);
	while (rc == 0 && (e = readdir(d))) {
		_free_ char *path = NULL;

		if (e->d_name[0] == '.' || !is_leftover(n, e->d_name))
			continue;
		path = xasprintf("%s/%s", folder, e->d_name);
		log_info("leftover of an interrupted job removed", "path", path);
		rc = io_remove_tree(path, err);
	}
	closedir(d);
	return rc;
}
