/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is an empty upper layer over the unpacked image that all containers share: creation
 * copies nothing. Mounted by the helper that starts the container. The link NAME/image says what
 * it stands on. */
#include "node/storage/storage.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

static int overlay_check(const char *pool_dir, struct err *err)
{
	struct statfs fs;

	if (statfs(pool_dir, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return err_set(err, ERR_INVALID,
			       "%s lies on an overlay itself, where none can be written: choose "
			       "another source, or the driver dir",
			       pool_dir);
	return 0;
}

static int overlay_fill(const char *vol, const char *image_root, struct err *err)
{
	_free_ char *upper = xasprintf("%s/upper", vol), *work = xasprintf("%s/work", vol);
	_free_ char *note = xasprintf("%s/image", vol);

	if (io_folder(upper, 0755, err) < 0 || io_folder(work, 0700, err) < 0)
		return -1;
	if (!image_root)
		return 0;
	/* The top of the merged tree has the attributes of the upper layer. */
	if (storage_copy_attrs(image_root, upper, err) < 0)
		return -1;
	/* A link, since it is durable with the folder, without an fsync of its own. */
	return symlink(image_root, note) < 0 ? err_sys(err, "create %s", note) : 0;
}

static char *overlay_stands_on(const char *vol)
{
	_free_ char *note = xasprintf("%s/image", vol);
	char target[PATH_MAX];
	ssize_t len = readlink(note, target, sizeof(target) - 1);
	char *name;

	if (len < 0)
		return NULL;
	target[len] = '\0';
	name = strrchr(target, '/');
	if (!name || !str_ends(name, ".root"))
		return NULL;
	return xstrndup(name + 1, strlen(name + 1) - strlen(".root"));
}

const struct storage_ops storage_overlay = {
	.driver = "overlay",
	.version = "1",
	.data = "upper",
	.check = overlay_check,
	.fill = overlay_fill,
	.stands_on = overlay_stands_on,
};
