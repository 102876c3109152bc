/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"
#include "node/criu/criu.h"

/* An open file of a task. */
struct file {
	const struct task *t;
	const char *number, *target; /* where its link leads */
	char *path, *info;           /* /proc/PID/fd/NUMBER; its fdinfo, or NULL */
	unsigned flags;              /* open(2) */
	mode_t type;                 /* S_IFMT; 0: not known */
};

/* Device numbers do not matter: what counts is the name under which it was opened. */
static const char *const devices[] = {
	"/dev/null", "/dev/zero", "/dev/full",    "/dev/random",  "/dev/urandom",
	"/dev/tty",  "/dev/ptmx", "/dev/net/tun", "/dev/console",
};
static const char *const device_folders[] = { "/dev/pts/", "/pts/" };

/* What CRIU 4.2 restores; all other objects of the kernel it does not know. */
static const char *const carried_objects[] = {
	"[eventfd]", "[eventpoll]", "[fanotify]", "inotify", "[pidfd]", "[signalfd]", "[timerfd]",
};
#define OBJECT "anon_inode:"

static const struct {
	const char *object, *what;
} named_objects[] = {
	{ "[io_uring]", "an io_uring" },
	{ "[perf_event]", "a performance counter" },
	{ "[userfaultfd]", "a userfaultfd" },
	{ "bpf-map", "a BPF map" },
	{ "bpf-prog", "a BPF program" },
	{ "bpf_link", "a BPF link" },
	{ "kvm", "a virtual machine" },
	{ "[landlock-ruleset]", "a Landlock rule set" },
	{ "seccomp notify", "a seccomp listener" },
};

static void look_at_device(const struct file *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		if (str_eq(f->target, devices[i]))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(device_folders); i++) {
		if (str_starts(f->target, device_folders[i]))
			return;
	}
	task_refuse(f->t, "has the device %s open", f->target);
}

void task_object(const struct task *t, const char *target)
{
	const char *object = target + strlen(OBJECT);

	if (!str_starts(target, OBJECT))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(carried_objects); i++) {
		if (str_eq(object, carried_objects[i]))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(named_objects); i++) {
		if (str_starts(object, named_objects[i].object)) {
			task_refuse(t, "holds %s, which CRIU cannot carry over",
				    named_objects[i].what);
			return;
		}
	}
	task_refuse(t, "holds a kernel object %s, which CRIU cannot carry over", object);
}

void task_ghost(const struct task *t, const char *path, const char *target)
{
	struct statx st;
	char size[16];

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st) < 0 ||
	    !S_ISREG(st.stx_mode) || st.stx_nlink > 0 ||
	    st.stx_blocks <= CRIU_GHOST_MAX_BYTES / 512)
		return;
	task_refuse(t, "uses the unlinked file %.*s of %s, which is too large to go along",
		    (int)(strlen(target) - strlen(" (deleted)")), target,
		    str_of_size(st.stx_blocks * 512, size));
}

/* --- descriptors that CRIU has its limits with ---------------------------------------------- */

static void packets(const struct file *f)
{
	if (f->flags & O_DIRECT)
		task_refuse(f->t, "has a pipe that keeps packets apart (O_DIRECT), which CRIU "
				  "cannot carry over");
}

static void semaphore(const struct file *f)
{
	if (f->info && strstr(f->info, "\neventfd-semaphore: 1"))
		task_refuse(f->t, "counts with an eventfd as a semaphore, which CRIU cannot carry "
				  "over");
}

static bool is_special(mode_t type)
{
	return type == S_IFSOCK || type == S_IFIFO;
}

static void pointer(const struct file *f)
{
	if ((f->flags & O_PATH) && is_special(f->type))
		task_refuse(f->t,
			    "points (O_PATH) to the socket or pipe %s, which CRIU cannot "
			    "carry over",
			    f->target);
}

/* Who writes there wants to be told of pressure. A restore forgets that, and the process waits
 * with poll(2) on a file that is always ready. */
static void pressure(const struct file *f)
{
	if ((str_starts(f->target, "/proc/pressure/") || str_ends(f->target, ".pressure")) &&
	    f->info && (f->flags & O_ACCMODE) != O_RDONLY)
		task_refuse(f->t, "waits for pressure on %s, which CRIU cannot carry over",
			    f->target);
}

