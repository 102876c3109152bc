/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a container's life on this host. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/console/console.h"
#include "node/container/container_int.h"
#include "node/container/lxcconf.h"
#include "node/container/step.h"
#include "node/device/port.h"
#include "node/helper/helper.h"
#include "node/host/apparmor.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"
#include "node/host/watch.h"
#include "node/network/network.h"
#include "node/storage/rootfs.h"

#define START_TIMEOUT_MS 60000
#define KILL_TIMEOUT_MS 30000
#define MONITOR_TIMEOUT_MS 10000
#define ANNOUNCE_MS INT64_C(20)
#define ANNOUNCE_TRIES 12 /* 80 s in all */
#define MARK_S 600 /* what has not ended by then was not going to */

/* When addresses that come by DHCP or router advertisement are looked for after a start. */
static const int64_t address_checks_ms[] = { 500, 1500, 4000, 15000 };

/* --- prepare and release ------------------------------------------------------------------ */

void ct_release(struct node *n, const char *name, const json_t *spec)
{
	_free_ char *dir = ct_dir(n, name);

	console_end(dir);
	devices_release(spec);
	cgroup_remove(n->cgroup_name, name);
}

int ct_write_spec(struct node *n, const char *name, const json_t *spec, struct err *err)
{
	_free_ char *path = ct_file(n, name, "spec.json"), *tmp = ct_file(n, name, "spec.json.new");
	_free_ char *text = json_text(spec);
	_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Not synced: after a crash of the host nothing runs that it could be about. */
	if (fd < 0 || io_write_full(fd, text, strlen(text)) < 0 || rename(tmp, path) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}

/* A container without a console still does its work. */
static void make_console(const char *name, const char *folder, const json_t *spec)
{
	struct err err;

	if (console_start(folder, spec, &err) < 0)
		log_warn("instance starts without a console", "instance", name, "cause", err.msg);
}

int ct_write_conf(struct node *n, const json_t *spec, enum device_use use, struct err *err)
{
	_free_ char *lxcpath = container_lxcpath(n);
	const char *wanted = NULL;
	struct lxcconf o = { .spec = spec,
			     .lxcpath = lxcpath,
			     .cgroup_name = n->cgroup_name,
			     .apparmor = apparmor_profile(
				     "/sys", json_bool(spec, "privileged", false), &wanted),
			     .use = use };

	if (o.apparmor && !str_eq(o.apparmor, wanted))
		log_warn("instance is not confined: AppArmor has no such profile", "instance",
			 json_str(spec, "name", ""), "profile", wanted);
	return lxcconf_write(&o, err);
}

static int write_folder(struct node *n, const char *name, const json_t *spec, bool start,
			struct err *err)
{
	_free_ char *dir = ct_dir(n, name);
	_free_ char *mark = ct_file(n, name, "reboot");
	_free_ char *log = ct_file(n, name, "lxc.log"), *old_log = ct_file(n, name, "lxc.log.old");

	if (io_folder(dir, 0711, err) < 0)
		return -1;
	unlink(mark);
	rename(log, old_log);
	if (ct_write_spec(n, name, spec, err) < 0)
		return -1;
	make_console(name, dir, spec);
	if (lxcconf_write_seccomp(dir, "", err) < 0)
		return -1;
	if (start && ct_write_conf(n, spec, DEVICE_START, err) < 0)
		return -1;
	return ct_write_conf(n, spec, DEVICE_RESTORE, err);
}

int ct_prepare(struct node *n, struct ct *c, const json_t *spec, bool start, struct err *err)
{
	if (step_check(STEP_START, c->status, err) < 0)
		return -1;
	/* Leftovers of a former run: a stale monitor cgroup makes liblxc fail. */
	ct_release(n, c->name, spec);
	if (write_folder(n, c->name, spec, start, err) < 0 ||
	    devices_prepare(spec, start ? DEVICE_START : DEVICE_RESTORE, err) < 0) {
		ct_release(n, c->name, spec);
		return -1;
	}
	ct_set_spec(n, c, json_deep_copy(spec));
	c->held = c->stop_asked = false;
	ct_set_status(n, c, STATUS_STARTING);
	return 0;
}

/* --- ends --------------------------------------------------------------------------------- */

struct end_event {
	struct node *n;
	pid_t pid;
	int tries;
	char name[FOLDER_SIZE];
};

static struct end_event *end_event(struct node *n, const struct ct *c)
{
	struct end_event *e = xnew(struct end_event);

	e->n = n;
	e->pid = c->pid;
	str_copy(e->name, sizeof(e->name), c->name);
	return e;
}

static bool fd_ended(int fd)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	return poll(&pf, 1, 0) == 1;
}

