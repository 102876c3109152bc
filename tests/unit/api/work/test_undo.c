/* SPDX-License-Identifier: Apache-2.0 */
/* What each job takes back when it fails, however far it came: every row of job.def by every phase,
 * with the real engine, store and storage. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>

#include "api/work/background.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "cluster/model/state.h"
#include "node/image/image.h"
#include "node/storage/storage.h"
#include "tests/unit/base/patience.h"

#define SEEN_MAX 200
#define FP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { PHASES = JOB_DONE + 1 };

static int setup(void **state)
{
	struct work_world *t = xnew(struct work_world);

	work_world_open_jobs(t);
	world_put(&t->w, ENT_PROFILE, "default",
		  json_pack("{s:{}, s:{s:{s:s,s:s,s:s}}}", "config", "devices", "root", "type",
			    "disk", "path", "/", "pool", "default"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct work_world *t = *state;

	work_world_close_jobs(t);
	free(t);
	return 0;
}

static void wait_for_background(struct work_world *t)
{
	struct api_state *s = t->env.state;
	int64_t deadline = PATIENCE;

	pthread_mutex_lock(&s->lock);
	while (s->background)
		assert_true(cond_wait_until(&s->idle, &s->lock, deadline));
	pthread_mutex_unlock(&s->lock);
}

/* --- what is there ---------------------------------------------------------------------------- */

static json_t *instance(struct work_world *t, const char *name, const char *user)
{
	return json_pack("{s:s,s:s,s:s,s:[s],s:{s:s},s:{},s:s,s:s}", "name", name, "uuid", "u",
			 "member", cluster_member_name(t->w.cluster), "profiles", "default",
			 "config", "user.a", user, "devices", "image", "", "description", "");
}

/* second: its name, or NULL */
static void put(struct work_world *t, const char *name, const char *word, const char *second,
		const char *second_name)
{
	json_t *doc = instance(t, name, "old");

	json_put_str(doc, "state", word);
	if (second)
		json_put_str(doc, second, second_name);
	world_put(&t->w, ENT_INSTANCE, name, doc);
}

