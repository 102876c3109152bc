/* SPDX-License-Identifier: Apache-2.0 */
/* What CRIU cannot carry over, found in /proc before it is tried. The reason names process,
 * service and cause, for that is what somebody has to change. */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "migrate/plan.h"
#include "node/host/mountinfo.h"
#include "node/host/pids.h"

#define TEXT_MAX (4 << 20)
#define LINK_MAX 4096
#define TRACER_MS 2000
#define TRACER_STEP_MS 20
#define CGROUP_TRIES 20
#define CGROUP_STEP_MS 5
#define FLAG_EXITING 4          /* of the flags in proc_pid_stat(5) */
#define MQUEUE_MAGIC 0x19800202 /* statfs(2) */

struct task {
	const struct plan_tasks *all;
	pid_t pid;
	char dir[64];
	int64_t tracer_deadline; /* of all tasks together */
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

/* The last folder with that ending, of the service of a user's manager and not of the manager. */
static char *last_unit(const char *cgroup, const char *ending)
{
	const char *at = NULL;
	size_t len = 0;

	for (const char *p = cgroup; *p; p += *p != '\0') {
		size_t n = strcspn(p, "/\n");
		_free_ char *part = xstrndup(p, n);

		if (str_ends(part, ending)) {
			at = p;
			len = n;
		}
		/* Each hierarchy that has one has the same. */
		if (p[n] == '\n' && at)
			break;
		p += n;
	}
	return at ? xstrndup(at, len) : NULL;
}

/* "redis-server (process 812, redis.service)"; NULL when it has ended. */
static char *describe(const struct task *t)
{
	_free_ char *comm = read_of(t, "comm"), *cgroup = read_of(t, "cgroup");
	_free_ char *unit = cgroup ? last_unit(cgroup, ".service") : NULL;

	if (!comm)
		return NULL;
	comm[strcspn(comm, "\n")] = '\0';
	if (cgroup && !unit)
		unit = last_unit(cgroup, ".scope");
	return xasprintf("%s (process %d%s%s)", comm, t->pid, unit ? ", " : "", unit ? unit : "");
}

static void refuse(const struct task *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void refuse(const struct task *t, const char *fmt, ...)
{
	_free_ char *who = describe(t), *why = NULL;
	va_list ap;

	va_start(ap, fmt);
	why = xvasprintf(fmt, ap);
	va_end(ap);
	if (who)
		move_plan_add(t->ret, MOVE_NEAR_LIVE, "%s %s", who, why);
}

/* --- checks ------------------------------------------------------------------------------- */

/* Below init's CRIU restores those of mounts and networks only. */
static const struct {
	const char *file, *what;
} namespaces[] = {
	{ "ns/uts", "UTS (host name)" }, { "ns/ipc", "IPC" },
	{ "ns/user", "user" },           { "ns/pid", "process" },
	{ "ns/cgroup", "cgroup" },       { "ns/time_for_children", "time" },
};

static void other_namespaces(const struct task *t, const struct task *init)
{
	_sbuf_ struct sbuf list = SBUF(512);
	char own[LINK_MAX], first[LINK_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (link_of(t, namespaces[i].file, own) &&
		    link_of(init, namespaces[i].file, first) && !str_eq(own, first))
			sbuf_printf(&list, "%s%s", list.len ? ", " : "", namespaces[i].what);
	}
	if (list.len)
		refuse(t,
		       "has a %s namespace of its own, as sandboxed services have; it cannot be "
		       "restored elsewhere",
		       list.data);
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
	pid_t tracer;

	for (;;) {
		_free_ char *status = read_of(t, "status");

		tracer = (pid_t)status_number(status, "\nTracerPid:");
		if (!tracer || clock_ms() >= t->tracer_deadline)
			return tracer;
		poll(NULL, 0, TRACER_STEP_MS);
	}
}

static void relations(const struct task *t)
{
	_free_ char *status = read_of(t, "status");
	pid_t tracer = lasting_tracer(t);

	if (tracer)
		refuse(t, "is traced by a debugger (process %d)", (int)tracer);
	if (status && strstr(status, "\nState:\tT "))
		refuse(t, "is stopped by a signal (Ctrl-Z in a shell does that); let it go on, or "
			  "end it, first");
	if (pids_origin(t->all->proc, t->pid, t->all->init) == PIDS_OUTSIDE)
		refuse(t, "was started from outside; end that exec session first, or let the "
			  "move do that (--end-sessions)");
}

/* The first hierarchy in which a process is elsewhere than in the container's cgroup; of v1, as
 * commands that are run inside do not join the unified one of a hybrid host. */
static bool strays(const char *text, const char *cgroup, char **ret_line)
{
	_free_ char *copy = xstrdup(text), *want = xasprintf("/%s", cgroup);
	size_t len = strlen(want);

	for (char *line = copy, *next; line && *line; line = next) {
		char *list = strchr(line, ':'), *path, *at;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		path = list ? strchr(list + 1, ':') : NULL;
		at = path && path > list + 1 ? strstr(path, want) : want;
		if (at && (!at[len] || at[len] == '/'))
			continue;
		*ret_line = xstrdup(list + 1);
		return true;
	}
	return false;
}

static bool is_ending(const struct task *t)
{
	_free_ char *status = read_of(t, "status"), *stat = read_of(t, "stat");
	const char *name_end = stat ? strrchr(stat, ')') : NULL;
	unsigned flags;

	if (!status || strstr(status, "\nState:\tZ") || strstr(status, "\nState:\tX"))
		return true;
	return name_end && sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & FLAG_EXITING);
}

/* One that is ending, or begins, is shown in the root of v1 hierarchies for a moment. */
static void cgroups(const struct task *t)
{
	_free_ char *where = NULL;

	for (int tries = 0; tries < CGROUP_TRIES; tries++) {
		_free_ char *text = read_of(t, "cgroup");

		free(take_ptr(where));
		if (!text || !strays(text, t->all->cgroup, &where) || is_ending(t))
			return;
		poll(NULL, 0, CGROUP_STEP_MS); /* nobody tells */
	}
	refuse(t, "is outside of the instance's cgroups (%s); restart the instance", where);
}

/* Device numbers do not matter: what counts is the name under which it was opened. */
static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full",    "/dev/random",  "/dev/urandom",
	"/dev/tty",  "/dev/ptmx", "/dev/net/tun", "/dev/console",
};
static const char *const device_folders[] = { "/dev/pts/", "/pts/" };