bool ct_wait_end(const struct ct *c, int64_t deadline)
{
	struct pollfd pf[] = { { .fd = c->pidfd, .events = POLLIN },
			       { .fd = c->monitorfd, .events = POLLIN } };
	int r;

	while ((r = poll(pf, 2, deadline_left(deadline))) < 0 && errno == EINTR)
		;
	return r > 0;
}

static void end_job(void *arg)
{
	struct end_event *e = arg;
	struct ct *c = ct_get(e->n, e->name, false);

	if (c) {
		ct_locked(c);
		if (c->pid == e->pid && !c->held)
			ct_settle(e->n, c, false);
	}
	ct_put(e->n, c);
	free(e);
}

static void on_end(void *arg)
{
	struct end_event *copy = xnew(struct end_event);
	struct err err;

	*copy = *(struct end_event *)arg;
	if (pool_submit(copy->n->pool, POOL_JOB, pool_key(copy->name), end_job, copy, &err) == 0)
		return;
	/* Everything is busy; the end does not get lost. */
	watch_timer(copy->n->watch, 1000, on_end, copy);
}

static void watch_end(struct node *n, struct ct *c, int fd)
{
	int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (own >= 0)
		watch_fd(n->watch, own, on_end, end_event(n, c));
}

static void wait_fd(int fd, int64_t ms)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	poll(&pf, 1, (int)ms);
}

static void end_processes(struct node *n, struct ct *c)
{
	if (!fd_ended(c->pidfd)) {
		/* Without a monitor nobody can attach to it, stop it or move it. */
		log_warn("monitor ended before its container; killing it", "instance", c->name);
		pids_signal(c->pidfd, SIGKILL);
		cgroup_freeze(n->cgroup_name, c->name, false, deadline_in(1000),
			      &(struct err){ 0 });
		wait_fd(c->pidfd, KILL_TIMEOUT_MS);
	}
	/* The monitor removes its cgroups and runs hooks; then its name is free again. */
	if (c->monitorfd >= 0) {
		wait_fd(c->monitorfd, MONITOR_TIMEOUT_MS);
		if (!fd_ended(c->monitorfd))
			pids_signal(c->monitorfd, SIGKILL);
	}
	cgroup_kill(n->cgroup_name, c->name, "payload");
}

int ct_mark(struct node *n, const char *name, struct err *err)
{
	_free_ char *mark = ct_file(n, name, "reboot");

	return io_write_file(mark, "", 0, 0600, err);
}

bool ct_is_marked(struct node *n, const char *name)
{
	_free_ char *mark = ct_file(n, name, "reboot");
	struct stat st;

	return lstat(mark, &st) == 0 && clock_wall() - st.st_mtime < MARK_S;
}

/* A reboot from inside: the kernel reports it as the death of init by SIGHUP; the hook in the
 * configuration leaves a mark where the kernel does not say. */
