/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/outlook.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "api/work/state.h"
#include "api/work/task.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "migrate/migrate.h"
#include "node/container/container.h"

#define SPEND_US 20000 /* of a processor's time, each second */
#define TURN_MS 500
#define AGAIN_MS 1000 /* one that moves has its outlook soon */
#define WHY_SIZE 400

struct outlook {
	struct outlook_seen *v; /* of those that run here; only the task touches it */
	size_t n;
	int64_t credit_us; /* of SPEND_US; what one took too long, all wait for */
};

struct outlook *outlook_new(void)
{
	return xnew(struct outlook);
}

void outlook_free(struct outlook *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].name);
	free(o->v);
	free(o);
}

/* --- as clients see it ----------------------------------------------------------------------- */

static json_t *told(const char *kind, const char *reason)
{
	return json_pack("{s:s, s:s}", "kind", kind, "reason", reason);
}

static json_t *plan_told(const struct move_plan *p)
{
	char why[WHY_SIZE];

	return told(move_kind_name(p->kind), move_plan_text(p, MOVE_LIVE, why, sizeof(why)));
}

json_t *outlook_json(const json_t *doc, enum status s, const json_t *fact)
{
	struct move_plan plan = { .kind = MOVE_LIVE };

	assert(json_is_object(doc));
	if (s == STATUS_STOPPED) {
		move_plan_stopped(inst_is_suspended(doc), &plan);
		return plan_told(&plan);
	}
	if (s == STATUS_ERROR)
		return told("unknown", "its member is not there to tell");
	if (!fact)
		return told("unknown", "its member has not told yet");
	return told(json_str(fact, "kind", "unknown"), json_str(fact, "reason", ""));
}

json_t *outlook_of(const struct api_env *env, const json_t *doc, enum status s)
{
	char from[64] = "";
	_json_ json_t *fact =
		store_fact_get(env->store, FACT_MOVE, json_str(doc, "name", ""), from);

	return outlook_json(doc, s, str_eq(from, json_str(doc, "member", "")) ? fact : NULL);
}

/* --- looking --------------------------------------------------------------------------------- */

size_t outlook_next(const struct outlook_seen *v, size_t n, int64_t now)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		if (v[i].looked_ms <= now - OUTLOOK_EVERY_MS &&
		    (best == n || v[i].looked_ms < v[best].looked_ms))
			best = i;
	}
	return best;
}

/* Those that run here, and no others. */
static void follow(const struct api_env *env, struct outlook *o)
{
	_json_ json_t *names = container_running(env->node);
	size_t kept = 0;
	const char *name;
	json_t *v;

	for (size_t i = 0; i < o->n; i++) {
		if (json_object_del(names, o->v[i].name) == 0) {
			o->v[kept++] = o->v[i];
			continue;
		}
		store_fact_put(env->store, FACT_MOVE, o->v[i].name, NULL);
		free(o->v[i].name);
	}
	o->n = kept;
	o->v = xrealloc(o->v, (kept + json_object_size(names) + 1) * sizeof(*o->v));
	json_object_foreach(names, name, v)
		o->v[o->n++] = (struct outlook_seen){ xstrdup(name), INT64_MIN };
}

static void look(const struct api_env *env, struct outlook_seen *s)
{
	struct move_plan plan;
	_json_ json_t *fact = NULL;

	s->looked_ms = clock_ms();
	if (move_is_pending(env->mover, s->name)) {
		s->looked_ms += AGAIN_MS - OUTLOOK_EVERY_MS;
		return;
	}
	move_outlook(env->mover, s->name, &plan);
	/* One that has ended meanwhile has nothing that forbids anything. */
	if (container_pid(env->node, s->name) == 0)
		return;
	fact = plan_told(&plan);
	store_fact_put(env->store, FACT_MOVE, s->name, fact);
}

static int64_t spent_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

void task_look_at_moves(const struct api_env *env, const char *name)
{
	struct outlook *o = env->state->outlook;
	int64_t until = deadline_in(TURN_MS);
	size_t i;

	if (!env->mover)
		return;
	follow(env, o);
	o->credit_us = o->credit_us < 0 ? o->credit_us + SPEND_US : SPEND_US;
	while (o->credit_us > 0 && clock_ms() < until &&
	       (i = outlook_next(o->v, o->n, clock_ms())) < o->n) {
		int64_t began_us = spent_us();

		look(env, &o->v[i]);
		o->credit_us -= spent_us() - began_us;
	}
}
