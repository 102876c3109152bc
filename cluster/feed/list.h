/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/feed/list.h - the lists of the feed: rows and facts, in as many frames as they take.
 *
 * A list is begun, added to and ended; put() is given each frame when it has grown to
 * FEED_CHUNK, and takes it over. Only a single item that does not fit a frame is left out: it is
 * logged and counted by the caller's answer. What is built and what is read are here side by side.
 */
#pragma once
#include "cluster/feed/frame.h"
#include "cluster/replica/replica.h"

#define FEED_CHUNK (64u << 10)

struct list_head {
	bool full;     /* of a whole copy: what it does not name is gone at its end */
	bool first;    /* its first frame */
	int64_t floor; /* rows: of the sender's tombstones */
};

struct feed_list {
	struct sbuf text;
	struct list_head head;
	bool rows;
	/* last: the frame that was ended, not one that ran full. */
	void (*put)(void *arg, struct frame *own_frame, bool last);
	void *arg;
};

void feed_list_free(struct feed_list *l);
void rows_begin(struct feed_list *l, const struct list_head *h);
bool rows_add(struct feed_list *l, const struct change *c);
/* rev: what the receiver has with it; more: the copy goes on. */
void rows_end(struct feed_list *l, int64_t rev, bool more);

void facts_begin(struct feed_list *l, const struct list_head *h);
/* member NULL: leave it out. */
bool facts_add(struct feed_list *l, enum fact f, const char *key, const char *member,
	       const char *text);
/* An empty list is sent only of a full copy. */
void facts_end(struct feed_list *l, bool more);

/* Of one event; NULL, logged, when it does not fit. */
struct frame *event_frame(const char *text);

/* --- reading ---------------------------------------------------------------------------------- */

/* Borrowed from the JSON. False when it is malformed; e/f is *_MAX for kinds of newer releases. */
bool rows_item(const json_t *item, struct change *ret);
struct fact_item {
	enum fact f;
	const char *key, *member, *text;
};
bool facts_item(const json_t *item, bool with_member, struct fact_item *ret);

/* A full list of facts as its frames come in: which were named. */
struct fact_round {
	json_t *named; /* a set; NULL between rounds */
};

/* member: whose facts they are; NULL when the list says so itself. */
void fact_round_add(struct fact_round *r, const json_t *msg, const char *member);
/* At the last frame of a full list: calls back with the facts in the replica that it did not name
 * (text NULL), of `member` or of all, without those of `except`. */
void fact_round_end(struct fact_round *r, const json_t *msg, struct replica *replica,
		    const char *member, const char *except, replica_fact_fn gone, void *arg);
void fact_round_free(struct fact_round *r);
