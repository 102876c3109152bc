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
#include "node/container/lxcconf.h"
#include "node/device/nic.h"
#include "node/helper/helper.h"
#include "node/host/cgroup.h"

#define PLUG_TIMEOUT_MS 30000

struct update {
	struct node *n;
	struct ct *c;
	const json_t *spec; /* the new one */
	struct undo undo;
};

static int plug_call(struct update *u, const char *op, const char *kind, const json_t *device,
		     struct err *err)
{
	_json_ json_t *request = container_request(u->n, u->c->name);
	_json_ json_t *done = NULL;

	json_put_str(request, "op", op);
	json_put_int(request, "pid", u->c->pid);
	json_object_set(request, "spec", (json_t *)u->spec);
	json_object_set(request, kind, (json_t *)device);
	done = helper_run("helper-plug", request, &u->c->pidfd, 1, deadline_in(PLUG_TIMEOUT_MS),
			  err);
	return done ? 0 : err_wrap(err, "instance %s: device %s", u->c->name,
				   json_str(device, "device", "?"));
}

static int plug_disk(struct update *u, const json_t *disk, struct err *err)
{
	return plug_call(u, "plug-disk", "disk", disk, err);
}

static int unplug_disk(struct update *u, const json_t *disk, struct err *err)
{
	return plug_call(u, "unplug-disk", "disk", disk, err);
}

/* The other end inside goes with it. */
static int unplug_nic(struct update *u, const json_t *nic, struct err *err)
{
	return nic_delete(u->n, json_str(nic, "host_name", ""), err);
}

static int plug_nic(struct update *u, const json_t *nic, struct err *err)
{
	if (nic_create(u->n, nic, true, err) < 0)
		return err_wrap(err, "instance %s", u->c->name);
	if (plug_call(u, "plug-nic", "nic", nic, err) == 0)
		return 0;
	unplug_nic(u, nic, &(struct err){ 0 });
	return -1;
}

/* A device of which one of these options changes is taken out and put in anew. Addresses are not
 * among them: connections would not survive what a client inside does by itself, or a start. */
static const struct {
	const char *list;
	const char *options[7];
	int (*plug)(struct update *u, const json_t *device, struct err *err);
	int (*unplug)(struct update *u, const json_t *device, struct err *err);
} kinds[] = {
	{ "disks", { "device", "source", "path", "readonly", "shift" }, plug_disk, unplug_disk },
	{ "nics",
	  { "device", "name", "hwaddr", "host_name", "bridge", "mtu" },
	  plug_nic,
	  unplug_nic },
};

/* --- steps that can be taken back ------------------------------------------------------------- */

struct step {
	struct update *u;
	int (*back)(struct update *u, const json_t *device, struct err *err);
	const json_t *device; /* of a spec that outlives the update */
};

static int step_back(void *arg, struct err *err)
{
	struct step *s = arg;

	return s->back(s->u, s->device, err);
}

static void push(struct update *u, int (*back)(struct update *, const json_t *, struct err *),
		 const json_t *device)
{
	struct step *s = xnew(struct step);

	*s = (struct step){ u, back, device };
	undo_push(&u->undo, "change of a device", step_back, s);
}

static bool same_device(size_t kind, const json_t *a, const json_t *b)
{
	for (const char *const *o = kinds[kind].options; *o; o++) {
		json_t *x = json_object_get(a, *o), *y = json_object_get(b, *o);

		if (x != y && !json_equal(x, y))
			return false;
	}
	return true;
}

static bool is_in(size_t kind, const json_t *list, const json_t *device)
{
	json_t *v;
	size_t i;

	json_array_foreach((json_t *)list, i, v) {
		if (same_device(kind, v, device))
			return true;
	}
	return false;
}

/* What one list has and the other has not; a changed device is in both differences. */
static int each_missing(struct update *u, size_t kind, const json_t *in, const json_t *from,
			bool plug, struct err *err)
{
	json_t *device;
	size_t i;

	json_array_foreach((json_t *)in, i, device) {
		if (is_in(kind, from, device))
			continue;
		if ((plug ? kinds[kind].plug : kinds[kind].unplug)(u, device, err) < 0)
			return -1;
		push(u, plug ? kinds[kind].unplug : kinds[kind].plug, device);
	}
	return 0;
}

static int change_devices(struct update *u, const json_t *old, bool plug, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const json_t *was = json_arr(old, kinds[i].list);
		const json_t *is = json_arr(u->spec, kinds[i].list);

		if (each_missing(u, i, plug ? is : was, plug ? was : is, plug, err) < 0)
			return -1;
	}
	return 0;
}

/* In every option. A container whose former spec is lost keeps what it has. */
static bool same_devices(const json_t *a, const json_t *b)
{
	if (!a)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!json_equal(json_arr(a, kinds[i].list), json_arr(b, kinds[i].list)))
			return false;
	}
	return true;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* What a dump reads, and the daemons after this one. How its ids are mapped stays what it is. */
static int write_files(struct update *u, const json_t *old, struct err *err)
{
	static const char *const kept[] = { "privileged", "idmap", "rootfs" };
	_json_ json_t *spec = json_copy((json_t *)u->spec);
	_free_ char *dir = ct_dir(u->n, u->c->name);

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(spec, kept[i], json_object_get(old, kept[i]));
	if (lxcconf_write(spec, dir, u->n->cgroup_name, err) < 0)
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