static bool wants_reboot(struct node *n, struct ct *c)
{
	_free_ char *mark = ct_file(n, c->name, "reboot");
	int status = pids_exit_status(c->pidfd);
	bool marked = ct_is_marked(n, c->name);

	unlink(mark);
	if (c->stop_asked)
		return false;
	return marked || (status >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

static void clear_run(struct node *n, struct ct *c)
{
	pthread_mutex_lock(&n->containers->lock);
	assert(c->pidfd >= 0);
	close(take_fd(&c->pidfd));
	if (c->monitorfd >= 0)
		close(take_fd(&c->monitorfd));
	c->pid = 0;
	c->started_ns = 0;
	pthread_mutex_unlock(&n->containers->lock);
	ct_set_status(n, c, STATUS_STOPPED);
}

void ct_settle(struct node *n, struct ct *c, bool quiet)
{
	_json_ json_t *spec = ct_spec(n, c);
	struct err err;
	bool again;

	if (!c->pid)
		return;
	end_processes(n, c);
	again = wants_reboot(n, c) && !quiet;
	if (fault_point(stop_after_runtime, &err) < 0)
		log_err(LOG_WARN, "stop", &err);
	ct_release(n, c->name, spec);
	clear_run(n, c);
	c->held = false;
	log_info(again ? "instance reboots" : "instance stopped", "instance", c->name);
	if (again && ct_start(n, c, spec, &err) == 0)
		return;
	if (again)
		log_err(LOG_ERROR, "restart after a reboot", &err);
	if (!quiet)
		ct_publish(n, c, false);
}

int ct_kill_all(struct node *n, struct ct *c, struct err *err)
{
	_json_ json_t *request = container_request(n, c->name);
	_json_ json_t *spec = ct_spec(n, c);
	_json_ json_t *done = NULL;

	done = helper_run("helper-stop", request, NULL, 0, deadline_in(KILL_TIMEOUT_MS), err);
	if (!spec)
		spec = ct_load_spec(n, c->name);
	ct_release(n, c->name, spec);
	return done ? 0 : -1;
}

/* --- start -------------------------------------------------------------------------------- */

/* False when not all of its bridges let anything through yet. */
static bool announce(struct node *n, struct ct *c, pid_t init)
{
	_json_ json_t *spec = ct_spec(n, c);
	_json_ json_t *network = init > 0 ? ct_settled_network(init, spec) : NULL;

	return devices_announce(n->announce_fd, spec, network);
}

static void announce_again(struct end_event *own_event);

static void announce_job(void *arg)
{
	struct end_event *e = arg;
	struct ct *c = ct_get(e->n, e->name, false);
	bool done = !c || container_pid(e->n, e->name) != e->pid || announce(e->n, c, e->pid);

	ct_put(e->n, c);
	if (done)
		free(e);
	else
		announce_again(e);
}

static void on_announce(void *arg)
{
	struct end_event *copy = xnew(struct end_event);
	struct err err;

	*copy = *(struct end_event *)arg;
	if (pool_submit(copy->n->pool, POOL_SLOW, 0, announce_job, copy, &err) < 0)
		free(copy);
}

/* A bridge with a spanning tree lets nothing through a new port for twice its forward delay, which
 * is at most 30 s (IEEE 802.1D, 8.10.2). */
static void announce_again(struct end_event *own_event)
{
	if (own_event->tries == ANNOUNCE_TRIES) {
		free(own_event);
		return;
	}
	watch_timer(own_event->n->watch, ANNOUNCE_MS << own_event->tries++, on_announce, own_event);
}

/* Neighbours may know its addresses as somebody else's; a frame may also have been lost. */
void ct_announce(struct node *n, struct ct *c)
{
	if (!announce(n, c, container_pid(n, c->name)))
		announce_again(end_event(n, c));
}

void container_announce(struct node *n, const char *name, pid_t init)
{
	struct ct *c = ct_get(n, name, false);

	if (c)
		announce(n, c, init);
	ct_put(n, c);
}

static void refresh_job(void *arg)
{
	struct end_event *e = arg;
	struct ct *c = ct_get(e->n, e->name, false);

	if (c && container_pid(e->n, e->name) == e->pid) {
		ct_publish(e->n, c, true);
		ct_announce(e->n, c);
	}
	ct_put(e->n, c);
	free(e);
}

static void on_refresh(void *arg)
{
	struct end_event *copy = xnew(struct end_event);
	struct err err;

	*copy = *(struct end_event *)arg;
	if (pool_submit(copy->n->pool, POOL_SLOW, 0, refresh_job, copy, &err) < 0)
		free(copy);
}

static bool has_ports(const json_t *spec)
{
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (device_has_port(dev, &p))
			return true;
	}
	return false;
}

static void watch_addresses(struct node *n, struct ct *c)
{
	_json_ json_t *spec = ct_spec(n, c);

	if (!has_ports(spec))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(address_checks_ms); i++)
		watch_timer(n->watch, address_checks_ms[i], on_refresh, end_event(n, c));
}

