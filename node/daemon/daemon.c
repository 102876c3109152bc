/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/http/server.h"
#include "api/work/boot.h"
#include "api/work/env.h"
#include "api/work/job.h"
#include "api/work/spec.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/lockfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "migrate/migrate.h"
#include "node/daemon/host.h"
#include "node/daemon/view.h"
#include "node/host/facts.h"
#include "node/host/modes.h"

/* Every request that waits for a commit holds a worker, and a commit gathers all that wait. */
static const struct pool_bound bounds[POOL_LANES] = {
	[POOL_FAST] = { 96, 4096 },  [POOL_JOB] = { 32, 4096 },	      [POOL_SLOW] = { 64, 1024 },
	[POOL_MEMBER] = { 96, 4096 }, [POOL_GUEST] = { 8, 256 }, [POOL_GUEST_SLOW] = { 4, 32 },
};
#define DRAIN_MS 3000
/* The kernel needs some time to end one that was killed. */
#define LOCK_MS 10000
#define NODE_ID_BYTES 4
#define DEFAULT_GROUP "dunlin"

struct daemon {
	const struct daemon_opts *opts;
	int lock_fd;
	char *dir, *unix_path, *cgroup_name;
	struct api_env env;
};

/* Signals reach the loop through here; server_stop is async-signal-safe. */
static struct server *stop_me;

static void on_signal(int sig)
{
	if (stop_me)
		server_stop(stop_me);
}

static void on_shutdown(void *arg)
{
	struct daemon *d = arg;

	server_stop(d->env.server);
}

static void handle_signals(struct server *s)
{
	struct sigaction stop = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	stop_me = s;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
}

/* --- stages, started in the order of the table and stopped in reverse
 * -------------------------- */

/* Containers of one range of ids are one user to the kernel, which lets it watch files by 128
 * descriptors (inotify(7)); a Debian has a dozen. */
#define WATCHES "/proc/sys/fs/inotify/max_user_instances"
#define WATCHES_MIN 4096

