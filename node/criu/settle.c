/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/criu.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"
#include "node/node_int.h"

#define STEP_MS 10
#define ARGUMENTS_MAX (64 << 10)
#define TRACER_STEP_MS 1000
#define STALL_MS 3000 /* CRIU, which has its verdict, would have done something */

static pid_t tracer_of(pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/status", pid);
	struct err err;
	_free_ char *text = io_read_file(path, 64 << 10, NULL, &err);
	char *line = text ? strstr(text, "\nTracerPid:\t") : NULL;
	uint64_t tracer = 0;

	if (!line)
		return 0;
	line += strlen("\nTracerPid:\t");
	line[strcspn(line, "\n")] = '\0';
	return str_to_u64(line, INT32_MAX, &tracer) ? (pid_t)tracer : 0;
}

static int first_tracer(void *arg, pid_t pid)
{
	return *(pid_t *)arg = tracer_of(pid);
}

static pid_t tracer_in(struct node *n, const char *name)
{
	pid_t tracer = 0;

	cgroup_each_pid(n->cgroup_name, name, "payload", first_tracer, &tracer);
	return tracer;
}

bool criu_holds(struct node *n, const char *name)
{
	return tracer_in(n, name) != 0;
}

/* It lets go of tasks one after the other and ends soon after: its end is the event. */
static void await_process(pid_t pid, int64_t deadline)
{
	_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	int left = deadline_left(deadline);

	if (fd >= 0)
		poll(&pf, 1, left < 0 || left > TRACER_STEP_MS ? TRACER_STEP_MS : left);
}

int criu_await(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	pid_t tracer;

	while ((tracer = tracer_in(n, name))) {
		if (deadline && clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU (process %d) does not let go of %s",
				       tracer, name);
		await_process(tracer, deadline);
	}
	return 0;
}

/* The second time with its own tracer, our guard: that should have seen it end. */
static void kill_tracer(pid_t tracer, int times)
{
	pid_t guard = times > 0 ? tracer_of(tracer) : 0;

	kill(tracer, SIGKILL);
	if (guard > 0)
		kill(guard, SIGKILL);
}

int criu_end(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	int64_t worked = -1, since = clock_ms();
	int times = 0;
	pid_t tracer;

	while ((tracer = tracer_in(n, name))) {
		int64_t work = pids_work(tracer);

		if (work != worked)
			since = clock_ms();
		worked = work;
		if (clock_ms() - since >= STALL_MS) {
			log_warn("CRIU stands still: killed", "instance", name);
			kill_tracer(tracer, times++);
			since = clock_ms();
		}
		if (deadline && clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "CRIU (process %d) does not let go of %s",
				       tracer, name);
		await_process(tracer, deadline);
	}
	return 0;
}

/* --- sockets ------------------------------------------------------------------------------ */

static void unrepair(int pidfd, int number)
{
	_close_ int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	int on = 0, off = TCP_REPAIR_OFF, reuse = 1;
	socklen_t len = sizeof(on);

	if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, &len) < 0 || !on)
		return;
	/* The kernel then sends a window probe, and the peers go on. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		log_warn("a connection stays in repair mode", "error", strerror(errno));
	/* The repair mode has cleared it: a server that starts anew could not bind its port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
}

static void unrepair_socket(void *arg, pid_t pid, const char *fd, const char *target)
{
	uint64_t number;

	if (str_starts(target, "socket:") && str_to_u64(fd, INT32_MAX, &number))
		unrepair(*(const int *)arg, (int)number);
}

static int unrepair_all(void *arg, pid_t pid)
{
	_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd >= 0)
		pids_each_fd(pid, unrepair_socket, &pidfd);
	return 0;
}

void criu_mend(const char *cgroup_name, const char *name)
{
	assert(*name);
	cgroup_each_pid(cgroup_name, name, "payload", unrepair_all, NULL);
}

/* --- the end ------------------------------------------------------------------------------ */

/* CRIU forks the tasks that it restores before it puts them into their cgroups. One whose parent
 * has died by then waits for ever, in the cgroups of nobody; what it was called with tells whose
 * it is. */
static bool restores(pid_t pid, const char *payload)
{
	_free_ char *path = xasprintf("/proc/%d/cmdline", pid);
	struct err err;
	size_t len = 0;
	_free_ char *text = io_read_file(path, ARGUMENTS_MAX, &len, &err);
	bool criu = false, option = false;

	for (const char *s = text; s && s < text + len; s += strlen(s) + 1) {
		if (criu && option && str_ends(s, payload))
			return true;
		criu |= str_eq(s, "restore");
		option = str_eq(s, "--cgroup-root");
	}
	return false;
}

static int kill_restorers(struct node *n, const char *name)
{
	_free_ char *payload = xasprintf("/%s/%s/payload", n->cgroup_name, name);
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid;
	int count = 0;

	while (d && (e = readdir(d))) {
		_close_ int fd = -1;

		if (!str_to_u64(e->d_name, INT32_MAX, &pid))
			continue;
		/* Opened first: afterwards the number can't come to mean another process. */
		fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		if (fd >= 0 && restores((pid_t)pid, payload))
			count += syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
	}
	if (d)
		closedir(d);
	return count;
}

static int kill_parts(struct node *n, const char *name, bool monitor)
{
	int count = cgroup_kill(n->cgroup_name, name, "payload");

	if (monitor)
		count += cgroup_kill(n->cgroup_name, name, "monitor") +
			 cgroup_kill(n->cgroup_name, name, "pivot") + kill_restorers(n, name);
	return count;
}

static int kill_until_gone(struct node *n, const char *name, bool monitor, int64_t deadline,
			   struct err *err)
{
	/* No name would be all of them. */
	assert(*name);
	while (kill_parts(n, name, monitor) > 0) {
		/* Frozen tasks of a v1 hierarchy do not die. */
		cgroup_freeze(n->cgroup_name, name, false, deadline_in(STEP_MS),
			      &(struct err){ 0 });
		if (deadline && clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT, "processes of %s cannot be killed", name);
		poll(NULL, 0, STEP_MS); /* nobody tells when a cgroup of v1 gets empty */
	}
	return 0;
}

int criu_kill_payload(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	return kill_until_gone(n, name, false, deadline, err);
}

int criu_kill_tree(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	return kill_until_gone(n, name, true, deadline, err);
}
