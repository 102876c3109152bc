/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/container/container.h"
#include "node/container/exec.h"
#include "node/node.h"

#define TTY_MAX 4096
#define TTY_WIDTH 80
#define TTY_HEIGHT 25

static struct winsize size_of(int width, int height)
{
	bool sane = width > 0 && width <= TTY_MAX && height > 0 && height <= TTY_MAX;

	return (struct winsize){ .ws_col = (unsigned short)(sane ? width : TTY_WIDTH),
				 .ws_row = (unsigned short)(sane ? height : TTY_HEIGHT) };
}

int tty_resize(int master, int width, int height)
{
	struct winsize w = size_of(width, height);

	return ioctl(master, TIOCSWINSZ, &w);
}

/* /dev/pts/ptmx of the container's own devpts, where its programs find the name of their
 * terminal. What the container put in the way cannot lead outside of it. */
static int open_multiplexer(pid_t init)
{
	_free_ char *path = xasprintf("/proc/%d/root", init);
	_close_ int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (root < 0)
		return -1;
	fd = io_open_within(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK,
			    RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0)
		fcntl(fd, F_SETFL, 0);
	return fd;
}

int tty_open(struct node *n, const char *name, int width, int height, int *ret_master,
	     int *ret_slave, struct err *err)
{
	pid_t init = container_pid(n, name);
	_close_ int master = -1, slave = -1;
	int unlock = 0;

	if (!init)
		return err_set(err, ERR_CONFLICT, "instance \"%s\" is not running", name);
	master = open_multiplexer(init);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(err, "open a pty in %s", name);
	/* By descriptor: the name leads to another instance from here. */
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tty_resize(master, width, height) < 0)
		return err_sys(err, "open the other end of a pty");
	*ret_master = take_fd(&master);
	*ret_slave = take_fd(&slave);
	return 0;
}
