/* SPDX-License-Identifier: Apache-2.0 */
/* What processes hold that cannot move, in a /proc of our own. */
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "migrate/plan.h"
#include "node/host/pids.h"

static const char *text_of(const struct move_plan *plan)
{
	static char buf[8192];

	return move_plan_text(plan, MOVE_LIVE, buf, sizeof(buf));
}

struct proc_world {
	char dir[64];
	pid_t pids[3];
};

static void put(const struct proc_world *w, int pid, const char *file, const char *text)
{
	_free_ char *path = xasprintf("%s/%d/%s", w->dir, pid, file);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0644, &err), 0);
}

static void point(const struct proc_world *w, int pid, const char *file, const char *target)
{
	_free_ char *path = xasprintf("%s/%d/%s", w->dir, pid, file);

	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void make_task(const struct proc_world *w, int pid, int parent, const char *comm)
{
	static const char *const ns[] = { "mnt",  "uts", "ipc",    "net",
					  "user", "pid", "cgroup", "time_for_children" };
	_free_ char *fd = xasprintf("%s/%d/fd", w->dir, pid),
		    *nsdir = xasprintf("%s/%d/ns", w->dir, pid),
		    *info = xasprintf("%s/%d/fdinfo", w->dir, pid);
	_free_ char *status = xasprintf("Name:\t%s\nPPid:\t%d\nTracerPid:\t0\n", comm, parent);
	_free_ char *name = xasprintf("%s\n", comm);
	struct err err;

	assert_int_equal(io_mkdirs(fd, 0755, &err), 0);
	assert_int_equal(io_mkdirs(nsdir, 0755, &err), 0);
	assert_int_equal(io_mkdirs(info, 0755, &err), 0);
	put(w, pid, "status", status);
	put(w, pid, "comm", name);
	put(w, pid, "cgroup", "0::/dunlin/c1/payload/system.slice/redis.service\n");
	put(w, pid, "mountinfo",
	    "1 0 0:1 / / rw - overlay dunlin rw\n2 1 0:2 / /proc rw - proc proc rw\n");
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++) {
		_free_ char *file = xasprintf("ns/%s", ns[i]), *at = xasprintf("%s:[100]", ns[i]);

		point(w, pid, file, at);
	}
	point(w, pid, "fd/0", "/dev/null");
	point(w, pid, "fd/1", "socket:[123]");
	put(w, pid, "fdinfo/5", "pos:\t0\nflags:\t0100002\nmnt_id:\t1\n");
	put(w, pid, "fdinfo/6", "pos:\t0\nflags:\t0100000\nmnt_id:\t1\n");
	put(w, pid, "fdinfo/7", "pos:\t0\nflags:\t0140001\nmnt_id:\t9\n");
	put(w, pid, "fdinfo/8", "flags:\t02\nmnt_id:\t9\neventfd-count: 3\neventfd-semaphore: 1\n");
}