/* What CRIU 4.2 restores; all other objects of the kernel it does not know. */
static const char *const carried_objects[] = {
	"[eventfd]", "[eventpoll]", "[fanotify]", "inotify",
	"[pidfd]",   "[signalfd]",  "[timerfd]",  "bpf-map",
};
#define OBJECT "anon_inode:"

static const struct {
	const char *object, *what;
} named_objects[] = {
	{ "[io_uring]", "an io_uring" },
	{ "[perf_event]", "a performance counter" },
	{ "[userfaultfd]", "a userfaultfd" },
	{ "bpf-prog", "a BPF program" },
	{ "bpf_link", "a BPF link" },
	{ "kvm", "a virtual machine" },
	{ "[landlock-ruleset]", "a Landlock rule set" },
	{ "seccomp notify", "a seccomp listener" },
};

static bool is_device(const struct task *t, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	struct stat st;

	return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static void look_at_device(const struct task *t, const char *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		if (str_eq(target, devices[i]))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(device_folders); i++) {
		if (str_starts(target, device_folders[i]))
			return;
	}
	refuse(t, "has the device %s open", target);
}

static void look_at_object(const struct task *t, const char *object)
{
	for (size_t i = 0; i < ARRAY_SIZE(carried_objects); i++) {
		if (str_eq(object, carried_objects[i]))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(named_objects); i++) {
		if (str_starts(object, named_objects[i].object)) {
			refuse(t, "holds %s, which CRIU cannot carry over", named_objects[i].what);
			return;
		}
	}
	refuse(t, "holds a kernel object %s, which CRIU cannot carry over", object);
}

static bool is_open_for_writing(const struct task *t, const char *number)
{
	_free_ char *file = xasprintf("fdinfo/%s", number), *info = read_of(t, file);
	const char *flags = info ? strstr(info, "flags:\t") : NULL;
	unsigned mode = 0;

	if (!flags || sscanf(flags, "flags:\t%o", &mode) != 1)
		return false;
	return (mode & O_ACCMODE) != O_RDONLY;
}

/* Who writes there wants to be told of pressure. A restore forgets that, and the process waits
 * with poll(2) on a file that is always ready. */