/* Opened before its parent is looked up: a pid cannot be reused while its pidfd says it lives. */
static int open_processes(pid_t init, int *ret_pidfd, int *ret_monitorfd, struct err *err)
{
	_close_ int pidfd = pids_open(init, err);
	_close_ int monitorfd = -1;
	pid_t monitor;

	assert(*ret_pidfd < 0);
	assert(*ret_monitorfd < 0);
	if (pidfd < 0)
		return -1;
	monitor = pids_parent(init);
	if (monitor > 1)
		monitorfd = pids_open(monitor, err);
	if (monitorfd < 0 || fd_ended(pidfd))
		return err_set(err, ERR_INTERNAL, "the container ended right after its start");
	*ret_pidfd = take_fd(&pidfd);
	*ret_monitorfd = take_fd(&monitorfd);
	return 0;
}

int ct_adopt(struct node *n, struct ct *c, pid_t init, struct err *err)
{
	_free_ char *dir = ct_dir(n, c->name);
	int pidfd = -1, monitorfd = -1;

	if (open_processes(init, &pidfd, &monitorfd, err) < 0)
		return err_wrap(err, "instance %s", c->name);
	pthread_mutex_lock(&n->containers->lock);
	c->pid = init;
	c->pidfd = pidfd;
	c->monitorfd = monitorfd;
	c->started_ns = pids_started_ns(init);
	pthread_mutex_unlock(&n->containers->lock);
	ct_set_status(n, c,
		      cgroup_is_frozen(n->cgroup_name, c->name) ? STATUS_FROZEN : STATUS_RUNNING);
	watch_end(n, c, c->pidfd);
	watch_end(n, c, c->monitorfd);
	console_watch(dir, c->pidfd);
	watch_addresses(n, c);
	ct_announce(n, c);
	ct_publish(n, c, false);
	return 0;
}

static int run_start(struct node *n, struct ct *c, const json_t *spec, struct err *err)
{
	_json_ json_t *request = container_request(n, c->name);
	_json_ json_t *done = NULL;

	if (fault_point(start_before_runtime, err) < 0)
		return -1;
	json_object_set(request, "spec", (json_t *)spec);
	done = helper_run("helper-start", request, NULL, 0, deadline_in(START_TIMEOUT_MS), err);
	if (!done || fault_point(start_after_runtime, err) < 0)
		return -1;
	devices_started(spec);
	return ct_adopt(n, c, (pid_t)json_int(done, "pid", 0), err);
}

int ct_start(struct node *n, struct ct *c, const json_t *spec, struct err *err)
{
	struct err ignored;

	if (ct_prepare(n, c, spec, true, err) < 0)
		return -1;
	if (run_start(n, c, spec, err) == 0) {
		log_info("instance started", "instance", c->name);
		return 0;
	}
	if (ct_kill_all(n, c, &ignored) < 0)
		log_err(LOG_WARN, "clean up after a failed start", &ignored);
	ct_set_status(n, c, STATUS_STOPPED);
	ct_publish(n, c, false);
	return -1;
}