static int setup(void **state)
{
	struct proc_world *w = xnew(struct proc_world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/test-plan-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	memcpy(w->pids, (pid_t[]){ 100, 101, 102 }, sizeof(w->pids));
	make_task(w, 1, 0, "init of the host");
	make_task(w, 100, 1, "init");
	make_task(w, 101, 100, "redis-server");
	make_task(w, 102, 101, "worker");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct proc_world *w = *state;
	struct err err;

	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static struct move_plan look(const struct proc_world *w)
{
	struct plan_tasks t = { .proc = w->dir, .pids = w->pids, .npids = 3, .init = 100 };
	struct move_plan plan = { .kind = MOVE_LIVE };

	plan_tasks(&t, &plan);
	return plan;
}

static void ordinary_processes_may_move(void **state)
{
	struct move_plan plan = look(*state);

	assert_string_equal(text_of(&plan), "");
	assert_int_equal(plan.kind, MOVE_LIVE);
}

static void what_processes_hold_is_named(void **state)
{
	static const struct {
		const char *link, *target, *words[3];
	} cases[] = {
		{ "ns/uts", "uts:[200]", { "redis-server", "redis.service", "UTS" } },
		{ "ns/mnt", "mnt:[200]", { NULL } },
		{ "ns/net", "net:[200]", { NULL } },
		{ "ns/ipc", "ipc:[200]", { "process 101", "IPC namespace" } },
		{ "ns/user", "user:[200]", { "user namespace" } },
		{ "ns/pid", "pid:[200]", { "process namespace" } },
		{ "ns/cgroup", "cgroup:[200]", { "cgroup namespace" } },
		{ "ns/time_for_children", "time:[200]", { "time namespace" } },
		{ "fd/5", "/dev/kmsg", { "redis-server", "/dev/kmsg" } },
		{ "fd/5", "anon_inode:[io_uring]", { "holds an io_uring, which" } },
		{ "fd/5", "anon_inode:[perf_event]", { "performance counter" } },
		{ "fd/5", "anon_inode:[userfaultfd]", { "a userfaultfd, which" } },
		{ "fd/5", "anon_inode:bpf-prog", { "a BPF program" } },
		{ "fd/5", "anon_inode:bpf_link", { "a BPF link" } },
		{ "fd/5", "anon_inode:kvm-vm", { "a virtual machine" } },
		{ "fd/5", "anon_inode:[landlock-ruleset]", { "a Landlock rule set" } },
		{ "fd/5", "anon_inode:seccomp notify", { "a seccomp listener" } },
		{ "fd/5", "anon_inode:bpf-map", { "a BPF map" } },
		{ "fd/5", "anon_inode:other", { "object other" } },
		{ "fd/7", "pipe:[7]", { "redis-server", "O_DIRECT" } },
		{ "fd/6", "pipe:[7]", { NULL } },
		{ "fd/8", "anon_inode:[eventfd]", { "eventfd as a semaphore" } },
		{ "fd/5", "/secretmem (deleted)", { "secret memory" } },
		{ "fd/5", "net:[900]", { "net:[900]", "no process is" } },
		{ "fd/5", "net:[100]", { NULL } },
		{ "fd/8", "/srv/file", { "has /srv/file open", "mounted nowhere" } },
		{ "fd/8", "/memfd:x (deleted)", { NULL } },
		{ "exe", "/memfd:x (deleted)", { "in memory only" } },
		{ "exe", "/usr/bin/redis-server", { NULL } },
		{ "fd/5", "anon_inode:[fscontext]", { "[fscontext]" } },
		{ "fd/5", "/proc/pressure/memory", { "pressure", "redis-server" } },
		{ "fd/5", "/sys/fs/cgroup/unified/x/memory.pressure", { "pressure" } },
		{ "fd/6", "/proc/pressure/memory", { NULL } },
		{ "fd/5", "anon_inode:[eventfd]", { NULL } },
		{ "fd/5", "anon_inode:[eventpoll]", { NULL } },
		{ "fd/5", "anon_inode:[fanotify]", { NULL } },
		{ "fd/5", "anon_inode:inotify", { NULL } },
		{ "fd/5", "anon_inode:[pidfd]", { NULL } },
		{ "fd/5", "anon_inode:[signalfd]", { NULL } },
		{ "fd/5", "anon_inode:[timerfd]", { NULL } },
		{ "fd/5", "/dev/zero", { NULL } },
		{ "fd/5", "/dev/full", { NULL } },
		{ "fd/5", "/dev/random", { NULL } },
		{ "fd/5", "/dev/urandom", { NULL } },
		{ "fd/5", "/dev/ptmx", { NULL } },
		{ "fd/5", "/dev/shm/file", { NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_world *w;
		struct move_plan plan;

		setup((void **)&w);
		point(w, 101, cases[i].link, cases[i].target);
		plan = look(w);
		assert_int_equal(plan.kind, cases[i].words[0] ? MOVE_NEAR_LIVE : MOVE_LIVE);
		for (size_t k = 0; k < 3 && cases[i].words[k]; k++) {
			if (!strstr(text_of(&plan), cases[i].words[k]))
				fail_msg("%s: %s", cases[i].target, text_of(&plan));
		}
		teardown((void **)&w);
	}
}

static void what_processes_have_mapped_is_named(void **state)
{
	static const struct {
		const char *path, *word;
	} cases[] = {
		{ "anon_inode:[io_uring]", "holds an io_uring" },
		{ "anon_inode:[perf_event]", "performance counter" },
		{ "/secretmem (deleted)", "secret memory" },
		{ "/dev/null", "has the device /dev/null in its memory" },
		{ "/dev/zero (deleted)", NULL },
		{ "/memfd:x (deleted)", NULL },
		{ "/SYSV00000000 (deleted)", NULL },
		{ "/[aio] (deleted)", NULL },
		{ "/usr/lib/libc.so.6", NULL },
		{ "/gone (deleted)", NULL },
		{ "[stack]", NULL },
	};
	struct proc_world *w = *state;
	_free_ char *dir = xasprintf("%s/101/map_files", w->dir);
	struct err err;

	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	point(w, 101, "map_files/7f00-7f01", "/dev/null");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = xasprintf("55-56 r-xp 0 00:00 0\n7f00-7f01 rw-s 00000000 "
					      "00:10 12   %s\n7f00-7f01 rw-s 1 00:10 12  %s\n",
					      cases[i].path, cases[i].path);
		struct move_plan plan;

		put(w, 101, "maps", text);
		plan = look(w);
		assert_int_equal(move_plan_count(&plan, MOVE_LIVE), cases[i].word != NULL);
		if (cases[i].word && !strstr(plan.reasons[0].text, cases[i].word))
			fail_msg("%s: %s", cases[i].path, plan.reasons[0].text);
	}
}

static void threads_without_their_first_are_named(void **state)
{
	struct proc_world *w = *state;
	struct move_plan plan;

	put(w, 101, "status", "Name:\tjava\nState:\tZ (zombie)\nPPid:\t100\nThreads:\t1\n");
	assert_int_equal(look(w).kind, MOVE_LIVE);
	put(w, 101, "status", "Name:\tjava\nState:\tZ (zombie)\nPPid:\t100\nThreads:\t7\n");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "first thread"));
}

static void a_lasting_vfork_is_named(void **state)
{
	struct proc_world *w = *state;
	_free_ char *dir = xasprintf("%s/101/task/101", w->dir);
	struct move_plan plan;
	struct err err;

	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	put(w, 101, "task/101/wchan", "do_wait");
	assert_int_equal(look(w).kind, MOVE_LIVE);
	put(w, 101, "task/101/wchan", "kernel_clone");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "redis-server (process 101"));
	assert_non_null(strstr(text_of(&plan), "vfork"));
}

