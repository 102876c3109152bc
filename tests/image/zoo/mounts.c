/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, all of which init sees too, and devices. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fd = -1;

static const char *at(void)
{
	const char *path = zoo_path("mnt");

	mkdir(path, 0755);
	return path;
}

static bool mount_of(const char *type, const char *options)
{
	NEED(mount("none", at(), type, 0, options) == 0);
	return true;
}

static bool tmpfs_make(void)
{
	NEED(mount_of("tmpfs", "size=1m"));
	return zoo_write(zoo_path("mnt/word"), "inside");
}

static bool word_same(void)
{
	return zoo_reads(zoo_path("mnt/word"), "inside");
}

static bool tmpfs_open_make(void)
{
	NEED(tmpfs_make());
	NEED((fd = open(zoo_path("mnt/word"), O_RDWR)) >= 0);
	NEED(unlink(zoo_path("mnt/word")) == 0);
	return true;
}

static bool tmpfs_open_same(void)
{
	char text[8] = "";

	NEED(pread(fd, text, 6, 0) == 6 && strcmp(text, "inside") == 0);
	return true;
}

static bool bind_make(void)
{
	NEED(mkdir(zoo_path("folder"), 0755) == 0);
	NEED(zoo_write(zoo_path("folder/word"), "inside"));
	NEED(mount(zoo_path("folder"), at(), NULL, MS_BIND, NULL) == 0);
	NEED(mount(NULL, at(), NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0);
	return true;
}

static bool bind_same(void)
{
	NEED(!zoo_write(zoo_path("mnt/other"), "x") && errno == EROFS);
	return word_same();
}

static bool ramfs_make(void)
{
	NEED(mount_of("ramfs", NULL));
	return zoo_write(zoo_path("mnt/word"), "inside");
}

static bool proc_make(void)
{
	return mount_of("proc", NULL);
}

static bool proc_same(void)
{
	return access(zoo_path("mnt/self/status"), F_OK) == 0;
}

static bool sysfs_make(void)
{
	return mount_of("sysfs", NULL);
}

static bool sysfs_same(void)
{
	return access(zoo_path("mnt/class/net"), F_OK) == 0;
}

static bool devpts_make(void)
{
	return mount_of("devpts", "newinstance,ptmxmode=0666");
}

static bool devpts_same(void)
{
	return access(zoo_path("mnt/ptmx"), F_OK) == 0;
}

static bool mqueue_make(void)
{
	return mount_of("mqueue", NULL);
}

static bool cgroup2_make(void)
{
	return mount_of("cgroup2", NULL);
}

static bool hugetlbfs_make(void)
{
	return mount_of("hugetlbfs", NULL);
}

static bool binfmt_make(void)
{
	return mount_of("binfmt_misc", NULL);
}

static bool bpf_make(void)
{
	return mount_of("bpf", NULL);
}

static bool mounted(void)
{
	struct stat a, b;

	NEED(stat(zoo_path("mnt"), &a) == 0 && stat("/zoo", &b) == 0);
	errno = 0;
	NEED(a.st_dev != b.st_dev);
	return true;
}

static bool overlay_make(void)
{
	char options[512];

	NEED(mount_of("tmpfs", NULL));
	NEED(mkdir(zoo_path("mnt/l"), 0755) == 0 && mkdir(zoo_path("mnt/u"), 0755) == 0);
	NEED(mkdir(zoo_path("mnt/w"), 0755) == 0 && mkdir(zoo_path("mnt/m"), 0755) == 0);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", zoo_path("mnt/l"),
		 zoo_path("mnt/u"), zoo_path("mnt/w"));
	NEED(mount("none", zoo_path("mnt/m"), "overlay", 0, options) == 0);
	return true;
}

/* Nobody answers what is asked of it. */
static bool fuse_make(void)
{
	char options[128];

	NEED((fd = zoo_device("/dev/fuse", 229)) >= 0);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	return mount_of("fuse.zoo", options);
}

static bool fuse_open_make(void)
{
	NEED(fuse_make());
	NEED(open(zoo_path("mnt"), O_PATH) >= 0);
	return true;
}

static bool stacked_make(void)
{
	NEED(tmpfs_make());
	NEED(mount_of("tmpfs", NULL));
	return zoo_write(zoo_path("mnt/word"), "above");
}

static bool stacked_same(void)
{
	return zoo_reads(zoo_path("mnt/word"), "above");
}

/* It has no place any more, but is in use. */
static bool detached_make(void)
{
	NEED(tmpfs_make());
	NEED((fd = open(zoo_path("mnt/word"), O_RDWR)) >= 0);
	NEED(umount2(at(), MNT_DETACH) == 0);
	return true;
}

static bool nowhere_make(void)
{
	NEED((fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/zoo", OPEN_TREE_CLONE)) >= 0);
	return true;
}

static bool loop_make(void)
{
	NEED((fd = zoo_device("/dev/loop-control", 237)) >= 0);
	return true;
}

static bool fuse_device_make(void)
{
	NEED((fd = zoo_device("/dev/fuse", 229)) >= 0);
	return true;
}

static bool own_tmpfs_make(void)
{
	NEED(unshare(CLONE_NEWNS) == 0);
	NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	return tmpfs_make();
}

static bool own_fuse_make(void)
{
	NEED(unshare(CLONE_NEWNS) == 0);
	NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	return fuse_make();
}

const struct state zoo_mounts[] = {
	{ "mnt-tmpfs", tmpfs_make, word_same },
	{ "mnt-tmpfs-open", tmpfs_open_make, tmpfs_open_same },
	{ "mnt-bind", bind_make, bind_same },
	{ "mnt-ramfs", ramfs_make, NULL },
	{ "mnt-proc", proc_make, proc_same },
	{ "mnt-sysfs", sysfs_make, sysfs_same },
	{ "mnt-devpts", devpts_make, devpts_same },
	{ "mnt-mqueue", mqueue_make, mounted },
	{ "mnt-cgroup2", cgroup2_make, mounted },
	{ "mnt-hugetlbfs", hugetlbfs_make, mounted },
	{ "mnt-binfmt", binfmt_make, mounted },
	{ "mnt-bpf", bpf_make, mounted },
	{ "mnt-overlay", overlay_make, NULL },
	{ "mnt-fuse", fuse_make, NULL },
	{ "mnt-fuse-open", fuse_open_make, NULL },
	{ "mnt-stacked", stacked_make, stacked_same },
	{ "mnt-detached", detached_make, NULL },
	{ "mnt-nowhere", nowhere_make, NULL },
	{ "mnt-own", own_tmpfs_make, word_same },
	{ "mnt-own-fuse", own_fuse_make, NULL },
	{ "dev-loop", loop_make, NULL },
	{ "dev-fuse", fuse_device_make, NULL },
	{ NULL, NULL, NULL },
};
