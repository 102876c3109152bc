/* SPDX-License-Identifier: Apache-2.0 */
/* One dnsmasq a bridge: it goes on while the daemon restarts, and is found again by its pid
 * file. Its command line is its configuration: another one means another process.
 *
 * DUNLIN_DIR/networks/NAME/: dnsmasq.pid, and the files of leases.c and hosts.c
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"

#define START_MS 15000
#define STOP_MS 3000

/* --- the running one ------------------------------------------------------------------------ */

struct running {
	pid_t pid; /* 0: none */
	int pidfd;
	char *cmdline; /* arguments, each ended by NUL */
	size_t len;
};

static void running_done(struct running *r)
{
	if (r->pidfd >= 0)
		close(r->pidfd);
	free(r->cmdline);
}

static pid_t read_pid(const char *dir)
{
	_free_ char *path = xasprintf("%s/dnsmasq.pid", dir), *text = NULL;
	struct err err;
	uint64_t pid;

	text = io_read_file(path, 32, NULL, &err);
	if (!text)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return str_to_u64(text, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

/* Whether the process carries this folder in its command line: numbers are used again. */
static bool is_ours(const struct running *r, const char *dir)
{
	_free_ char *mark = xasprintf("--pid-file=%s/dnsmasq.pid", dir);

	for (size_t i = 0; i < r->len; i += strlen(r->cmdline + i) + 1) {
		if (str_eq(r->cmdline + i, mark))
			return true;
	}
	return false;
}

static bool in_this_netns(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/ns/net", pid);
	struct stat its, ours;

	return stat(path, &its) == 0 && stat("/proc/thread-self/ns/net", &ours) == 0 &&
	       its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

static bool take_running(const char *dir, pid_t pid, struct running *ret)
{
	struct running r = { .pid = pid, .pidfd = -1 };
	_free_ char *path = xasprintf("/proc/%d/cmdline", pid);
	struct err err;

	if (pid <= 1)
		return false;
	/* Opened first: afterwards the number can't come to mean another process. */
	r.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (r.pidfd >= 0)
		r.cmdline = io_read_file(path, DNSMASQ_TEXT_MAX, &r.len, &err);
	if (r.cmdline && is_ours(&r, dir)) {
		*ret = r;
		return true;
	}
	running_done(&r);
	return false;
}

/* Its pid file went with a state folder that was emptied while it ran, or was never written. */
static void search_running(const char *dir, struct running *ret)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;
	uint64_t pid;

	while (d && !found && (e = readdir(d)))
		found = str_to_u64(e->d_name, INT32_MAX, &pid) && in_this_netns((pid_t)pid) &&
			take_running(dir, (pid_t)pid, ret);
	if (d)
		closedir(d);
}

static void find_running(const char *dir, struct running *ret)
{
	*ret = (struct running){ .pidfd = -1 };
	if (!take_running(dir, read_pid(dir), ret))
		search_running(dir, ret);
}

static bool wait_end(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int64_t deadline = deadline_in(ms);
	int n;

	while ((n = poll(&p, 1, deadline_left(deadline))) < 0 && errno == EINTR)
		;
	return n > 0;
}

static void stop_running(struct running *r)
{
	if (!r->pid)
		return;
	syscall(SYS_pidfd_send_signal, r->pidfd, SIGTERM, NULL, 0);
	if (wait_end(r->pidfd, STOP_MS))
		return;
	syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
	wait_end(r->pidfd, STOP_MS);
}

static bool same_args(const struct dnsmasq_args *a, const struct running *r)
{
	size_t at = 0;

	for (size_t i = 0; i < a->n; i++) {
		if (at >= r->len || !str_eq(a->v[i], r->cmdline + at))
			return false;
		at += strlen(a->v[i]) + 1;
	}
	return at == r->len;
}

void dnsmasq_reload(const char *dir)
{
	struct running r;

	find_running(dir, &r);
	if (r.pid)
		syscall(SYS_pidfd_send_signal, r.pidfd, SIGHUP, NULL, 0);
	running_done(&r);
}

/* --- ensure --------------------------------------------------------------------------------- */

static int prepare_files(const char *dir, struct err *err)
{
	_free_ char *hosts = xasprintf("%s/dnsmasq.hosts", dir),
		    *leases = xasprintf("%s/dnsmasq.leases", dir),
		    *names = xasprintf("%s/" NAMES_DIR, dir);
	bool unused;

	/* It opens this one before it gives up root's rights, and keeps it open. */
	if (!io_exists(leases) && io_write_file(leases, "", 0, 0600, err) < 0)
		return -1;
	if (io_folder(names, 0755, err) < 0)
		return -1;
	return io_exists(hosts) ? 0 : dnsmasq_write(hosts, "", 0644, &unused, err);
}

static int start(const struct dnsmasq_args *a, const struct net *net, const char *dir,
		 struct err *err)
{
	if (dnsmasq_forget_former(dir, err) < 0)
		return -1;
	if (proc_run((const char *const *)a->v, NULL, deadline_in(START_MS), err) < 0)
		return err_wrap(err, "network \"%s\": DHCP and DNS", net->name);
	return 0;
}

int dnsmasq_ensure(const struct net *net, const char *dir, bool restart, struct err *err)
{
	struct dnsmasq_args a = { .n = 0 };
	struct running r;
	int rc = -1;

	if (!net->v4.gateway.family)
		return dnsmasq_remove(dir, err);
	if (prepare_files(dir, err) < 0)
		return -1;
	find_running(dir, &r);
	if (dnsmasq_args(&a, net, dir, err) == 0) {
		if (r.pid && !restart && same_args(&a, &r) && in_this_netns(r.pid)) {
			rc = 0;
		} else {
			stop_running(&r);
			rc = start(&a, net, dir, err);
		}
	}
	running_done(&r);
	dnsmasq_args_done(&a);
	return rc;
}

int dnsmasq_remove(const char *dir, struct err *err)
{
	_free_ char *path = xasprintf("%s/dnsmasq.pid", dir);
	struct running r;

	find_running(dir, &r);
	stop_running(&r);
	running_done(&r);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "delete %s", path);
	return 0;
}
