/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/boot.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api/work/background.h"
#include "api/work/instance.h"
#include "api/work/job.h"
#include "api/work/order.h"
#include "api/work/state.h"
#include "api/work/task.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/keylock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/model/ref.h"
#include "node/container/container.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX 64
#define STOP_THREADS 64
/* One that a job of this moment starts in spite of all is met by the next round. */
#define STOP_ROUNDS 3

static bool note_boot(const char *path)
{
	struct err err;
	_free_ char *now = io_read_file(BOOT_ID, BOOT_ID_MAX, NULL, &err);
	_free_ char *then = io_exists(path) ? io_read_file(path, BOOT_ID_MAX, NULL, &err) : NULL;

	if (!now || str_eq(now, then))
		return false;
	if (io_write_file(path, now, strlen(now), 0600, &err) < 0)
		log_err(LOG_WARN, "the boot of the host is not noted", &err);
	return true;
}

bool boot_is_new(const struct api_env *env)
{
	_free_ char *path = xasprintf("%s/boot-id", env->dir);
	bool is_new;

	keylock_take(env->state->locks, "boot-id");
	/* What stops with its host is left to the next boot. */
	is_new = boot_is_over(env) || note_boot(path);
	keylock_drop(env->state->locks, "boot-id");
	return is_new;
}

/* So the next daemon starts what ran, whether the host boots in between or not, and even when this
 * one is killed before all have stopped. */
static int forget_boot(const struct api_env *env, struct err *err)
{
	_free_ char *path = xasprintf("%s/boot-id", env->dir);
	int rc;

	keylock_take(env->state->locks, "boot-id");
	rc = unlink(path) < 0 && errno != ENOENT ? err_sys(err, "remove %s", path) : 0;
	keylock_drop(env->state->locks, "boot-id");
	return rc;
}

int boot_takes(const struct api_env *env, struct err *err)
{
	if (!boot_is_over(env))
		return 0;
	return err_set(err, ERR_UNAVAILABLE,
		       "the host of member \"%s\" is shutting down: it takes no instances",
		       cluster_member_name(env->cluster));
}

/* --- starting --------------------------------------------------------------------------------- */

/* The starts that are under way; counted, and guarded by the lock of the api's state. */
struct starts {
	int running;
};

struct start {
	struct starts *all;
	char name[FOLDER_SIZE];
};

static void start_one(const struct api_env *env, void *own_start)
{
	_free_ struct start *s = own_start;
	struct err err;

	assert(own_start);
	if (container_status(env->node, s->name) == STATUS_STOPPED &&
	    instance_start(env, s->name, KEPT_TRY, &err) < 0)
		log_err(LOG_ERROR, "an instance does not start with its host", &err);
	pthread_mutex_lock(&env->state->lock);
	s->all->running--;
	pthread_cond_broadcast(&env->state->idle);
	pthread_mutex_unlock(&env->state->lock);
}

static void begin(const struct api_env *env, struct starts *all, const char *name)
{
	_free_ char *key = ref_lock(ENT_INSTANCE, name);
	struct start *s = xnew(struct start);

	s->all = all;
	str_copy(s->name, sizeof(s->name), name);
	pthread_mutex_lock(&env->state->lock);
	all->running++;
	pthread_mutex_unlock(&env->state->lock);
	if (background(env, key, start_one, s))
		return;
	pthread_mutex_lock(&env->state->lock);
	all->running--;
	pthread_mutex_unlock(&env->state->lock);
}

static void await_all(const struct api_env *env, const struct starts *all)
{
	pthread_mutex_lock(&env->state->lock);
	while (all->running)
		pthread_cond_wait(&env->state->idle, &env->state->lock);
	pthread_mutex_unlock(&env->state->lock);
}

/* A stop of the daemon or the host cuts it short. */
static void delay(const struct api_env *env, int seconds)
{
	int64_t deadline = deadline_in((int64_t)seconds * 1000);

	pthread_mutex_lock(&env->state->lock);
	while (!env->state->stopping && !boot_is_over(env) &&
	       cond_wait_until(&env->state->idle, &env->state->lock, deadline))
		;
	pthread_mutex_unlock(&env->state->lock);
}

