/* SPDX-License-Identifier: Apache-2.0 */
/* What CRIU cannot carry over, found in /proc before it is tried. The reason names process,
 * service and cause, for that is what somebody has to change. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/plan.h"

#define TEXT_MAX (4 << 20)
#define LINK_MAX 4096
#define TRACER_MS 2000
#define TRACER_STEP_MS 20

struct task {
	const struct plan_tasks *all;
	pid_t pid;
	char dir[64];
	struct move_plan *ret;
};

static char *read_of(const struct task *t, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	struct err err;

	return io_read_file(path, TEXT_MAX, NULL, &err);
}

static bool link_of(const struct task *t, const char *file, char buf[LINK_MAX])
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	ssize_t n = readlink(path, buf, LINK_MAX - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* "redis-server (process 812, redis.service)" */
static char *describe(const struct task *t)
{
	_free_ char *comm = read_of(t, "comm"), *cgroup = read_of(t, "cgroup");
	char *unit = NULL;

	if (comm)
		comm[strcspn(comm, "\n")] = '\0';
	for (char *p = cgroup; p && (p = strstr(p, ".service")); p += 8) {
		unit = p;
		while (unit > cgroup && unit[-1] != '/')
			unit--;
		p[8] = '\0';
		break;
	}
	return xasprintf("%s (process %d%s%s)", comm ? comm : "?", t->pid, unit ? ", " : "",
			 unit ? unit : "");
}

static bool refuse(const struct task *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static bool refuse(const struct task *t, const char *fmt, ...)
{
	_free_ char *who = describe(t), *why = NULL;
	va_list ap;

	va_start(ap, fmt);
	why = xvasprintf(fmt, ap);
	va_end(ap);
	t->ret->kind = MOVE_COLD;
	snprintf(t->ret->reason, sizeof(t->ret->reason), "%s %s", who, why);
	return true;
}

/* --- checks, each true when it has refused ------------------------------------------------ */

static const struct {
	const char *file, *what;
} namespaces[] = {
	{ "ns/mnt", "mount" },   { "ns/uts", "UTS (host name)" }, { "ns/ipc", "IPC" },
	{ "ns/net", "network" }, { "ns/user", "user" },           { "ns/pid", "process" },
};

static bool other_namespace(const struct task *t, const struct task *init)
{
	char own[LINK_MAX], first[LINK_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (link_of(t, namespaces[i].file, own) &&
		    link_of(init, namespaces[i].file, first) && !str_eq(own, first))
			return refuse(
				t,
				"has a %s namespace of its own, as sandboxed services have; it "
				"cannot be restored elsewhere",
				namespaces[i].what);
	}
	return false;
}

static bool is_ours(const struct plan_tasks *all, pid_t pid)
{
	for (size_t i = 0; i < all->npids; i++) {
		if (all->pids[i] == pid)
			return true;
	}
	return false;
}

static int64_t status_number(const char *status, const char *key)
{
	const char *line = status ? strstr(status, key) : NULL;
	char number[24];
	int64_t v;

	if (!line)
		return 0;
	line += strlen(key);
	line += strspn(line, " \t");
	snprintf(number, sizeof(number), "%.*s", (int)strspn(line, "0123456789"), line);
	return str_to_i64(number, 0, INT64_MAX, &v) ? v : 0;
}

/* A CRIU that is finishing a restore lets go in a moment, and tells nobody. */
static pid_t lasting_tracer(const struct task *t)
{
	int64_t deadline = deadline_in(TRACER_MS);
	pid_t tracer;

	for (;;) {
		_free_ char *status = read_of(t, "status");

		tracer = (pid_t)status_number(status, "\nTracerPid:");
		if (!tracer || clock_ms() >= deadline)
			return tracer;
		poll(NULL, 0, TRACER_STEP_MS);
	}
}

static bool bad_relations(const struct task *t)
{
	_free_ char *status = read_of(t, "status");
	pid_t parent = (pid_t)status_number(status, "\nPPid:");
	pid_t tracer = lasting_tracer(t);

	if (tracer)
		return refuse(t, "is traced by a debugger (process %d)", (int)tracer);
	if (status && strstr(status, "\nState:\tT "))
		return refuse(
			t, "is stopped by a signal (Ctrl-Z in a shell does that); let it go on, or "
			   "end it, first");
	if (t->pid != t->all->init && !is_ours(t->all, parent))
		return refuse(t, "was started from outside; end that exec session first");
	return false;
}

/* Device numbers do not matter: what counts is the name under which it was opened. */
static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full",    "/dev/random",  "/dev/urandom",
	"/dev/tty",  "/dev/ptmx", "/dev/net/tun", "/dev/console",
};
static const char *const device_folders[] = { "/dev/pts/", "/pts/" };

