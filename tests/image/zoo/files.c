/* SPDX-License-Identifier: Apache-2.0 */
/* Files, folders, pipes, locks: what a descriptor leads to by a path, or once did. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int fd = -1, other = -1;
static pid_t child;

static bool open_with(const char *what, const char *text, int flags)
{
	NEED(zoo_write(zoo_path(what), text));
	NEED((fd = open(zoo_path(what), flags)) >= 0);
	return true;
}

static bool holds(int file, const char *text)
{
	char buf[64] = "";

	NEED(pread(file, buf, sizeof(buf) - 1, 0) == (ssize_t)strlen(text));
	NEED(strcmp(buf, text) == 0);
	return true;
}

static bool has_links(nlink_t n)
{
	struct stat st;

	NEED(fstat(fd, &st) == 0);
	NEED(st.st_nlink == n);
	return true;
}

/* --- files --------------------------------------------------------------------------------- */

static bool file_make(void)
{
	NEED(open_with("file", "hello", O_RDWR | O_APPEND));
	NEED(lseek(fd, 3, SEEK_SET) == 3);
	return true;
}

static bool file_same(void)
{
	NEED(lseek(fd, 0, SEEK_CUR) == 3);
	NEED((fcntl(fd, F_GETFL) & (O_APPEND | O_ACCMODE)) == (O_APPEND | O_RDWR));
	return holds(fd, "hello");
}

static bool unlinked_make(void)
{
	NEED(open_with("gone", "hello", O_RDWR));
	NEED(unlink(zoo_path("gone")) == 0);
	return true;
}

static bool unlinked_same(void)
{
	return has_links(0) && holds(fd, "hello");
}

static bool unlinked_huge_make(void)
{
	NEED(unlinked_make());
	NEED(posix_fallocate(fd, 0, 65 << 20) == 0);
	return true;
}

static bool unlinked_holes_make(void)
{
	NEED(unlinked_make());
	NEED(ftruncate(fd, 100 << 20) == 0);
	return true;
}

static bool unlinked_holes_same(void)
{
	struct stat st;

	NEED(fstat(fd, &st) == 0);
	NEED(st.st_size == 100 << 20);
	return has_links(0);
}

static bool renamed_make(void)
{
	NEED(open_with("old", "hello", O_RDWR));
	NEED(link(zoo_path("old"), zoo_path("new")) == 0 || errno == EEXIST);
	NEED(unlink(zoo_path("old")) == 0);
	return true;
}

static bool renamed_same(void)
{
	struct stat own, there;

	NEED(holds(fd, "hello"));
	NEED(fstat(fd, &own) == 0);
	NEED(stat(zoo_path("new"), &there) == 0);
	NEED(own.st_ino == there.st_ino);
	return true;
}

static bool tmpfile_make(void)
{
	NEED((fd = open("/zoo", O_RDWR | O_TMPFILE, 0600)) >= 0);
	NEED(write(fd, "hello", 5) == 5);
	return true;
}

static bool unlinked_dir_make(void)
{
	NEED(mkdir(zoo_path("dir"), 0755) == 0);
	NEED((fd = open(zoo_path("dir"), O_RDONLY | O_DIRECTORY)) >= 0);
	NEED(rmdir(zoo_path("dir")) == 0);
	return true;
}

static bool unlinked_dir_same(void)
{
	struct stat st;

	NEED(fstat(fd, &st) == 0);
	NEED(S_ISDIR(st.st_mode));
	NEED(openat(fd, "x", O_RDONLY) < 0);
	return true;
}

static bool lost_cwd_make(void)
{
	NEED(mkdir(zoo_path("dir"), 0755) == 0);
	NEED(chdir(zoo_path("dir")) == 0);
	NEED(rmdir(zoo_path("dir")) == 0);
	return true;
}

static bool lost_cwd_same(void)
{
	char buf[256];

	NEED(!getcwd(buf, sizeof(buf)));
	return true;
}

static bool path_only_make(void)
{
	return open_with("file", "hello", O_PATH);
}

static bool path_only_same(void)
{
	NEED(fcntl(fd, F_GETFL) & O_PATH);
	return true;
}

static bool path_dir_make(void)
{
	NEED((fd = open("/zoo", O_PATH | O_DIRECTORY)) >= 0);
	return true;
}

static bool path_link_make(void)
{
	NEED(symlink("nowhere", zoo_path("link")) == 0);
	NEED((fd = open(zoo_path("link"), O_PATH | O_NOFOLLOW)) >= 0);
	return true;
}

