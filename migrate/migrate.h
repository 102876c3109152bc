/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/migrate.h - moving an instance to another member in one of several ways
 * (migrate/mode.def): never lost, never twice.
 *
 * docs/moving.md tells the protocol. One conditional transaction (the instance row's member and
 * epoch) is the commit point; before it the source owns the container, after it the target does,
 * and whoever crashed reads that row and acts (move_recover).
 */
#pragma once
#include "cluster/cluster.h"
#include "cluster/op/operation.h"
#include "migrate/memory/way.h"
#include "node/node.h"

struct mover; /* what moves need; one a daemon */

struct mover_opts {
	struct cluster *cluster;
	struct node *node;
	/* The spec of node/node.h and pool for an instance row as it would be on this member
	 * (api/work/spec.c). view: that of the order, or NULL. */
	json_t *(*spec)(void *arg, const json_t *instance, void *view, json_t **ret_pool,
			struct err *err);
	/* Image present here, fetched from a member that has it when not. */
	int (*need_image)(void *arg, const char *fingerprint, struct op *op, struct err *err);
	/* Networks and hosts of the spec are up on this member. */
	int (*need_networks)(void *arg, const json_t *spec, struct err *err);
	/* -1, as long as no instance may come here, or start: why. */
	int (*takes)(void *arg, struct err *err);
	void *arg;
};
struct mover *mover_new(const struct mover_opts *o);
void mover_free(struct mover *m);

enum move_kind {
#define MODE(id, name) MOVE_##id,
#include "migrate/mode.def"
#undef MODE
	MOVE_REFUSED,
};
const char *move_kind_name(enum move_kind kind);
/* Ways that are allowed, as bits: the best of them that is possible is taken. */
#define MOVE_BEST ((1u << MOVE_REFUSED) - 1)
static inline unsigned move_only(enum move_kind kind)
{
	return 1u << kind;
}
/* "best", or the name of the only one. */
int move_modes_parse(const char *word, unsigned *ret, struct err *err);

#define MOVE_REASONS_MAX 20
struct move_reason {
	enum move_kind allows; /* no better one */
	char text[240];
};
/* What forbids more than `kind`, each with process and cause; none for live. */
struct move_plan {
	enum move_kind kind;
	size_t n[MOVE_REFUSED + 1]; /* how many there are, by what they allow */
	size_t kept;                /* only the first MOVE_REASONS_MAX are */
	struct move_reason reasons[MOVE_REASONS_MAX];
	char note[240]; /* what does not go along, and forbids nothing; "": nothing */
	enum memory_way way; /* of its memory in a live move */
	char way_why[240];   /* "": it does not go anywhere */
};
/* One that is there already is not added again. */
void move_plan_add(struct move_plan *p, enum move_kind allows, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What one that does not run adds: only what forbids a cold move counts; kept: its memory is kept
 * (docs/stateful.md). */
void move_plan_stopped(bool kept, struct move_plan *p);
/* How many forbid that one. */
size_t move_plan_count(const struct move_plan *p, enum move_kind kind);
/* What forbids that one: as many as fit, and how many more there are; returns buf. */
const char *move_plan_text(const struct move_plan *p, enum move_kind kind, char *buf, size_t size);
/* {kind, reason, reasons[...], more, note, memory, memory_reason,
 * modes {live {possible, reasons[...], more}, ...}} */
json_t *move_plan_json(const struct move_plan *p);
/* Pre-flight on the source: asks the target for its facts and compares, looks at what the
 * processes hold. Nothing is changed. */
int move_plan(struct mover *m, const struct row *instance, const char *target,
	      struct move_plan *ret, struct err *err);
/* What stands in the way of one that runs here, whichever member it would move to; {.kind =
 * MOVE_LIVE} when nothing does. */
void move_outlook(struct mover *m, const char *name, struct move_plan *ret);
/* Of those allowed; one that is stopped moves cold whatever is allowed. MOVE_REFUSED when none is
 * possible. ret_why: what forbids better ones. */
enum move_kind move_choose(const struct move_plan *p, unsigned modes, bool runs, char *ret_why,
			   size_t size);

struct move_order {
	const char *name, *target;
	unsigned modes;    /* of one that runs: MOVE_BEST, or move_only() */
	bool end_sessions; /* live: commands that were begun from outside do not stand in its way */
	void *view;        /* what is known of the instance, for mover_opts.spec; NULL: nothing */
};
/* The whole move; runs in a job worker on the source. The operation gets progress and metadata:
 * migration {kind, reason, memory, memory_reason, downtime_ms, total_ms, memory_bytes, pages_bytes,
 * pages_ms, rootfs_bytes, stages{...}}. On
 * failure it goes on where it was. */
int move_run(struct mover *m, const struct move_order *o, struct op *op, struct err *err);
/* Stops it and keeps its memory in its volume (docs/stateful.md). On failure it goes on. view: what
 * is known of the instance, for mover_opts.spec. */
int suspend_run(struct mover *m, const char *name, void *view, struct op *op, struct err *err);
/* Starts a stopped one from there, on which nothing is kept any more. On failure it stays stopped,
 * and its memory is kept unless it may have run. */
int wake_run(struct mover *m, const char *name, void *view, struct err *err);
/* Target side: the upgraded stream of GET /internal/migrate. Owns the stream. */
void move_serve(struct mover *m, struct stream *own_stream);
/* Source side of memory that follows: that of GET /internal/migrate/pages. */
void move_serve_pages(struct mover *m, struct stream *own_stream);
/* Adds the instances whose moves were cut off to the `keep` of node_recover: their processes may
 * be waiting for a word that only the database can give. */
void move_keep(struct mover *m, json_t *keep);
/* At daemon start, after node_recover: settles moves that were cut off, in the background. */
int move_recover(struct mover *m, struct err *err);
/* Concludes what earlier moves of that name left here; -1 as long as it is not known whose the
 * instance is. Before then it must be neither started nor given up for ended. */
int move_conclude_name(struct mover *m, const char *name, struct err *err);
bool move_is_pending(struct mover *m, const char *name);
/* What became of a move whose source has gone away with its operation, as the rows and facts of any
 * member tell. */
enum move_fate {
	FATE_NONE, /* that was no move, or nobody knows any more */
	FATE_OPEN,
	FATE_ARRIVES, /* the source is done with it, and it is not yet known to run at the target */
	FATE_MADE,
	FATE_GIVEN_UP,
};
/* The row of the operation's move, or NULL. */
json_t *move_row(struct store *s, const char *op);
/* `row` as it was last seen, or NULL. */
enum move_fate move_fate(struct store *s, const json_t *row);
/* GET /internal/migrate/facts: what a source needs to know of this target. */
json_t *move_facts(struct mover *m);
