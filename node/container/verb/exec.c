/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: a command inside a container. Descriptors from 5: stdin, stdout, stderr, and a
 * pipe of signal numbers; a zero there or its end kills the command's process group. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/verb/lxc.h"
#include "node/helper/verbs.h"
#include "node/host/idmap.h"
#include "node/host/pids.h"

#define FD_CONTROL (HELPER_FD_EXTRA + 3)
#define PASSWD_MAX (1 << 20)
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct job {
	char **command;
	const char *cwd;
	const json_t *environment;
	bool interactive;
	int report; /* why there is no command */
};

static char **string_list(const json_t *list)
{
	char **ret = xcalloc(json_array_size(list) + 1, sizeof(*ret));
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		ret[i] = xstrdup(json_is_string(v) ? json_string_value(v) : "");
	return ret;
}

static char **environment(const json_t *obj)
{
	char **ret = xcalloc(json_object_size(obj) + 2, sizeof(*ret));
	const char *key;
	json_t *v;
	size_t n = 0;

	json_object_foreach((json_t *)obj, key, v)
		if (json_is_string(v))
			ret[n++] = xasprintf("%s=%s", key, json_string_value(v));
	if (!json_object_get(obj, "PATH"))
		ret[n++] = xstrdup(DEFAULT_PATH);
	return ret;
}

static int complain(const char *what, const char *name)
{
	int e = errno;

	dprintf(2, "%s \"%s\": %s\n", what, name, strerror(e));
	return e == ENOENT || e == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* The text is the container's: nothing there may block us or be without end. */
static char *read_passwd(size_t *ret_len)
{
	_close_ int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_free_ char *text = xcalloc(1, PASSWD_MAX);
	struct stat st;
	ssize_t n;

	assert(*ret_len == 0);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	while (*ret_len < PASSWD_MAX && (n = read(fd, text + *ret_len, PASSWD_MAX - *ret_len)) > 0)
		*ret_len += (size_t)n;
	return *ret_len ? take_ptr(text) : NULL;
}

/* NULL: there is none. liblxc has a HOME of its own for everybody: root's. */
static void set_default(const struct job *j, const char *name, const char *value)
{
	if (json_object_get(j->environment, name))
		return;
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

/* The container's own table: NSS would ask the host's. A folder that cannot be entered is as good
 * as none. */
static void be_at_home(const struct job *j)
{
	size_t len = 0;
	_free_ char *text = read_passwd(&len);
	FILE *f = text ? fmemopen(text, len, "r") : NULL;
	const char *name = getuid() == 0 ? "root" : NULL, *home = name ? "/root" : NULL;
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != getuid())
		;
	if (pw) {
		name = pw->pw_name;
		home = *pw->pw_dir ? pw->pw_dir : "/";
	}
	set_default(j, "USER", name);
	set_default(j, "HOME", home);
	if ((!home || chdir(home) < 0) && chdir("/") < 0)
		complain("change to directory", "/");
}

/* Runs inside, with ids, environment and descriptors 0 to 2 in place. */
static int run_inside(void *arg)
{
	struct job *j = arg;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	umask(INSIDE_UMASK);
	setsid();
	if (j->interactive)
		ioctl(0, TIOCSCTTY, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	be_at_home(j);
	if (*j->cwd && chdir(j->cwd) < 0) {
		int e = errno;

		return write(j->report, &e, sizeof(e)) == sizeof(e) ? EXIT_NOT_EXECUTABLE : 1;
	}
	syscall(SYS_close_range, 3, ~0U, 0);
	execvp(j->command[0], j->command);
	return complain("run", j->command[0]);
}

/* Commands often open /dev/stdout anew, which needs permission on the pipe or tty itself. */
static void give_descriptors(const json_t *request)
{
	struct idmap m;
	struct err err;
	struct stat st;

	if (idmap_of_spec(request, &m, &err) < 0)
		return;
	for (int fd = HELPER_FD_EXTRA; fd < FD_CONTROL; fd++) {
		if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd)))
			(void)!fchown(fd, m.base + (uid_t)json_int(request, "uid", 0), (gid_t)-1);
	}
}

static int wait_status(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Passes signals on until the command has ended. */
static int serve(pid_t pid, struct err *err)
{
	_close_ int pidfd = pids_open(pid, err);
	struct pollfd pf[] = { { .fd = pidfd, .events = POLLIN },
			       { .fd = FD_CONTROL, .events = POLLIN } };
	unsigned char sig;

	while (pidfd >= 0 && poll(pf, 2, -1) >= 0) {
		if (pf[0].revents)
			return wait_status(pid);
		if (!pf[1].revents)
			continue;
		sig = 0;
		if (read(FD_CONTROL, &sig, 1) == 1 && sig) {
			kill(pid, sig);
			continue;
		}
		/* Nobody waits for it any more. */
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		pf[1].fd = -1;
	}
	kill(pid, SIGKILL);
	return wait_status(pid);
}

static int attach(const json_t *request, struct lxc_container *c, int report, pid_t *ret_pid,
		  struct err *err)
{
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	struct job job = { .command = string_list(json_arr(request, "command")),
			   .cwd = json_str(request, "cwd", ""),
			   .environment = json_obj(request, "environment"),
			   .interactive = json_bool(request, "interactive", false),
			   .report = report };
	int64_t log = helper_lxc_log_size(request);

	o.env_policy = LXC_ATTACH_CLEAR_ENV;
	o.extra_env_vars = environment(json_obj(request, "environment"));
	o.uid = (uid_t)json_int(request, "uid", 0);
	o.gid = (gid_t)json_int(request, "gid", 0);
	o.stdin_fd = HELPER_FD_EXTRA;
	o.stdout_fd = HELPER_FD_EXTRA + 1;
	o.stderr_fd = HELPER_FD_EXTRA + 2;
	if (c->attach(c, run_inside, &job, &o, ret_pid) == 0)
		return 0;
	{
		_free_ char *cause = helper_lxc_cause(request, log);

		return err_set(err, ERR_INTERNAL, "enter instance %s: %s",
			       json_str(request, "name", "?"), cause);
	}
}

/* What the command wrote to must reach its end of file when the command ends, not when we do. */
static void close_descriptors(void)
{
	for (int fd = HELPER_FD_EXTRA; fd < FD_CONTROL; fd++)
		close(fd);
}

/* -1 when the command was never reached. */
static int check_report(const json_t *request, int fd, struct err *err)
{
	int e = 0;

	if (io_read_full(fd, &e, sizeof(e)) < 0)
		return 0;
	return err_set(err, ERR_INVALID, "exec in instance %s: enter folder \"%s\": %s",
		       json_str(request, "name", "?"), json_str(request, "cwd", ""), strerror(e));
}

/* {name, lxcpath, command, environment, cwd, uid, gid, interactive, idmap} -> {status}. */
json_t *helper_exec(const json_t *request, struct err *err)
{
	struct lxc_container *c = helper_lxc_open(request, err);
	_close_ int rd = -1;
	int report[2], rc, status;
	pid_t pid = 0;

	if (!c)
		return NULL;
	if (pipe2(report, O_CLOEXEC) < 0) {
		lxc_container_put(c);
		err_sys(err, "pipe");
		return NULL;
	}
	rd = report[0];
	give_descriptors(request);
	rc = attach(request, c, report[1], &pid, err);
	close(report[1]);
	lxc_container_put(c);
	close_descriptors();
	if (rc < 0)
		return NULL;
	status = serve(pid, err);
	return check_report(request, rd, err) < 0 ? NULL : json_pack("{si}", "status", status);
}
