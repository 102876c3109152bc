/* SPDX-License-Identifier: Apache-2.0 */
/* A console that moves: what is open on the source's terminal is restored on the target's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/console/console.h"
#include "node/console/wire.h"
#include "node/host/cgroup.h"

#define RESTORE_FD 100 /* above what liblxc and CRIU use themselves */
#define INHERIT "inherit-fd fd[100]:"
#define IMAGE "dunlin-console.img"
#define MAGIC "dunlin-console-1"
#define DEV_TTY makedev(5, 0)
#define STAT_MAX 4096
#define LINK_MAX_BYTES 64

/* --- what the processes do with it -------------------------------------------------------- */

/* The number of the terminal that a process' /dev/tty means: field 7 of its stat. */
static uint32_t tty_of(const char *proc, pid_t pid)
{
	_free_ char *path = xasprintf("%s/%d/stat", proc, pid);
	struct err err;
	_free_ char *text = io_read_file(path, STAT_MAX, NULL, &err);
	const char *after = text ? strrchr(text, ')') : NULL;
	int number = 0;

	if (!after || sscanf(after + 1, " %*c %*d %*d %*d %d", &number) != 1)
		return 0;
	return (uint32_t)number;
}

struct look {
	const struct console_tty *tty;
	pid_t jobs, other, clash;
};

/* CRIU takes the number of a terminal from the name under which it was opened: "/dev/pts/7" is 7,
 * and "/dev/console" 0. */
static bool clashes(const struct look *l, const char *link, const struct stat *st)
{
	const char *number = l->tty && str_starts(link, "/dev/pts/") ? link + 9 : NULL;

	if (!number || st->st_dev == l->tty->dev)
		return false;
	return str_eq(number, "0") || str_eq(number, l->tty->path + strlen("/dev/pts/"));
}

static void look_at_fd(struct look *l, const char *proc, pid_t pid, int dir, const char *name)
{
	char link[LINK_MAX_BYTES];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);
	struct stat st;

	link[n > 0 ? n : 0] = '\0';
	if (!str_starts(link, "/dev/") || fstatat(dir, name, &st, 0) < 0 || !S_ISCHR(st.st_mode))
		return;
	if (clashes(l, link, &st))
		l->clash = pid;
	if (st.st_rdev != DEV_TTY)
		return;
	if (l->tty && tty_of(proc, pid) == (uint32_t)l->tty->rdev)
		l->jobs = pid;
	else
		l->other = pid;
}

static void look_at_task(struct look *l, const char *proc, pid_t pid)
{
	_free_ char *path = xasprintf("%s/%d/fd", proc, pid);
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		look_at_fd(l, proc, pid, dirfd(d), e->d_name);
	if (d)
		closedir(d);
}

enum console_use console_look(const char *proc, const pid_t *pids, size_t npids,
			      const struct console_tty *tty, pid_t *ret_pid)
{
	struct look l = { .tty = tty };

	for (size_t i = 0; i < npids; i++)
		look_at_task(&l, proc, pids[i]);
	*ret_pid = l.other ? l.other : l.jobs;
	if (l.other)
		return CONSOLE_OTHER;
	if (!l.jobs)
		return CONSOLE_PLAIN;
	return l.clash ? CONSOLE_CLASH : CONSOLE_JOBS;
}

/* --- the image ---------------------------------------------------------------------------- */

/* The state of a terminal that CRIU leaves to others; the log follows. Both members have the
 * same architecture: only then does a container move while it runs. */
struct image {
	char magic[sizeof(MAGIC)];
	uint64_t rdev, dev;
	struct termios modes;
	struct winsize size;
};

static int add_line(const char *options, const char *line, struct err *err)
{
	_close_ int fd = open(options, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || io_write_full(fd, line, strlen(line)) < 0)
		return err_sys(err, "write %s", options);
	return 0;
}

/* Both sides name the terminal by the numbers that it has on the source. */
static int add_tty(const char *options, const char *before, const struct image *i, struct err *err)
{
	_free_ char *line = xasprintf("%stty[%llx:%llx]\n", before, (unsigned long long)i->rdev,
				      (unsigned long long)i->dev);

	return add_line(options, line, err);
}

