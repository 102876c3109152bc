/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/migrate/stream/channel_pair.h - two ends of a migration stream in one process. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "migrate/stream/frame.h"

struct pair {
	struct channel *a, *b;
	int raw; /* of b */
};

static inline struct pair pair_new(void)
{
	struct pair p;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	p.a = channel_new(stream_from_fd(fd[0]));
	p.b = channel_new(stream_from_fd(fd[1]));
	p.raw = fd[1];
	return p;
}

static inline void pair_free(struct pair *p)
{
	channel_free(p->a);
	channel_free(p->b);
}
