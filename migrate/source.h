/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/source.h - what a move is made of on its source; shared by source*.c. */
#pragma once
#include "migrate/memory/images.h"
#include "migrate/move_int.h"
#include "migrate/rootfs/sync.h"
#include "migrate/traffic.h"

/* Milliseconds since the step before, under the name of the step that ends. */
struct stages {
	json_t *ms;
	int64_t mark;
};

struct source {
	struct mover *m;
	struct op *op;
	struct move mv;
	struct row row; /* the instance */
	struct channel *ch;
	struct sync_source *sync;
	struct image_source *images;
	struct move_helper helper;
	unsigned modes;      /* that are allowed */
	enum move_kind kind; /* the one that was chosen */
	bool runs;           /* at the beginning */
	struct hold *hold;
	struct traffic *traffic; /* live, and the target knows of it; else NULL */
	struct stages stages;
	json_t *report; /* "migration" of the operation's metadata */
	int64_t began_ms, froze_ms, downtime_ms, memory;
	int64_t pages_bytes, pages_ms; /* that followed */
	bool end_sessions; /* of commands from outside */
	bool forwards;     /* the target takes traffic */
	bool open;         /* the row exists */
	bool moved;        /* it belongs to the target */
	bool heard;        /* RESUMED */
	bool failed;       /* moved, but it does not run there, or that is not known */
	bool starved;      /* moved, but without all of its memory, or that is not known */
	bool open_end;     /* whose it is could not be learned */
	bool lost;         /* the stream, after the commit */
	bool later;        /* there is something left to conclude */
};

void source_stage(struct source *s, const char *name);
/* Connects, compares, opens the row, writes the note, has the target get ready. */
int source_begin(struct source *s, struct err *err);
/* From now on no command and no file operation gets in; those under way have ended. */
int source_close(struct source *s, struct err *err);
/* The root file system while it changes: passes until little is left. */
int source_copy(struct source *s, struct err *err);
int source_pass(struct source *s, int64_t *ret_changes, struct err *err);
/* source_pass that waits until all of it is on the target's disk. */
int source_pass_whole(struct source *s, int64_t *ret_changes, struct err *err);
/* What is going on, for who watches the operation. */
void source_tell(struct source *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* From the freeze until the target holds the restored container. (dump.c) */
int source_dump_prepare(struct source *s, struct err *err);
int source_dump(struct source *s, struct err *err);
/* Any other move: stops it if it runs, and sends what is still to be sent. (halt.c) */
int source_halt(struct source *s, struct err *err);
/* Tells the target that it is its own. 1: moved; 0: back here, err says why; -1: not to be known
 * yet. (finish.c) */
int source_finish(struct source *s, struct err *err);
/* The target has lost us, and goes on by itself: until it tells that the instance runs. */
int source_await_there(struct source *s, struct err *err);
