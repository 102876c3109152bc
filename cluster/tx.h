/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/tx.h - a transaction as the store's parts see it, and its text between members.
 *
 * Counted, because a commit that timed out may still be in the writer's hands. Not changed once it
 * has been handed to anyone.
 */
#pragma once
#include "base/sbuf.h"
#include "cluster/store.h"

#define TX_ID_SIZE 33
#define TX_BYTES_MAX (8u << 20)

enum tx_op { TX_PUT, TX_DELETE, TX_CHECK };

struct tx_change {
	enum tx_op op;
	enum entity e;
	char *key;
	int64_t seen;
	char *doc; /* TX_PUT */
};

struct tx {
	int refs;
	char id[TX_ID_SIZE];
	int64_t first_ms; /* when it was first handed out; 0: never */
	bool tried;	  /* an attempt ended with an unknown outcome: look the id up first */
	struct tx_change *v;
	size_t n, room, bytes;
};

struct tx *tx_ref(struct tx *t);
/* {"id","retry","changes":[[op, table, key, seen, doc]]} with doc as text. */
void tx_append(struct sbuf *b, const struct tx *t);
/* ERR_INVALID names what is wrong. */
struct tx *tx_decode(const json_t *j, struct err *err);
