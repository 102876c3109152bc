/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/move_int.h - the inside of a mover, for the files of this folder only.
 *
 * A move is known in three places: the row ENT_MIGRATION (phase "open" or "committed"), a note on
 * disk on each of the two members (DUNLIN_DIR/moves/OP.json), and the job or the connection that
 * runs it. Who gives up or finds a note after a crash calls move_conclude: it learns from the
 * instance row who owns the container and makes this member fit, as often as it takes.
 *
 *   open row --- commit: instance row to the target, phase "committed" (one transaction)
 *      |                |
 *      |                +-- back: instance row to the source, phase "back" (one transaction)
 *      |                +-- fence: row deleted; from then on the way back is impossible
 *      +------- fence: row deleted; from then on the commit is impossible
 */
#pragma once
#include <pthread.h>

#include "base/rng.h"
#include "migrate/holds.h"
#include "migrate/migrate.h"
#include "migrate/plan.h"
#include "migrate/stream/frame.h"

#define MOVE_VERSION 2
#define MOVE_PATH "/internal/migrate"
#define MOVE_PROTOCOL "dunlin-migrate/1"
#define MOVE_PAGES_PATH "/internal/migrate/pages"
#define MOVE_PAGES_PROTOCOL "dunlin-pages/1"

/* One member's side of a move: what its note on disk holds. */
struct move {
	struct hold_id id;           /* source: this is the source's side; epoch: before the move */
	char source[64], target[64]; /* members */
	char was[FOLDER_SIZE];       /* its old name, which it gets back without the move */
	bool live, frozen;           /* frozen: it was so before the move, and stays so */
	bool start;                  /* it is stopped for the move: whoever has it starts it */
	bool stopping;               /* source: it may have been asked to stop for the move */
	bool back;                   /* source: commit_back may have been sent */
	bool suspends;               /* no other member: source: its memory is kept here while it
				      * is stopped; else: it is started from there */
	bool lazy;                   /* memory follows (post-copy) */
	bool stray;                  /* it may have no note: an action script came with it */
	bool fetched, starved;       /* source, of lazy ones: the target has all; it lacks some */
	json_t *spec, *pool;         /* as on this member; NULL before they are known */
	struct move *next;
};

struct fetch;
struct claim;
struct vault; /* node/criu/vault.h */

struct mover {
	struct mover_opts o;
	struct store *store;
	struct holds *holds; /* NULL: no live moves */
	struct pace *pace;   /* of what this member sends */
	char *run, *notes;   /* folders */
	char *shm;           /* in RAM; made by the first live move */
	char trouble[200];   /* why no live moves */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t told;  /* some member has told of an instance */
	pthread_cond_t ended; /* some move is no longer active */
	pthread_t thread;     /* concludes what could not be concluded at once */
	bool running, stop, recovered;
	struct move *later, *active;
	struct claim *claims;  /* being concluded */
	struct fetch *fetches; /* memory that is on its way here */
	json_t *facts;         /* made on first use */
};

/* --- journal.c: notes on disk ------------------------------------------------------------- */

int journal_note(struct mover *m, const struct move *mv, struct err *err);
void journal_drop(struct mover *m, const struct move *mv);
/* All notes, as a list. */
struct move *journal_load(struct mover *m, struct err *err);
struct move *journal_find(struct mover *m, const struct hold_id *id); /* NULL: none */
struct move *move_copy(const struct move *mv);
void move_free(struct move *mv);
/* The path that is there as long as the commit may have been made; the caller frees. */
char *move_sent(const struct mover *m, const struct move *mv);
/* Where the memory of a suspended one is kept; the caller frees. */
char *move_kept(const struct mover *m, const struct move *mv);
/* The commit may have been sent from when this is called until journal_unsent. */
int journal_sent(struct mover *m, const struct move *mv, struct err *err);
void journal_unsent(struct mover *m, const struct move *mv);
char *move_images(const struct mover *m, const struct move *mv); /* the caller frees */
/* Makes it, empty, for the container's root. */
int move_images_make(const struct mover *m, const struct move *mv, struct err *err);

/* --- recover.c ---------------------------------------------------------------------------- */

enum move_owner {
	OWNER_SOURCE, /* nothing was committed */
	OWNER_TARGET, /* it was */
	OWNER_LATER,  /* it has moved on since, to the member in the row */
	OWNER_NOBODY, /* the instance is gone */
};
/* Makes this member fit to the owner; done when it returns 0. `here`: for OWNER_LATER, the row
 * names us. */
int move_settle(struct mover *m, const struct move *mv, enum move_owner owner, bool here,
		struct err *err);
/* Finds the owner, fences when it is the source, settles, drops the note. -1: not yet, call
 * again. */
int move_conclude(struct mover *m, const struct move *mv, int64_t deadline, struct err *err);
/* conclude.c: the same for moves that nothing works on, which several may want to conclude: nobody
 * else does meanwhile, and one that was concluded before is left alone. ERR_BUSY: somebody else has
 * it for longer than `wait_ms`. */
int move_conclude_alone(struct mover *m, const struct move *mv, int64_t wait_ms, int64_t deadline,
			struct err *err);
/* In the background until it succeeds. */
void move_conclude_later(struct mover *m, const struct move *mv);
/* Starts an instance that was stopped for its move, and does not run yet. */
int move_start(struct mover *m, const struct move *mv, struct err *err);
/* Moves that a job or a connection works on are not for the background. */
void move_begin(struct mover *m, const struct move *mv);
void move_end(struct mover *m, const struct move *mv);
/* move_conclude_name() that waits for a move which is still under way here. */
int move_conclude_ended(struct mover *m, const char *name, int64_t ms, struct err *err);
/* Memory of the instance that an earlier move still fetches is here: it could not be dumped. */
int move_await_memory(struct mover *m, const char *name, struct err *err);
void recover_start(struct mover *m);
void recover_stop(struct mover *m);
void recover_stray(void *arg, const struct hold_id *id);

