/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: disks and nics into and out of a container that runs.
 *
 * A disk is mounted as one of a start is: made in a mount namespace of ours, carried over into the
 * container's user namespace, where the kernel locks its attributes (nobody in there can make a
 * read-only one writable), and only then attached. From entering the user namespace on the job can
 * do no more than the container's root, whatever the path inside leads to.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/mount.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/helper/verbs.h"
#include "node/host/pids.h"
#include "node/netlink/link.h"
#include "node/netlink/netlink.h"
#include "node/storage/rootfs.h"

#define FD_INIT HELPER_FD_EXTRA
#define DISK "disk"
#define DIR_MODE 0755
#define FILE_MODE 0644

/* --- the container's namespaces ------------------------------------------------------------- */

static int enter(int flags, struct err *err)
{
	if (setns(FD_INIT, flags) == 0)
		return 0;
	return errno == ESRCH ? err_set(err, ERR_CONFLICT, "the container has just ended")
			      : err_sys(err, "enter the container");
}

static int become_root(struct err *err)
{
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(err, "become root of the container");
	return 0;
}

static int enter_userns(pid_t pid, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/user", pid);
	struct stat a, b;

	if (stat(path, &a) < 0 || stat("/proc/self/ns/user", &b) < 0)
		return err_sys(err, "look at the user namespace");
	if (a.st_ino == b.st_ino)
		return 0;
	return enter(CLONE_NEWUSER, err) < 0 ? -1 : become_root(err);
}

/* --- paths inside --------------------------------------------------------------------------- */

/* The folder that path is in, and the last part of it. Missing folders are made; links are not
 * followed, as liblxc does not at a start. */
