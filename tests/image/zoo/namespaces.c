/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces of one's own, links in them, cgroups. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd = -1;
static pid_t child;

static bool nothing(void)
{
	return true;
}

static bool of_its_own(int flag)
{
	NEED(unshare(flag) == 0);
	return true;
}

static bool uts_make(void)
{
	return of_its_own(CLONE_NEWUTS);
}

static bool ipc_make(void)
{
	return of_its_own(CLONE_NEWIPC);
}

static bool user_make(void)
{
	return of_its_own(CLONE_NEWUSER);
}

static bool cgroup_make(void)
{
	return of_its_own(CLONE_NEWCGROUP);
}

static bool time_make(void)
{
	return of_its_own(CLONE_NEWTIME);
}

static bool pid_make(void)
{
	NEED(of_its_own(CLONE_NEWPID));
	NEED((child = zoo_child(nothing)) > 0);
	return true;
}

static bool net_make(void)
{
	return of_its_own(CLONE_NEWNET);
}

static bool net_same(void)
{
	NEED(if_nametoindex("lo") == 1 && if_nametoindex("eth0") == 0);
	return true;
}

static bool handle_make(void)
{
	NEED((fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0);
	return true;
}

static bool handle_same(void)
{
	struct stat a, b;

	NEED(fstat(fd, &a) == 0 && stat("/proc/self/ns/net", &b) == 0);
	errno = 0;
	NEED(a.st_ino == b.st_ino);
	return true;
}

/* Nobody is in it. */
static bool handle_empty_make(void)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	NEED(of_its_own(CLONE_NEWNET));
	NEED((fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) >= 0);
	NEED(setns(own, CLONE_NEWNET) == 0);
	close(own);
	return true;
}

static bool chroot_make(void)
{
	NEED(mkdir(zoo_path("root"), 0755) == 0);
	NEED(mkdir(zoo_path("root/zoo"), 0755) == 0);
	NEED(zoo_write(zoo_path("root/word"), "inside"));
	/* It still answers where it did. */
	NEED(symlink("/proc/1/root/zoo/answers", zoo_path("root/unused")) == 0);
	return true;
}

static bool in_root(void)
{
	NEED(chroot(zoo_path("root")) == 0 && chdir("/") == 0);
	return true;
}

static bool chrooted_make(void)
{
	NEED(chroot_make());
	NEED((child = zoo_child_ready(in_root)) > 0);
	return true;
}

static bool chrooted_same(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/root/word", (int)child);
	return zoo_reads(path, "inside");
}

/* --- links --------------------------------------------------------------------------------- */

static bool run(const char *command)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	NEED(waitpid(pid, &status, 0) == pid);
	errno = 0;
	if (status != 0)
		return zoo_fails(command);
	return true;
}

static bool add_link(const char *kind, const char *name, const char *parent)
{
	char command[128], on[40] = "";

	if (parent)
		snprintf(on, sizeof(on), " link %s", parent);
	snprintf(command, sizeof(command), "ip link add%s name %s type %s", on, name, kind);
	return run(command);
}

static bool bridge_make(void)
{
	return add_link("bridge", "zbr0", NULL);
}

static bool bridge_same(void)
{
	NEED(if_nametoindex("zbr0") > 0);
	return true;
}

static bool veth_make(void)
{
	return add_link("veth", "zve0", NULL);
}

static bool veth_same(void)
{
	NEED(if_nametoindex("zve0") > 0);
	return true;
}

static bool macvlan_make(void)
{
	return add_link("macvlan", "zmv0", "eth0");
}

static bool macvlan_same(void)
{
	NEED(if_nametoindex("zmv0") > 0);
	return true;
}

static bool vrf_make(void)
{
	return add_link("dummy", "zdm0", NULL);
}

static bool ifb_make(void)
{
	return add_link("ifb", "zib0", NULL);
}

static bool vxlan_make(void)
{
	return run("ip link add zvx0 type vxlan id 7 dev eth0 dstport 4789");
}

static bool nlmon_make(void)
{
	return add_link("nlmon", "znm0", NULL);
}

static bool own_dummy_make(void)
{
	NEED(of_its_own(CLONE_NEWNET));
	return add_link("vcan", "zvc0", NULL);
}

static bool tun_make(void)
{
	struct ifreq r = { .ifr_name = "ztun0", .ifr_flags = IFF_TUN | IFF_NO_PI };

	NEED((fd = zoo_device("/dev/net/tun", 200)) >= 0);
	NEED(ioctl(fd, TUNSETIFF, &r) == 0);
	return true;
}

static bool tun_same(void)
{
	struct ifreq r = { 0 };

	NEED(ioctl(fd, TUNGETIFF, &r) == 0 && strcmp(r.ifr_name, "ztun0") == 0);
	return true;
}

static bool tun_unused_make(void)
{
	NEED((fd = zoo_device("/dev/net/tun", 200)) >= 0);
	return true;
}

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0);
	return true;
}

const struct state zoo_namespaces[] = {
	{ "ns-uts", uts_make, NULL },
	{ "ns-ipc", ipc_make, NULL },
	{ "ns-user", user_make, NULL },
	{ "ns-cgroup", cgroup_make, NULL },
	{ "ns-time", time_make, NULL },
	{ "ns-pid", pid_make, NULL },
	{ "ns-net", net_make, net_same },
	{ "ns-handle", handle_make, handle_same },
	{ "ns-empty", handle_empty_make, NULL },
	{ "chrooted", chrooted_make, chrooted_same },
	{ "bridge", bridge_make, bridge_same },
	{ "veth", veth_make, veth_same },
	{ "macvlan", macvlan_make, macvlan_same },
	{ "dummy", vrf_make, NULL },
	{ "ifb", ifb_make, NULL },
	{ "vxlan", vxlan_make, NULL },
	{ "nlmon", nlmon_make, NULL },
	{ "ns-net-link", own_dummy_make, NULL },
	{ "tun", tun_make, tun_same },
	{ "tun-unused", tun_unused_make, still_open },
	{ NULL, NULL, NULL },
};
