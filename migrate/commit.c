/* SPDX-License-Identifier: Apache-2.0 */
/* The database's part of a move. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "migrate/move_int.h"

#define TRIES 10
#define COMMIT_MS 10000
#define OUTCOME_MS 10000 /* with COMMIT_MS: how long a job waits for a lost answer */
#define FORGET_MS 3000

static json_t *row_of(const struct move *mv, const char *phase)
{
	return json_pack("{ss,ss,ss,ss,sI,ss}", "op", mv->id.op, "instance", mv->id.name, "source",
			 mv->source, "target", mv->target, "epoch", (json_int_t)mv->id.epoch,
			 "phase", phase);
}

static int refuse_second(struct mover *m, const struct move *mv, struct err *err)
{
	_rows_ struct rows rows = { 0 };

	if (store_list(m->store, ENT_MIGRATION, mv->id.name, &rows, err) < 0)
		return -1;
	for (size_t i = 0; i < rows.n; i++) {
		if (!str_eq(json_str(rows.v[i].doc, "phase", ""), "committed"))
			return err_set(err, ERR_BUSY,
				       "instance %s is already being moved to %s (operation %s)",
				       mv->id.name, json_str(rows.v[i].doc, "target", "?"),
				       rows.v[i].key);
	}
	return 0;
}

int commit_begin(struct mover *m, const struct move *mv, struct err *err)
{
	_json_ json_t *doc = row_of(mv, "open");
	_tx_ struct tx *tx = tx_new();

	if (refuse_second(m, mv, err) < 0)
		return -1;
	tx_put(tx, ENT_MIGRATION, mv->id.op, REV_NONE, doc);
	return store_commit(m->store, tx, 0, NULL, err);
}

/* The instance as it is now, still the source's and of the epoch. */
static int read_instance(struct mover *m, const char *name, const char *member, int64_t epoch,
			 struct row *ret, struct err *err)
{
	if (store_get(m->store, ENT_INSTANCE, name, ret, err) < 0)
		return -1;
	if (str_eq(json_str(ret->doc, "member", ""), member) &&
	    json_int(ret->doc, "epoch", 0) == epoch)
		return 0;
	return err_set(err, ERR_PRECONDITION, "instance %s was given to %s meanwhile", name,
		       json_str(ret->doc, "member", "?"));
}

static int tx_instance(struct tx *tx, const struct move *mv, const struct row *row,
		       const char *member, int64_t epoch, struct err *err)
{
	json_put_str(row->doc, "member", member);
	json_put_int(row->doc, "epoch", epoch);
	/* What it is called now is its name for good. */
	if (inst_become(row->doc, INST_READY, NULL, err) < 0)
		return -1;
	tx_put(tx, ENT_INSTANCE, mv->id.name, row->rev, row->doc);
	return 0;
}

static int build(struct mover *m, const struct move *mv, struct tx *tx, struct err *err)
{
	_row_ struct row row = { 0 }, migration = { 0 };
	_json_ json_t *doc = row_of(mv, "committed");

	if (read_instance(m, mv->id.name, mv->source, mv->id.epoch, &row, err) < 0 ||
	    store_get(m->store, ENT_MIGRATION, mv->id.op, &migration, err) < 0)
		return err_wrap(err, "the move was called off");
	if (tx_instance(tx, mv, &row, mv->target, mv->id.epoch + 1, err) < 0)
		return -1;
	tx_put(tx, ENT_MIGRATION, mv->id.op, migration.rev, doc);
	return 0;
}

/* Commits, and asks what became of it when no answer came: nothing may go on before that is
 * answered, for the answer may be that the other side runs. 1, 0, or -1 when nobody tells. */
static int settle(struct mover *m, const struct move *mv, struct tx *tx, struct err *err)
{
	int rc;

	if (store_commit(m->store, tx, deadline_in(COMMIT_MS), NULL, err) == 0)
		return 1;
	if (err->kind != ERR_UNKNOWN)
		return 0;
	rc = store_outcome(m->store, tx, deadline_in(OUTCOME_MS), err);
	if (rc < 0)
		err_set(err, ERR_UNKNOWN,
			"no quorum to tell whether %s is now on %s or on %s; it stands still until "
			"there is one",
			mv->id.name, mv->source, mv->target);
	else if (rc == 0)
		err_set(err, ERR_UNAVAILABLE, "the database did not take the move of %s in time",
			mv->id.name);
	return rc;
}

int commit_move(struct mover *m, const struct move *mv, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		_tx_ struct tx *tx = tx_new();
		int rc;

		if (build(m, mv, tx, err) < 0)
			return 0;
		rc = settle(m, mv, tx, err);
		/* Somebody changed another part of the row: with what is there now, again. */
		if (rc != 0 || (err->kind != ERR_PRECONDITION && err->kind != ERR_CONFLICT))
			return rc;
	}
	return 0;
}

/* Only while this move's row says "committed": once it is gone, both sides act on the commit. */
static int build_back(struct mover *m, const struct move *mv, struct tx *tx, struct err *err)
{
	_row_ struct row row = { 0 }, migration = { 0 };
	_json_ json_t *doc = row_of(mv, "back");

	if (read_instance(m, mv->id.name, mv->target, mv->id.epoch + 1, &row, err) < 0 ||
	    store_get(m->store, ENT_MIGRATION, mv->id.op, &migration, err) < 0)
		return -1;
	if (!str_eq(json_str(migration.doc, "phase", ""), "committed"))
		return err_set(err, ERR_PRECONDITION, "the move of %s is over", mv->id.name);
	if (tx_instance(tx, mv, &row, mv->source, mv->id.epoch + 2, err) < 0)
		return -1;
	tx_put(tx, ENT_MIGRATION, mv->id.op, migration.rev, doc);
	return 0;
}

int commit_back(struct mover *m, struct move *mv, struct err *err)
{
	_tx_ struct tx *tx = tx_new();
	int rc;

	if (build_back(m, mv, tx, err) < 0)
		return 0;
	mv->back = true;
	if (journal_note(m, mv, err) < 0) {
		mv->back = false;
		return 0;
	}
	rc = settle(m, mv, tx, err);
	if (rc > 0)
		mv->id.epoch += 2;
	return rc;
}

int commit_fence(struct mover *m, const struct move *mv, int64_t deadline, struct err *err)
{
	_row_ struct row row = { 0 };
	_tx_ struct tx *tx = tx_new();
	const char *phase;

	if (store_get_latest(m->store, ENT_MIGRATION, mv->id.op, &row, deadline, err) < 0)
		return err->kind == ERR_NOT_FOUND ? 1 : -1;
	phase = json_str(row.doc, "phase", "");
	if (json_int(row.doc, "epoch", 0) == mv->id.epoch &&
	    (str_eq(phase, "back") || (str_eq(phase, "committed") && !mv->back)))
		return 0;
	tx_delete(tx, ENT_MIGRATION, mv->id.op, row.rev);
	if (store_commit(m->store, tx, deadline, NULL, err) == 0)
		return 1;
	/* It changed just now, or the answer is lost: look again. */
	return err->kind == ERR_PRECONDITION ? 0 : -1;
}

void commit_forget(struct mover *m, const struct move *mv)
{
	_tx_ struct tx *tx = tx_new();
	struct err err;

	tx_delete(tx, ENT_MIGRATION, mv->id.op, REV_ANY);
	if (store_commit(m->store, tx, deadline_in(FORGET_MS), NULL, &err) < 0 &&
	    err.kind != ERR_NOT_FOUND)
		log_err(LOG_DEBUG, "the row of a finished move stays", &err);
}
