/* SPDX-License-Identifier: Apache-2.0 */
/* Holds the outside end of a container's console: dunlin-console-holder FOLDER UID GID
 *
 * A tiny static program of its own: there is one for each running container, and it outlives the
 * daemon, because a terminal whose outside end closes hangs up on everybody who uses it.
 * FOLDER is the container's; node/console/wire.h tells what is in it. UID and GID, root inside,
 * become the owners of the terminal. The call returns when everything is there, and leaves a
 * process behind that ends with the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/console/wire.h"

#define CLIENTS_MAX 16
#define PIECE 4096
#define DRAIN_MS 50
#define HUNG_UP_MS 100

struct client {
	int fd;
	bool attached;
};

struct holder {
	int master, slave, log, listener;
	int removed; /* readable when the socket's name may be gone */
	ino_t ino;   /* the socket's name */
	int watched; /* pidfd; -1: none yet */
	struct client clients[CLIENTS_MAX];
	int nclients;
	char typed[PIECE]; /* what the container has not yet taken */
	size_t ntyped;
	bool hung_up, over;
};

static int fail(const char *what)
{
	fprintf(stderr, "console: %s: %s\n", what, strerror(errno));
	return -1;
}

/* --- setting up --------------------------------------------------------------------------- */

/* One is always kept open: without any the master only gives errors. */
static int open_slave(const struct holder *h)
{
	return ioctl(h->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

/* The name must lead to this very terminal: liblxc and CRIU go by names. */
static int name_of(const struct holder *h, char *name, size_t size)
{
	struct stat by_name, by_fd;
	int number;

	if (ioctl(h->master, TIOCGPTN, &number) < 0)
		return fail("number of the terminal");
	snprintf(name, size, "/dev/pts/%d", number);
	if (stat(name, &by_name) < 0 || fstat(h->slave, &by_fd) < 0)
		return fail(name);
	if (by_name.st_rdev == by_fd.st_rdev && by_name.st_dev == by_fd.st_dev)
		return 0;
	errno = ENXIO;
	return fail("/dev/ptmx and /dev/pts belong to different instances");
}

static int make_terminal(struct holder *h, uid_t uid, gid_t gid)
{
	struct winsize size = { .ws_col = 80, .ws_row = 25 };
	char name[64];
	int unlocked = 0;

	h->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (h->master < 0 || ioctl(h->master, TIOCSPTLCK, &unlocked) < 0)
		return fail("open /dev/ptmx");
	h->slave = open_slave(h);
	if (h->slave < 0 || name_of(h, name, sizeof(name)) < 0)
		return fail("open the terminal");
	if (fchown(h->slave, uid, gid) < 0 || fchmod(h->slave, 0620) < 0 ||
	    ioctl(h->master, TIOCSWINSZ, &size) < 0)
		return fail("give the terminal away");
	unlink(CONSOLE_TTY);
	return symlink(name, CONSOLE_TTY) < 0 ? fail(CONSOLE_TTY) : 0;
}

static int make_socket(struct holder *h)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = CONSOLE_SOCK };
	struct stat st;

	unlink(CONSOLE_SOCK);
	h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->listener < 0 || bind(h->listener, (struct sockaddr *)&un, sizeof(un)) < 0 ||
	    listen(h->listener, CLIENTS_MAX) < 0 || stat(CONSOLE_SOCK, &st) < 0)
		return fail(CONSOLE_SOCK);
	h->ino = st.st_ino;
	h->removed = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* Removing a name changes the number of links. */
	if (h->removed < 0 || inotify_add_watch(h->removed, CONSOLE_SOCK, IN_ATTRIB) < 0)
		return fail("watch " CONSOLE_SOCK);
	return 0;
}

