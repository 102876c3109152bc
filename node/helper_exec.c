/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: a command inside a container. Descriptors from 5: stdin, stdout, stderr, and a
 * pipe of signal numbers whose end kills the command. */
#include <errno.h>
#include <fcntl.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
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
#include "node/helper.h"
#include "node/helper_lxc.h"
#include "node/idmap.h"
#include "node/pids.h"

#define FD_CONTROL (HELPER_FD_EXTRA + 3)
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct job {
	char **command;
	const char *cwd;
	bool interactive;
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

	dprintf(2, "%s %s: %s\n", what, name, strerror(e));
	return e == ENOENT || e == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Runs inside, with ids, environment and descriptors 0 to 2 in place. */
static int run_inside(void *arg)
{
	struct job *j = arg;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	if (j->interactive)
		ioctl(0, TIOCSCTTY, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (*j->cwd && chdir(j->cwd) < 0)
		return complain("change to directory", j->cwd);
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
		if (read(FD_CONTROL, &sig, 1) == 1) {
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

static int attach(const json_t *request, struct lxc_container *c, pid_t *ret_pid, struct err *err)
{
	lxc_attach_options_t o = LXC_ATTACH_OPTIONS_DEFAULT;
	struct job job = { .command = string_list(json_arr(request, "command")),
			   .cwd = json_str(request, "cwd", ""),
			   .interactive = json_bool(request, "interactive", false) };
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

/* {name, lxcpath, command, environment, cwd, uid, gid, interactive, idmap} -> {status}. */
json_t *helper_exec(const json_t *request, struct err *err)
{
	struct lxc_container *c = helper_lxc_open(request, err);
	pid_t pid = 0;
	int rc;

	if (!c)
		return NULL;
	give_descriptors(request);
	rc = attach(request, c, &pid, err);
	lxc_container_put(c);
	close_descriptors();
	if (rc < 0)
		return NULL;
	return json_pack("{si}", "status", serve(pid, err));
}
