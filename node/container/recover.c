/* SPDX-License-Identifier: Apache-2.0 */
/* What an earlier daemon of this member left: containers that run, and halves of jobs that died. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"
#include "node/device/device.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"
#include "node/image/image.h"
#include "node/storage/storage.h"

struct reboot {
	struct node *n;
	char name[FOLDER_SIZE];
};

static void reboot_job(void *arg)
{
	struct reboot *r = arg;
	_json_ json_t *spec = ct_load_spec(r->n, r->name);
	struct err err;

	if (spec && container_start(r->n, spec, &err) < 0)
		log_err(LOG_ERROR, "finish a reboot", &err);
	free(r);
}

/* It rebooted while no daemon was there to start it again. */
static void finish_reboot(struct node *n, const char *name)
{
	struct reboot *r;
	struct err err;

	if (!ct_is_marked(n, name))
		return;
	r = xnew(struct reboot);
	r->n = n;
	str_copy(r->name, sizeof(r->name), name);
	if (pool_submit(n->pool, POOL_JOB, pool_key(name), reboot_job, r, &err) < 0)
		free(r);
}

static bool any_process(struct node *n, const char *name)
{
	_free_ char *v2 = cgroup_path("", n->cgroup_name, name, "");
	_free_ char *pids = cgroup_path("pids", n->cgroup_name, name, "");

	return io_exists(v2) || io_exists(pids);
}

static bool adopt_running(struct node *n, struct ct *c)
{
	pid_t init = pids_container_init(n->cgroup_name, c->name);
	_json_ json_t *spec = NULL;
	struct err err;

	if (!init)
		return false;
	spec = ct_load_spec(n, c->name);
	ct_set_spec(n, c, json_incref(spec));
	if (ct_adopt(n, c, init, &err) == 0) {
		/* The daemon may have died between liblxc's work and its own. */
		devices_started(spec);
		return true;
	}
	log_err(LOG_WARN, "adopt a running instance", &err);
	return false;
}

static void clear_stopped(struct node *n, struct ct *c)
{
	_json_ json_t *spec = ct_load_spec(n, c->name);
	struct err err;

	/* Started halfway, or ending: nothing of it can be used. */
	if (any_process(n, c->name) && ct_kill_all(n, c, &err) < 0)
		log_err(LOG_WARN, "end the rest of an instance", &err);
	ct_release(n, c->name, spec);
}

/* One that another member has runs twice if it runs here; its files do no harm. */
static void end_foreign(struct node *n, const char *name, const char *member)
{
	struct err err;

	log_warn("an instance of another member is kept, but does not run here", "instance", name,
		 "member", member);
	if (container_pid(n, name) > 0 && container_stop(n, name, true, 0, &err) < 0)
		log_err(LOG_WARN, "stop an instance of another member", &err);
}

static void recover_one(struct node *n, const char *name, const json_t *place)
{
	bool moving = json_is_false(place), foreign = json_is_string(place);
	struct ct *c = ct_get(n, name, true);
	bool runs;

	ct_set_closed(n, c, moving);
	{
		ct_locked(c);
		runs = c->pid || adopt_running(n, c);
		if (!runs && !moving)
			clear_stopped(n, c);
	}
	if (foreign)
		end_foreign(n, name, json_string_value(place));
	else if (!place)
		log_warn("an instance without a row is kept as it is", "instance", name, "runs",
			 runs ? "yes" : "no");
	else if (!runs && !moving)
		finish_reboot(n, name);
	else if (runs)
		log_info("instance found running", "instance", name);
	ct_put(n, c);
}

/* Names are collected first: recovering changes the folder that is read. */
static json_t *folder_names(const struct node *n, struct err *err)
{
	_free_ char *path = container_lxcpath(n);
	json_t *names = json_object();
	DIR *d = opendir(path);
	struct dirent *e;

	if (!d) {
		json_decref(names);
		err_sys(err, "open %s", path);
		return NULL;
	}
	while ((e = readdir(d))) {
		if (str_is_folder(e->d_name))
			json_object_set_new(names, e->d_name, json_true());
	}
	closedir(d);
	return names;
}

int node_recover(struct node *n, const json_t *places, struct err *err)
{
	_json_ json_t *names = folder_names(n, err);
	_json_ json_t *groups = cgroup_names(n->cgroup_name);
	json_t *v;
	const char *name;
	size_t i;

	if (!names || image_recover(n, err) < 0 || storage_recover(n, err) < 0)
		return -1;
	json_array_foreach(groups, i, v)
		if (str_is_folder(json_string_value(v)))
			json_object_set_new(names, json_string_value(v), json_true());
	json_object_foreach(names, name, v)
		recover_one(n, name, json_object_get(places, name));
	return 0;
}