static void look_at_file(const struct task *t, const char *number, const char *target)
{
	_free_ char *path = xasprintf("%s/fd/%s", t->dir, number);
	struct statfs fs;

	if ((str_starts(target, "/proc/pressure/") || str_ends(target, ".pressure")) &&
	    is_open_for_writing(t, number))
		refuse(t, "waits for pressure on %s, which CRIU cannot carry over", target);
	if (target[0] == '/' && statfs(path, &fs) == 0 && fs.f_type == MQUEUE_MAGIC)
		refuse(t, "has the message queue %s open, which CRIU cannot carry over", target);
}

/* What CRIU 4.2 restores; AF_INET stands for both. */
static const struct {
	int domain, type, protocol; /* -1: any */
} carried_sockets[] = {
	{ AF_UNIX, -1, -1 },
	{ AF_NETLINK, -1, -1 },
	{ AF_PACKET, -1, -1 },
	{ AF_INET, SOCK_RAW, -1 },
	{ AF_INET, -1, IPPROTO_TCP },
	{ AF_INET, -1, IPPROTO_UDP },
	{ AF_INET, -1, IPPROTO_UDPLITE },
};

static const struct {
	int domain, protocol; /* -1: any */
	const char *what;
} named_sockets[] = {
	{ AF_INET, IPPROTO_MPTCP, "a socket of Multipath TCP" },
	{ AF_INET, IPPROTO_SCTP, "a socket of SCTP" },
	{ AF_VSOCK, -1, "a socket of a virtual machine" },
	{ AF_ALG, -1, "a socket of the kernel's cryptography" },
};

static bool fits(int rule, int value)
{
	return rule < 0 || rule == value;
}

static int option(int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, name, &v, &len) == 0 ? v : -1;
}

static void look_at_socket(const struct task *t, int pidfd, const char *number)
{
	int64_t n = -1;
	_close_ int fd = str_to_i64(number, 0, INT32_MAX, &n)
				 ? (int)syscall(SYS_pidfd_getfd, pidfd, (int)n, 0)
				 : -1;
	int domain = option(fd, SO_DOMAIN), type = option(fd, SO_TYPE),
	    protocol = option(fd, SO_PROTOCOL);

	/* One that was closed meanwhile forbids nothing. */
	if (domain < 0 || type < 0 || protocol < 0)
		return;
	if (domain == AF_INET6)
		domain = AF_INET;
	for (size_t i = 0; i < ARRAY_SIZE(carried_sockets); i++) {
		if (domain == carried_sockets[i].domain && fits(carried_sockets[i].type, type) &&
		    fits(carried_sockets[i].protocol, protocol))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(named_sockets); i++) {
		if (domain == named_sockets[i].domain &&
		    fits(named_sockets[i].protocol, protocol)) {
			refuse(t, "has %s, which CRIU cannot carry over", named_sockets[i].what);
			return;
		}
	}
	refuse(t, "has a socket of family %d and protocol %d, which CRIU cannot carry over", domain,
	       protocol);
}

static void descriptors(const struct task *t)
{
	_free_ char *path = xasprintf("%s/fd", t->dir);
	_close_ int pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	DIR *d = opendir(path);
	char target[LINK_MAX];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_free_ char *file = xasprintf("fd/%s", e->d_name);

		if (e->d_name[0] == '.' || !link_of(t, file, target))
			continue;
		if (is_device(t, file))
			look_at_device(t, target);
		else if (str_starts(target, OBJECT))
			look_at_object(t, target + strlen(OBJECT));
		else if (str_starts(target, "socket:["))
			look_at_socket(t, pidfd, e->d_name);
		else
			look_at_file(t, e->d_name, target);
	}
	if (d)
		closedir(d);
}

static const char *const bad_types[] = {
	"fuse", "nfs", "nsfs", "cifs", "9p", "ceph", "smb3", "overlay", "ramfs",
};

static void look_at_queues(const struct task *init, const char *at)
{
	_free_ char *path = xasprintf("%s/root%s", init->dir, at);
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			refuse(init,
			       "sees the message queue %s/%s, which CRIU cannot carry over; remove "
			       "it first",
			       at, e->d_name);
	}
	if (d)
		closedir(d);
}

static bool is_type(const char *type, const char *bad)
{
	return strncmp(type, bad, strlen(bad)) == 0;
}

