/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/link.h - the bytes of one connection on the loop: TLS, reading, an output queue,
 * back-pressure.
 *
 * Everything runs on the loop thread. Nothing is freed inside a call: link_close() marks, and the
 * link's `closed` is called and its memory freed from link_set_turn(), once a loop turn; no other
 * callback comes in between. What is sent in one turn goes out together at its end.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct uv_loop_s;
struct ssl_st;
struct link;

#define LINK_HIGH (512 << 10) /* producers stop above this many queued bytes */
#define LINK_LOW (128 << 10)  /* and go on below */

struct link_ops {
	void (*established)(void *arg); /* connected and the TLS handshake is over */
	void (*readable)(void *arg);	/* call link_read() until it returns 0 or less */
	void (*flushed)(void *arg);	/* some of the queue was sent, or the end was */
	void (*hangup)(void *arg);	/* the peer ended its side while reading is paused */
	/* Last; why->kind is ERR_NONE when it was closed without a reason. */
	void (*closed)(void *arg, const struct err *why);
};

/* The links of a loop, and the lists of those with something to do. */
struct link_set {
	struct uv_loop_s *loop;
	struct link *dirty, *again, *dead;
	int handshakes; /* steps in this turn */
};
/* Once a turn. True when the loop must not wait for descriptors. */
bool link_set_turn(struct link_set *set);

/* Takes over fd (non-blocking) and ssl (may be NULL). connecting: connect(2) is in progress. */
struct link *link_new(struct link_set *set, int own_fd, struct ssl_st *own_ssl, bool connecting,
		      const struct link_ops *ops, void *arg);
struct ssl_st *link_ssl(struct link *l);
bool link_established(const struct link *l);

/* Bytes; 0 when nothing is ready; -1 at the end or when closed. */
ssize_t link_read(struct link *l, void *buf, size_t len);
/* Calls readable again in the next turn, whether the socket is readable or not. */
void link_read_again(struct link *l);
void link_pause(struct link *l, bool pause);

void link_send(struct link *l, const void *data, size_t len);
void link_send_own(struct link *l, char *own_data, size_t len);
size_t link_queued(const struct link *l);
/* After the queue: the peer reads the end. */
void link_end_write(struct link *l);
bool link_write_ended(const struct link *l);

bool link_is_closed(const struct link *l);
/* why may be NULL. */
void link_close(struct link *l, const struct err *why);
/* Gives the socket and TLS away; the link ends without `closed` being called. Nothing may be
 * queued. */
void link_detach(struct link *l, int *ret_fd, struct ssl_st **ret_ssl);