static void ghost(const struct file *f)
{
	if (str_ends(f->target, " (deleted)"))
		task_ghost(f->t, f->path, f->target);
}

static void secret(const struct file *f)
{
	if (str_starts(f->target, "/secretmem"))
		task_refuse(f->t, "has secret memory (memfd_secret), which nobody else can read");
}

static void object(const struct file *f)
{
	task_object(f->t, f->target);
}

/* By where the link leads: how it begins. */
static const struct {
	const char *begins;
	void (*look)(const struct file *f);
} kinds[] = {
	{ "pipe:[", packets }, { "anon_inode:[eventfd]", semaphore },
	{ OBJECT, object },    { "/secretmem", secret },
	{ "/", pointer },      { "/", pressure },
	{ "/", ghost },
};

/* --- where they are ------------------------------------------------------------------------- */

static const char *const spaces[] = {
	"net:[", "mnt:[", "uts:[", "ipc:[", "user:[", "pid:[", "cgroup:[", "time:[",
};

static void look_at_namespace(const struct file *f, const struct task_sets *sets)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		if (str_starts(f->target, spaces[i]) && !task_set_has(&sets->namespaces, f->target))
			task_refuse(f->t,
				    "holds the namespace %s, in which no process is; CRIU "
				    "cannot carry that over",
				    f->target);
	}
}

/* These have mounts that nobody sees. */
static const char *const unmounted[] = {
	"/memfd:", "/secretmem", "/SYSV", "/[aio]", "/anon_hugepage", "/dev/zero (deleted)",
};

static bool mount_of(const struct file *f, char buf[24])
{
	const char *at = f->info ? strstr(f->info, "mnt_id:\t") : NULL;

	return at && sscanf(at, "mnt_id: %23[0-9]", buf) == 1;
}

static void look_at_mount(const struct file *f, const struct task_sets *sets)
{
	char id[24];

	for (size_t i = 0; i < ARRAY_SIZE(unmounted); i++) {
		if (str_starts(f->target, unmounted[i]))
			return;
	}
	if (f->target[0] == '/' && mount_of(f, id) && !task_set_has(&sets->mounts, id))
		task_refuse(f->t,
			    "has %s open in a file system that is mounted nowhere, as message "
			    "queues are, and what was unmounted while it was used",
			    f->target);
}

/* --- all of them ---------------------------------------------------------------------------- */

static mode_t type_of(const struct file *f)
{
	struct statx st;

	return statx(AT_FDCWD, f->path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0
		       ? st.stx_mode & S_IFMT
		       : 0;
}

static void look_at_file(struct file *f, const struct task_sets *sets)
{
	const char *flags = f->info ? strstr(f->info, "flags:\t") : NULL;
	char id[24];

	if (!flags || sscanf(flags, "flags: %o", &f->flags) != 1)
		f->flags = 0;
	/* That mount is named already, and its server may not answer. */
	if (f->target[0] == '/' && mount_of(f, id) && task_set_has(&sets->bad_mounts, id))
		return;
	f->type = type_of(f);
	if (f->type == S_IFCHR || f->type == S_IFBLK) {
		look_at_device(f);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (str_starts(f->target, kinds[i].begins))
			kinds[i].look(f);
	}
	look_at_namespace(f, sets);
	look_at_mount(f, sets);
}

void task_descriptors(const struct task *t, const struct task_sets *sets)
{
	_free_ char *folder = xasprintf("%s/fd", t->dir);
	_close_ int pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	DIR *d = opendir(folder);
	char target[TASK_LINK_MAX];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_free_ char *link = xasprintf("fd/%s", e->d_name);
		_free_ char *path = xasprintf("%s/%s", folder, e->d_name);
		_free_ char *infos = xasprintf("fdinfo/%s", e->d_name), *info = NULL;
		struct file f = { .t = t, .number = e->d_name, .target = target, .path = path };

		if (e->d_name[0] == '.' || !task_link(t, link, target))
			continue;
		if (str_starts(target, "socket:[")) {
			task_socket(t, pidfd, e->d_name);
			continue;
		}
		f.info = info = task_read(t, infos);
		look_at_file(&f, sets);
	}
	if (d)
		closedir(d);
}
