/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/idmap.h"

/* Everything of one container is put together on a small tmpfs over this folder of its own.
 * While that is the working directory, layers have short relative names that need no escaping. */
#define STAGE "stage"
#define LOWER "lower"
#define VOLUME "volume"
#define WORK "volume/" "work"

#define BUSY_MS 3000
#define BUSY_STEP_MS 5

char *rootfs_mountpoint(const char *lxcpath, const char *name)
{
	return xasprintf("%s/%s/" STAGE "/rootfs", lxcpath, name);
}

char *rootfs_disk_path(const char *lxcpath, const char *name, size_t n)
{
	return xasprintf("%s/%s/" STAGE "/disk%zu", lxcpath, name, n);
}

int rootfs_private_ns(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	/* Slave, not private: a host path that is unmounted later must not be held by
	 * containers. */
	if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(err, "make the mount namespace a slave of the host's");
	return 0;
}

static int spec_userns(const json_t *spec, bool with_root, int *ret, struct err *err)
{
	struct idmap m;

	*ret = -1;
	if (idmap_of_spec(spec, &m, err) < 0)
		return -1;
	if (m.size && (*ret = idmap_userns(&m, with_root, err)) < 0)
		return -1;
	return 0;
}

static int assemble_dir(const json_t *spec, const char *volume, const char *mountpoint,
			struct err *err)
{
	_free_ char *src = xasprintf("%s/rootfs", volume);
	_close_ int userns = -1;

	if (spec_userns(spec, false, &userns, err) < 0)
		return -1;
	return idmap_mount(src, mountpoint, userns, false, err);
}

static int mount_layers(const char *image, const char *volume, int userns, struct err *err)
{
	if (mkdir(LOWER, 0700) < 0 || mkdir(VOLUME, 0700) < 0)
		return err_sys(err, "make folders for the layers");
	if (idmap_mount(image, LOWER, userns, true, err) < 0)
		return -1;
	return idmap_mount(volume, VOLUME, userns, false, err);
}

/* index and nfs_export: CRIU finds the inodes of inotify watches by file handle. */
static int try_overlay(const char *mountpoint)
{
	return mount("dunlin", mountpoint, "overlay", 0,
		     "lowerdir=" LOWER ",upperdir=" VOLUME "/upper,workdir=" WORK ","
		     "index=on,nfs_export=on,metacopy=off,redirect_dir=on,xino=off");
}

static int mount_overlay(const char *mountpoint)
{
	int64_t deadline = deadline_in(BUSY_MS);
	struct err err;
	int rc;

	/* The kernel lets go of the former mount of these folders some time after its last process
	 * ended, and tells nobody. */
	while ((rc = try_overlay(mountpoint)) < 0 && errno == EBUSY && clock_ms() < deadline)
		poll(NULL, 0, BUSY_STEP_MS);
	if (rc == 0 || errno != ESTALE)
		return rc;
	/* The image was unpacked anew, or the volume came from elsewhere: same content, other
	 * inodes than those that the index and the upper folder remember. */
	lremovexattr(VOLUME "/upper", "trusted.overlay.origin");
	lremovexattr(VOLUME "/upper", "trusted.overlay.uuid");
	if (io_remove_tree(WORK "/index", &err) < 0)
		log_err(LOG_WARN, "renew the index of an overlay", &err);
	return try_overlay(mountpoint);
}

static int assemble_overlay(const json_t *spec, const char *volume, const char *mountpoint,
			    struct err *err)
{
	const char *image = json_str(json_obj(spec, "rootfs"), "image", NULL);
	_close_ int userns = -1;

