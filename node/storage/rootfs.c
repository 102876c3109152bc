/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/rootfs.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/host/idmap.h"
#include "node/storage/driver.h"

/* Everything of one container is put together on a small tmpfs over this folder of its own, which
 * is the working directory meanwhile. */
#define STAGE "stage"

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

int rootfs_assemble(const json_t *spec, const char *mountpoint, struct err *err)
{
	const char *name = json_str(json_obj(spec, "rootfs"), "driver", "");
	const struct storage_driver *driver = storage_driver_find(name, err);

	if (!driver || make_stage(mountpoint, err) < 0 ||
	    driver->ops->mount(spec, mountpoint, err) < 0 || chdir("/") < 0)
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
	if (json_bool(disk, "shift", false) && idmap_userns_of_spec(spec, false, &userns, err) < 0)
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