/* An empty one is removed before the dump. */
static bool is_in_use(const struct task *t, const struct mountinfo *m)
{
	_free_ char *path = xasprintf("%s/root%s", t->dir, m->at);
	struct err err;

	return !str_eq(m->type, "ramfs") || io_is_empty(path, &err) != 1;
}

static void look_at_mount(const struct task *t, const struct mountinfo *m)
{
	if (str_eq(m->type, "mqueue"))
		look_at_queues(t, m->at);
	for (size_t i = 0; i < ARRAY_SIZE(bad_types); i++) {
		if (is_type(m->type, bad_types[i]) && is_in_use(t, m))
			refuse(t, "sees a mount of type %s at %s, which CRIU cannot carry over",
			       m->type, m->at);
	}
}

/* What has been looked at: words with spaces around them. */
struct looked_at {
	struct sbuf namespaces, devices;
};

static bool is_first(struct sbuf *list, const char *word)
{
	_free_ char *spaced = xasprintf(" %s ", word);

	if (list->data && strstr(list->data, spaced))
		return false;
	sbuf_puts(list, spaced);
	return true;
}

static bool is_whole_somewhere(const char *mountinfo, const char *device)
{
	_free_ char *copy = xstrdup(mountinfo);
	char *text = copy;
	struct mountinfo m;

	while (mountinfo_next(&text, &m)) {
		if (str_eq(m.device, device) && str_eq(m.root, "/"))
			return true;
	}
	return false;
}

/* A new file system in a sandbox: CRIU has to mount all of it before it can mount a part. */
static void look_at_part(const struct task *t, const struct mountinfo *m, const char *mountinfo)
{
	if (!is_whole_somewhere(mountinfo, m->device))
		refuse(t,
		       "sees at %s a part of a %s that is mounted nowhere as a whole, which CRIU "
		       "cannot carry over; set PrivateTmp=yes for it and restart it when that "
		       "comes of DynamicUser=yes",
		       m->at, m->type);
}

/* CRIU mounts first and makes sockets later. One is enough: they come together. */
static bool look_at_socket_file(const struct task *t, const struct mountinfo *m)
{
	_free_ char *path = xasprintf("%s/root%s", t->dir, m->at);
	struct stat st;

	if (str_eq(m->root, "/") || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	refuse(t, "sees a socket mounted at %s, which CRIU cannot carry over", m->at);
	return true;
}

/* Of services in their sandboxes, too; each file system once. */
static void mounts(const struct task *t, bool is_init, struct looked_at *l)
{
	char namespace[LINK_MAX], *text;
	_free_ char *copy = NULL, *whole = NULL;
	bool socket = false;
	struct mountinfo m;

	if (!link_of(t, "ns/mnt", namespace) || !is_first(&l->namespaces, namespace))
		return;
	text = copy = read_of(t, "mountinfo");
	whole = copy ? xstrdup(copy) : NULL;
	while (text && mountinfo_next(&text, &m)) {
		bool first = is_first(&l->devices, m.device);

		/* The container's root may be an overlay, which both members put together. */
		if (first && !(is_init && str_eq(m.at, "/")))
			look_at_mount(t, &m);
		if (first && !is_init)
			look_at_part(t, &m, whole);
		socket = socket || look_at_socket_file(t, &m);
	}
}

static struct task task_of(const struct plan_tasks *all, pid_t pid, struct move_plan *ret)
{
	struct task t = {
		.all = all, .pid = pid, .ret = ret, .tracer_deadline = deadline_in(TRACER_MS)
	};

	snprintf(t.dir, sizeof(t.dir), "%s/%d", all->proc, pid);
	return t;
}

/* CRIU finds the terminal behind /dev/tty only where that is the console, and only if it takes no
 * other for it. */
static void terminals(const struct plan_tasks *all, struct move_plan *ret)
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
	struct looked_at looked = { SBUF(TEXT_MAX), SBUF(TEXT_MAX) };

	mounts(&init, true, &looked);
	for (size_t i = 0; i < all->npids; i++) {
		struct task t = task_of(all, all->pids[i], ret);

		t.tracer_deadline = init.tracer_deadline;
		relations(&t);
		if (all->cgroup)
			cgroups(&t);
		other_namespaces(&t, &init);
		descriptors(&t);
		mounts(&t, false, &looked);
	}
	terminals(all, ret);
	sbuf_free(&looked.namespaces);
	sbuf_free(&looked.devices);
}
