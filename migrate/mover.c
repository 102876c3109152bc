/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/keys.h"
#include "migrate/move_int.h"
#include "migrate/plan.h"
#include "migrate/traffic.h"
#include "node/container/keys.h"
#include "node/container/steps.h"
#include "node/criu/criu.h"
#include "node/device/port.h"
#include "node/host/apparmor.h"
#include "node/criu/pages.h"
#include "node/host/cgroup.h"
#include "node/host/facts.h"
#include "node/storage/storage.h"

#define FACTS_MS 10000
#define COUNT_MS 2000 /* of files; who has more is not kept waiting for it */
#define WAY_KEY "migration.memory"
#define LSM_FILE "/sys/kernel/security/lsm"

static void no_live(struct mover *m, const struct err *err)
{
	if (!*m->trouble)
		str_copy(m->trouble, sizeof(m->trouble), err->msg);
}

static void check_hook(struct mover *m)
{
	struct err err;
	_free_ char *hook = criu_hook_path(&err);

	if (!hook)
		no_live(m, &err);
}

static void on_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct mover *m = arg;

	if (f != FACT_INSTANCE)
		return;
	pthread_mutex_lock(&m->lock);
	pthread_cond_broadcast(&m->told);
	pthread_mutex_unlock(&m->lock);
}

static int64_t bandwidth(void *arg)
{
	struct mover *m = arg;
	_row_ struct row row = { 0 };
	struct err err;
	int64_t rate = 0;

	if (store_get(m->store, ENT_CONFIG, "move.bandwidth", &row, &err) == 0)
		keys_read_value(&server_keys, "move.bandwidth", json_str(row.doc, "value", NULL),
				&rate, &err);
	return rate;
}

struct mover *mover_new(const struct mover_opts *o)
{
	struct mover *m = xnew(struct mover);
	struct err err = { 0 };

	assert(o->cluster);
	assert(o->node);
	assert(o->spec);
	assert(o->takes);
	m->o = *o;
	m->store = cluster_store(o->cluster);
	m->run = xasprintf("%s/run", node_dir(o->node));
	m->notes = xasprintf("%s/moves", node_dir(o->node));
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->wake, &attr);
	pthread_cond_init(&m->told, &attr);
	pthread_cond_init(&m->ended, &attr);
	pthread_condattr_destroy(&attr);
	store_watch(m->store, &(struct store_watch){ .fact = on_fact, .arg = m });
	m->shm = criu_shm(o->node);
	m->pace = pace_new(bandwidth, m);
	if (io_folder(m->run, 0700, &err) < 0 || io_folder(m->notes, 0700, &err) < 0 ||
	    !(m->holds = holds_new(m->run, recover_stray, m, &err)))
		no_live(m, &err);
	check_hook(m);
	pages_recover();
	if (*m->trouble)
		log_warn("running instances cannot be moved from or to this member", "cause",
			 m->trouble);
	recover_start(m);
	return m;
}

void mover_free(struct mover *m)
{
	if (!m)
		return;
	recover_stop(m);
	fetch_stop(m);
	if (m->holds)
		holds_free(m->holds);
	json_decref(m->facts);
	pace_free(m->pace);
	pthread_mutex_destroy(&m->lock);
	pthread_cond_destroy(&m->wake);
	pthread_cond_destroy(&m->told);
	pthread_cond_destroy(&m->ended);
	free(m->run);
	free(m->notes);
	free(m->shm);
	free(m);
}

void move_keep(struct mover *m, json_t *keep)
{
	struct err err;
	struct move *list = journal_load(m, &err), *next;

	for (struct move *mv = list; mv; mv = next) {
		next = mv->next;
		json_object_set_new(keep, mv->id.name, json_false());
		move_free(mv);
	}
}

int move_recover(struct mover *m, struct err *err)
{
	struct move *list = journal_load(m, err), *next;

	for (struct move *mv = list; mv; mv = next) {
		next = mv->next;
		move_conclude_later(m, mv);
		move_free(mv);
	}
	pthread_mutex_lock(&m->lock);
	m->recovered = true;
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
	return 0;
}

/* --- facts -------------------------------------------------------------------------------- */

