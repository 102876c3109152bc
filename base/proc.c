/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"

extern char **environ;

#define STACK_BYTES (128 << 10)
/* The thread sanitizer notes in memory that it stopped watching the child: not in the parent's. */
#ifdef __SANITIZE_THREAD__
#define SHARED 0
#else
#define SHARED (CLONE_VM | CLONE_VFORK)
#endif
#define SPARE_FD_BASE 64 /* child descriptors are first moved above this, out of each other's way */

/* By system call: a wrapper, or a sanitizer's around it, may keep the handlers in memory that is
 * the parent's too. All zero is the default for every layout of the kernel's structure. */
static void reset_signals(void)
{
	static const uint64_t by_default[8];
	sigset_t none;

	for (int s = 1; s < _NSIG; s++) {
		if (s != SIGKILL && s != SIGSTOP)
			syscall(SYS_rt_sigaction, s, by_default, NULL, _NSIG / 8);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int place_fds(const struct proc_spec *spec)
{
	int moved[PROC_FDS_MAX];

	for (int i = 0; i < spec->nfds; i++) {
		int fd = spec->fds[i] >= 0 ? spec->fds[i] : open("/dev/null", O_RDWR);

		moved[i] = fcntl(fd, F_DUPFD, SPARE_FD_BASE);
		if (moved[i] < 0)
			return -1;
	}
	for (int i = 0; i < spec->nfds; i++) {
		if (dup2(moved[i], i) < 0)
			return -1;
	}
	return (int)syscall(SYS_close_range, spec->nfds, ~0U, 0);
}

struct birth {
	const struct proc_spec *spec;
	char *const *env;
};

/* Shares the parent's memory until the exec, which takes no copy of page tables: async-signal-safe
 * calls only, and nothing is changed that the parent looks at. */
__attribute__((no_sanitize("address", "undefined"))) static int child(void *arg)
{
	const struct birth *b = arg;

	setpgid(0, 0);
	reset_signals();
	if (place_fds(b->spec) == 0)
		execvpe(b->spec->argv[0], (char *const *)b->spec->argv, b->env);
	_exit(127);
}

/* The caller's thread sleeps until the child has its own memory or has ended. */
static pid_t spawn(struct birth *b)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t pid;

	if (stack == MAP_FAILED)
		return -1;
	pid = clone(child, stack + STACK_BYTES, SHARED | SIGCHLD, b);
	munmap(stack, STACK_BYTES);
	return pid;
}

/* Is "K=V" of one of the additions' names? */
static bool is_added(const char *const *add, const char *var)
{
	size_t len = strcspn(var, "=") + 1;

	for (; add && *add; add++) {
		if (strncmp(*add, var, len) == 0)
			return true;
	}
	return false;
}

static char **merged_env(const char *const *add)
{
	size_t n = 0, m = 0, at;
	char **env;

	while (environ && environ[n])
		n++;
	while (add && add[m])
		m++;
	env = xcalloc(n + m + 1, sizeof(*env));
	for (at = 0; at < m; at++)
		env[at] = (char *)add[at];
	/* Of two with one name getenv(3) takes the first and a shell the last. */
	for (size_t i = 0; i < n; i++) {
		if (!is_added(add, environ[i]))
			env[at++] = environ[i];
	}
	return env;
}

int proc_spawn(const struct proc_spec *spec, struct proc *ret, struct err *err)
{
	_free_ char **env = merged_env(spec->env);
	sigset_t all, old;
	pid_t pid;

	assert(spec->nfds <= PROC_FDS_MAX);
	/* A handler of ours must not run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = spawn(&(struct birth){ spec, env });
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return err_sys(err, "start %s", spec->argv[0]);
	setpgid(pid, pid);
	ret->pid = pid;
	ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ret->pidfd < 0) {
		proc_kill(ret);
		return err_sys(err, "watch %s", spec->argv[0]);
	}
	return 0;
}

int proc_wait(struct proc *p, int64_t deadline, int *ret_status, struct err *err)
{
	struct pollfd pf = { .fd = p->pidfd, .events = POLLIN };
	int n, status = 0;

	assert(p->pid > 0);
	while ((n = poll(&pf, 1, deadline_left(deadline))) < 0 && errno == EINTR)
		;
	if (n == 0)
		return err_set(err, ERR_TIMEOUT, "process %d did not end in time", p->pid);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(take_fd(&p->pidfd));
	p->pid = 0;
	if (ret_status)
		*ret_status = status;
	return 0;
}

void proc_kill(struct proc *p)
{
	if (p->pid <= 0)
		return;
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (p->pidfd >= 0)
		close(take_fd(&p->pidfd));
	p->pid = 0;
}

static const char *last_line(struct sbuf *out)
{
	char *s = out->data;
	char *nl;

	if (!s)
		return "no output";
	while (out->len && strchr("\n ", s[out->len - 1]))
		s[--out->len] = '\0';
	nl = strrchr(s, '\n');
	return nl ? nl + 1 : s;
}

static int feed_input(int fd, const char *input, struct err *err)
{
	if (lseek(fd, 0, SEEK_SET) < 0 || io_write_full(fd, input, strlen(input)) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "prepare input");
	return 0;
}

static int collect(int fd, struct sbuf *out, int64_t deadline)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	for (;;) {
		int r = poll(&pf, 1, deadline_left(deadline));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return -1;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return 0;
		sbuf_add(out, buf, n);
	}
}

int proc_run_input(const char *const *argv, const char *input, struct sbuf *out, int64_t deadline,
		   struct err *err)
{
	_sbuf_ struct sbuf own = SBUF(64 << 10);
	_close_ int in = -1, rd = -1, wr = -1;
	struct proc_spec spec = { .argv = argv, .nfds = 3 };
	struct proc p = { .pidfd = -1 };
	int pipefd[2], status;

	if (input) {
		in = (int)syscall(SYS_memfd_create, "input", 1 /* MFD_CLOEXEC */);
		if (in < 0 || feed_input(in, input, err) < 0)
			return err_sys(err, "input of %s", argv[0]);
	}
	if (pipe2(pipefd, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	rd = pipefd[0];
	wr = pipefd[1];
	spec.fds[0] = in;
	spec.fds[1] = spec.fds[2] = wr;
	if (proc_spawn(&spec, &p, err) < 0)
		return -1;
	close(take_fd(&wr));
	if (!out)
		out = &own;
	if (collect(rd, out, deadline) < 0 || proc_wait(&p, deadline, &status, err) < 0) {
		proc_kill(&p);
		return err_set(err, ERR_TIMEOUT, "%s did not end in time", argv[0]);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, ERR_INTERNAL, "%s: cannot be run", argv[0]);
	return err_set(err, ERR_INTERNAL, "%s failed: %s", argv[0], last_line(out));
}

int proc_run(const char *const *argv, struct sbuf *out, int64_t deadline, struct err *err)
{
	return proc_run_input(argv, NULL, out, deadline, err);
}