static int set_up(struct holder *h, const char *folder, uid_t uid, gid_t gid)
{
	umask(077);
	if (chdir(folder) < 0)
		return fail(folder);
	h->log = open(CONSOLE_LOG, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (h->log < 0)
		return fail(CONSOLE_LOG);
	h->watched = -1;
	return make_terminal(h, uid, gid) < 0 ? -1 : make_socket(h);
}

/* --- output ------------------------------------------------------------------------------- */

static off_t keep_newer_half(int log, off_t size)
{
	off_t from = size - CONSOLE_LOG_KEPT, to = 0;
	char piece[PIECE];
	ssize_t n;

	while ((n = pread(log, piece, sizeof(piece), from)) > 0 && pwrite(log, piece, n, to) == n) {
		from += n;
		to += n;
	}
	return ftruncate(log, to) < 0 ? size : to;
}

/* Others may shorten the file at any time, so its end is looked up. */
static void log_output(const struct holder *h, const char *data, size_t len)
{
	struct stat st;
	off_t end;

	if (fstat(h->log, &st) < 0)
		return;
	end = st.st_size;
	if (end + (off_t)len > CONSOLE_LOG_MAX)
		end = keep_newer_half(h->log, end);
	/* A full disk must not stop the console. */
	if (pwrite(h->log, data, len, end) < 0)
		return;
}

static void drop_client(struct holder *h, int i)
{
	close(h->clients[i].fd);
	h->clients[i] = h->clients[--h->nclients];
}

/* True while there may be more. Who is too slow misses output: the container must not wait. */
static bool read_output(struct holder *h)
{
	char piece[PIECE];
	ssize_t n = read(h->master, piece, sizeof(piece));

	if (n < 0 && errno == EIO) {
		h->hung_up = true;
		return false;
	}
	if (n <= 0)
		return false;
	log_output(h, piece, (size_t)n);
	for (int i = h->nclients; i-- > 0;) {
		if (h->clients[i].attached &&
		    send(h->clients[i].fd, piece, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			drop_client(h, i);
	}
	return true;
}

/* A login may hang up the terminal to be alone on it; that ends our own slave, too. */
static void reopen(struct holder *h)
{
	close(h->slave);
	h->slave = open_slave(h);
	h->hung_up = false;
}

/* --- input -------------------------------------------------------------------------------- */

static void set_size(const struct holder *h, const struct console_hello *hello)
{
	struct winsize size = { .ws_col = hello->width, .ws_row = hello->height };

	if (size.ws_col && size.ws_row)
		ioctl(h->master, TIOCSWINSZ, &size);
}

static void write_typed(struct holder *h)
{
	ssize_t n = write(h->master, h->typed, h->ntyped);

	if (n < 0 && errno != EAGAIN)
		n = (ssize_t)h->ntyped;
	if (n <= 0)
		return;
	h->ntyped -= (size_t)n;
	memmove(h->typed, h->typed + n, h->ntyped);
}

static ssize_t receive_hello(int fd, struct console_hello *ret, int *ret_fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} u = { 0 };
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &u,
			    .msg_controllen = sizeof(u) };
	ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*ret_fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

/* False: the connection has done its service. */
static bool greet(struct holder *h, struct client *c)
{
	struct console_hello hello = { 0 };
	int fd;
	ssize_t n = receive_hello(c->fd, &hello, &fd);

	if (fd >= 0 && hello.word == CONSOLE_WATCH) {
		if (h->watched >= 0)
			close(h->watched);
		h->watched = fd;
		return false;
	}
	if (fd >= 0)
		close(fd);
	if (n < 0 && errno == EAGAIN)
		return true;
	if (n != sizeof(hello))
		return false;
	set_size(h, &hello);
	return c->attached = hello.word == CONSOLE_ATTACH;
}

static bool read_client(struct holder *h, struct client *c)
{
	ssize_t n;

	if (!c->attached)
		return greet(h, c);
	if (h->ntyped)
		return true;
	n = recv(c->fd, h->typed, sizeof(h->typed), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	h->ntyped = (size_t)n;
	write_typed(h);
	return true;
}

static void accept_client(struct holder *h)
{
	int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (h->nclients == CLIENTS_MAX)
		close(fd);
	else
		h->clients[h->nclients++] = (struct client){ .fd = fd };
}

/* --- serving ------------------------------------------------------------------------------ */

static bool socket_is_there(const struct holder *h)
{
	char events[PIECE];
	struct stat st;

	if (read(h->removed, events, sizeof(events)) < 0 && errno != EAGAIN)
		return false;
	/* A successor's is another. */
	return stat(CONSOLE_SOCK, &st) == 0 && st.st_ino == h->ino;
}

enum { P_MASTER, P_LISTENER, P_REMOVED, P_WATCHED, P_CLIENTS };

static int fill(const struct holder *h, struct pollfd *pf)
{
	int typed = h->ntyped ? POLLOUT : 0;

	pf[P_MASTER] = (struct pollfd){ h->hung_up ? -1 : h->master, (short)(POLLIN | typed), 0 };
	pf[P_LISTENER] = (struct pollfd){ h->listener, POLLIN, 0 };
	pf[P_REMOVED] = (struct pollfd){ h->removed, POLLIN, 0 };
	pf[P_WATCHED] = (struct pollfd){ h->watched, POLLIN, 0 };
	for (int i = 0; i < h->nclients; i++) {
		const struct client *c = &h->clients[i];

		/* Left alone altogether: an end of file would wake us up again and again. */
		pf[P_CLIENTS + i] =
			(struct pollfd){ c->attached && h->ntyped ? -1 : c->fd, POLLIN, 0 };
	}
	return P_CLIENTS + h->nclients;
}

static void step(struct holder *h)
{
	struct pollfd pf[P_CLIENTS + CLIENTS_MAX];
	int n = fill(h, pf), ready = poll(pf, n, h->hung_up ? HUNG_UP_MS : -1);

	if (h->hung_up)
		reopen(h);
	if (ready <= 0)
		return;
	/* Backwards: drop_client moves the last one into the gap. */
	for (int i = n - P_CLIENTS; i-- > 0;) {
		short got = pf[P_CLIENTS + i].revents;

		if (got && (!read_client(h, &h->clients[i]) || (got & (POLLERR | POLLNVAL))))
			drop_client(h, i);
	}
	if (pf[P_LISTENER].revents)
		accept_client(h);
	if (pf[P_MASTER].revents & POLLOUT)
		write_typed(h);
	if (pf[P_MASTER].revents & ~POLLOUT)
		read_output(h);
	h->over = pf[P_WATCHED].revents || (pf[P_REMOVED].revents && !socket_is_there(h));
}

static void drain(struct holder *h)
{
	struct pollfd pf = { .fd = h->master, .events = POLLIN };

	while (poll(&pf, 1, DRAIN_MS) > 0 && read_output(h))
		;
}

int main(int argc, char **argv)
{
	static struct holder h;
	unsigned int uid, gid;

	if (argc != 4 || sscanf(argv[2], "%u", &uid) != 1 || sscanf(argv[3], "%u", &gid) != 1) {
		fprintf(stderr, "usage: %s FOLDER UID GID\n", argv[0]);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (set_up(&h, argv[1], uid, gid) < 0 || daemon(1, 0) < 0)
		return 1;
	while (!h.over)
		step(&h);
	drain(&h);
	return 0;
}