/* Sockets are looked at themselves: their links tell nothing. */
static void look_at_own(const struct proc_world *w, int fd, const char *word)
{
	_free_ char *file = xasprintf("fd/%d", fd);
	struct plan_tasks t = {
		.proc = w->dir, .pids = (pid_t[]){ getpid() }, .npids = 1, .init = 100
	};
	struct move_plan plan = { .kind = MOVE_LIVE };

	assert_true(fd >= 0);
	point(w, getpid(), file, "socket:[123]");
	plan_tasks(&t, &plan);
	assert_int_equal(plan.kind, word ? MOVE_NEAR_LIVE : MOVE_LIVE);
	if (word && !strstr(text_of(&plan), word))
		fail_msg("%s: %s", word, text_of(&plan));
	close(fd);
}

static int corked(int domain)
{
	int fd = socket(domain, SOCK_DGRAM, 0), on = 1;

	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof(on)), 0);
	return fd;
}

static void sockets_that_stay_behind_are_named(void **state)
{
	struct proc_world *w = *state;

	make_task(w, getpid(), 100, "server");
	look_at_own(w, socket(AF_INET, SOCK_STREAM, 0), NULL);
	look_at_own(w, socket(AF_INET6, SOCK_DGRAM, 0), NULL);
	look_at_own(w, socket(AF_UNIX, SOCK_SEQPACKET, 0), NULL);
	look_at_own(w, socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), NULL);
	look_at_own(w, socket(AF_PACKET, SOCK_DGRAM, 0), NULL);
	look_at_own(w, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), NULL);
	look_at_own(w, socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), NULL);
	look_at_own(w, corked(AF_INET), "UDP_CORK");
	look_at_own(w, corked(AF_INET6), "UDP_CORK");
	look_at_own(w, socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), "Multipath TCP");
	look_at_own(w, socket(AF_INET6, SOCK_STREAM, IPPROTO_MPTCP), "Multipath TCP");
}

