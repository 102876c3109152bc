/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/pids.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/host/cgroup.h"

#define PROC_FILE_MAX (64 << 10)
#define STAT_PPID 2 /* fields after the command's closing parenthesis, state is 1 */
#define STAT_USER_TIME 12
#define STAT_SYSTEM_TIME 13
#define STAT_START 20
#define OUTSIDE_MAX 15
#define ORIGIN_TRIES 32
#define ORIGIN_STEPS 100000

int pids_open(pid_t pid, struct err *err)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? err_sys(err, "watch process %d", pid) : fd;
}

static char *read_proc(pid_t pid, const char *file)
{
	_free_ char *path = xasprintf("/proc/%d/%s", pid, file);
	struct err err;

	return io_read_file(path, PROC_FILE_MAX, NULL, &err);
}

static int64_t stat_field(pid_t pid, int field)
{
	_free_ char *s = read_proc(pid, "stat");
	char *p = s ? strrchr(s, ')') : NULL;
	int64_t v;

	for (int i = 0; p && i < field; i++)
		p = strchr(p + 1, ' ');
	if (!p)
		return 0;
	p[1 + strcspn(p + 1, " \n")] = '\0';
	return str_to_i64(p + 1, 0, INT64_MAX, &v) ? v : 0;
}

bool pids_is_stopped(pid_t pid)
{
	_free_ char *s = read_proc(pid, "stat");
	const char *p = s ? strrchr(s, ')') : NULL;

	return p && str_starts(p, ") T");
}

int64_t pids_status_number(const char *status, const char *key)
{
	const char *at = status ? strstr(status, key) : NULL;
	char number[24];
	int64_t v;

	if (!at)
		return 0;
	at += strlen(key);
	at += strspn(at, "\t ");
	snprintf(number, sizeof(number), "%.*s", (int)strspn(at, "0123456789"), at);
	return str_to_i64(number, 0, INT64_MAX, &v) ? v : 0;
}

int64_t pids_work(pid_t pid)
{
	_free_ char *status = read_proc(pid, "status");

	return (status != NULL) + stat_field(pid, STAT_USER_TIME) +
	       stat_field(pid, STAT_SYSTEM_TIME) +
	       pids_status_number(status, "\nvoluntary_ctxt_switches:") +
	       pids_status_number(status, "\nnonvoluntary_ctxt_switches:");
}

static bool descends(pid_t pid, pid_t from)
{
	for (int i = 0; i < ORIGIN_TRIES && pid > 1; i++) {
		pid = pids_parent(pid);
		if (pid == from)
			return true;
	}
	return false;
}

void pids_kill_offspring(pid_t from)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid;

	while (d && (e = readdir(d))) {
		_close_ int fd = -1;

		if (!str_to_u64(e->d_name, INT32_MAX, &pid) || !descends((pid_t)pid, from))
			continue;
		/* Looked at again: the number may have come to mean another process. */
		fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		if (fd >= 0 && descends((pid_t)pid, from))
			pids_signal(fd, SIGKILL);
	}
	if (d)
		closedir(d);
}

int64_t pids_group_work(pid_t group)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int64_t work = 0;
	uint64_t pid;

	while (d && (e = readdir(d))) {
		if (str_to_u64(e->d_name, INT32_MAX, &pid) &&
		    (getpgid((pid_t)pid) == group || descends((pid_t)pid, group)))
			work += pids_work((pid_t)pid);
	}
	if (d)
		closedir(d);
	return work;
}

/* Whether one of its threads sleeps in one of those, as kernels call them, to which compilers add;
 * up to NULL. */
static bool sleeps_in(const char *proc, pid_t pid, const char *const *names)
{
	_free_ char *path = xasprintf("%s/%d/task", proc, (int)pid);
	DIR *d = opendir(path);
	bool sleeps = false;
	struct dirent *e;

	while (d && !sleeps && (e = readdir(d))) {
		_free_ char *file = xasprintf("%s/%s/wchan", path, e->d_name);
		struct err err;
		_free_ char *where =
			e->d_name[0] == '.' ? NULL : io_read_file(file, PROC_FILE_MAX, NULL, &err);

		for (size_t i = 0; where && names[i]; i++)
			sleeps |= strstr(where, names[i]) != NULL;
	}
	if (d)
		closedir(d);
	return sleeps;
}

bool pids_waits_for_vfork(const char *proc, pid_t pid)
{
	static const char *const in_vfork[] = { "kernel_clone", "wait_for_vfork_done", NULL };

	return sleeps_in(proc, pid, in_vfork);
}

void pids_each_fd(pid_t pid, void (*fn)(void *arg, pid_t pid, const char *fd, const char *target),
		  void *arg)
{
	_free_ char *path = xasprintf("/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	char target[PIDS_TARGET_SIZE];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		if (len > 0)
			fn(arg, pid, e->d_name, target);
	}
	if (d)
		closedir(d);
}

pid_t pids_parent(pid_t pid)
{
	return (pid_t)stat_field(pid, STAT_PPID);
}