static int copy_rest(int from, int to)
{
	char piece[65536];
	ssize_t n = 1;

	for (size_t done = 0; n > 0 && done < CONSOLE_LOG_MAX; done += (size_t)n) {
		n = read(from, piece, sizeof(piece));
		if (n < 0 || io_write_full(to, piece, (size_t)n) < 0)
			return -1;
	}
	return 0;
}

/* --- source ------------------------------------------------------------------------------- */

static int write_image(const char *folder, const char *images, const struct image *i,
		       struct err *err)
{
	_free_ char *path = xasprintf("%s/" IMAGE, images);
	_free_ char *log_path = xasprintf("%s/" CONSOLE_LOG, folder);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	_close_ int log = open(log_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || io_write_full(fd, i, sizeof(*i)) < 0 || (log >= 0 && copy_rest(log, fd) < 0))
		return err_sys(err, "write %s", path);
	return 0;
}

struct pids {
	pid_t *v;
	size_t n;
};

static int add_pid(void *arg, pid_t pid)
{
	struct pids *p = arg;

	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = pid;
	return 0;
}

static bool has_jobs(const char *cgroup_name, const char *name, const struct console_tty *tty)
{
	struct pids pids = { 0 };
	enum console_use use;
	pid_t who;

	cgroup_each_pid(cgroup_name, name, "payload", add_pid, &pids);
	use = console_look("/proc", pids.v, pids.n, tty, &who);
	free(pids.v);
	return use == CONSOLE_JOBS;
}

int console_dump(const char *folder, const char *images, const char *options,
		 const char *cgroup_name, const char *name, struct err *err)
{
	struct image i = { .magic = MAGIC };
	struct console_tty tty;
	_close_ int fd = -1;

	if (!console_find(folder, &tty))
		return 0;
	fd = open(tty.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || tcgetattr(fd, &i.modes) < 0 || ioctl(fd, TIOCGWINSZ, &i.size) < 0)
		return err_sys(err, "console of %s (%s)", name, tty.path);
	i.rdev = tty.rdev;
	i.dev = tty.dev;
	if (write_image(folder, images, &i, err) < 0)
		return -1;
	if (has_jobs(cgroup_name, name, &tty))
		return add_line(options, "shell-job\n", err);
	return add_tty(options, "external ", &i, err);
}

/* --- target ------------------------------------------------------------------------------- */

static int take_log(const char *folder, int from, struct err *err)
{
	_free_ char *path = xasprintf("%s/" CONSOLE_LOG, folder);
	_close_ int log = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

	/* Into the file that the holder has open. */
	if (log < 0 || copy_rest(from, log) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}

static int set_tty(const struct console_tty *tty, const struct image *i, struct err *err)
{
	_close_ int fd = open(tty->path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcsetattr(fd, TCSANOW, &i->modes) < 0 || ioctl(fd, TIOCSWINSZ, &i->size) < 0)
		return err_sys(err, "console (%s)", tty->path);
	return 0;
}

int console_lend(const char *folder, struct err *err)
{
	struct console_tty tty;
	_close_ int fd = -1;

	if (!console_find(folder, &tty))
		return 0;
	fd = open(tty.path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return fd < 0 || dup2(fd, RESTORE_FD) < 0 ? err_sys(err, "console (%s)", tty.path) : 0;
}

int console_restore(const char *folder, const char *images, const char *options, struct err *err)
{
	_free_ char *path = xasprintf("%s/" IMAGE, images);
	_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct console_tty tty;
	struct image i;

	if (fd < 0)
		return 0;
	if (io_read_full(fd, &i, sizeof(i)) < 0 || memcmp(i.magic, MAGIC, sizeof(MAGIC)) != 0)
		return err_set(err, ERR_INVALID, "%s: not the image of a console", path);
	if (!console_find(folder, &tty))
		return err_set(err, ERR_UNAVAILABLE, "this member could not make a console");
	if (set_tty(&tty, &i, err) < 0 || take_log(folder, fd, err) < 0)
		return -1;
	return add_tty(options, INHERIT, &i, err);
}
