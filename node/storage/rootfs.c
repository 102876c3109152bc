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

char *rootfs_beside(const char *lxcpath, const char *name, const char *what)
{
	return xasprintf("%s/%s/" STAGE "/%s", lxcpath, name, what);
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

int rootfs_refresh(const char *mountpoint, struct err *err)
{
	struct stat st;

	/* An overlay tells what its layer has now, and goes by what it had when it was mounted. */
	if (stat(mountpoint, &st) < 0 || chown(mountpoint, st.st_uid, st.st_gid) < 0 ||
	    chmod(mountpoint, st.st_mode & 07777) < 0)
		return err_sys(err, "owner and mode of %s", mountpoint);
	return 0;
}