/* -1 when it is gone. */
static pid_t parent_in(const char *proc, pid_t pid)
{
	_free_ char *path = xasprintf("%s/%d/status", proc, (int)pid);
	struct err err;
	_free_ char *s = io_read_file(path, PROC_FILE_MAX, NULL, &err);
	const char *line = s ? strstr(s, "\nPPid:") : NULL;
	int parent;

	return line && sscanf(line, "\nPPid: %d", &parent) == 1 ? (pid_t)parent : -1;
}

enum pids_origin pids_origin(const char *proc, pid_t pid, pid_t init)
{
	pid_t at = pid;

	for (int steps = 0, again = 0; steps < ORIGIN_STEPS && again < ORIGIN_TRIES; steps++) {
		pid_t parent = at == init ? init : parent_in(proc, at);

		if (at == init)
			return PIDS_INSIDE;
		if (parent == 0)
			return PIDS_OUTSIDE;
		if (parent < 0 && at == pid)
			return PIDS_GONE;
		again += parent < 0;
		at = parent < 0 ? pid : parent;
	}
	return PIDS_UNKNOWN;
}

int64_t pids_started_ns(pid_t pid)
{
	int64_t ticks = stat_field(pid, STAT_START);
	struct timespec boot;

	if (!ticks || clock_gettime(CLOCK_BOOTTIME, &boot) < 0)
		return clock_wall_ns();
	return clock_wall_ns() - (boot.tv_sec * 1000000000LL + boot.tv_nsec) +
	       ticks * (1000000000LL / sysconf(_SC_CLK_TCK));
}

/* As in linux/pidfd.h of kernels that have it. */
struct pidfd_info_v0 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define PIDFD_INFO_EXIT_MASK (1UL << 3)
#define PIDFD_GET_INFO_V0 _IOWR(0xFF, 11, struct pidfd_info_v0)

int pids_exit_status(int pidfd)
{
	struct pidfd_info_v0 info = { .mask = PIDFD_INFO_EXIT_MASK };

	if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0 || !(info.mask & PIDFD_INFO_EXIT_MASK))
		return -1;
	return info.exit_code;
}

static uint64_t signal_mask(const char *status, const char *key)
{
	const char *p = status ? strstr(status, key) : NULL;
	unsigned long long v = 0;

	if (p && sscanf(p + strlen(key), "%llx", &v) == 1)
		return v;
	return 0;
}

bool pids_blocks_signal(pid_t pid, int sig)
{
	_free_ char *s = read_proc(pid, "status");

	return signal_mask(s, "\nSigBlk:") >> (sig - 1) & 1;
}

bool pids_takes_signal(pid_t pid, int sig)
{
	/* What sigwait(3) waits for is not shown as blocked meanwhile. */
	static const char *const in_sigwait[] = { "sigtimedwait", NULL };
	_free_ char *s = read_proc(pid, "status");

	return sig == SIGKILL ||
	       ((signal_mask(s, "\nSigBlk:") | signal_mask(s, "\nSigCgt:")) >> (sig - 1) & 1) ||
	       sleeps_in("/proc", pid, in_sigwait);
}

int pids_signal(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

struct search {
	const char *cgroup_name, *name;
	pid_t parent, found;
};

static int is_child(void *arg, pid_t pid)
{
	struct search *s = arg;

	if (pids_parent(pid) != s->parent)
		return 0;
	s->found = pid;
	return 1;
}

static int try_monitor(void *arg, pid_t pid)
{
	struct search *s = arg;

	s->parent = pid;
	return cgroup_each_pid(s->cgroup_name, s->name, "payload", is_child, s);
}

pid_t pids_container_init(const char *cgroup_name, const char *name)
{
	struct search s = { cgroup_name, name, 0, 0 };

	cgroup_each_pid(cgroup_name, name, "monitor", try_monitor, &s);
	return s.found;
}

struct outside {
	pid_t init;
	struct sbuf list;
	size_t n;
};

static int if_outside(void *arg, pid_t pid)
{
	struct outside *o = arg;
	_free_ char *comm = NULL;

	if (pids_origin("/proc", pid, o->init) != PIDS_OUTSIDE || o->n++ >= OUTSIDE_MAX)
		return 0;
	comm = read_proc(pid, "comm");
	sbuf_printf(&o->list, "%s%.*s (%d)", o->n > 1 ? ", " : "",
		    comm ? (int)strcspn(comm, "\n") : 1, comm ? comm : "?", (int)pid);
	return 0;
}

int pids_check_outside(const char *cgroup_name, const char *name, pid_t init, struct err *err)
{
	struct outside o = { .init = init, .list = SBUF(512) };

	cgroup_each_pid(cgroup_name, name, "payload", if_outside, &o);
	if (o.n > OUTSIDE_MAX)
		sbuf_printf(&o.list, " and %zu more", o.n - OUTSIDE_MAX);
	if (o.n)
		err_set(err, ERR_CONFLICT,
			"processes were started from outside: %s; end those exec sessions first",
			o.list.data);
	sbuf_free(&o.list);
	return o.n ? -1 : 0;
}
