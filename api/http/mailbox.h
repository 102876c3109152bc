/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/mailbox.h - how other threads reach the loop thread.
 *
 * Counted: what may post after the server has ended (an operation's end, an event) holds a
 * reference.
 */
#pragma once
#include <stdbool.h>

struct uv_loop_s;

/* Embedded in what is posted; not to be posted again before fn ran. */
struct post {
	struct post *next;
	void (*fn)(struct post *p); /* on the loop */
};

struct mailbox;

struct mailbox *mailbox_new(struct uv_loop_s *loop);
struct mailbox *mailbox_ref(struct mailbox *m);
void mailbox_unref(struct mailbox *m);
/* False when the loop has ended: fn will not run, the caller keeps p. */
bool mailbox_post(struct mailbox *m, struct post *p);
/* Makes the loop look up; async-signal-safe. */
void mailbox_wake(struct mailbox *m);
/* On the loop: runs what is there, then refuses more and closes the handle. */
void mailbox_close(struct mailbox *m);
