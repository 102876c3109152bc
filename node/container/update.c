/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a container that runs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/undo.h"
#include "node/container/container_int.h"
#include "node/container/limits.h"
#include "node/helper/helper.h"
#include "node/host/cgroup.h"

#define PLUG_TIMEOUT_MS 30000

struct update {
	struct node *n;
	struct ct *c;
	const json_t *spec; /* the new one */
	struct undo undo;
};

static int in_helper(struct update *u, const json_t *dev, bool plug, struct err *err)
{
	_json_ json_t *request = container_request(u->n, u->c->name);
	_json_ json_t *done = NULL;

	json_put_int(request, "pid", u->c->pid);
	json_put_bool(request, "plug", plug);
	json_object_set(request, "spec", (json_t *)u->spec);
	json_object_set(request, "device", (json_t *)dev);
	done = helper_run("helper-plug", request, &u->c->pidfd, 1, deadline_in(PLUG_TIMEOUT_MS),
			  err);
	return done ? 0 : -1;
}

static int take_out(struct update *u, const json_t *dev, struct err *err)
{
	const struct device_ops *ops = device_ops_of(dev);

	if (ops && device_check_plug(ops, err) < 0)
		return -1;
	if (ops && ops->unplug && in_helper(u, dev, false, err) < 0)
		return -1;
	return ops && ops->release ? ops->release(dev, err) : 0;
}

static int put_in(struct update *u, const json_t *dev, struct err *err)
{
	const struct device_ops *ops = device_ops_of(dev);
	struct err ignored;

	if (!ops)
		return err_set(err, ERR_INVALID, "there is no such type of device");
	if (device_check_plug(ops, err) < 0 ||
	    (ops->prepare && ops->prepare(dev, DEVICE_PLUG, err) < 0))
		return -1;
	if (!ops->plug || in_helper(u, dev, true, err) == 0)
		return 0;
	if (ops->release)
		ops->release(dev, &ignored);
	return -1;
}

/* --- steps that can be taken back ------------------------------------------------------------- */

typedef int step_fn(struct update *u, const json_t *dev, struct err *err);

struct step {
	struct update *u;
	step_fn *back;
	const json_t *dev; /* of a spec that outlives the update */
};

static int step_back(void *arg, struct err *err)
{
	struct step *s = arg;

	return s->back(s->u, s->dev, err);
}

static int step(struct update *u, step_fn *run, step_fn *back, const json_t *dev, struct err *err)
{
	struct step *s;

	if (run(u, dev, err) < 0)
		return err_wrap(err, "instance %s: device %s", u->c->name,
				json_str(dev, "device", "?"));
	s = xnew(struct step);
	*s = (struct step){ u, back, dev };
	undo_push(&u->undo, "change of a device", step_back, s);
	return 0;
}

static bool is_in(const json_t *list, const json_t *dev)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v) {
		if (device_is_same(v, dev))
			return true;
	}
	return false;
}

/* What one list has of a type and the other has not; a changed device is in both differences. */
static int each_missing(struct update *u, const struct device_ops *ops, const json_t *in,
			const json_t *from, bool plug, struct err *err)
{
	json_t *dev;
	size_t i;

	json_array_foreach((json_t *)in, i, dev) {
		if (device_ops_of(dev) != ops || is_in(from, dev))
			continue;
		if (step(u, plug ? put_in : take_out, plug ? take_out : put_in, dev, err) < 0)
			return -1;
	}
	return 0;
}

static int change_devices(struct update *u, const json_t *old, bool plug, struct err *err)
{
	const json_t *was = json_arr(old, "devices"), *is = json_arr(u->spec, "devices");

	for (size_t i = 0; device_types[i]; i++) {
		if (each_missing(u, device_types[i], plug ? is : was, plug ? was : is, plug, err) <
		    0)
			return -1;
	}
	return 0;
}

/* In every option. A container whose former spec is lost keeps what it has. */
static bool same_devices(const json_t *a, const json_t *b)
{
	return !a || json_equal(json_arr(a, "devices"), json_arr(b, "devices"));
}

/* --- the whole ------------------------------------------------------------------------------ */

/* What a dump reads, and the daemons after this one. How its ids are mapped stays what it is. */
static int write_files(struct update *u, const json_t *old, struct err *err)
{
	static const char *const kept[] = { "privileged", "idmap", "rootfs" };
	_json_ json_t *spec = json_copy((json_t *)u->spec);

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(spec, kept[i], json_object_get(old, kept[i]));
	if (ct_write_conf(u->n, spec, DEVICE_RESTORE, err) < 0)
		return -1;
	return ct_write_spec(u->n, u->c->name, u->spec, err);
}

static int change(struct update *u, const json_t *old, struct err *err)
{
	struct cgroup_limits limits;

	if (limits_read(json_obj(u->spec, "config"), &limits, err) < 0)
		return -1;
	/* Names and places that go come before those that come. */
	if (!same_devices(old, u->spec) &&
	    (change_devices(u, old, false, err) < 0 || change_devices(u, old, true, err) < 0 ||
	     write_files(u, old, err) < 0))
		return -1;
	return cgroup_limits_apply(u->n->cgroup_name, u->c->name, &limits, err);
}

static void restore_limits(struct update *u, const json_t *old)
{
	struct cgroup_limits limits;
	struct err err;

	if (limits_read(json_obj(old, "config"), &limits, &err) < 0 ||
	    cgroup_limits_apply(u->n->cgroup_name, u->c->name, &limits, &err) < 0)
		log_err(LOG_WARN, "the former limits of an instance do not come back", &err);
}

static int update_locked(struct update *u, struct err *err)
{
	_json_ json_t *old = NULL;
	struct err ignored;
	ct_locked(u->c);

	if (!u->c->pid)
		return 0;
	if (u->c->held)
		return err_set(err, ERR_BUSY, "instance %s is being moved", u->c->name);
	old = ct_spec(u->n, u->c);
	if (change(u, old, err) < 0) {
		undo_run(&u->undo);
		restore_limits(u, old);
		if (!same_devices(old, u->spec)) {
			u->spec = old;
			write_files(u, old, &ignored);
		}
		return -1;
	}
	undo_keep(&u->undo);
	/* A reboot from inside starts it with these. */
	ct_set_spec(u->n, u->c, json_deep_copy(u->spec));
	if (!same_devices(old, u->spec)) {
		ct_set_status(u->n, u->c, ct_status(u->n, u->c)); /* the state last read is stale */
		ct_publish(u->n, u->c, false);
		ct_announce(u->n, u->c);
	}
	return 0;
}

int container_update(struct node *n, const json_t *spec, struct err *err)
{
	struct update u = { .n = n, .spec = spec };
	int rc;

	u.c = ct_get(n, json_str(spec, "name", ""), false);
	if (!u.c)
		return 0;
	rc = update_locked(&u, err);
	ct_put(n, u.c);
	return rc;
}
