/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and file operations stay out of a container whose memory and files are being taken
 * away: what they did there would be lost.
 *
 *   open --close--> waits for the visits that have begun --> closed --open, adopt, forget--> open
 */
#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"

#define VISIT_WAIT_MS 30000

struct visit {
	struct node *n;
	struct ct *c;
	char what[100];
	void (*cut)(void *arg);
	void *arg; /* of cut */
	struct visit *next;
};

/* --- who comes -------------------------------------------------------------------------------- */

/* Until something changes; false at the deadline. The caller holds the lock. */
static bool await_change(struct node *n, int64_t deadline)
{
	struct timespec at = deadline_timespec(deadline);

	return pthread_cond_timedwait(&n->containers->changed, &n->containers->lock, &at) == 0;
}

/* The caller holds the lock. */
static int await_open(struct node *n, struct ct *c, int64_t deadline, struct err *err)
{
	while (c->closed && !c->gone) {
		if (!await_change(n, deadline) && c->closed && !c->gone)
			return err_set(err, ERR_BUSY,
				       "instance %s is being moved right now; try again in a "
				       "moment",
				       c->name);
	}
	return 0;
}

bool container_is_closed(struct node *n, const char *name)
{
	bool closed = false;

	pthread_mutex_lock(&n->containers->lock);
	for (struct ct *c = n->containers->list; c && !closed; c = c->next)
		closed = c->closed && str_eq(c->name, name);
	pthread_mutex_unlock(&n->containers->lock);
	return closed;
}

int container_await_open(struct node *n, const char *name, struct err *err)
{
	struct ct *c = ct_get(n, name, false);
	int rc;

	if (!c)
		return 0;
	pthread_mutex_lock(&n->containers->lock);
	rc = await_open(n, c, deadline_in(VISIT_WAIT_MS), err);
	pthread_mutex_unlock(&n->containers->lock);
	ct_put(n, c);
	return rc;
}

struct visit *container_visit(struct node *n, const char *name, const char *what, struct err *err)
{
	struct visit *v = xnew(struct visit);
	int rc;

	v->n = n;
	v->c = ct_get(n, name, true);
	str_copy(v->what, sizeof(v->what), what);
	pthread_mutex_lock(&n->containers->lock);
	rc = await_open(n, v->c, deadline_in(VISIT_WAIT_MS), err);
	if (rc == 0 && v->c->gone)
		rc = err_set(err, ERR_BUSY, "instance %s has just left this member; try again",
			     name);
	if (rc == 0) {
		v->next = v->c->visits;
		v->c->visits = v;
	}
	pthread_mutex_unlock(&n->containers->lock);
	if (rc == 0)
		return v;
	ct_put(n, v->c);
	free(v);
	return NULL;
}

void visit_end(struct visit *v)
{
	struct containers *s = v ? v->n->containers : NULL;
	struct visit **pp;

	if (!v)
		return;
	pthread_mutex_lock(&s->lock);
	for (pp = &v->c->visits; *pp != v; pp = &(*pp)->next)
		assert(*pp);
	*pp = v->next;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	ct_put(v->n, v->c);
	free(v);
}

void visit_on_cut(struct visit *v, void (*cut)(void *arg), void *arg)
{
	pthread_mutex_lock(&v->n->containers->lock);
	v->cut = cut;
	v->arg = arg;
	pthread_mutex_unlock(&v->n->containers->lock);
}

/* --- who moves it ----------------------------------------------------------------------------- */

/* The caller holds the lock. */
static int await_visits(struct node *n, struct ct *c, int64_t deadline, struct err *err)
{
	while (c->visits) {
		if (!await_change(n, deadline) && c->visits)
			return err_set(err, ERR_CONFLICT,
				       "%s was begun in %s during the move; end that first",
				       c->visits->what, c->name);
	}
	return 0;
}

void ct_set_closed(struct node *n, struct ct *c, bool closed)
{
	pthread_mutex_lock(&n->containers->lock);
	c->closed = closed;
	pthread_cond_broadcast(&n->containers->changed);
	pthread_mutex_unlock(&n->containers->lock);
}

int container_close(struct node *n, const char *name, int64_t deadline, struct err *err)
{
	struct ct *c = ct_get(n, name, true);
	int rc;

	pthread_mutex_lock(&n->containers->lock);
	c->closed = true;
	rc = await_visits(n, c, deadline, err);
	pthread_mutex_unlock(&n->containers->lock);
	if (rc < 0)
		ct_set_closed(n, c, false);
	ct_put(n, c);
	return rc;
}

void container_cut_visits(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, true);

	pthread_mutex_lock(&n->containers->lock);
	for (struct visit *v = c->visits; v; v = v->next) {
		if (v->cut)
			v->cut(v->arg);
	}
	pthread_mutex_unlock(&n->containers->lock);
	ct_put(n, c);
}

void container_open(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);

	if (!c)
		return;
	ct_set_closed(n, c, false);
	ct_put(n, c);
}
