/* SPDX-License-Identifier: Apache-2.0 */
/* Moves that nothing works on: who wants them concluded, and the thread that goes on trying.
 *
 * One at a time concludes a move: what a second one finds is what the first has left, half of
 * which looks as if processes had been killed. */
#include <assert.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/move_int.h"
#include "node/container/steps.h"

#define CONCLUDE_MS 10000
#define RETRY_MS 1000
#define LOOK_MS 100         /* for what others note */
#define FETCH_WAIT_MS 30000 /* who wants an instance whose memory is on its way */

/* --- one at a time ------------------------------------------------------------------------ */

struct claim {
	const struct hold_id *id;
	struct claim *next;
};

static bool same_side(const struct hold_id *a, const struct hold_id *b)
{
	return a->source == b->source && str_eq(a->op, b->op);
}

static bool is_claimed(const struct mover *m, const struct hold_id *id)
{
	const struct claim *c = m->claims;

	while (c && !same_side(c->id, id))
		c = c->next;
	return c;
}

/* False: somebody else concludes it. */
static bool claim(struct mover *m, struct claim *c, int64_t deadline)
{
	struct timespec until = deadline_timespec(deadline);
	bool mine;

	pthread_mutex_lock(&m->lock);
	while (!(mine = !is_claimed(m, c->id)) && clock_ms() < deadline)
		pthread_cond_timedwait(&m->ended, &m->lock, &until);
	if (mine) {
		c->next = m->claims;
		m->claims = c;
	}
	pthread_mutex_unlock(&m->lock);
	return mine;
}

static void unclaim(struct mover *m, struct claim *c)
{
	struct claim **pp = &m->claims;

	pthread_mutex_lock(&m->lock);
	while (*pp && *pp != c)
		pp = &(*pp)->next;
	assert(*pp == c);
	*pp = c->next;
	pthread_cond_broadcast(&m->ended);
	pthread_mutex_unlock(&m->lock);
}

/* Who had it before may have concluded it: its note is the last that goes. */
static bool is_open(struct mover *m, const struct move *mv)
{
	struct move *note = mv->stray ? NULL : journal_find(m, &mv->id);
	bool open = mv->stray || note;

	move_free(note);
	return open;
}

int move_conclude_alone(struct mover *m, const struct move *mv, int64_t wait_ms, int64_t deadline,
			struct err *err)
{
	struct claim c = { .id = &mv->id };
	int rc = 0;

	if (!claim(m, &c, deadline_in(wait_ms)))
		return err_set(err, ERR_BUSY, "the move of %s is being concluded", mv->id.name);
	if (is_open(m, mv))
		rc = move_conclude(m, mv, deadline, err);
	unclaim(m, &c);
	return rc;
}

/* --- in the background -------------------------------------------------------------------- */

static struct move *find_side(struct move *list, const struct hold_id *id)
{
	while (list && !same_side(&list->id, id))
		list = list->next;
	return list;
}

static bool is_active(struct mover *m, const struct hold_id *id, int64_t deadline)
{
	struct timespec until = deadline_timespec(deadline);
	bool found;

	pthread_mutex_lock(&m->lock);
	while ((found = find_side(m->active, id)) && clock_ms() < deadline)
		pthread_cond_timedwait(&m->ended, &m->lock, &until);
	pthread_mutex_unlock(&m->lock);
	return found;
}

/* Somebody notes that memory is here, or a move ends. */
static void await_change(struct mover *m)
{
	struct timespec until = deadline_timespec(deadline_in(LOOK_MS));

	pthread_mutex_lock(&m->lock);
	pthread_cond_timedwait(&m->ended, &m->lock, &until);
	pthread_mutex_unlock(&m->lock);
}

static int conclude_side(struct mover *m, const struct hold_id *id, int64_t deadline,
			 struct err *err)
{
	int rc = -1;

	if (is_active(m, id, deadline))
		return err_set(err, ERR_BUSY, "instance %s is being moved", id->name);
	do {
		/* Who was active may have concluded it. */
		struct move *mv = journal_find(m, id);

		rc = mv ? move_conclude_alone(m, mv, CONCLUDE_MS, deadline_in(CONCLUDE_MS), err)
			: 0;
		move_free(mv);
		if (rc == 0 || err->kind != ERR_BUSY)
			return rc;
		await_change(m);
	} while (clock_ms() < deadline);
	return rc;
}

/* Those of its moves that match, each waited for as long. */
static int conclude_all(struct mover *m, const char *name, bool lazy_only, int64_t ms,
			struct err *err)
{
	struct move *list = journal_load(m, err), *next;
	int rc = 0;