static void put_volume(struct work_world *t, const char *name)
{
	struct err err = { 0 };
	_json_ json_t *pool = spec_pool_of(&t->env, "default", &err);

	if (!pool || pool_create(t->env.node, pool, &err) < 0 ||
	    volume_create(t->env.node, pool, name, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void put_image(struct work_world *t)
{
	_free_ char *dir = xasprintf("%s/images", t->w.dir), *path = xasprintf("%s/" FP, dir);
	struct err err = { 0 };

	if (io_mkdirs(dir, 0700, &err) < 0 || io_write_file(path, "x", 1, 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

/* "c1 ready old, volume c1, image" */
static const char *look(struct work_world *t, char seen[SEEN_MAX])
{
	struct err err = { 0 };
	_json_ json_t *pool = spec_pool_of(&t->env, "default", &err);
	_json_ json_t *volumes = volume_list(t->env.node, pool);
	_free_ char *volume = volume_path(t->env.node, pool, "c1");
	_free_ char *copies = xasprintf("%s/snapshots", volume);
	struct sbuf b = SBUF(SEEN_MAX);
	_rows_ struct rows rows = { 0 };
	json_t *v;
	size_t i;

	assert_int_equal(store_list(t->w.store, ENT_INSTANCE, NULL, &rows, &err), 0);
	for (i = 0; i < rows.n; i++)
		sbuf_printf(&b, "%s %s %s, ", rows.v[i].key, json_str(rows.v[i].doc, "state", "?"),
			    json_str(json_obj(rows.v[i].doc, "config"), "user.a", "?"));
	json_array_foreach(volumes, i, v)
		sbuf_printf(&b, "volume %s, ", json_string_value(v));
	if (store_count(t->w.store, ENT_SNAPSHOT, NULL))
		sbuf_puts(&b, "snapshot, ");
	if (io_exists(copies))
		sbuf_puts(&b, "its copy, ");
	if (image_present(t->env.node, FP))
		sbuf_puts(&b, "image, ");
	str_copy(seen, SEEN_MAX, b.data ? b.data : "");
	sbuf_free(&b);
	return seen;
}

static void clear(struct work_world *t)
{
	struct err err = { 0 };
	_json_ json_t *pool = spec_pool_of(&t->env, "default", &err);
	static const char *const names[] = { "c1", "c2" };
	char seen[SEEN_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_row_ struct row row = { 0 };
		_tx_ struct tx *tx = tx_new();

		volume_delete(t->env.node, pool, names[i], &err);
		if (store_get(t->w.store, ENT_INSTANCE, names[i], &row, &err) < 0)
			continue;
		tx_delete(tx, ENT_INSTANCE, names[i], REV_ANY);
		tx_delete(tx, ENT_SNAPSHOT, "c1/s0", REV_ANY);
		assert_int_equal(store_commit(t->w.store, tx, 0, NULL, &err), 0);
	}
	storage_delete_image(t->env.node, FP, &err);
	assert_string_equal(look(t, seen), "");
}

/* --- jobs that come so far -------------------------------------------------------------------- */

static enum job_phase far; /* of the job under way */

static void leave_creation(struct work_world *t)
{
	put(t, "c1", "creating", NULL, NULL);
	if (far >= JOB_MADE)
		put_volume(t, "c1");
}

static void leave_deletion(struct work_world *t)
{
	put(t, "c1", "deleting", NULL, NULL);
	if (far < JOB_MADE)
		put_volume(t, "c1");
}

static void leave_renaming(struct work_world *t)
{
	put(t, "c1", "renaming", "rename_to", "c2");
	put_volume(t, far >= JOB_MADE ? "c2" : "c1");
}

/* Its first half is a renaming. */
static void leave_move(struct work_world *t)
{
	if (far < JOB_MADE) {
		leave_renaming(t);
		return;
	}
	put(t, "c2", "moving", "moved_from", "c1");
	put_volume(t, "c2");
}

static void leave_import(struct work_world *t)
{
	put_image(t);
}

static void leave_instance(struct work_world *t)
{
	put(t, "c1", "ready", NULL, NULL);
	put_volume(t, "c1");
	put_image(t);
}

/* Its row and, from some time on, its copy. */
static void leave_snapshot(struct work_world *t)
{
	struct err err = { 0 };
	_json_ json_t *pool = spec_pool_of(&t->env, "default", &err);

	put(t, "c1", "ready", NULL, NULL);
	put_volume(t, "c1");
	world_put(&t->w, ENT_SNAPSHOT, "c1/s0",
		  json_pack("{s:s, s:s, s:s, s:b}", "instance", "c1", "name", "s0", "id", "0011",
			    SNAPSHOT_MAKING, true));
	if (far >= JOB_MADE &&
	    (volume_snapshot(t->env.node, pool, "c1", "0011", &err) < 0 ||
	     volume_snapshot_keep(t->env.node, pool, "c1", "0011", &err) < 0))
		fail_msg("%s", err.msg);
}

/* Nothing is decided yet: it is as it was. */
static void leave_restore(struct work_world *t)
{
	json_t *doc = instance(t, "c1", "old");

	json_put_str(doc, "state", "restoring");
	json_object_set_new(doc, "restore",
			    json_pack("{s:s, s:b}", "snapshot", "s0", "restart", 0));
	world_put(&t->w, ENT_INSTANCE, "c1", doc);
	put_volume(t, "c1");
}

static void leave_update(struct work_world *t)
{
	json_t *doc = instance(t, "c1", "new");

	json_put_str(doc, "state", "ready");
	world_put(&t->w, ENT_INSTANCE, "c1", doc);
}

static int come_so_far(struct job *j, struct err *err)
{
	struct work_world *t =
		(struct work_world *)((char *)j->env - offsetof(struct work_world, env));
	_json_ json_t *before = instance(t, "c1", "old");
	_row_ struct row row = { 0 };
	struct err none;

	if (store_get(t->w.store, ENT_INSTANCE, j->name ? j->name : "", &row, &none) == 0)
		expand(j->env, row.doc, &j->x);
	j->before = instance_writable(before);
	j->phase = far == JOB_UNSURE ? JOB_MADE : far;
	return err_set(err, far == JOB_UNSURE ? ERR_UNKNOWN : ERR_INTERNAL, "it failed");
}

/* What is left then, by phases; NULL, and of jobs without a row here: what was there. */
static const struct {
	void (*leave)(struct work_world *t);
	const char *noted, *made, *unsure;
} rows[JOB_COUNT] = {
	[JOB_CREATE] = { leave_creation, "", "", NULL },
	[JOB_UPDATE] = { leave_update, "c1 ready old, ", "c1 ready old, ", NULL },
	[JOB_RENAME] = { leave_renaming, "c1 ready old, volume c1, ", "c1 ready old, volume c1, ",
			 NULL },
	/* nobody but the mover can tell how it ended: recovery asks it, in the background */
	[JOB_MOVE] = { leave_move, "c1 ready old, volume c1, ", "c1 ready old, volume c1, ",
		       "c1 ready old, volume c1, " },
	[JOB_DELETE] = { leave_deletion, NULL, NULL, NULL },
	[JOB_SNAPSHOT] = { leave_snapshot, "c1 ready old, volume c1, ", "c1 ready old, volume c1, ",
			   "c1 ready old, volume c1, " },
	[JOB_RESTORE] = { leave_restore, "c1 ready old, volume c1, ", "c1 ready old, volume c1, ",
			  "c1 ready old, volume c1, " },
	[JOB_IMAGE_IMPORT] = { leave_import, "", "", NULL },
};

static const char *then(enum job_id id)
{
	switch (far) {
	case JOB_NOTED:
		return rows[id].noted;
	case JOB_MADE:
		return rows[id].made;
	case JOB_UNSURE:
		return rows[id].unsure;
	default:
		return NULL;
	}
}

static void check(struct work_world *t, enum job_id id)
{
	struct job_kind k = jobs[id];
	struct job_order o = { .kind = &k, .name = k.on == ENT_MAX ? NULL : "c1" };
	char before[SEEN_MAX], after[SEEN_MAX];
	struct err err = { 0 };

	assert_true(rows[id].leave || !k.undo);
	(rows[id].leave ? rows[id].leave : leave_instance)(t);
	look(t, before);
	assert_int_not_equal(before[0], '\0');
	k.check = NULL;
	k.run = come_so_far;
	o.own_args = json_pack("{s:o, s:s, s:s, s:s}", "doc", instance(t, "c1", "old"), "new_name",
			       "c2", "fingerprint", FP, "name", "s0");
	assert_int_equal(job_call(&t->env, &o, &err), -1);
	/* what it failed with is what is told, whatever came of taking back */
	assert_string_equal(err.msg, "it failed");
	wait_for_background(t);
	if (strcmp(look(t, after), then(id) ? then(id) : before) != 0)
		fail_msg("%s, phase %d: \"%s\" became \"%s\"", k.description, (int)far, before,
			 after);
	clear(t);
}

static void every_row_by_every_phase(void **state)
{
	for (int id = 0; id < JOB_COUNT; id++) {
		for (int p = 0; p < PHASES; p++) {
			far = (enum job_phase)p;
			check(*state, (enum job_id)id);
		}
	}
}

/* A move under its own name is the mover's to take back. */
static void a_move_that_keeps_the_name(void **state)
{
	struct work_world *t = *state;
	struct job_kind k = jobs[JOB_MOVE];
	struct job_order o = { .kind = &k, .name = "c1" };
	struct err err = { 0 };
	char seen[SEEN_MAX];

	k.check = NULL;
	k.run = come_so_far;
	far = JOB_UNSURE;
	put(t, "c1", "ready", NULL, NULL);
	o.own_args = json_pack("{s:s}", "new_name", "c1");
	assert_int_equal(job_call(&t->env, &o, &err), -1);
	assert_int_equal(err.kind, ERR_UNKNOWN);
	wait_for_background(t);
	assert_string_equal(look(t, seen), "c1 ready old, ");
	clear(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_row_by_every_phase, setup, teardown),
		cmocka_unit_test_setup_teardown(a_move_that_keeps_the_name, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
