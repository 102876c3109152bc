/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/vault.h"

#include <assert.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"

#define ROOM (64 << 20) /* bytes of the kernel's memory; one descriptor takes less than 1 KiB */

int vault_new(struct vault *ret, struct err *err)
{
	int pair[2], room = ROOM;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return err_sys(err, "socket pair");
	*ret = (struct vault){ .in = pair[0], .out = pair[1] };
	if (setsockopt(ret->in, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) == 0)
		return 0;
	err_sys(err, "room for descriptors");
	vault_close(ret);
	return -1;
}

void vault_close(struct vault *v)
{
	if (v->in >= 0)
		close(take_fd(&v->in));
	if (v->out >= 0)
		close(take_fd(&v->out));
}

int vault_keep(int out, int number, struct err *err)
{
	assert(out != number);
	return dup3(out, number, O_CLOEXEC) < 0 ? err_sys(err, "keep a descriptor") : 0;
}

int vault_put(const struct vault *v, int fd, struct err *err)
{
	return io_send_fd(v->in, fd) < 0 ? err_sys(err, "keep a copy of a userfaultfd") : 0;
}

void vault_empty(const struct vault *v)
{
	int fd;

	while ((fd = io_recv_fd(v->out)) >= 0)
		close(fd);
}
