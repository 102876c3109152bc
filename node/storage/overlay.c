/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is an empty upper layer over the unpacked image that all containers share: creation
 * copies nothing. Mounted by the helper that starts the container. The link NAME/image says what
 * it stands on. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/idmap.h"
#include "node/storage/copy.h"
#include "node/storage/folder.h"

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

#define BUSY_MS 3000
#define BUSY_STEP_MS 5
#define WALK_FDS 16

/* In a volume. */
#define UPPER "upper"
#define WORK "work"
#define IMAGE "image"

/* In the working directory of a mount. Layers have short relative names there, which need no
 * escaping. */
#define LOWER "lower"
#define VOLUME "volume"

static int check(const char *pool_folder, struct err *err)
{
	struct statfs fs;

	if (statfs(pool_folder, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return err_set(err, ERR_INVALID,
			       "%s lies on an overlay itself, where none can be written: choose "
			       "another source, or a driver that copies",
			       pool_folder);
	return 0;
}

static int make(const char *volume, const char *image_root, struct err *err)
{
	_free_ char *upper = xasprintf("%s/" UPPER, volume);
	_free_ char *work = xasprintf("%s/" WORK, volume);
	_free_ char *note = xasprintf("%s/" IMAGE, volume);

	if (folder_make(volume, err) < 0 || io_folder(upper, 0755, err) < 0 ||
	    io_folder(work, 0700, err) < 0)
		return -1;
	if (!image_root)
		return 0;
	/* The top of the merged tree has the attributes of the upper layer. */
	if (storage_copy_attrs(image_root, upper, err) < 0)
		return -1;
	/* A link, since it is durable with the folder, without an fsync of its own. */
	return symlink(image_root, note) < 0 ? err_sys(err, "create %s", note) : 0;
}

static int forget_origin(const char *path, const struct stat *st, int type, struct FTW *at)
{
	lremovexattr(path, "trusted.overlay.origin");
	lremovexattr(path, "trusted.overlay.nlink");
	return 0;
}

/* What an upper layer remembers of inodes, of its own and of those below. */
static int forget_inodes(const char *upper, struct err *err)
{
	lremovexattr(upper, "trusted.overlay.uuid");
	if (nftw(upper, forget_origin, WALK_FDS, FTW_PHYS | FTW_MOUNT) < 0)
		return err_sys(err, "walk through the upper layer");
	return 0;
}

/* The index is of the inodes of the layer that was there. */
static int forget_work(const char *volume, struct err *err)
{
	_free_ char *work = xasprintf("%s/" WORK, volume);

	return io_remove_tree(work, err) < 0 ? -1 : io_folder(work, 0700, err);
}

static char *image_of(const char *volume)
{
	_free_ char *note = xasprintf("%s/" IMAGE, volume);
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

/* --- the mount, in a helper ----------------------------------------------------------------- */

static int mount_layers(const char *image, const char *volume, int userns, struct err *err)
{
	if (mkdir(LOWER, 0700) < 0 || mkdir(VOLUME, 0700) < 0)
		return err_sys(err, "make folders for the layers");
	if (idmap_mount(image, LOWER, userns, true, err) < 0)
		return -1;
	return idmap_mount(volume, VOLUME, userns, false, err);
}

/* index and nfs_export: CRIU finds the inodes of inotify watches by file handle. */
static int try_mount(const char *mountpoint)
{
	return mount("dunlin", mountpoint, "overlay", 0,
		     "lowerdir=" LOWER ",upperdir=" VOLUME "/" UPPER ",workdir=" VOLUME "/" WORK
		     ",index=on,nfs_export=on,metacopy=off,redirect_dir=on,xino=off");
}

/* Same content, other inodes: a folder of the upper layer that remembers another one below is no
 * longer merged with it. */
static int forget_lower(struct err *err)
{
	return forget_inodes(VOLUME "/" UPPER, err) < 0
		       ? -1
		       : io_remove_tree(VOLUME "/" WORK "/index", err);
}

static int mount_merged(const char *mountpoint)
{
	int64_t deadline = deadline_in(BUSY_MS);
	struct err err;
	int rc;

	/* The kernel lets go of the former mount of these folders some time after its last process
	 * ended, and tells nobody. */
	while ((rc = try_mount(mountpoint)) < 0 && errno == EBUSY && clock_ms() < deadline)
		poll(NULL, 0, BUSY_STEP_MS);
	if (rc == 0 || errno != ESTALE)
		return rc;
	/* The image was unpacked anew, or the volume came from elsewhere. */
	if (forget_lower(&err) < 0)
		log_err(LOG_WARN, "an overlay still knows another image", &err);
	return try_mount(mountpoint);
}

static int mount_overlay(const json_t *spec, const char *mountpoint, struct err *err)
{
	const json_t *rootfs = json_obj(spec, "rootfs");
	const char *volume = json_str(rootfs, "volume", "");
	const char *image = json_str(rootfs, "image", NULL);
	_close_ int userns = -1;

	if (!image)
		return err_set(err, ERR_INVALID, "overlay volume %s has no image", volume);
	if (idmap_userns_of_spec(spec, true, &userns, err) < 0 ||
	    mount_layers(image, volume, userns, err) < 0)
		return -1;
	if (mount_merged(mountpoint) < 0)
		return err_sys(err, "mount overlay of %s over %s", volume, image);
	/* The overlay keeps its layers; their own mounts have done their duty. */
	if (umount2(LOWER, MNT_DETACH) < 0 || umount2(VOLUME, MNT_DETACH) < 0)
		return err_sys(err, "detach the layers of %s", mountpoint);
	return 0;
}

static const struct folder_ops folder = {
	.data = UPPER,
	.check = check,
	.make = make,
	.drop = io_remove_tree,
	.stands_on = image_of,
	.detach = forget_inodes,
	.replaced = forget_work,
};

/* The others name inodes of this file system. */
static const char *const marks[] = { "trusted.overlay.opaque", "trusted.overlay.redirect", NULL };

const struct storage_ops storage_overlay = {
	FOLDER_DRIVER(&folder),
	.whiteouts = true,
	.marks = marks,
	.stands_on = folder_stands_on,
	.mount = mount_overlay,
};
