/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/halt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/host/pids.h"

/* What System V init reads from its FIFO (initctl(5)). OpenRC's services on Debian are under it,
 * too. */
struct initctl_request {
	int magic, command, runlevel, sleep_s;
	char unused[368];
};
#define INITCTL_MAGIC 0x03091969
#define INITCTL_RUNLEVEL 1

struct fifo {
	int fd; /* of init; -1: it has none */
};

static void look_at_fd(void *arg, pid_t pid, const char *fd, const char *target)
{
	struct fifo *f = arg;
	uint64_t number;

	if ((str_eq(target, "/run/initctl") || str_eq(target, "/dev/initctl")) &&
	    str_to_u64(fd, INT32_MAX, &number))
		f->fd = (int)number;
}

/* Open for writing: init's own, whatever has its name by now. */
static bool find_fifo(pid_t init, int *ret_fd)
{
	struct fifo f = { .fd = -1 };
	_free_ char *path = NULL;
	struct stat st;

	pids_each_fd(init, look_at_fd, &f);
	path = xasprintf("/proc/%d/fd/%d", init, f.fd);
	if (f.fd < 0 || stat(path, &st) < 0 || !S_ISFIFO(st.st_mode))
		return false;
	*ret_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return *ret_fd >= 0;
}

static int write_request(int fd, struct err *err)
{
	const struct initctl_request r = { .magic = INITCTL_MAGIC,
					   .command = INITCTL_RUNLEVEL,
					   .runlevel = '0' };
	ssize_t n;

	while ((n = write(fd, &r, sizeof(r))) < 0 && errno == EINTR)
		;
	return n == sizeof(r) ? 0 : err_sys(err, "write to the FIFO of its init");
}

int halt_ask(pid_t init, int pidfd, int signal, struct err *err)
{
	_close_ int fifo = -1;

	assert(init > 0);
	if (!signal && pids_blocks_signal(init, SIGRTMIN + 3))
		signal = SIGRTMIN + 3; /* systemd takes it by signalfd */
	if (!signal && find_fifo(init, &fifo))
		return write_request(fifo, err);
	signal = signal ? signal : SIGPWR;
	if (!pids_takes_signal(init, signal))
		return 1;
	if (pids_signal(pidfd, signal) < 0)
		return err_sys(err, "send its init a signal");
	return 0;
}
