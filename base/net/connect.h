/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/connect.h - sockets to an address, and what every TCP socket of ours is set to. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct addrinfo;

/* Resolves (may block on a name server) and connects, one address after the other. The socket is
 * non-blocking; host gets the host part. */
int connect_tcp(const char *address, char *host, size_t host_size, int64_t deadline,
		struct err *err);
int connect_unix(const char *path, struct err *err);
/* No delay, keepalive, and an end to unacknowledged data. */
void socket_tune(int fd);
