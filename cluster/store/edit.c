/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/edit.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

static int64_t within(int timeout_ms)
{
	return timeout_ms ? deadline_in(timeout_ms) : 0;
}

int store_commit_surely(struct store *s, struct tx *tx, int timeout_ms, struct err *err)
{
	int outcome;

	if (store_commit(s, tx, within(timeout_ms), NULL, err) == 0)
		return 0;
	if (err->kind != ERR_UNKNOWN)
		return -1;
	outcome = store_outcome(s, tx, within(timeout_ms), err);
	if (outcome == 1)
		return 0;
	if (outcome == 0)
		return err_set(err, ERR_UNAVAILABLE,
			       "the database did not take the change in time");
	err->kind = ERR_UNKNOWN;
	return err_wrap(err, "it is not known whether the change was made");
}

static int commit(struct store *s, const struct row_edit *e, struct tx *tx, struct err *err)
{
	if (e->may_be_lost)
		return store_commit(s, tx, within(e->commit_ms), NULL, err);
	return store_commit_surely(s, tx, e->commit_ms, err);
}

static int load(struct store *s, const struct row_edit *e, struct row *ret, struct err *err)
{
	if (!e->made)
		return store_get(s, e->e, e->key, ret, err);
	*ret = (struct row){ xstrdup(e->key), REV_NONE, json_incref(e->made) };
	return 0;
}

int row_edit(struct store *s, const struct row_edit *e, struct err *err)
{
	assert(e->key);
	assert(e->change);
	for (int n = 0; n < EDIT_TRIES; n++) {
		_row_ struct row row = { 0 };
		_tx_ struct tx *tx = tx_new();
		int rc;

		if (load(s, e, &row, err) < 0)
			return -1;
		rc = e->change(e->arg, &row, &(struct edit_try){ tx, n }, err);
		if (rc != EDIT_COMMIT)
			return rc < 0 ? -1 : 0;
		tx_put(tx, e->e, e->key, row.rev, row.doc);
		if (commit(s, e, tx, err) == 0)
			return 0;
		if (err->kind != ERR_CONFLICT && err->kind != ERR_PRECONDITION)
			return -1;
	}
	return -1;
}