static int open_parent(const char *path, bool make, char ret_name[NAME_MAX + 1], struct err *err)
{
	_close_ int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_free_ char *copy = xstrdup(path);

	for (char *s = copy + strspn(copy, "/"), *end; at >= 0; s = end + strspn(end, "/")) {
		int next;

		end = s + strcspn(s, "/");
		if (!end[strspn(end, "/")]) {
			*end = '\0';
			if (!*s || str_eq(s, ".") || str_eq(s, "..") ||
			    !str_copy(ret_name, NAME_MAX + 1, s))
				return err_set(err, ERR_INVALID, "%s: no place for a mount", path);
			return take_fd(&at);
		}
		*end++ = '\0';
		if (make)
			mkdirat(at, s, DIR_MODE);
		next = openat(at, s, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	return err_sys(err, "%s", path);
}

static int make_mountpoint(int at, const char *name, bool file)
{
	_close_ int fd = -1;

	if (!file)
		return mkdirat(at, name, DIR_MODE) < 0 && errno != EEXIST ? -1 : 0;
	fd = openat(at, name, O_CREAT | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	return fd < 0 ? -1 : 0;
}

/* --- disks ---------------------------------------------------------------------------------- */

/* The ready mount, of a mount namespace of the container's user namespace. */
static int make_disk(const json_t *request, struct err *err)
{
	const json_t *spec = json_obj(request, "spec"), *disk = json_obj(request, "disk");
	_free_ char *stage = xasprintf("%s/%s/plug", json_str(request, "lxcpath", ""),
				       json_str(request, "name", ""));
	int tree;

	if (rootfs_private_ns(err) < 0 || rootfs_stage(stage, err) < 0 ||
	    rootfs_disk(spec, disk, DISK, err) < 0 ||
	    enter_userns((pid_t)json_int(request, "pid", 0), err) < 0)
		return -1;
	/* The copy made here is what the kernel locks. */
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, DISK, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return tree < 0 ? err_sys(err, "take the mount along") : tree;
}

static bool is_mount(int at, const char *name)
{
	struct statx x;

	return statx(at, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &x) == 0 &&
	       (x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* The place to mount at. What an interrupted change of this very disk left there goes first. */
static int open_target(int at, const char *name, int tree)
{
	_close_ int target = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (target < 0 || !is_mount(at, name) || !same_file(target, tree))
		return take_fd(&target);
	if (fchdir(at) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return -1;
	return openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

static int attach_disk(int tree, const char *path, bool file, struct err *err)
{
	char name[NAME_MAX + 1];
	_close_ int at = -1, target = -1;

	umask(0);
	at = open_parent(path, true, name, err);
	if (at < 0)
		return -1;
	if (make_mountpoint(at, name, file) < 0)
		return err_sys(err, "create %s inside", path);
	target = open_target(at, name, tree);
	if (target < 0 || syscall(SYS_move_mount, tree, "", target, "",
				  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(err, "mount at %s inside", path);
	return 0;
}

static int plug_disk(const json_t *request, struct err *err)
{
	const json_t *disk = json_obj(request, "disk");
	_close_ int tree = -1;
	bool file;

	if (!rootfs_disk_wanted(disk, &file))
		return 0;
	tree = make_disk(request, err);
	if (tree < 0 || enter(CLONE_NEWNS, err) < 0)
		return -1;
	return attach_disk(tree, json_str(disk, "path", ""), file, err);
}

/* One that root inside has unmounted by itself is gone already. */
static int unplug_disk(const json_t *request, struct err *err)
{
	const char *path = json_str(json_obj(request, "disk"), "path", "");
	char name[NAME_MAX + 1];
	_close_ int at = -1;

	if (enter_userns((pid_t)json_int(request, "pid", 0), err) < 0 ||
	    enter(CLONE_NEWNS, err) < 0)
		return -1;
	at = open_parent(path, false, name, err);
	if (at < 0)
		return err->sys == ENOENT ? 0 : -1;
	if (!is_mount(at, name))
		return 0;
	if (fchdir(at) < 0 || umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return err_sys(err, "unmount %s inside", path);
	return 0;
}

/* --- nics ----------------------------------------------------------------------------------- */

static int open_netns(pid_t pid, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/net", pid);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open %s", path);
	/* The number was init's only if init is still there. */
	if (pids_signal(FD_INIT, 0) < 0)
		return err_set(err, ERR_CONFLICT, "the container has just ended");
	return take_fd(&fd);
}

static int move_inside(const char *peer, int netns, const char *name, struct err *err)
{
	struct ifinfomsg i = { .ifi_index = (int)if_nametoindex(peer) };
	_free_ char *what = xasprintf("move network interface %s inside as %s", peer, name);
	struct nlmsg m;

	if (!i.ifi_index)
		return err_set(err, ERR_NOT_FOUND, "there is no network interface \"%s\"", peer);
	nl_begin(&m, RTM_NEWLINK, 0, &i, sizeof(i));
	nl_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)netns);
	nl_put_str(&m, IFLA_IFNAME, name);
	return nl_call(&m, what, err);
}

static int add_gateway(int index, const char *text, struct err *err)
{
	struct rtmsg r = { .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_BOOT,
			   .rtm_scope = RT_SCOPE_UNIVERSE,
			   .rtm_type = RTN_UNICAST };
	struct nlmsg m;
	struct ip via;

	if (!ip_parse(text, &via))
		return 0;
	r.rtm_family = (unsigned char)via.family;
	nl_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &r, sizeof(r));
	nl_put(&m, RTA_GATEWAY, via.bytes, ip_len(&via));
	nl_put_u32(&m, RTA_OIF, (uint32_t)index);
	/* As at a start: the first interface with a gateway has the default route. */
	if (nl_call(&m, "set the default route", err) < 0 && err->sys != EEXIST)
		return -1;
	return 0;
}

static const char *const families[] = { "ipv4", "ipv6" };

static int set_addresses(const json_t *nic, int index, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		_free_ char *dhcp = xasprintf("%s_dhcp", families[i]);
		_free_ char *gateway = xasprintf("%s_gateway", families[i]);
		struct ip ip;

		if (json_bool(nic, dhcp, false) || !ip_parse(json_str(nic, families[i], NULL), &ip))
			continue;
		if (addr_add(index, &ip, err) < 0 ||
		    add_gateway(index, json_str(nic, gateway, NULL), err) < 0)
			return -1;
	}
	return 0;
}

static int plug_nic(const json_t *request, struct err *err)
{
	const json_t *nic = json_obj(request, "nic");
	const char *name = json_str(nic, "name", "");
	_free_ char *peer = xasprintf("%sp", json_str(nic, "host_name", ""));
	_close_ int netns = open_netns((pid_t)json_int(request, "pid", 0), err);

	if (netns < 0 || move_inside(peer, netns, name, err) < 0)
		return -1;
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the network namespace");
	if (link_up(name, true, err) < 0)
		return -1;
	return set_addresses(nic, (int)if_nametoindex(name), err);
}

/* --- the whole ------------------------------------------------------------------------------ */

static const struct {
	const char *op;
	int (*run)(const json_t *request, struct err *err);
} ops[] = {
	{ "plug-disk", plug_disk },
	{ "unplug-disk", unplug_disk },
	{ "plug-nic", plug_nic },
};

/* {name, lxcpath, pid, op, spec, disk | nic} -> {}; descriptor 5 is a pidfd of init. */
json_t *helper_plug(const json_t *request, struct err *err)
{
	const char *op = json_str(request, "op", "");

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (str_eq(op, ops[i].op))
			return ops[i].run(request, err) < 0 ? NULL : json_object();
	}
	err_set(err, ERR_INTERNAL, "no device operation \"%s\"", op);
	return NULL;
}
