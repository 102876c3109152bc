/* SPDX-License-Identifier: Apache-2.0 */
/* What processes have in common, sessions and terminals, and programs that are not where they
 * were. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PROGRAM "/bin/busybox"

static int fd = -1, other = -1;
static pid_t child;
static char stack[64 << 10];

static bool nothing(void)
{
	return true;
}

static bool child_lives(void)
{
	NEED(zoo_lives(child));
	return true;
}

/* --- what is shared ------------------------------------------------------------------------ */

static int wait_there(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return arg != NULL;
}

static bool clone_with(int flags)
{
	child = clone(wait_there, stack + sizeof(stack), flags | SIGCHLD, NULL);
	NEED(child > 0);
	return true;
}

static bool shared_files_make(void)
{
	return clone_with(CLONE_FILES);
}

static bool shared_files_same(void)
{
	char path[64];
	int file = open("/dev/null", O_RDONLY);

	NEED(file >= 0);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)child, file);
	NEED(access(path, F_OK) == 0);
	close(file);
	return true;
}

static bool shared_fs_make(void)
{
	return clone_with(CLONE_FS);
}

static bool shared_fs_same(void)
{
	char path[64], at[128] = "";

	NEED(chdir("/tmp") == 0);
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)child);
	NEED(readlink(path, at, sizeof(at) - 1) > 0 && strcmp(at, "/tmp") == 0);
	NEED(chdir("/") == 0);
	return true;
}

static bool shared_memory_make(void)
{
	return clone_with(CLONE_VM);
}

static bool shared_handlers_make(void)
{
	return clone_with(CLONE_VM | CLONE_SIGHAND);
}

/* --- sessions and parents ------------------------------------------------------------------ */

static bool in_session(void)
{
	setsid();
	return true;
}

static bool session_make(void)
{
	NEED((child = zoo_child_ready(in_session)) > 0);
	return true;
}

static bool session_same(void)
{
	NEED(getsid(child) == child && zoo_lives(child));
	return true;
}

static bool leaves_orphan(void)
{
	setsid();
	child = fork();
	if (child == 0)
		zoo_wait();
	if (write(other, &child, sizeof(child)) != sizeof(child))
		_exit(1);
	_exit(0);
}

/* In a session and a group whose leader has gone. */
static bool orphan_make(void)
{
	int ends[2];
	pid_t leader;

	NEED(pipe(ends) == 0);
	fd = ends[0];
	other = ends[1];
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	NEED((leader = zoo_child(leaves_orphan)) > 0);
	NEED(read(fd, &child, sizeof(child)) == sizeof(child));
	NEED(zoo_status(leader) == 0);
	return true;
}

static bool orphan_same(void)
{
	int reaper = 0;

	NEED(prctl(PR_GET_CHILD_SUBREAPER, &reaper) == 0 && reaper == 1);
	NEED(getsid(child) != getsid(0) && zoo_lives(child));
	return true;
}

static bool forks_and_ends(void)
{
	other = (int)zoo_child(nothing);
	if (write(fd, &other, sizeof(other)) != sizeof(other))
		_exit(1);
	pause();
	_exit(0);
}

/* Its child is told by the kernel when it ends. */
static bool dies_with_parent_make(void)
{
	int ends[2];

	NEED(pipe(ends) == 0);
	fd = ends[1];
	NEED(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	NEED((child = zoo_child(forks_and_ends)) > 0);
	NEED(read(ends[0], &other, sizeof(other)) == sizeof(other));
	close(ends[0]);
	close(ends[1]);
	return true;
}

static bool dies_with_parent_same(void)
{
	NEED(kill(other, 0) == 0 && kill(child, SIGKILL) == 0);
	NEED(zoo_status(child) == SIGKILL && zoo_status((pid_t)other) == SIGKILL);
	return dies_with_parent_make();
}

/* --- programs ------------------------------------------------------------------------------ */

static bool copy_program(int to)
{
	int from = open(PROGRAM, O_RDONLY | O_CLOEXEC);
	struct stat st;

	NEED(from >= 0 && to >= 0 && fstat(from, &st) == 0);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		NEED(n > 0);
		left -= n;
	}
	close(from);
	return true;
}

static bool run_it(void)
{
	char *const argv[] = { (char *)"sleep", (char *)"86400", NULL }, *const none[] = { NULL };
	int told[2];
	char x;

	NEED(pipe2(told, O_CLOEXEC) == 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fexecve(fd, argv, none);
		_exit(write(told[1], "x", 1) != 1);
	}
	close(told[1]);
	NEED(child > 0 && read(told[0], &x, 1) == 0);
	close(told[0]);
	close(fd);
	return true;
}

