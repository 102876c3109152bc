/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/work/address.h"
#include "api/work/check.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/recover.h"
#include "api/work/spec.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "migrate/migrate.h"
#include "node/container/container.h"

/* Of devices that are out now. What can't be freed here is so at the next start. */
static void free_addresses(const struct api_env *env, const char *name, const json_t *spec)
{
	_tx_ struct tx *tx = tx_new();
	struct err err;
	int n = address_trim(env, name, spec, tx, &err);

	if (n < 0 || (n > 0 && store_commit(env->store, tx, 0, NULL, &err) < 0))
		log_err(LOG_WARN, "addresses of devices that are gone stay leased", &err);
}

int instance_apply(const struct api_env *env, const char *name, struct expanded *x,
		   struct err *err)
{
	_json_ json_t *spec = NULL;

	if (container_pid(env->node, name) == 0)
		return 0;
	if (instance_lease(env, name, true, x, err) < 0)
		return -1;
	spec = spec_build(env, x, NULL, err);
	if (!spec || job_need_networks(env, spec, err) < 0)
		return -1;
	if (container_update(env->node, spec, err) < 0)
		return -1;
	free_addresses(env, name, spec);
	return 0;
}

/* Of devices that are gone. */
static void drop_volatile(struct expanded *x)
{
	json_t *own = json_obj(x->doc, "config"), *v;
	const char *key;
	void *next;

	json_object_foreach_safe(own, next, key, v) {
		const char *device = key + strlen("volatile."), *end;
		_free_ char *name = NULL;

		if (!str_starts(key, "volatile.") || !(end = strrchr(device, '.')) ||
		    !str_eq(end, ".hwaddr"))
			continue;
		name = xstrndup(device, (size_t)(end - device));
		if (!json_object_get(x->devices, name))
			json_object_del(own, key);
	}
}

struct update {
	const struct api_env *env;
	const struct instance_change *c;
	struct address_picks picks;
	json_t *before; /* what may be changed, as it was */
};

static void update_done(struct update *u)
{
	address_picks_done(&u->picks);
	json_decref(u->before);
}

static int put_writable(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct update *u = arg;
	struct address_wish wish = { .running = instance_runs(u->env, row->key), .attempt = t->n };
	struct expanded *x = u->c->x, *before = u->c->old;
	_json_ json_t *writable = u->c->next(u->c->arg, row, err), *old = NULL;

	address_picks_done(&u->picks);
	if (!writable)
		return -1;
	old = row->doc;
	row->doc = json_copy(old);
	json_object_update(row->doc, writable);
	json_object_set_new(row->doc, "config", json_copy(json_obj(row->doc, "config")));
	instance_keep_volatile(row->doc, old);
	expand(u->env, old, before);
	if (instance_check(u->env, row->doc, before, t->tx, x, err) < 0)
		return -1;
	drop_volatile(x);
	if (address_plan(u->env, x, &wish, t->tx, &u->picks, err) < 0)
		return -1;
	json_decref(u->before);
	u->before = instance_writable(old);
	return EDIT_COMMIT;
}

static json_t *as_before(void *arg, const struct row *row, struct err *err)
{
	const struct update *u = arg;

	return json_incref(u->before);
}

static void take_back(const struct api_env *env, const char *name, struct update *done)
{
	struct instance_change back = { as_before, done, done->c->old, done->c->x };
	__attribute__((cleanup(update_done))) struct update u = { .env = env, .c = &back };
	struct err err;

	if (instance_edit(env, name, put_writable, &u, &err) < 0)
		log_err(LOG_ERROR, "a change that failed stays written down", &err);
}

int instance_update(const struct api_env *env, const char *name, const struct instance_change *c,
		    struct err *err)
{
	__attribute__((cleanup(update_done))) struct update u = { .env = env, .c = c };

	if (instance_edit(env, name, put_writable, &u, err) < 0)
		return -1;
	if (instance_apply(env, name, c->x, err) < 0) {
		take_back(env, name, &u);
		return -1;
	}
	instance_event(env, name, "updated", NULL);
	return 0;
}

/* --- as a job -------------------------------------------------------------------------------- */

/* Arguments: {"writable", "rev": the row's when they were computed, 0: any}. */
static json_t *as_asked(void *arg, const struct row *row, struct err *err)
{
	const struct job *j = arg;
	int64_t rev = json_int(j->args, "rev", 0);

	if (!rev || row->rev == rev)
		return json_incref(json_obj(j->args, "writable"));
	err_set(err, ERR_PRECONDITION, "instance \"%s\" changed meanwhile", row->key);
	return NULL;
}

int update_run(struct job *j, struct err *err)
{
	struct instance_change c = { as_asked, j, &j->x, &j->old };

	return instance_update(j->env, j->name, &c, err);
}
