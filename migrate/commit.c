/* SPDX-License-Identifier: Apache-2.0 */
/* The database's part of a move. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "cluster/store/edit.h"
#include "migrate/move_int.h"

#define COMMIT_MS 10000 /* a job waits as long again for an answer that was lost */
#define FORGET_MS 3000

static json_t *row_of(const struct move *mv, const char *phase)
{
	return json_pack("{ss,ss,ss,ss,sI,ss,sb}", "op", mv->id.op, "instance", mv->id.name,
			 "source", mv->source, "target", mv->target, "epoch",
			 (json_int_t)mv->id.epoch, "phase", phase, "runs", mv->live || mv->start);
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

	assert(mv->id.source);
	if (refuse_second(m, mv, err) < 0)
		return -1;
	tx_put(tx, ENT_MIGRATION, mv->id.op, REV_NONE, doc);
	return store_commit(m->store, tx, 0, NULL, err);
}

/* Still `member`'s, and of the epoch. */
static int check_owner(const struct row *row, const char *member, int64_t epoch, struct err *err)
{
	if (str_eq(json_str(row->doc, "member", ""), member) &&
	    json_int(row->doc, "epoch", 0) == epoch)
		return 0;
	return err_set(err, ERR_PRECONDITION, "instance %s was given to %s meanwhile", row->key,
		       json_str(row->doc, "member", "?"));
}

static int give_to(struct row *row, const char *member, int64_t epoch, struct err *err)
{
	json_put_str(row->doc, "member", member);
	json_put_int(row->doc, "epoch", epoch);
	/* What it is called now is its name for good. */
	return inst_become(row->doc, INST_READY, NULL, err);
}

struct committing {
	struct mover *m;
	const struct move *mv;
};

static int give_to_target(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	const struct committing *c = arg;
	const struct move *mv = c->mv;
	_json_ json_t *doc = row_of(mv, "committed");
	_row_ struct row migration = { 0 };

	if (check_owner(row, mv->source, mv->id.epoch, err) < 0 ||
	    store_get(c->m->store, ENT_MIGRATION, mv->id.op, &migration, err) < 0)
		return err_wrap(err, "the move was called off");
	tx_put(t->tx, ENT_MIGRATION, mv->id.op, migration.rev, doc);
	return give_to(row, mv->target, mv->id.epoch + 1, err);
}

/* Nothing may go on before it is known whether a commit was made, for then the other side runs: 1,
 * 0, or -1 when nobody tells. */
static int outcome(const struct move *mv, int rc, struct err *err)
{
	if (rc == 0)
		return 1;
	if (err->kind != ERR_UNKNOWN)
		return 0;
	return err_set(err, ERR_UNKNOWN,
		       "no quorum to tell whether %s is now on %s or on %s; it stands still until "
		       "there is one",
		       mv->id.name, mv->source, mv->target);
}

int commit_move(struct mover *m, const struct move *mv, struct err *err)
{
	struct committing c = { m, mv };
	struct row_edit edit = { .e = ENT_INSTANCE,
				 .key = mv->id.name,
				 .change = give_to_target,
				 .arg = &c,
				 .commit_ms = COMMIT_MS };

	assert(mv->id.source);
	return outcome(mv, row_edit(m->store, &edit, err), err);
}

/* Only while this move's row says "committed": once it is gone, both sides act on the commit. */
static int build_back(struct mover *m, const struct move *mv, struct tx *tx, struct err *err)
{
	_row_ struct row row = { 0 }, migration = { 0 };
	_json_ json_t *doc = row_of(mv, "back");

	if (store_get(m->store, ENT_INSTANCE, mv->id.name, &row, err) < 0 ||
	    check_owner(&row, mv->target, mv->id.epoch + 1, err) < 0 ||
	    store_get(m->store, ENT_MIGRATION, mv->id.op, &migration, err) < 0)
		return -1;
	if (!str_eq(json_str(migration.doc, "phase", ""), "committed"))
		return err_set(err, ERR_PRECONDITION, "the move of %s is over", mv->id.name);
	if (give_to(&row, mv->source, mv->id.epoch + 2, err) < 0)
		return -1;
	tx_put(tx, ENT_INSTANCE, mv->id.name, row.rev, row.doc);
	tx_put(tx, ENT_MIGRATION, mv->id.op, migration.rev, doc);
	return 0;
}

int commit_back(struct mover *m, struct move *mv, struct err *err)
{
	_tx_ struct tx *tx = tx_new();
	int rc;

	assert(mv->id.source);
	assert(!mv->back);
	if (build_back(m, mv, tx, err) < 0)
		return 0;
	mv->back = true;
	if (journal_note(m, mv, err) < 0) {
		mv->back = false;
		return 0;
	}
	rc = outcome(mv, store_commit_surely(m->store, tx, COMMIT_MS, err), err);
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

/* --- for others --------------------------------------------------------------------------- */

json_t *move_row(struct store *s, const char *op)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return store_get(s, ENT_MIGRATION, op, &row, &ignored) == 0 ? json_incref(row.doc) : NULL;
}

bool move_runs_at(struct store *s, const char *name, const char *member)
{
	char at[64] = "";
	_json_ json_t *fact = store_fact_get(s, FACT_INSTANCE, name, at);

	return str_eq(at, member) &&
	       status_is_alive(status_by_name(json_str(fact, "status", NULL)));
}

enum move_fate move_fate(struct store *s, const json_t *row)
{
	const char *name = json_str(row, "instance", ""), *target = json_str(row, "target", "");
	_json_ json_t *now = move_row(s, json_str(row, "op", ""));
	int64_t epoch = json_int(row, "epoch", 0);
	_row_ struct row inst = { 0 };
	struct err ignored;

	if (!row || store_get(s, ENT_INSTANCE, name, &inst, &ignored) < 0)
		return FATE_NONE;
	if (check_owner(&inst, target, epoch + 1, &ignored) == 0) {
		/* One that ran has not arrived before it runs. */
		if (!json_bool(row, "runs", false) || move_runs_at(s, name, target))
			return FATE_MADE;
		return now ? FATE_OPEN : FATE_ARRIVES;
	}
	if (check_owner(&inst, json_str(row, "source", ""), epoch, &ignored) == 0)
		return now ? FATE_OPEN : FATE_GIVEN_UP;
	return FATE_NONE;
}
