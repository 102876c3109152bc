/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/feed/frame.h - messages of the feed, and a connection that carries them without blocking.
 *
 * A frame is a u32 length (big-endian) and that many bytes of JSON, an object with a member "t":
 *   member -> leader
 *     hello {member, rev, protocol}   first; rev is what its replica has
 *     facts {full, first, more, facts: [[kind, key, text|null], ...]}
 *     event {text}
 *     ping  {}
 *   leader -> member
 *     rows  {full, first, more, rev, floor, rows: [[table, key, rev, text|null], ...]}
 *     facts {full, first, more, facts: [[kind, key, member, text|null], ...]}
 *     event {text}
 *     ping  {rev, leader: {name, address}}
 *     bye   {why}   "removed", "leader" (not the leader), "protocol"
 * A full list replaces all that was said before. It comes in many frames, from `first` to the one
 * without `more`, and single changes may come between them. Rows come in the order of their
 * revisions; rev, when it is not 0, is what the replica has after the frame.
 * Unknown members and types are ignored. Frames are counted and immutable: one is queued to many.
 */
#pragma once
#include "base/json.h"
#include "base/net/stream.h"
#include "base/sbuf.h"

/* The largest row (TX_BYTES_MAX) fits: escaping at most doubles a JSON text. */
#define FRAME_MAX (24u << 20)
#define FEED_PROTOCOL 2

struct frame;
/* Of one JSON text that fits: who builds it sees to that. */
struct frame *frame_new(const struct sbuf *text);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* --- connection ------------------------------------------------------------------------------- */

struct fconn;
struct fconn *fconn_new(struct stream *own_stream);
void fconn_free(struct fconn *c); /* NULL is fine */
struct stream *fconn_stream(struct fconn *c);
void fconn_send(struct fconn *c, struct frame *own_frame);
size_t fconn_queued(const struct fconn *c); /* bytes */
int64_t fconn_heard_ms(const struct fconn *c);
int64_t fconn_said_ms(const struct fconn *c);
/* How long the other side has said nothing: 0 when something is there to be read, however late this
 * side is to read it. */
int64_t fconn_silent_ms(const struct fconn *c);
/* Writes what the socket takes. */
int fconn_flush(struct fconn *c, struct err *err);
/* Reads what is there, some 100 KiB at most, so that nobody else waits for long: fconn_pending()
 * says whether more is at hand without poll(2). got returns -1 (err set) to end the connection. */
int fconn_fill(struct fconn *c, int (*got)(void *arg, json_t *msg, struct err *err), void *arg,
	       struct err *err);
bool fconn_pending(const struct fconn *c);
short fconn_events(const struct fconn *c); /* for poll(2) */