void task_boot(const struct api_env *env, const char *unused)
{
	struct boot_order c = { 0 };
	struct starts all = { 0 };
	struct err err;

	if (boot_order_start(env, &c, &err) < 0)
		log_err(LOG_ERROR, "instances do not start with their host", &err);
	for (size_t i = 0; i < c.n && !boot_is_over(env); i++) {
		if (i > 0 && c.v[i].priority != c.v[i - 1].priority)
			await_all(env, &all);
		begin(env, &all, c.v[i].name);
		if (c.v[i].seconds > 0) {
			await_all(env, &all);
			delay(env, c.v[i].seconds);
		}
	}
	await_all(env, &all);
	boot_order_done(&c);
}

void boot_start_instances(const struct api_env *env)
{
	task_soon(env, TASK_BOOT, NULL);
}

/* --- stopping --------------------------------------------------------------------------------- */

struct group {
	const struct api_env *env;
	const struct boot_one *v;
	size_t n, next; /* next: atomic */
	int left;	/* that still run; atomic */
};

static int stop_one(const struct api_env *env, const struct boot_one *c, struct err *err)
{
	/* A frozen one could not answer. */
	if (container_status(env->node, c->name) == STATUS_FROZEN)
		container_freeze(env->node, c->name, false, err);
	if (c->seconds > 0 && container_stop(env->node, c->name, false, c->seconds, err) == 0)
		return 0;
	if (container_status(env->node, c->name) == STATUS_STOPPED)
		return 0;
	log_warn("instance stopped by force", "instance", c->name, "cause",
		 c->seconds > 0 ? err->msg : "boot.host_shutdown_timeout is 0");
	return container_stop(env->node, c->name, true, 0, err);
}

static void *stop_some(void *arg)
{
	struct group *g = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&g->next, 1, __ATOMIC_SEQ_CST)) < g->n) {
		struct err err = { 0 };

		if (stop_one(g->env, &g->v[i], &err) == 0) {
			instance_event(g->env, g->v[i].name, "shutdown", NULL);
			continue;
		}
		log_err(LOG_ERROR, "an instance does not stop with its host", &err);
		__atomic_fetch_add(&g->left, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* All at the same time, or nearly: their timeouts do not add up. */
static int stop_group(struct group *g)
{
	pthread_t threads[STOP_THREADS];
	size_t n = 0;
	struct err err;

	while (n < STOP_THREADS && n + 1 < g->n &&
	       thread_start(&threads[n], "host-stop", stop_some, g, &err) == 0)
		n++;
	stop_some(g);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	return g->left;
}

/* How many it found; -1 when some still run. */
static int stop_round(const struct api_env *env, struct err *err)
{
	struct boot_order c = { 0 };
	int left = 0, n;

	if (boot_order_stop(env, &c, err) < 0)
		return -1;
	n = (int)c.n;
	for (size_t i = 0; i < c.n; i = boot_order_group(&c, i)) {
		struct group g = { .env = env, .v = c.v + i, .n = boot_order_group(&c, i) - i };

		left += stop_group(&g);
	}
	boot_order_done(&c);
	return left ? err_set(err, ERR_INTERNAL, "%d instances do not stop", left) : n;
}

static void set_over(const struct api_env *env, bool over)
{
	pthread_mutex_lock(&env->state->lock);
	__atomic_store_n(&env->state->host_stops, over, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&env->state->idle);
	pthread_mutex_unlock(&env->state->lock);
}

static int stop_all(const struct api_env *env, struct err *err)
{
	int total = 0, n = 1;

	if (forget_boot(env, err) < 0)
		return -1;
	log_info("all instances of this host are being stopped");
	for (int round = 0; round < STOP_ROUNDS && n > 0; round++) {
		n = stop_round(env, err);
		if (n < 0)
			return -1;
		total += n;
	}
	return total;
}

int boot_stop_instances(const struct api_env *env, struct err *err)
{
	int n;

	set_over(env, true);
	n = stop_all(env, err);
	/* The daemon stays, and serves as before. */
	if (n < 0)
		set_over(env, false);
	return n;
}