static bool program_gone_make(void)
{
	int to = open(zoo_path("program"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	NEED(copy_program(to));
	close(to);
	NEED((fd = open(zoo_path("program"), O_RDONLY | O_CLOEXEC)) >= 0);
	NEED(run_it());
	NEED(unlink(zoo_path("program")) == 0);
	return true;
}

static bool program_memfd_make(void)
{
	NEED((fd = memfd_create("program", MFD_CLOEXEC)) >= 0);
	return copy_program(fd) && run_it();
}

/* --- terminals ----------------------------------------------------------------------------- */

static bool pty_make(void)
{
	char path[64];
	struct termios t;
	int n, unlock = 0;

	NEED((fd = open("/dev/ptmx", O_RDWR | O_NOCTTY)) >= 0);
	NEED(ioctl(fd, TIOCSPTLCK, &unlock) == 0 && ioctl(fd, TIOCGPTN, &n) == 0);
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	NEED((other = open(path, O_RDWR | O_NOCTTY)) >= 0);
	NEED(tcgetattr(other, &t) == 0);
	cfmakeraw(&t);
	NEED(tcsetattr(other, TCSANOW, &t) == 0);
	return true;
}

static bool pty_same(void)
{
	NEED(write(fd, "to it", 5) == 5 && zoo_hears(other, "to it"));
	NEED(write(other, "from it", 7) == 7 && zoo_hears(fd, "from it"));
	return true;
}

static bool pty_data_make(void)
{
	NEED(pty_make());
	NEED(write(fd, "to it", 5) == 5 && zoo_readable(other));
	return true;
}

static bool pty_data_same(void)
{
	return zoo_hears(other, "to it") && write(fd, "to it", 5) == 5;
}

static bool pty_size_make(void)
{
	struct winsize w = { 33, 44, 0, 0 };
	int on = 1;

	NEED(pty_make());
	NEED(ioctl(fd, TIOCSWINSZ, &w) == 0);
	NEED(ioctl(fd, TIOCPKT, &on) == 0);
	return true;
}

static bool pty_size_same(void)
{
	struct winsize w = { 0 };
	int on = 0;

	NEED(ioctl(other, TIOCGWINSZ, &w) == 0 && w.ws_row == 33 && w.ws_col == 44);
	NEED(ioctl(fd, TIOCGPKT, &on) == 0 && on == 1);
	return true;
}

static bool on_terminal(void)
{
	setsid();
	NEED(ioctl(other, TIOCSCTTY, 0) == 0);
	close(fd);
	return true;
}

static bool pty_session_make(void)
{
	NEED(pty_make());
	NEED((child = zoo_child_ready(on_terminal)) > 0);
	return true;
}

static bool pty_session_same(void)
{
	NEED(zoo_lives(child) && tcgetsid(fd) == child);
	return pty_same();
}

static bool on_own_terminal(void)
{
	setsid();
	NEED(ioctl(other, TIOCSCTTY, 0) == 0);
	NEED(open("/dev/tty", O_RDWR) >= 0);
	close(fd);
	return true;
}

static bool pty_tty_make(void)
{
	NEED(pty_make());
	NEED((child = zoo_child_ready(on_own_terminal)) > 0);
	return true;
}

static bool pty_hung_make(void)
{
	NEED(pty_make());
	close(fd);
	return true;
}

static bool pty_master_make(void)
{
	NEED(pty_make());
	close(other);
	return true;
}

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0 || fcntl(other, F_GETFD) >= 0);
	return true;
}

static bool other_terminals_make(void)
{
	NEED(unshare(CLONE_NEWNS) == 0);
	return nothing();
}

const struct state zoo_relations[] = {
	{ "shared-files", shared_files_make, shared_files_same },
	{ "shared-fs", shared_fs_make, shared_fs_same },
	{ "shared-memory", shared_memory_make, child_lives },
	{ "shared-handlers", shared_handlers_make, child_lives },
	{ "session", session_make, session_same },
	{ "orphan", orphan_make, orphan_same },
	{ "dies-with", dies_with_parent_make, dies_with_parent_same },
	{ "program-gone", program_gone_make, child_lives },
	{ "program-memfd", program_memfd_make, child_lives },
	{ "pty", pty_make, pty_same },
	{ "pty-data", pty_data_make, pty_data_same },
	{ "pty-size", pty_size_make, pty_size_same },
	{ "pty-session", pty_session_make, pty_session_same },
	{ "pty-tty", pty_tty_make, NULL },
	{ "pty-hung", pty_hung_make, still_open },
	{ "pty-master", pty_master_make, still_open },
	{ "own-mounts", other_terminals_make, nothing },
	{ NULL, NULL, NULL },
};