static void message_queues_are_named(void **state)
{
	struct proc_world *w = *state;
	_free_ char *dir = xasprintf("%s/100/root/dev/mqueue", w->dir);
	struct move_plan plan;
	struct err err;

	put(w, 100, "mountinfo", "1 0 0:1 / /dev/mqueue rw - mqueue mqueue rw\n");
	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	assert_int_equal(look(w).kind, MOVE_LIVE);
	put(w, 100, "root/dev/mqueue/orders", "");
	plan = look(w);
	assert_int_equal(plan.kind, MOVE_NEAR_LIVE);
	assert_non_null(strstr(text_of(&plan), "/dev/mqueue/orders"));
}

static void relations_to_the_outside_are_found(void **state)
{
	struct proc_world *w = *state;
	struct move_plan plan;

	make_task(w, 77, 1, "daemon");
	put(w, 102, "status", "Name:\tsh\nPPid:\t77\nTracerPid:\t0\n");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "started from outside"));
	put(w, 102, "status", "Name:\tsh\nPPid:\t100\nTracerPid:\t88\n");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "debugger (process 88)"));
}

static void strays_of_cgroups_are_found(void **state)
{
	struct proc_world *w = *state;
	struct plan_tasks t = {
		.proc = w->dir, .pids = w->pids, .npids = 3, .init = 100, .cgroup = "cg/c1/payload"
	};
	struct move_plan plan = { 0 };

	put(w, 100, "cgroup", "3:cpu,cpuacct:/cg/c1/payload\n2:memory:/a/cg/c1/payload/b\n0::/\n");
	put(w, 101, "cgroup", "2:memory:/\n");
	put(w, 101, "status", "Name:\tsh\nState:\tZ (zombie)\nPPid:\t100\n");
	plan_tasks(&t, &plan);
	assert_int_equal(plan.kind, MOVE_LIVE);
	put(w, 102, "cgroup", "2:memory:/\n");
	put(w, 102, "stat", "102 (a) b) R 100 1 1 0 -1 4194308 0 0\n"); /* ends, is no zombie yet */
	plan_tasks(&t, &plan);
	assert_int_equal(plan.kind, MOVE_LIVE);
	put(w, 102, "stat", "102 (a) b) R 100 1 1 0 -1 4194304 0 0\n");
	put(w, 102, "cgroup", "3:cpu,cpuacct:/cg/c1/payload\n2:memory:/cg/c1/payload2\n0::/\n");
	plan_tasks(&t, &plan);
	assert_int_equal(plan.kind, MOVE_NEAR_LIVE);
	assert_non_null(strstr(text_of(&plan), "(memory:/cg/c1/payload2); restart the instance"));
}

static void who_ends_meanwhile_is_no_obstacle(void **state)
{
	struct proc_world *w = *state;
	_free_ char *parent = xasprintf("%s/101", w->dir), *self = xasprintf("%s/102", w->dir);
	struct err err;

	/* Its parent has gone, and nobody has taken it over yet. */
	assert_int_equal(io_remove_tree(parent, &err), 0);
	assert_int_equal(pids_origin(w->dir, 102, 100), PIDS_UNKNOWN);
	assert_int_equal(look(w).kind, MOVE_LIVE);
	assert_int_equal(io_remove_tree(self, &err), 0);
	assert_int_equal(pids_origin(w->dir, 102, 100), PIDS_GONE);
	assert_int_equal(look(w).kind, MOVE_LIVE);
	/* One that came after the list was made is inside all the same. */
	make_task(w, 150, 100, "new");
	make_task(w, 102, 150, "worker");
	assert_int_equal(pids_origin(w->dir, 102, 100), PIDS_INSIDE);
	assert_int_equal(look(w).kind, MOVE_LIVE);
}