	if (!image)
		return err_set(err, ERR_INVALID, "overlay volume %s has no image", volume);
	if (spec_userns(spec, true, &userns, err) < 0 ||
	    mount_layers(image, volume, userns, err) < 0)
		return -1;
	if (mount_overlay(mountpoint) < 0)
		return err_sys(err, "mount overlay of %s over %s", volume, image);
	/* The overlay keeps its layers; their own mounts have done their duty. */
	if (umount2(LOWER, MNT_DETACH) < 0 || umount2(VOLUME, MNT_DETACH) < 0)
		return err_sys(err, "detach the layers of %s", mountpoint);
	return 0;
}

static const struct {
	const char *driver;
	int (*assemble)(const json_t *spec, const char *volume, const char *mountpoint,
			struct err *err);
} drivers[] = {
	{ "dir", assemble_dir },
	{ "overlay", assemble_overlay },
};

int rootfs_stage(const char *stage, struct err *err)
{
	/* Searchable for all: liblxc looks for the root as the container's root user. */
	if (io_folder(stage, 0711, err) < 0)
		return -1;
	if (mount("dunlin", stage, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0711,size=256k") < 0)
		return err_sys(err, "mount a tmpfs at %s", stage);
	return chdir(stage) < 0 ? err_sys(err, "enter %s", stage) : 0;
}

static int make_stage(const char *mountpoint, struct err *err)
{
	_free_ char *stage = xstrndup(mountpoint, (size_t)(strrchr(mountpoint, '/') - mountpoint));

	if (rootfs_stage(stage, err) < 0)
		return -1;
	return io_folder(mountpoint, 0711, err);
}

static int assemble(const json_t *spec, const char *volume, const char *mountpoint, struct err *err)
{
	const char *driver = json_str(json_obj(spec, "rootfs"), "driver", "");

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (str_eq(driver, drivers[i].driver))
			return drivers[i].assemble(spec, volume, mountpoint, err);
	}
	return err_set(err, ERR_INVALID, "no storage driver \"%s\"", driver);
}

int rootfs_assemble(const json_t *spec, const char *mountpoint, struct err *err)
{
	const char *volume = json_str(json_obj(spec, "rootfs"), "volume", "");

	if (make_stage(mountpoint, err) < 0 || assemble(spec, volume, mountpoint, err) < 0 ||
	    chdir("/") < 0)
		return err_wrap(err, "root file system of %s", json_str(spec, "name", "?"));
	return 0;
}

/* A mountpoint of the same kind as what is mounted on it. */
static int make_target(const char *path, const char *source, struct err *err)
{
	struct stat st;
	int fd;

	if (stat(source, &st) < 0)
		return err_sys(err, "disk source %s", source);
	if (S_ISDIR(st.st_mode))
		return io_folder(path, 0711, err);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "create %s", path);
	close(fd);
	return 0;
}

int rootfs_disk(const json_t *spec, const json_t *disk, const char *target, struct err *err)
{
	const char *source = json_str(disk, "source", "");
	_close_ int userns = -1;

	if (make_target(target, source, err) < 0)
		return -1;
	if (json_bool(disk, "shift", false) && spec_userns(spec, false, &userns, err) < 0)
		return -1;
	return idmap_mount(source, target, userns, json_bool(disk, "readonly", false), err);
}

bool rootfs_disk_wanted(const json_t *disk, bool *ret_file)
{
	struct stat st;
	bool present = stat(json_str(disk, "source", ""), &st) == 0;

	if (ret_file)
		*ret_file = present && !S_ISDIR(st.st_mode);
	return present || json_bool(disk, "required", true);
}

int rootfs_disks(const json_t *spec, const char *lxcpath, struct err *err)
{
	const char *name = json_str(spec, "name", "?");
	json_t *disk;
	size_t i;

	json_array_foreach(json_arr(spec, "disks"), i, disk) {
		_free_ char *target = rootfs_disk_path(lxcpath, name, i);

		if (rootfs_disk_wanted(disk, NULL) && rootfs_disk(spec, disk, target, err) < 0)
			return err_wrap(err, "disk %s of %s", json_str(disk, "device", "?"), name);
	}
	return 0;
}