/* Those that stay as they are. */
static json_t *lasting_facts(struct mover *m)
{
	json_t *facts;

	pthread_mutex_lock(&m->lock);
	if (!m->facts) {
		m->facts = node_facts(m->o.node);
		json_object_set(m->facts, "storage_drivers", (json_t *)storage_drivers());
		json_put_str(m->facts, "no_post_copy", pages_trouble());
	}
	facts = json_deep_copy(m->facts);
	pthread_mutex_unlock(&m->lock);
	json_put_str(facts, "member", mover_member(m));
	json_put_str(facts, "no_live", m->trouble);
	return facts;
}

json_t *move_facts(struct mover *m)
{
	struct err err;
	_free_ char *lsm = io_read_file(LSM_FILE, 4096, NULL, &err);
	_json_ json_t *load = node_load(m->o.node);
	json_t *facts = lasting_facts(m);

	json_put_int(facts, "page_size", sysconf(_SC_PAGESIZE));
	json_put_str(facts, "lsm", lsm ? lsm : "");
	json_object_set_new(facts, "confinement", apparmor_facts("/sys"));
	json_object_set_new(facts, TRAFFIC_FACT, json_true());
	json_put_int(facts, "memory_free", json_int(json_obj(load, "memory"), "free", 0));
	space_facts(m, facts);
	json_put_str(facts, "closed", m->o.takes(m->o.arg, &err) < 0 ? err.msg : "");
	return facts;
}

json_t *hello_exchange(struct mover *m, struct channel *c, bool first, struct err *err)
{
	_json_ json_t *facts = move_facts(m);
	_json_ json_t *own = json_pack("{si,sO}", "version", MOVE_VERSION, "facts", facts);
	_json_ json_t *theirs = NULL;
	struct frame f;

	if (first && frame_send_json(c, FR_HELLO, own, err) < 0)
		return NULL;
	if (frame_expect(c, FR_HELLO, &f, 0, err) < 0 || !(theirs = frame_json(&f, err)))
		return NULL;
	if (!first && frame_send_json(c, FR_HELLO, own, err) < 0)
		return NULL;
	if (json_int(theirs, "version", 0) != MOVE_VERSION) {
		err_set(err, ERR_UNSUPPORTED, "the other member speaks version %d of moves, not %d",
			(int)json_int(theirs, "version", 0), MOVE_VERSION);
		return NULL;
	}
	return json_incref(json_obj(theirs, "facts") ? json_obj(theirs, "facts") : theirs);
}

/* --- the plan ----------------------------------------------------------------------------- */

struct pid_list {
	pid_t *v;
	size_t n;
};

static int add_pid(void *arg, pid_t pid)
{
	struct pid_list *l = arg;

	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = pid;
	return 0;
}

static void look_at_tasks(struct mover *m, const char *name, struct move_plan *ret)
{
	_json_ json_t *request = container_request(m->o.node, name);
	_free_ char *folder = xasprintf("%s/%s", json_str(request, "lxcpath", ""), name);
	_free_ char *cgroup =
		xasprintf("%s/%s/payload", json_str(request, "cgroup_name", ""), name);
	struct console_tty console;
	struct pid_list pids = { 0 };
	struct plan_tasks t = { .proc = "/proc", .init = container_pid(m->o.node, name) };

	cgroup_each_pid(json_str(request, "cgroup_name", ""), name, "payload", add_pid, &pids);
	t.pids = pids.v;
	t.npids = pids.n;
	t.cgroup = cgroup;
	if (console_find(folder, &console))
		t.console = &console;
	plan_tasks(&t, ret);
	plan_related(&t, ret);
	plan_links(&t, ret);
	free(pids.v);
}

static int64_t keyed(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	char number[24];
	int64_t v;

	if (!line)
		return 0;
	line += strlen(key);
	snprintf(number, sizeof(number), "%.*s", (int)strspn(line, "0123456789"), line);
	return str_to_i64(number, 0, INT64_MAX, &v) ? v : 0;
}

int64_t move_memory(struct mover *m, const char *name)
{
	_json_ json_t *request = container_request(m->o.node, name);
	_free_ char *dir =
		cgroup_path("memory", json_str(request, "cgroup_name", ""), name, "payload");
	_free_ char *path = xasprintf("%s/memory.stat", dir);
	struct err err;
	_free_ char *text = io_read_file(path, 64 << 10, NULL, &err);

	if (!text)
		return 0;
	return cgroup_is_v1("memory") ? keyed(text, "\ntotal_rss ") + keyed(text, "\ntotal_shmem ")
				      : keyed(text, "anon ") + keyed(text, "\nshmem ");
}

