/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/tx.h - a transaction as the store's parts see it, and its text between members.
 *
 * Counted, because a commit that timed out may still be in the writer's hands. Not changed once it
 * has been handed to anyone.
 */
#pragma once
#include "base/sbuf.h"
#include "cluster/store/store.h"

#define TX_ID_SIZE 33
#define TX_BYTES_MAX (8u << 20)

enum tx_op { TX_PUT, TX_DELETE, TX_CHECK, TX_STILL };

struct tx_change {
	enum tx_op op;
	enum entity e;
	char *key; /* of TX_STILL: no row's */
	int64_t seen;
	char *doc; /* TX_PUT */
};

/* What is known of a transaction; store_commit() and store_outcome() alone move it.
 *
 *   TX_HELD ---- handed out ----> TX_OPEN ---- answered ----> TX_COMMITTED
 *      ^                            |  |
 *      +- all surely in vain -------+  +------ burnt -------> TX_DEAD
 */
enum tx_fate {
	TX_HELD, /* nobody has it: it is surely not committed */
	TX_OPEN, /* it may be committed now or later, whatever a later attempt is told */
	TX_COMMITTED,
	TX_DEAD, /* it never will be */
};

struct tx {
	int refs;
	char id[TX_ID_SIZE];
	enum tx_fate fate;
	/* The replica's revision before the first attempt that is open: a commit of it has a
	 * greater one. A leader that has forgotten a later revision's id refuses the attempt. */
	int64_t base;
	struct tx_change *v;
	size_t n, room, bytes;
};

struct tx *tx_ref(struct tx *t);
/* {"id","base","changes":[[op, table, key, seen, doc]]} with doc as text. */
void tx_append(struct sbuf *b, const struct tx *t);
/* ERR_INVALID names what is wrong. */
struct tx *tx_decode(const json_t *j, struct err *err);
