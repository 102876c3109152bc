/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/frame.h - messages of the feed, and a connection that carries them without blocking.
 *
 * A frame is a u32 length (big-endian) and that many bytes of JSON, an object with a member "t":
 *   member -> leader
 *     hello {member, rev, protocol}   first; rev is what its replica has
 *     facts {full, facts: [[kind, key, text|null], ...]}
 *     event {text}
 *     ping  {}
 *   leader -> member
 *     rows  {full, first, more, rev, floor, rows: [[table, key, rev, text|null], ...]}
 *     facts {full, facts: [[kind, key, member, text|null], ...]}
 *     event {text}
 *     ping  {rev, leader: {name, address}}
 *     bye   {why}   "removed", "leader" (not the leader), "protocol"
 * Unknown members and types are ignored. Frames are counted and immutable: one is queued to many.
 */
#pragma once
#include "base/json.h"
#include "base/sbuf.h"
#include "base/stream.h"
#include "cluster/replica.h"

#define FRAME_MAX (16u << 20)
#define FEED_PROTOCOL 1

struct frame;
/* Of one JSON text. NULL when it is too large. */
struct frame *frame_new(const struct sbuf *text);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* --- building lists --------------------------------------------------------------------------- */

struct rows_head {
	bool full, first, more;
	int64_t rev, floor;
};
void rows_begin(struct sbuf *b);
void rows_add(struct sbuf *b, const struct change *c);
/* Completes the text begun. */
struct frame *rows_end(struct sbuf *b, const struct rows_head *h);

void facts_begin(struct sbuf *b);
/* member NULL: leave it out. */
void facts_add(struct sbuf *b, enum fact f, const char *key, const char *member, const char *text);
struct frame *facts_end(struct sbuf *b, bool full);

/* Borrowed from the JSON. False when it is malformed; e/f is *_MAX for kinds of newer releases. */
bool rows_item(const json_t *item, struct change *ret);
struct fact_item {
	enum fact f;
	const char *key, *member, *text;
};
/* Names one member's claim on one fact; the caller frees. */
char *fact_id(enum fact f, const char *key, const char *member);
bool facts_item(const json_t *item, bool with_member, struct fact_item *ret);

/* --- connection ------------------------------------------------------------------------------- */

struct fconn;
struct fconn *fconn_new(struct stream *own_stream);
void fconn_free(struct fconn *c); /* NULL is fine */
struct stream *fconn_stream(struct fconn *c);
void fconn_send(struct fconn *c, struct frame *own_frame);
size_t fconn_queued(const struct fconn *c); /* bytes */
int64_t fconn_heard_ms(const struct fconn *c);
int64_t fconn_said_ms(const struct fconn *c);
/* Writes what the socket takes. */
int fconn_flush(struct fconn *c, struct err *err);
/* Reads what is there; got returns -1 (err set) to end the connection. */
int fconn_fill(struct fconn *c, int (*got)(void *arg, json_t *msg, struct err *err), void *arg,
	       struct err *err);
short fconn_events(const struct fconn *c); /* for poll(2) */
