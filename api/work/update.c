/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
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

int instance_apply(const struct api_env *env, const char *name, struct expanded *x, struct err *err)
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
	struct job *j;
	struct instance_change c;
	struct expanded *x, *old; /* as it becomes and as it was, as far as that is known */
	struct address_picks picks;
};

/* Keeps what may be changed as it was. */
static int put_writable(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct update *u = arg;
	const struct api_env *env = u->j->env;
	struct address_wish wish = { .running = instance_runs(env, row->key), .attempt = t->n };
	_json_ json_t *writable = u->c.next(u->c.arg, row, err), *old = NULL;

	address_picks_done(&u->picks);
	if (!writable)
		return -1;
	old = row->doc;
	row->doc = json_copy(old);
	json_object_update(row->doc, writable);
	json_object_set_new(row->doc, "config", json_copy(json_obj(row->doc, "config")));
	instance_keep_volatile(row->doc, old);
	expand(env, old, u->old);
	if (instance_check(env, row->doc, u->old, t->tx, u->x, err) < 0)
		return -1;
	drop_volatile(u->x);
	if (address_plan(env, u->x, &wish, t->tx, &u->picks, err) < 0)
		return -1;
	json_decref(u->j->before);
	u->j->before = instance_writable(old);
	return EDIT_COMMIT;
}

static int put(struct update *u, struct err *err)
{
	int rc = instance_edit(u->j->env, u->j->name, put_writable, u, err);

	address_picks_done(&u->picks);
	return rc;
}

int instance_replace(struct job *j, const struct instance_change *c, struct err *err)
{
	struct update u = { .j = j, .c = *c, .x = &j->x, .old = &j->old };

	return put(&u, err);
}

static json_t *as_before(void *arg, const struct row *row, struct err *err)
{
	return json_incref(arg);
}

int update_undo(struct job *j, enum job_phase phase, struct err *err)
{
	_json_ json_t *before = NULL;
	struct update back = { .j = j, .x = &j->old, .old = &j->x };

	/* It becomes what is written down then: at the next start of the daemon. */
	if (phase == JOB_UNSURE)
		return 0;
	assert(j->before);
	before = json_incref(j->before);
	back.c = (struct instance_change){ as_before, before };
	return put(&back, err);
}

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
	struct instance_change asked = { as_asked, j };
	struct update u = {
		.j = j, .c = j->change ? *j->change : asked, .x = &j->x, .old = &j->old
	};

	if (put(&u, err) < 0)
		return -1;
	j->phase = JOB_NOTED;
	if (instance_apply(j->env, j->name, &j->x, err) < 0)
		return -1;
	instance_event(j->env, j->name, "updated", NULL);
	return 0;
}