static void all_offenders_are_named(void **state)
{
	struct proc_world *w = *state;
	struct move_plan plan;

	point(w, 101, "fd/5", "/dev/kmsg");
	point(w, 101, "ns/uts", "uts:[200]");
	point(w, 101, "ns/ipc", "ipc:[200]");
	point(w, 102, "fd/5", "anon_inode:[io_uring]");
	plan = look(w);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 3);
	assert_non_null(strstr(text_of(&plan), "UTS (host name), IPC namespace"));
	assert_non_null(strstr(text_of(&plan), "/dev/kmsg"));
	assert_non_null(strstr(text_of(&plan), "io_uring"));
}

static void processes_are_told_with_their_unit(void **state)
{
	static const struct {
		const char *cgroup, *who;
	} cases[] = {
		{ "0::/cg/c1/payload/system.slice/redis.service\n",
		  "worker (process 102, redis.service)" },
		{ "9:pids:/\n1:name=systemd:/cg/c1/payload/system.slice/a.service\n0::/b.service\n",
		  "(process 102, a.service)" },
		{ "0::/user.slice/user-7.slice/user@7.service/app.slice/b.service\n",
		  "(process 102, b.service)" },
		{ "0::/user.slice/user-7.slice/user@7.service/init.scope\n",
		  "(process 102, user@7.service)" },
		{ "0::/user.slice/user-7.slice/session-3.scope\n",
		  "(process 102, session-3.scope)" },
		{ "0::/cg/c1/payload\n", "worker (process 102)" },
		{ "", "worker (process 102)" },
	};
	struct proc_world *w = *state;

	point(w, 102, "ns/uts", "uts:[200]");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move_plan plan;

		put(w, 102, "cgroup", cases[i].cgroup);
		plan = look(w);
		assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 1);
		if (!strstr(plan.reasons[0].text, cases[i].who))
			fail_msg("%s: %s", cases[i].cgroup, plan.reasons[0].text);
	}
}

static void mounts_of_the_host_are_found(void **state)
{
	struct proc_world *w = *state;
	struct move_plan plan;

	put(w, 100, "mountinfo",
	    "1 0 0:1 / / rw - overlay a rw\n9 1 0:9 / /home rw - nfs4 srv:/ rw\n");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "nfs4 at /home"));
	put(w, 100, "mountinfo",
	    "9 1 0:9 / /var/lib/docker/x rw shared:1 - overlay o rw\nodd line\n");
	plan = look(w);
	assert_non_null(strstr(text_of(&plan), "/var/lib/docker/x"));
}

static void mounts_are_judged_by_their_type(void **state)
{
	static const struct {
		const char *type;
		bool carried;
	} cases[] = {
		{ "fuse", false },   { "fuse.sshfs", false }, { "nfs", false },  { "nfs4", false },
		{ "nsfs", false },   { "cifs", false },       { "9p", false },   { "ceph", false },
		{ "smb3", false },   { "overlay", false },    { "ext4", true },  { "tmpfs", true },
		{ "cgroup2", true }, { "proc", true },        { "sysfs", true }, { "devpts", true },
	};
	struct proc_world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = xasprintf("9 1 0:9 / /srv rw - %s s rw\n", cases[i].type);
		struct move_plan plan;

		put(w, 100, "mountinfo", line);
		plan = look(w);
		if (plan.kind != (cases[i].carried ? MOVE_LIVE : MOVE_NEAR_LIVE))
			fail_msg("%s: %s", cases[i].type, text_of(&plan));
	}
}

/* One is as good as none when nothing is in it. */
static void ramfs_is_an_obstacle_while_it_is_used(void **state)
{
	struct proc_world *w = *state;
	_free_ char *dir = xasprintf("%s/100/root/run/credentials/x", w->dir);
	struct move_plan plan;
	struct err err;

	put(w, 100, "mountinfo", "7 1 0:7 / /run/credentials/x ro - ramfs none rw\n");
	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	assert_int_equal(look(w).kind, MOVE_LIVE);
	put(w, 100, "root/run/credentials/x/token", "secret");
	plan = look(w);
	assert_int_equal(plan.kind, MOVE_NEAR_LIVE);
	assert_non_null(strstr(text_of(&plan), "ramfs at /run/credentials/x"));
}

