/* SPDX-License-Identifier: Apache-2.0 */
/* What a source has to see to once the move is committed. */
#include <assert.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "migrate/source.h"

#define RESUMED_MS 20000
#define STARTED_MS 60000
#define LOOK_MS 500 /* whether the target is alive */
#define PAGES_MS 60000 /* memory that follows, once the stream of the move is lost */

/* What comes for it here meanwhile follows it. */
static int await_word(struct source *s, struct frame *f, struct err *err)
{
	if (s->traffic)
		return traffic_follow(s->traffic, s->ch, deadline_in(RESUMED_MS), f, err);
	return frame_recv(s->ch, f, s->mv.live ? RESUMED_MS : STARTED_MS, err);
}

/* 0: it runs there; 1: lost there, as err says; -1: no word. */
static int tell_target(struct source *s, struct err *err)
{
	struct frame f;

	if (fault_point(move_source_after_commit, err) < 0)
		return -1;
	/* What follows is little, and others wait for it. */
	channel_pace(s->ch, NULL);
	if ((s->traffic && traffic_send(s->traffic, s->ch, err) < 0) ||
	    frame_send(s->ch, FR_COMMITTED, NULL, 0, err) < 0 || frame_flush(s->ch, err) < 0 ||
	    fault_point(move_source_after_verdict, err) < 0)
		return -1;
	if (await_word(s, &f, err) < 0)
		return -1;
	if (f.type == FR_LOST)
		return frame_error(&f, err), 1;
	return f.type == FR_RESUMED
		       ? 0
		       : err_set(err, ERR_INVALID, "%s where RESUMED was due", frame_name(f.type));
}

/* Nothing is for the container here any more. */
static void end_traffic(struct source *s)
{
	struct err err;

	if (s->traffic && traffic_end(s->traffic, s->ch, &err) < 0)
		log_err(LOG_DEBUG, "the last packets for a container that moved", &err);
	traffic_free(take_ptr(s->traffic));
}

/* The target has failed for good, and all of the container is still here, standing still. As
 * commit_back(); err goes on to say why. */
static int take_back(struct source *s, struct err *err)
{
	struct err why = *err;
	int rc = s->mv.live && s->hold && hold_here(s->hold) ? commit_back(s->m, &s->mv, err) : 0;

	if (rc < 0)
		return -1;
	*err = why;
	if (rc == 0) {
		log_err(LOG_ERROR, "an instance stays where its restore failed", &why);
		return 0;
	}
	if (journal_note(s->m, &s->mv, &why) < 0)
		log_err(LOG_WARN, "note of a move", &why);
	err_wrap(err, "%s could not start %s", s->mv.target, s->mv.id.name);
	return 1;
}

static bool is_there(struct source *s)
{
	char address[256];
	struct err gone;

	return cluster_member_address(s->m->o.cluster, s->mv.target, address, sizeof(address),
				      &gone) == 0;
}

/* How the note says that it ended: 1 all is there, 0 not yet, -1 lost. */
static int noted_end(struct source *s)
{
	struct move *mv = journal_find(s->m, &s->mv.id);
	int end = !mv || mv->fetched ? 1 : mv->starved ? -1 : 0;

	move_free(mv);
	return end;
}

/* The stream is gone, the pages have one of their own: the note tells. */
static int await_note(struct source *s, struct err *err)
{
	int64_t deadline = deadline_in(PAGES_MS);
	int end = 0;

	pthread_mutex_lock(&s->m->lock);
	while ((end = noted_end(s)) == 0 && clock_ms() < deadline) {
		struct timespec until = deadline_timespec(deadline_in(LOOK_MS));

		pthread_cond_timedwait(&s->m->told, &s->m->lock, &until);
	}
	pthread_mutex_unlock(&s->m->lock);
	if (end > 0)
		return 0;
	if (end < 0)
		return err_set(err, ERR_UNAVAILABLE, "%s lost its memory on %s and was killed",
			       s->mv.id.name, s->mv.target);
	return err_set(err, ERR_UNKNOWN,
		       "%s runs on %s, but the connection to it was lost. The rest of its memory "
		       "is kept on %s until it is fetched",
		       s->mv.id.name, s->mv.target, s->mv.source);
}

int source_await_there(struct source *s, struct err *err)
{
	int64_t deadline = deadline_in(s->mv.live ? RESUMED_MS : STARTED_MS);
	bool runs;

	if (!s->mv.live && !s->mv.start)
		return 0;
	pthread_mutex_lock(&s->m->lock);
	while (!(runs = move_runs_at(s->m->store, s->mv.id.name, s->mv.target)) &&
	       clock_ms() < deadline && is_there(s)) {
		struct timespec until = deadline_timespec(deadline_in(LOOK_MS));

		pthread_cond_timedwait(&s->m->told, &s->m->lock, &until);
	}
	pthread_mutex_unlock(&s->m->lock);
	if (runs)
		return s->mv.lazy ? await_note(s, err) : 0;
	return err_set(err, ERR_UNKNOWN,
		       "%s belongs to %s now, but the connection to it was lost, and whether it "
		       "runs there is not known",
		       s->mv.id.name, s->mv.target);
}

/* It runs on the target, and what it has not used yet is still here. */
static int await_pages(struct source *s, struct err *err)
{
	int64_t began = clock_ms();
	struct frame f;
	char size[16];

	if (fault_point(move_source_fetching, err) < 0)
		return -1;
	/* Two members would show it as theirs. */
	store_fact_put(s->m->store, FACT_INSTANCE, s->mv.id.name, NULL);
	while (frame_recv(s->ch, &f, 0, err) == 0 && f.type == FR_PAGES && f.len == 8) {
		s->pages_bytes = (int64_t)get_u64(f.data);
		op_progress(s->op, "move", "runs on %s; %s of its memory have followed",
			    s->mv.target, str_of_size((uint64_t)s->pages_bytes, size));
	}
	s->pages_ms = clock_ms() - began;
	/* It is told that all is there over the pages' own stream first. */
	return await_note(s, err);
}

int source_finish(struct source *s, struct err *err)
{
	int rc = tell_target(s, err);

	if (rc == 0) {
		s->heard = true;
		s->downtime_ms = s->froze_ms ? clock_ms() - s->froze_ms : 0;
		source_stage(s, "resume");
		end_traffic(s);
		s->starved = s->mv.lazy && await_pages(s, err) < 0;
		return 1;
	}
	if (rc == 1) {
		int back = take_back(s, err);

		s->failed = back == 0;
		return back == 0 ? 1 : back == 1 ? 0 : -1;
	}
	/* It is the target's now, whatever became of the connection. */
	log_err(LOG_WARN, "the target of a committed move does not answer", err);
	s->lost = true;
	return 1;
}