static int start_process(struct daemon *d, struct err *err)
{
	struct rlimit files = { 1 << 20, 1 << 20 };

	if (host_raise(WATCHES, WATCHES_MIN, err) < 0)
		log_err(LOG_WARN, "many containers may not watch their files", err);
	/* Many threads with a little to allocate each: one arena per core would cost megabytes. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		getrlimit(RLIMIT_NOFILE, &files);
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	return view_restore_cgroups(err);
}

static int start_dir(struct daemon *d, struct err *err)
{
	_free_ char *lock = NULL;

	if (io_folder(d->opts->dir, 0711, err) < 0)
		return -1;
	d->dir = realpath(d->opts->dir, NULL);
	if (!d->dir)
		return err_sys(err, "state directory %s", d->opts->dir);
	lock = xasprintf("%s/lock", d->dir);
	d->lock_fd = lockfile_take(lock, deadline_in(LOCK_MS), err);
	if (d->lock_fd < 0)
		return err->kind == ERR_CONFLICT
			       ? err_wrap(err, "another dunlind runs with %s", d->dir)
			       : -1;
	if (modes_tighten(d->dir, err) < 0)
		return -1;
	d->unix_path = xasprintf("%s/unix.socket", d->dir);
	d->env.dir = d->dir;
	return 0;
}

static void stop_dir(struct daemon *d)
{
	free(d->dir);
	free(d->unix_path);
	free(d->cgroup_name);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
}

/* Names this member's cgroups; several members on one kernel must differ. */
static int load_node_id(struct daemon *d, struct err *err)
{
	_free_ char *path = xasprintf("%s/node-id", d->dir);
	char hex[2 * NODE_ID_BYTES + 1];
	_free_ char *text = NULL;

	if (io_exists(path)) {
		text = io_read_file(path, 64, NULL, err);
		if (!text)
			return -1;
		d->cgroup_name = xstrdup(text);
		return 0;
	}
	d->cgroup_name = xasprintf("dunlin-%s", rng_hex(hex, NODE_ID_BYTES));
	return io_write_file(path, d->cgroup_name, strlen(d->cgroup_name), 0600, err);
}

static int start_node(struct daemon *d, struct err *err)
{
	struct node_opts o = { .instance_changed = api_instance_changed,
			       .network_lost = api_network_lost,
			       .arg = &d->env };

	if (load_node_id(d, err) < 0)
		return -1;
	d->env.pool = pool_new(bounds);
	o.dir = d->dir;
	o.cgroup_name = d->cgroup_name;
	o.pool = d->env.pool;
	d->env.node = node_new(&o, err);
	return d->env.node ? 0 : -1;
}

static void stop_node(struct daemon *d)
{
	/* The watch hands work to the pool, and work uses the node. */
	if (d->env.node)
		node_stop(d->env.node);
	if (d->env.pool)
		pool_free(d->env.pool);
	if (d->env.node)
		node_free(d->env.node);
}

static json_t *member_load(void *arg)
{
	struct daemon *d = arg;

	json_t *load = node_load(d->env.node);

	if (d->env.state && boot_is_over(&d->env))
		json_put_bool(load, "host_stops", true);
	return load;
}

static void certificate_changed(void *arg)
{
	struct daemon *d = arg;
	struct err err;

	if (d->env.server && api_show_certificate(&d->env, &err) < 0)
		log_err(LOG_ERROR, "the new certificate is not shown", &err);
}

static int start_cluster(struct daemon *d, struct err *err)
{
	struct cluster_opts o = { .dir = d->dir,
				  .pool = d->env.pool,
				  .load = member_load,
				  .certificate_changed = certificate_changed,
				  .arg = d };

	d->env.cluster = cluster_new(&o, err);
	if (!d->env.cluster)
		return -1;
	d->env.store = cluster_store(d->env.cluster);
	d->env.ops = ops_new(d->env.store, d->env.pool, api_location, d->env.cluster);
	d->env.events = events_new(d->env.store, api_location, d->env.cluster);
	return 0;
}

static void stop_cluster(struct daemon *d)
{
	if (d->env.events)
		events_free(d->env.events);
	if (d->env.ops)
		ops_free(d->env.ops);
	if (d->env.cluster)
		cluster_free(d->env.cluster);
}

/* What moves need of the API. */
static int need_image(void *env, const char *fingerprint, struct op *op, struct err *err)
{
	return job_need_image(env, fingerprint, op, err);
}

static int need_networks(void *env, const json_t *spec, struct err *err)
{
	return job_need_networks(env, spec, err);
}

static int takes(void *env, struct err *err)
{
	return boot_takes(env, err);
}

static int start_mover(struct daemon *d, struct err *err)
{
	struct mover_opts o = { .cluster = d->env.cluster,
				.node = d->env.node,
				.spec = spec_for_move,
				.need_image = need_image,
				.need_networks = need_networks,
				.takes = takes,
				.arg = &d->env };

	d->env.mover = mover_new(&o);
	return 0;
}

static void stop_mover(struct daemon *d)
{
	if (d->env.mover)
		mover_free(d->env.mover);
}

static const char *socket_group(const struct daemon *d)
{
	if (d->opts->group)
		return d->opts->group;
	return getgrnam(DEFAULT_GROUP) ? DEFAULT_GROUP : NULL;
}

static int start_api(struct daemon *d, struct err *err)
{
	struct server_opts o = {
		.env = &d->env,
		.dir = d->env.dir,
		.pool = d->env.pool,
		.cluster = d->env.cluster,
		.routes = api_routes,
		.hooks = &api_hooks,
		.unix_path = d->unix_path,
	};

	o.unix_group = socket_group(d);
	if (api_init(&d->env, err) < 0)
		return -1;
	d->env.shutdown = on_shutdown;
	d->env.shutdown_arg = d;
	d->env.server = server_new(&o, err);
	if (!d->env.server)
		return -1;
	handle_signals(d->env.server);
	if (cluster_start(d->env.cluster, err) < 0)
		return -1;
	return api_start(&d->env, err);
}

static void stop_api(struct daemon *d)
{
	stop_me = NULL;
	if (d->env.state)
		api_stop(&d->env);
	if (d->env.server)
		server_free(d->env.server);
}

static const struct stage {
	const char *name;
	int (*start)(struct daemon *d, struct err *err);
	void (*stop)(struct daemon *d);
} stages[] = {
	{ "process", start_process, NULL },   { "state directory", start_dir, stop_dir },
	{ "node", start_node, stop_node },    { "cluster", start_cluster, stop_cluster },
	{ "mover", start_mover, stop_mover }, { "api", start_api, stop_api },
};

int daemon_run(const struct daemon_opts *o, struct err *err)
{
	struct daemon d = { .opts = o, .lock_fd = -1 };
	int64_t began = clock_ms();
	char took[32];
	size_t n = 0;
	int rc = 0;

	while (n < ARRAY_SIZE(stages) && rc == 0) {
		rc = stages[n].start(&d, err);
		n++;
	}
	if (rc == 0) {
		snprintf(took, sizeof(took), "%d", (int)(clock_ms() - began));
		log_info("ready", "dir", d.dir, "member", cluster_member_name(d.env.cluster), "ms",
			 took);
		server_run(d.env.server, DRAIN_MS);
		log_info(boot_is_over(&d.env) ? "stopping with all containers"
					      : "stopping; containers go on");
	}
	while (n-- > 0) {
		log_debug("stop", "stage", stages[n].name);
		if (stages[n].stop)
			stages[n].stop(&d);
	}
	return rc;
}