static const struct {
	const char *link, *what;
} kernel_objects[] = {
	{ "anon_inode:[io_uring]", "an io_uring" },
	{ "anon_inode:[perf_event]", "a performance counter" },
	{ "anon_inode:[userfaultfd]", "a userfaultfd" },
	{ "anon_inode:bpf-prog", "a BPF program" },
	{ "anon_inode:bpf_link", "a BPF link" },
	{ "anon_inode:kvm", "a virtual machine" },
	{ "anon_inode:[landlock-ruleset]", "a Landlock rule set" },
	{ "anon_inode:[seccomp notify]", "a seccomp listener" },
};

static bool is_device(const struct task *t, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	struct stat st;

	return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static bool bad_target(const struct task *t, const char *file, const char *target)
{
	bool ok = !is_device(t, file);

	for (size_t i = 0; !ok && i < ARRAY_SIZE(devices); i++)
		ok = str_eq(target, devices[i]);
	for (size_t i = 0; !ok && i < ARRAY_SIZE(device_folders); i++)
		ok = str_starts(target, device_folders[i]);
	if (!ok)
		return refuse(t, "has the device %s open", target);
	for (size_t i = 0; i < ARRAY_SIZE(kernel_objects); i++) {
		if (str_starts(target, kernel_objects[i].link))
			return refuse(t, "holds %s, which CRIU cannot carry over",
				      kernel_objects[i].what);
	}
	return false;
}

static bool bad_descriptors(const struct task *t)
{
	_free_ char *path = xasprintf("%s/fd", t->dir);
	DIR *d = opendir(path);
	char target[LINK_MAX];
	bool bad = false;
	struct dirent *e;

	while (!bad && d && (e = readdir(d))) {
		_free_ char *file = xasprintf("fd/%s", e->d_name);

		bad = e->d_name[0] != '.' && link_of(t, file, target) &&
		      bad_target(t, file, target);
	}
	if (d)
		closedir(d);
	return bad;
}

static const char *const bad_types[] = { "fuse", "nfs", "cifs", "9p", "ceph", "smb3", "overlay" };

/* "36 35 98:0 / /mnt rw - ext4 /dev/root rw" */
static bool bad_mount(const struct task *init, char *line)
{
	char *dash = strstr(line, " - "), *part[6];
	const char *type = dash ? dash + 3 : "";

	if (!dash)
		return false;
	*dash = '\0';
	if (str_split(line, ' ', part, 6) < 5)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bad_types); i++) {
		size_t len = strlen(bad_types[i]);

		/* The container's root is an overlay that both members put together themselves. */
		if (strncmp(type, bad_types[i], len) == 0 && !str_eq(part[4], "/"))
			return refuse(
				init,
				"sees a mount of type %.*s at %s, which CRIU cannot carry over",
				(int)strcspn(type, " "), type, part[4]);
	}
	return false;
}

static bool bad_mounts(const struct task *init)
{
	_free_ char *text = read_of(init, "mountinfo");

	for (char *line = text; line && *line;) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;

		*end = '\0';
		if (bad_mount(init, line))
			return true;
		line = next;
	}
	return false;
}

static struct task task_of(const struct plan_tasks *all, pid_t pid, struct move_plan *ret)
{
	struct task t = { .all = all, .pid = pid, .ret = ret };

	snprintf(t.dir, sizeof(t.dir), "%s/%d", all->proc, pid);
	return t;
}

/* CRIU finds the terminal behind /dev/tty only where that is the console, and only if it takes no
 * other for it. */
static void bad_terminals(const struct plan_tasks *all, struct move_plan *ret)
{
	pid_t pid;
	enum console_use use = console_look(all->proc, all->pids, all->npids, all->console, &pid);
	struct task t = task_of(all, pid, ret);

	if (use == CONSOLE_CLASH)
		refuse(&t, "has /dev/tty open on the console; log out of the console, or of the "
			   "other terminals in the instance, first");
	if (use == CONSOLE_OTHER)
		refuse(&t, "has /dev/tty open on a terminal that is not the console; end that "
			   "session first");
}

void plan_tasks(const struct plan_tasks *all, struct move_plan *ret)
{
	struct task init = task_of(all, all->init, ret);

	if (bad_mounts(&init))
		return;
	for (size_t i = 0; i < all->npids; i++) {
		struct task t = task_of(all, all->pids[i], ret);

		if (bad_relations(&t) || other_namespace(&t, &init) || bad_descriptors(&t))
			return;
	}
	bad_terminals(all, ret);
}