/* --- suspend.c, wake.c -------------------------------------------------------------------- */

/* What is kept beside the images: {version, made_at, frozen, images{}, facts{}, spec{}}. */
#define SUSPEND_NOTE "suspend.json"
#define SUSPEND_VERSION 1

/* A stateful stop or start on this member: with the instance's epoch, and what it is here. */
int suspend_load(struct mover *m, const char *name, void *view, struct move *ret, struct err *err);

/* --- kept.c: what a stateful stop or start leaves to be done ------------------------------ */

/* The memory is kept: what it was taken of ends. */
int kept_end(struct mover *m, const struct move *mv, struct err *err);
/* The memory is still kept: what was restored of it is removed. */
int kept_stay(struct mover *m, const struct move *mv, struct err *err);
/* The row says whether there is some; one with it shall not run. */
int kept_note(struct mover *m, const struct move *mv, struct err *err);

/* --- commit.c ----------------------------------------------------------------------------- */

int commit_begin(struct mover *m, const struct move *mv, struct err *err);
/* 1 committed, 0 surely not (err says why), -1 not to be known yet. */
int commit_move(struct mover *m, const struct move *mv, struct err *err);
/* The target has failed for good after the commit: the instance comes back to the source. Answers
 * as commit_move(). */
int commit_back(struct mover *m, struct move *mv, struct err *err);
/* 1: the commit, or when it has happened the way back, can no longer happen; 0: it has happened; -1
 * with err. */
int commit_fence(struct mover *m, const struct move *mv, int64_t deadline, struct err *err);
void commit_forget(struct mover *m, const struct move *mv); /* deletes the row */
/* As that member tells. */
bool move_runs_at(struct store *s, const char *name, const char *member);

/* --- fetch.c: post-copy, target ------------------------------------------------------------ */

enum fetch_state { FETCH_RUNS, FETCH_ALL, FETCH_LOST };
/* Begins to carry pages from the source to the pager of that move, unless it does so already;
 * committed: its end is then told to the source, which is when it ends. */
void fetch_begin(struct mover *m, const struct move *mv, bool committed);
bool fetch_is_known(struct mover *m, const struct move *mv);
/* It has ended, or `ms` have passed; FETCH_LOST with err. */
enum fetch_state fetch_await(struct mover *m, const struct move *mv, int64_t ms, int64_t *ret_bytes,
			     struct err *err);
/* Forgets it; one that goes on is given up. */
void fetch_drop(struct mover *m, const struct move *mv);
void fetch_stop(struct mover *m); /* all of them; the next daemon goes on */

/* --- mover.c ------------------------------------------------------------------------------ */

static inline const char *mover_member(const struct mover *m)
{
	return cluster_member_name(m->o.cluster);
}
/* move_plan() with what is known by then: the instance's pool and the target's facts. */
void move_plan_with(struct mover *m, const char *name, const json_t *pool,
		    const json_t *target_facts, struct move_plan *ret);
/* Adds which way the memory of what runs goes there, and what that forbids. */
void plan_way(struct mover *m, const struct move *mv, const json_t *target_facts,
	      struct move_plan *ret);
/* Bytes that will go into the images of what runs: not the cache of files. */
int64_t move_memory(struct mover *m, const char *name);
void space_facts(struct mover *m, json_t *facts); /* what is free here; space.c */
/* To why a move has failed, before anything of it is removed: what is full here, if anything is. */
void space_explain(struct mover *m, const struct move *mv, struct err *err);
json_t *hello_exchange(struct mover *m, struct channel *c, bool first, struct err *err);

/* --- verbs.c: the helper processes of a move -------------------------------------------- */

#include "node/helper/helper.h"

struct move_helper {
	struct helper h;
	bool runs;
	int sock;                /* -1 once it has begun its work */
	int64_t work, worked_ms; /* move_helper_check */
};
/* Starts it and waits until it is ready to begin. vault: what a helper that restores without memory
 * gets, else NULL. */
int move_helper_start(struct mover *m, struct move_helper *h, const char *verb,
		      const struct move *mv, const struct vault *vault, struct err *err);
/* The rest of it: until it says that it is, at most MS; it ends when it does not. WHAT names it in
 * the error. */
int move_helper_await(struct move_helper *h, const char *what, int ms, struct err *err);
int move_helper_go(struct move_helper *h, struct err *err);
/* The pager: -1 as long as it is not ready to serve. Its socket stays open. */
int move_pager_go(struct move_helper *h, struct err *err);
int move_helper_fd(const struct move_helper *h); /* readable when it has ended */
/* Fails when it and what it has begun have done nothing for a while. */
int move_helper_check(struct move_helper *h, struct err *err);
/* Its answer. */
json_t *move_helper_end(struct move_helper *h, int64_t deadline, struct err *err);
void move_helper_call_off(struct move_helper *h); /* one that has not begun goes away */
/* One that has not begun goes away; one that has is left to end by itself. */
void move_helper_leave(struct move_helper *h);
/* Likewise, once nobody needs what it has begun; if it does not end soon it is killed. */
void move_helper_dismiss(struct move_helper *h);
/* At once, with what it has begun. */
void move_helper_kill(struct move_helper *h);
/* Target: a restore that has failed after the commit. Nothing of it may run here when the source
 * takes it back: 1, or -1 when something does. */
int restore_kill(struct mover *m, const struct move *mv, struct hold *h);
/* Target: the helper of a concluded move. One that has not got so far must not go on when it runs
 * again, nor leave anything here. */
void restore_end(struct mover *m, const struct move *mv, struct move_helper *h);