static bool path_socket_make(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", zoo_path("socket"));
	NEED((other = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	NEED(bind(other, (struct sockaddr *)&un, sizeof(un)) == 0);
	NEED((fd = open(zoo_path("socket"), O_PATH)) >= 0);
	return true;
}

static bool path_fifo_make(void)
{
	NEED(mkfifo(zoo_path("fifo"), 0600) == 0);
	NEED((fd = open(zoo_path("fifo"), O_PATH)) >= 0);
	return true;
}

static bool many_make(void)
{
	NEED(open_with("file", "hello", O_RDWR | O_CLOEXEC));
	for (int i = 0; i < 400; i++)
		NEED(fcntl(fd, i & 1 ? F_DUPFD : F_DUPFD_CLOEXEC, 100) == 100 + i);
	return true;
}

static bool many_same(void)
{
	for (int i = 0; i < 400; i++)
		NEED(fcntl(100 + i, F_GETFD) == (i & 1 ? 0 : FD_CLOEXEC));
	return holds(499, "hello");
}

/* --- pipes --------------------------------------------------------------------------------- */

static bool pipe_make(void)
{
	int ends[2];

	NEED(pipe(ends) == 0);
	fd = ends[0];
	other = ends[1];
	NEED(fcntl(other, F_SETPIPE_SZ, 1 << 18) == 1 << 18);
	NEED(write(other, "in the pipe", 11) == 11);
	return true;
}

static bool refill_same(void)
{
	NEED(zoo_hears(fd, "in the pipe"));
	NEED(write(other, "in the pipe", 11) == 11);
	return true;
}

static bool pipe_same(void)
{
	NEED(fcntl(other, F_GETPIPE_SZ) == 1 << 18);
	return refill_same();
}

static bool packets_make(void)
{
	int ends[2];

	NEED(pipe2(ends, O_DIRECT) == 0);
	fd = ends[0];
	other = ends[1];
	NEED(write(other, "one", 3) == 3 && write(other, "two", 3) == 3);
	return true;
}

static bool packets_same(void)
{
	NEED(zoo_hears(fd, "one") && zoo_hears(fd, "two"));
	NEED(write(other, "one", 3) == 3 && write(other, "two", 3) == 3);
	return true;
}

static bool fifo_make(void)
{
	NEED(mkfifo(zoo_path("fifo"), 0600) == 0);
	NEED((fd = other = open(zoo_path("fifo"), O_RDWR)) >= 0);
	NEED(write(other, "in the pipe", 11) == 11);
	return true;
}

static bool fifo_gone_make(void)
{
	NEED(fifo_make());
	NEED(unlink(zoo_path("fifo")) == 0);
	return true;
}

static bool broken_pipe_make(void)
{
	NEED(pipe_make());
	close(fd);
	return true;
}

static bool broken_pipe_same(void)
{
	signal(SIGPIPE, SIG_IGN);
	NEED(write(other, "x", 1) < 0 && errno == EPIPE);
	return true;
}

static bool owned_make(void)
{
	NEED(pipe_make());
	NEED(fcntl(fd, F_SETOWN, getpid()) == 0);
	NEED(fcntl(fd, F_SETSIG, SIGRTMIN + 2) == 0);
	NEED(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
	return true;
}

static bool owned_same(void)
{
	NEED(fcntl(fd, F_GETOWN) == getpid());
	NEED(fcntl(fd, F_GETSIG) == SIGRTMIN + 2);
	NEED(fcntl(fd, F_GETFL) & O_ASYNC);
	return true;
}

/* --- locks --------------------------------------------------------------------------------- */

static bool tries(int kind)
{
	int file = open(zoo_path("lock"), O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK };

	NEED(file >= 0);
	if (kind == LOCK_EX)
		NEED(flock(file, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK);
	else
		NEED(fcntl(file, kind, &lock) < 0 && (errno == EAGAIN || errno == EACCES));
	close(file);
	return true;
}

static bool tries_posix(void)
{
	return tries(F_SETLK);
}

static bool flock_make(void)
{
	NEED(open_with("lock", "", O_RDWR));
	NEED(flock(fd, LOCK_EX) == 0);
	return true;
}

static bool flock_same(void)
{
	return tries(LOCK_EX);
}

static bool posix_lock_make(void)
{
	struct flock lock = { .l_type = F_WRLCK };

	NEED(open_with("lock", "", O_RDWR));
	NEED(fcntl(fd, F_SETLK, &lock) == 0);
	return true;
}

static bool posix_lock_same(void)
{
	pid_t pid = zoo_child_ready(tries_posix);

	NEED(pid > 0);
	kill(pid, SIGKILL);
	NEED(zoo_status(pid) != -1);
	return true;
}

static bool ofd_lock_make(void)
{
	struct flock lock = { .l_type = F_WRLCK };

	NEED(open_with("lock", "", O_RDWR));
	NEED(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	return true;
}

static bool ofd_lock_same(void)
{
	return tries(F_OFD_SETLK);
}

static bool lease_make(void)
{
	NEED(open_with("lock", "", O_RDONLY));
	NEED(fcntl(fd, F_SETLEASE, F_RDLCK) == 0);
	return true;
}

static bool lease_same(void)
{
	NEED(fcntl(fd, F_GETLEASE) == F_RDLCK);
	return true;
}

static bool waits_for_lock(void)
{
	int file = open(zoo_path("lock"), O_RDWR);
	struct flock lock = { .l_type = F_WRLCK };

	NEED(file >= 0);
	_exit(fcntl(file, F_SETLKW, &lock) == 0 ? 7 : 8);
}

static bool lock_waiter_make(void)
{
	NEED(posix_lock_make());
	NEED((child = zoo_child(waits_for_lock)) > 0);
	return true;
}

static bool lock_waiter_same(void)
{
	struct flock lock = { .l_type = F_UNLCK };
	int status;

	NEED(zoo_lives(child));
	NEED(fcntl(fd, F_SETLK, &lock) == 0);
	status = zoo_status(child);
	NEED(status == 7 << 8);
	close(fd);
	unlink(zoo_path("lock"));
	return lock_waiter_make();
}

/* --- of other file systems ----------------------------------------------------------------- */

static bool proc_dir_make(void)
{
	NEED((fd = open("/proc/self", O_RDONLY | O_DIRECTORY)) >= 0);
	return true;
}

static bool proc_dir_same(void)
{
	NEED(openat(fd, "status", O_RDONLY) >= 0);
	return true;
}

static bool nothing(void)
{
	return true;
}

static bool proc_dead_make(void)
{
	char path[64];

	NEED((child = zoo_child(nothing)) > 0);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	NEED((fd = open(path, O_RDONLY)) >= 0);
	kill(child, SIGKILL);
	NEED(zoo_status(child) != -1);
	return true;
}

static bool proc_file_make(void)
{
	NEED((fd = open("/proc/self/maps", O_RDONLY)) >= 0);
	return true;
}

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0);
	return true;
}

static bool sys_file_make(void)
{
	NEED((fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY)) >= 0);
	return true;
}

static bool shm_file_make(void)
{
	mkdir("/dev/shm", 01777);
	NEED((fd = shm_open("/zoo", O_RDWR | O_CREAT, 0600)) >= 0);
	NEED(write(fd, "hello", 5) == 5);
	return true;
}

static bool shm_file_same(void)
{
	return holds(fd, "hello");
}

static bool memfd_make(void)
{
	NEED((fd = memfd_create("zoo", MFD_ALLOW_SEALING)) >= 0);
	NEED(write(fd, "hello", 5) == 5);
	NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	return true;
}

static bool memfd_same(void)
{
	NEED(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW));
	return holds(fd, "hello");
}

static bool memfd_secret_make(void)
{
	NEED((fd = (int)syscall(SYS_memfd_secret, 0)) >= 0);
	NEED(ftruncate(fd, 4096) == 0);
	return true;
}

const struct state zoo_files[] = {
	{ "file", file_make, file_same },
	{ "unlinked", unlinked_make, unlinked_same },
	{ "unlinked-huge", unlinked_huge_make, NULL },
	{ "unlinked-holes", unlinked_holes_make, unlinked_holes_same },
	{ "renamed", renamed_make, renamed_same },
	{ "tmpfile", tmpfile_make, unlinked_same },
	{ "unlinked-dir", unlinked_dir_make, unlinked_dir_same },
	{ "lost-cwd", lost_cwd_make, lost_cwd_same },
	{ "path-only", path_only_make, path_only_same },
	{ "path-dir", path_dir_make, path_only_same },
	{ "path-link", path_link_make, path_only_same },
	{ "path-socket", path_socket_make, path_only_same },
	{ "path-fifo", path_fifo_make, path_only_same },
	{ "many", many_make, many_same },
	{ "pipe", pipe_make, pipe_same },
	{ "packets", packets_make, packets_same },
	{ "fifo", fifo_make, refill_same },
	{ "fifo-gone", fifo_gone_make, refill_same },
	{ "broken-pipe", broken_pipe_make, broken_pipe_same },
	{ "owned", owned_make, owned_same },
	{ "flock", flock_make, flock_same },
	{ "posix-lock", posix_lock_make, posix_lock_same },
	{ "ofd-lock", ofd_lock_make, ofd_lock_same },
	{ "lease", lease_make, lease_same },
	{ "lock-waiter", lock_waiter_make, lock_waiter_same },
	{ "proc-dir", proc_dir_make, proc_dir_same },
	{ "proc-dead", proc_dead_make, still_open },
	{ "proc-file", proc_file_make, still_open },
	{ "sys-file", sys_file_make, still_open },
	{ "shm-file", shm_file_make, shm_file_same },
	{ "memfd", memfd_make, memfd_same },
	{ "memfd-secret", memfd_secret_make, NULL },
	{ NULL, NULL, NULL },
};