	for (struct move *mv = list; mv; mv = next) {
		int64_t wait_ms = mv->lazy && ms < FETCH_WAIT_MS ? FETCH_WAIT_MS : ms;

		next = mv->next;
		if (rc == 0 && str_eq(mv->id.name, name) && (mv->lazy || !lazy_only))
			rc = conclude_side(m, &mv->id, deadline_in(wait_ms), err);
		move_free(mv);
	}
	return rc < 0 ? err_wrap(err, "an earlier move of %s is not settled", name) : 0;
}

int move_conclude_ended(struct mover *m, const char *name, int64_t ms, struct err *err)
{
	return conclude_all(m, name, false, ms, err);
}

int move_await_memory(struct mover *m, const char *name, struct err *err)
{
	return conclude_all(m, name, true, 0, err);
}

int move_conclude_name(struct mover *m, const char *name, struct err *err)
{
	return conclude_all(m, name, false, 0, err);
}

static void queue(struct mover *m, struct move *own)
{
	assert(!own->next);
	if (find_side(m->later, &own->id) || find_side(m->active, &own->id)) {
		move_free(own);
	} else {
		own->next = m->later;
		m->later = own;
	}
	pthread_cond_signal(&m->wake);
}

void move_conclude_later(struct mover *m, const struct move *mv)
{
	pthread_mutex_lock(&m->lock);
	queue(m, move_copy(mv));
	pthread_mutex_unlock(&m->lock);
}

void move_begin(struct mover *m, const struct move *mv)
{
	struct move *copy = move_copy(mv);

	pthread_mutex_lock(&m->lock);
	copy->next = m->active;
	m->active = copy;
	pthread_mutex_unlock(&m->lock);
}

void move_end(struct mover *m, const struct move *mv)
{
	struct move **pp = &m->active, *found;

	pthread_mutex_lock(&m->lock);
	while (*pp && !same_side(&(*pp)->id, &mv->id))
		pp = &(*pp)->next;
	found = *pp;
	if (found)
		*pp = found->next;
	pthread_cond_broadcast(&m->ended);
	pthread_mutex_unlock(&m->lock);
	move_free(found);
}

/* An action script that nobody here waits for. Without a note its move was given up before CRIU
 * began. */
void recover_stray(void *arg, const struct hold_id *id)
{
	struct mover *m = arg;
	struct move *mv = journal_find(m, id);

	if (!mv) {
		mv = xnew(struct move);
		mv->id = *id;
		mv->live = mv->stray = true;
		mv->spec = container_spec(m->o.node, id->name);
		str_copy(id->source ? mv->source : mv->target, sizeof(mv->source), mover_member(m));
	}
	move_conclude_later(m, mv);
	move_free(mv);
}

static struct move *take_all(struct mover *m)
{
	struct move *mv = m->later;

	m->later = NULL;
	return mv;
}

static void conclude_list(struct mover *m, struct move *list)
{
	struct move *next;
	struct err err;

	for (struct move *mv = list; mv; mv = next) {
		next = mv->next;
		mv->next = NULL;
		if (move_conclude_alone(m, mv, 0, deadline_in(CONCLUDE_MS), &err) < 0) {
			/* Memory that is on its way is no trouble. */
			log_err(err.kind == ERR_BUSY ? LOG_DEBUG : LOG_WARN,
				"a move cannot be concluded yet", &err);
			move_conclude_later(m, mv);
		}
		move_free(mv);
	}
}

static void *recover_main(void *arg)
{
	struct mover *m = arg;
	struct timespec at;
	struct move *list;

	pthread_mutex_lock(&m->lock);
	while (!m->stop) {
		/* Before, it is not known what runs here. */
		list = m->recovered ? take_all(m) : NULL;
		if (!list) {
			pthread_cond_wait(&m->wake, &m->lock);
			continue;
		}
		pthread_mutex_unlock(&m->lock);
		conclude_list(m, list);
		pthread_mutex_lock(&m->lock);
		at = deadline_timespec(deadline_in(RETRY_MS));
		if (m->later && !m->stop)
			pthread_cond_timedwait(&m->wake, &m->lock, &at);
	}
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

void recover_start(struct mover *m)
{
	assert(!m->running);
	m->running = pthread_create(&m->thread, NULL, recover_main, m) == 0;
}

void recover_stop(struct mover *m)
{
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_broadcast(&m->wake);
	pthread_mutex_unlock(&m->lock);
	if (m->running)
		pthread_join(m->thread, NULL);
	while (m->later) {
		struct move *mv = m->later;

		m->later = mv->next;
		move_free(mv);
	}
}
