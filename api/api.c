/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <string.h>
#include <unistd.h>

#include "api/http/server.h"
#include "api/rest/localconf.h"
#include "api/rest/object.h"
#include "api/rest/serverinfo.h"
#include "api/work/address.h"
#include "api/work/background.h"
#include "api/work/icache.h"
#include "api/work/job.h"
#include "api/work/netsync.h"
#include "api/work/outlook.h"
#include "api/work/recover.h"
#include "api/work/state.h"
#include "api/work/task.h"
#include "api/work/usage.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/keylock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/timer.h"
#include "cluster/model/group.h"

#define DRAIN_MS 20000

const char *api_location(void *arg)
{
	return cluster_member_name(arg);
}

/* --- reactions to rows ----------------------------------------------------------------------- */

/* Runs on the replica's thread: hands everything on. */
static void on_row(void *arg, enum entity e, const char *key, int64_t rev, const char *text)
{
	const struct api_env *env = arg;
	struct api_state *s = env->state;

	netsync_row(s->net, e, key, text);
	tasks_row(env, e, key, !text);
	if (e == ENT_CERTIFICATE && !text && env->server)
		server_drop_certificate(env->server, key);
}

/* --- reactions to containers ----------------------------------------------------------------- */

void api_instance_changed(void *arg, const char *name, const json_t *state)
{
	const struct api_env *env = arg;

	if (!env->store)
		return;
	store_fact_put(env->store, FACT_INSTANCE, name, state);
	if (!status_is_alive(status_by_name(json_str(state, "status", NULL))))
		store_fact_put(env->store, FACT_MOVE, name, NULL);
	if (env->state && status_by_name(json_str(state, "status", NULL)) == STATUS_STOPPED)
		instance_ended(env, name);
}

void api_network_lost(void *arg, const char *network)
{
	const struct api_env *env = arg;

	if (env->state)
		netsync_lost(env, network);
}

/* --- start and stop -------------------------------------------------------------------------- */

int api_init(struct api_env *env, struct err *err)
{
	struct api_state *s = xnew(struct api_state);
	struct store_watch w = { .row = on_row, .arg = env };

	state_give_tables(s);
	s->conf = localconf_load(env->dir, err);
	if (!s->conf) {
		free(s);
		return -1;
	}
	pthread_mutex_init(&s->lock, NULL);
	cond_init(&s->idle);
	s->timers = timers_new();
	s->locks = keylock_new();
	s->addresses = address_book_new();
	s->instances = icache_new();
	s->disks = disk_usage_new();
	s->outlook = outlook_new();
	s->info = serverinfo_new();
	s->net = netsync_new(env);
	s->started_ms = clock_ms();
	env->state = s;
	store_watch(env->store, &w);
	return 0;
}

int api_show_certificate(const struct api_env *env, struct err *err)
{
	struct tls_ctx *t = cluster_server_tls(env->cluster, err);

	if (!t)
		return -1;
	server_set_tls(env->server, t);
	if (env->state)
		serverinfo_stale(env->state->info);
	return 0;
}

int api_start(const struct api_env *env, struct err *err)
{
	struct err later;

	if (store_revision(env->store) > 0 && !cluster_is_island(env->cluster))
		objects_keep(env, api_routes);
	if (recover_containers(env, err) < 0)
		return -1;
	if (api_show_certificate(env, &later) < 0 || localconf_listen(env, &later) < 0)
		log_err(LOG_ERROR, "the HTTPS address can't be listened on", &later);
	recover_later(env);
	tasks_start(env);
	return 0;
}

void api_stop(struct api_env *env)
{
	struct api_state *s = env->state;

	/* Jobs use everything that is freed next. One that takes too long is left to the recovery
	 * of the next start, as after a crash. */
	if (!ops_drain(env->ops, deadline_in(DRAIN_MS))) {
		log_warn("operations still run: stopping without them");
		_exit(0);
	}
	background_stop(env);
	cluster_stop(env->cluster); /* no watch calls us any more */
	timers_free(s->timers);
	netsync_free(s->net);
	serverinfo_free(s->info);
	icache_free(s->instances);
	disk_usage_free(s->disks);
	outlook_free(s->outlook);
	address_book_free(s->addresses);
	keylock_free(s->locks);
	localconf_free(s->conf);
	json_decref(s->images);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	free(s);
	env->state = NULL;
}
