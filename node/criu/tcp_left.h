/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/tcp_left.h - TCP connections that CRIU leaves behind, since no process holds them.
 *
 * They are half open, wait to be accepted, or their last data is on the way after a close. Nobody
 * at the target knows of them, so their peers would wait for ever: they are noted on the source
 * once the container stands still and its interface is off the bridge, and reset from the target
 * once it runs there. A move that is given up has done nothing to them.
 *
 * All calls are about the network namespace of the calling thread. Also linked into the action
 * script, hence free of base.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define TCP_LEFT "tcp-left.img"
#define TCP_LEFT_MAX 8192 /* more than the largest usual queue of a listener */

struct tcp_left {
	uint8_t family; /* AF_INET or AF_INET6 */
	uint8_t own[16], peer[16];
	uint16_t own_port, peer_port;
	uint32_t scope; /* link of link-local addresses */
};

/* How many connections wait to be accepted; -1 with errno. */
int tcp_waiting(void);
/* At most max of those that would be left behind; the count, or -1 with errno. */
int tcp_left_find(struct tcp_left *ret, int max);
/* Has the peer ask what became of the connection. Only it knows which reset it would believe: our
 * kernel's answer, which knows of no connection, is that one. False with errno. */
bool tcp_left_reset(const struct tcp_left *t);
