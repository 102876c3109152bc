/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/feed/hub.h - the leader's side of the feed: rows, facts and events to every member.
 *
 * One thread owns all connections, without blocking on any. A member that does not read fast enough
 * is dropped; it connects again and gets what it missed. While this member does not lead,
 * connections are turned away.
 */
#pragma once
#include "cluster/feed/frame.h"
#include "cluster/self/state.h"

struct hub *hub_new(struct cluster *c);
int hub_start(struct hub *h, struct err *err);
void hub_stop(struct hub *h); /* ends the thread */
void hub_free(struct hub *h);

/* --- any thread ------------------------------------------------------------------------------- */

void hub_lead(struct hub *h, bool on);
void hub_serve(struct hub *h, struct stream *own_stream);
void hub_rows(struct hub *h, const struct change *v, size_t n, int64_t revision);
void hub_event(struct hub *h, const char *text);
void hub_wake(struct hub *h); /* own facts changed */
/* Says good-bye to the member with this certificate, which is none any more. */
void hub_remove(struct hub *h, const char *fingerprint);
/* Milliseconds since the member's last word; 0 while it is connected. Only while leading. */
int64_t hub_absent_ms(struct hub *h, const char *name);
