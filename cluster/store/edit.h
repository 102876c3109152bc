/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/edit.h - "read a row, change it, commit; again when it changed meanwhile". */
#pragma once
#include "cluster/store/store.h"

/* How often a commit may lose a race before its conflict is the caller's error. */
#define EDIT_TRIES 50

/* Of one attempt. */
struct edit_try {
	struct tx *tx; /* for changes of other rows that go with it */
	int n;         /* how many attempts have lost a race before */
};
enum { EDIT_COMMIT = 0, EDIT_KEEP = 1 };

struct row_edit {
	enum entity e;
	const char *key;
	json_t *made; /* a new row with this document, borrowed; NULL: the row must exist */
	/* Edits row->doc, or puts another document in its place. EDIT_COMMIT; EDIT_KEEP: nothing
	 * is to be done; -1 with err, which ends it. Called anew for each attempt. */
	int (*change)(void *arg, struct row *row, struct edit_try *t, struct err *err);
	void *arg;
	int commit_ms;    /* for one commit; 0: COMMIT_TIMEOUT_MS */
	bool may_be_lost; /* an answer that is lost is ERR_UNKNOWN at once; else the leader is asked
			   * for it as long as for a commit */
};
/* 0 when it is committed, or nothing was to be done. ERR_UNKNOWN: nobody could tell. */
int row_edit(struct store *s, const struct row_edit *e, struct err *err);
/* store_commit; a lost answer is looked up before it is told as a failure. timeout_ms as
 * commit_ms. */
int store_commit_surely(struct store *s, struct tx *tx, int timeout_ms, struct err *err);
