/* SPDX-License-Identifier: Apache-2.0 */
#include "node/console/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/console/wire.h"
#include "node/host/idmap.h"
#include "node/host/tool.h"

#define HOLDER "dunlin-console-holder"
#define START_MS 10000
#define END_MS 2000
#define SIZE_MAX_CELLS 4096

/* --- the holder --------------------------------------------------------------------------- */

/* By way of a descriptor: the folder's own path may be longer than a socket's may. */
static int dial(const char *folder)
{
	_close_ int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/" CONSOLE_SOCK, dir);
	if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -1;
	return take_fd(&fd);
}

static int say(int fd, uint8_t word, int width, int height)
{
	bool sane = width > 0 && width <= SIZE_MAX_CELLS && height > 0 && height <= SIZE_MAX_CELLS;
	struct console_hello hello = { .word = word,
				       .width = (uint16_t)(sane ? width : 0),
				       .height = (uint16_t)(sane ? height : 0) };

	return send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello) ? 0 : -1;
}

int console_start(const char *folder, const json_t *spec, struct err *err)
{
	_free_ char *holder = tool_path(HOLDER, err);
	struct idmap m;
	char id[16];

	if (!holder || idmap_of_spec(spec, &m, err) < 0)
		return -1;
	snprintf(id, sizeof(id), "%u", m.size ? m.base : 0);
	const char *const argv[] = { holder, folder, id, id, NULL };

	return proc_run(argv, NULL, deadline_in(START_MS), err);
}

void console_watch(const char *folder, int pidfd)
{
	_close_ int fd = dial(folder);

	if (fd >= 0)
		io_send_fd(fd, pidfd);
}

/* Its sockets close when it ends. */
static void await_end(int fd)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	int64_t deadline = deadline_in(END_MS);
	char rest[4096];

	while (poll(&pf, 1, deadline_left(deadline)) > 0 && read(fd, rest, sizeof(rest)) > 0)
		;
}

void console_end(const char *folder)
{
	_free_ char *sock = xasprintf("%s/" CONSOLE_SOCK, folder);
	_free_ char *tty = xasprintf("%s/" CONSOLE_TTY, folder);
	_close_ int fd = dial(folder);

	if (fd >= 0)
		say(fd, CONSOLE_ATTACH, 0, 0);
	unlink(sock);
	unlink(tty);
	if (fd >= 0)
		await_end(fd);
}

bool console_find(const char *folder, struct console_tty *ret)
{
	_free_ char *link = xasprintf("%s/" CONSOLE_TTY, folder);
	ssize_t n = readlink(link, ret->path, sizeof(ret->path) - 1);
	struct stat st;

	ret->path[n > 0 ? n : 0] = '\0';
	if (n <= 0 || stat(ret->path, &st) < 0 || !S_ISCHR(st.st_mode))
		return false;
	ret->rdev = st.st_rdev;
	ret->dev = st.st_dev;
	return true;
}

int console_attach(const char *folder, int width, int height)
{
	_close_ int fd = dial(folder);

	return fd >= 0 && say(fd, CONSOLE_ATTACH, width, height) == 0 ? take_fd(&fd) : -1;
}

void console_resize(const char *folder, int width, int height)
{
	_close_ int fd = dial(folder);

	if (fd >= 0)
		say(fd, CONSOLE_SIZE, width, height);
}