/* The peer of such a connection knows this member, not the container. */
static void look_at_translated(struct mover *m, const char *name, struct move_plan *ret)
{
	_json_ json_t *spec = container_spec(m->o.node, name);
	size_t n = devices_translated(spec);

	if (n)
		snprintf(ret->note, sizeof(ret->note),
			 "%zu connection%s to outside of its networks %s translated to an address "
			 "of %s, and will end",
			 n, n == 1 ? "" : "s", n == 1 ? "is" : "are", mover_member(m));
}

static struct plan_need need_of(struct mover *m, const char *name, const json_t *pool)
{
	return (struct plan_need){ .pool = json_str(pool, "name", ""),
				   .memory = move_memory(m, name),
				   .files = volume_usage(m->o.node, pool, name,
							 deadline_in(COUNT_MS)) };
}

static int64_t files_max(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max <= INT32_MAX ? (int64_t)r.rlim_max
									     : INT32_MAX;
}

void plan_way(struct mover *m, const struct move *mv, const json_t *target_facts,
	      struct move_plan *ret)
{
	struct way_facts f = {
		.memory = move_memory(m, mv->id.name),
		.speed = pace_rate(m->pace),
		.target_free = json_int(target_facts, "memory_free", 0),
		.source_files = files_max(),
		.no_post_copy = json_str(target_facts, "no_post_copy", "the target is too old"),
	};
	const char *wish = keys_text(&instance_keys, json_obj(mv->spec, "config"), WAY_KEY);
	enum memory_way way;
	struct err err;

	if (container_pid(m->o.node, mv->id.name) == 0)
		return;
	if (way_parse(wish, &way, &err) < 0)
		way = WAY_COUNT;
	ret->way = way_choose(way, &f, ret->way_why, sizeof(ret->way_why));
	plan_memory(&f, ret);
}

void move_plan_with(struct mover *m, const char *name, const json_t *pool,
		    const json_t *target_facts, struct move_plan *ret)
{
	_json_ json_t *own = move_facts(m);
	pid_t init = container_pid(m->o.node, name);
	struct plan_need need = need_of(m, name, pool);
	_free_ char *label = init ? apparmor_label("/proc", init) : NULL;

	plan_compare(own, target_facts, json_str(pool, "driver", ""), ret);
	plan_space(target_facts, &need, ret);
	if (store_count(m->store, ENT_SNAPSHOT, name) > 0)
		move_plan_add(ret, MOVE_REFUSED,
			      "it has snapshots, which stay on their member: delete them first");
	if (init == 0) {
		move_plan_stopped(volume_is_kept(m->o.node, pool, name), ret);
		return;
	}
	plan_confinement(label, own, target_facts, ret);
	look_at_tasks(m, name, ret);
	look_at_translated(m, name, ret);
}

void move_outlook(struct mover *m, const char *name, struct move_plan *ret)
{
	_json_ json_t *own = lasting_facts(m);
	_json_ json_t *spec = container_spec(m->o.node, name);
	/* The best that there could be. */
	_json_ json_t *target = json_pack("{sI,ss}", "memory_free", (json_int_t)INT64_MAX,
					  "no_post_copy", "");
	struct move mv = { .spec = spec };

	str_copy(mv.id.name, sizeof(mv.id.name), name);
	*ret = (struct move_plan){ .kind = MOVE_LIVE };
	plan_source(own, ret);
	look_at_tasks(m, name, ret);
	plan_way(m, &mv, target, ret);
}

int move_plan(struct mover *m, const struct row *instance, const char *target,
	      struct move_plan *ret, struct err *err)
{
	struct move mv = { .id.epoch = 0 };
	_json_ json_t *facts = NULL, *spec = NULL, *pool = NULL;
	char address[256];

	if (cluster_member_address(m->o.cluster, target, address, sizeof(address), err) < 0)
		return -1;
	facts = cluster_call(m->o.cluster, address, "GET", MOVE_PATH "/facts", NULL,
			     deadline_in(FACTS_MS), err);
	if (!facts)
		return -1;
	spec = m->o.spec(m->o.arg, instance->doc, NULL, &pool, err);
	if (!spec)
		return -1;
	mv.spec = spec;
	str_copy(mv.id.name, sizeof(mv.id.name), instance->key);
	move_plan_with(m, instance->key, pool, facts, ret);
	plan_way(m, &mv, facts, ret);
	return 0;
}