/* What they share with init, as all of its root, is looked at there. */
static void mounts_of_sandboxes_are_looked_at_once(void **state)
{
	static const char text[] =
		"1 0 0:1 / / rw - overlay a rw\n2 1 0:1 /usr /usr ro - overlay a rw\n"
		"9 1 0:9 / /home rw - nfs4 srv:/ rw\n"
		"8 1 0:8 / /srv/own rw - fuse.sshfs b: rw\n";
	struct proc_world *w = *state;
	struct move_plan plan;

	put(w, 100, "mountinfo",
	    "1 0 0:1 / / rw - overlay a rw\n9 1 0:9 / /home rw - nfs4 srv:/ rw\n");
	for (int pid = 101; pid <= 102; pid++) {
		put(w, pid, "mountinfo", text);
		point(w, pid, "ns/mnt", "mnt:[200]");
	}
	plan = look(w);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 2);
	assert_non_null(strstr(plan.reasons[0].text, "init (process 100"));
	assert_non_null(strstr(plan.reasons[0].text, "nfs4 at /home"));
	assert_non_null(strstr(plan.reasons[1].text, "redis.service"));
	assert_non_null(strstr(plan.reasons[1].text, "fuse.sshfs at /srv/own"));
}

/* As of MountAPIVFS=yes and RootDirectory=. */
static void sockets_that_are_mounted_are_named_once(void **state)
{
	struct proc_world *w = *state;
	_free_ char *dir = xasprintf("%s/101/root/run", w->dir), *path = NULL;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct move_plan plan;
	struct err err;

	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	path = xasprintf("%s/log", dir);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	point(w, 101, "ns/mnt", "mnt:[200]");
	put(w, 101, "mountinfo",
	    "1 0 0:1 / / rw - overlay a rw\n3 1 0:1 /j/log /run/log rw - overlay a rw\n"
	    "4 1 0:1 /j/log /run/log rw - overlay a rw\n");
	plan = look(w);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 1);
	assert_non_null(strstr(plan.reasons[0].text, "socket mounted at /run/log"));
}

/* As of systemd 257, for DynamicUser=yes. */
static void parts_of_what_is_nowhere_are_named(void **state)
{
	struct proc_world *w = *state;
	struct move_plan plan;

	point(w, 101, "ns/mnt", "mnt:[200]");
	put(w, 101, "mountinfo",
	    "1 0 0:1 / / rw - overlay a rw\n3 1 0:3 /tmp /tmp rw - tmpfs t rw\n"
	    "4 1 0:3 /var-tmp /var/tmp rw - tmpfs t rw\n");
	plan = look(w);
	assert_int_equal(move_plan_count(&plan, MOVE_LIVE), 1);
	assert_non_null(strstr(plan.reasons[0].text, "redis.service"));
	assert_non_null(strstr(plan.reasons[0].text, "/tmp a part of a tmpfs"));
	put(w, 101, "mountinfo",
	    "1 0 0:1 / / rw - overlay a rw\n3 1 0:3 /tmp /tmp rw - tmpfs t rw\n"
	    "4 1 0:3 / /mnt rw - tmpfs t rw\n5 1 0:1 /srv /opt rw - overlay a rw\n");
	assert_int_equal(look(w).kind, MOVE_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(strays_of_cgroups_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(who_ends_meanwhile_is_no_obstacle, setup, teardown),
		cmocka_unit_test_setup_teardown(all_offenders_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(ordinary_processes_may_move, setup, teardown),
		cmocka_unit_test(what_processes_hold_is_named),
		cmocka_unit_test_setup_teardown(what_processes_have_mapped_is_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(threads_without_their_first_are_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_lasting_vfork_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(sockets_that_stay_behind_are_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(message_queues_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(relations_to_the_outside_are_found, setup,
						teardown),
		cmocka_unit_test_setup_teardown(processes_are_told_with_their_unit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mounts_of_the_host_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(mounts_are_judged_by_their_type, setup, teardown),
		cmocka_unit_test_setup_teardown(ramfs_is_an_obstacle_while_it_is_used, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mounts_of_sandboxes_are_looked_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(parts_of_what_is_nowhere_are_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(sockets_that_are_mounted_are_named_once, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
