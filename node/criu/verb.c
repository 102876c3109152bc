/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: dumping and restoring containers with liblxc and CRIU.
 *
 * Everything that can be done beforehand is done before the container stands still, up to a
 * CRIU that waits at its gate (gate.h): the helper says 'r' on descriptor 5 (a socket), and begins
 * when it reads a byte there; an end of file makes it go away. From then on the action script
 * (node/hook/criu_hook.c) talks to the daemon. Both outlive a daemon that dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/console/console.h"
#include "node/container/verb/lxc.h"
#include "node/criu/criu.h"
#include "node/criu/dad.h"
#include "node/criu/gate.h"
#include "node/criu/mounts.h"
#include "node/criu/pages.h"
#include "node/criu/strays.h"
#include "node/criu/tcp_left.h"
#include "node/criu/vault.h"
#include "node/criu/watches.h"
#include "node/criu/yard.h"
#include "node/device/port.h"
#include "node/helper/verbs.h"
#include "node/host/cgroup.h"
#include "node/host/owner.h"
#include "node/host/pids.h"
#include "node/storage/rootfs.h"


#define FREEZE_MS 10000
#define THAW_MS 10000
#define ACCEPT_MS 50
#define VFORK_TRIES 50
#define VFORK_STEP_MS 10
#define ACCEPT_STEP_MS 2
#define GATE_MS (CRIU_START_MS + 15000) /* the daemon gives up, and says so, before */

/* What both helpers are told beside name, lxcpath and cgroup_name. */
struct job {
	const json_t *request, *spec;
	const char *name, *cgroup_name;
	const char *run, *shm, *images, *hook, *id, *sent;
	const char *kept; /* of a restore: where the images are; NULL: in `images` already */
	int64_t lxc_log;
	bool keep_frozen, lazy; /* lazy: memory follows (node/criu/pages.h) */
};

static void put_container(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}
#define _lxc_ __attribute__((cleanup(put_container)))

static struct job job_of(const json_t *request)
{
	return (struct job){
		.request = request,
		.spec = json_obj(request, "spec"),
		.name = json_str(request, "name", ""),
		.cgroup_name = json_str(request, "cgroup_name", ""),
		.run = json_str(request, "run", ""),
		.shm = json_str(request, "shm", ""),
		.images = json_str(request, "images", ""),
		.hook = json_str(request, "hook", ""),
		.id = json_str(request, "id", ""),
		.sent = json_str(request, "sent", ""),
		.kept = json_str(request, "kept", NULL),
		.lxc_log = helper_lxc_log_size(request),
		.keep_frozen = json_bool(request, "keep_frozen", false),
		.lazy = json_bool(request, "lazy", false),
	};
}

/* --- the environment of liblxc, CRIU and the action script -------------------------------- */

static void set_freezer(const struct job *j)
{
	bool v1 = cgroup_is_v1("freezer");
	_free_ char *dir = cgroup_path("freezer", j->cgroup_name, j->name, "payload");
	_free_ char *file = xasprintf("%s/%s", dir, v1 ? "freezer.state" : "cgroup.freeze");

	setenv("DUNLIN_HOOK_FREEZER", file, 1);
	setenv("DUNLIN_HOOK_FROZEN", v1 ? "FROZEN" : "1", 1);
	setenv("DUNLIN_HOOK_THAWED", v1 ? "THAWED" : "0", 1);
	if (j->keep_frozen)
		setenv("DUNLIN_HOOK_KEEP", "1", 1);
}

static void set_ports(const struct job *j)
{
	_sbuf_ struct sbuf list = SBUF(64 << 10);
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(j->spec, "devices"), i, dev) {
		if (device_has_port(dev, &p) && *p.bridge)
			sbuf_printf(&list, "%s%s:%s", list.len ? " " : "", p.bridge, p.host_name);
	}
	setenv("DUNLIN_HOOK_NICS", list.data ? list.data : "", 1);
}

static void set_hook(const struct job *j, const char *role)
{
	_free_ char *cgroup = xasprintf("%s/%s/payload", j->cgroup_name, j->name);
	_free_ char *helper = xasprintf("%d", (int)getpid());

	setenv("DUNLIN_HOOK_ROLE", role, 1);
	setenv("DUNLIN_HOOK_DIR", j->run, 1);
	setenv("DUNLIN_HOOK_ID", j->id, 1);
	setenv("DUNLIN_HOOK_HELPER", helper, 1);
	setenv("DUNLIN_HOOK_SENT", j->sent, 1);
	setenv("DUNLIN_HOOK_CGROUP", cgroup, 1);
	setenv("DUNLIN_HOOK_IMAGES", j->images, 1);
	set_freezer(j);
	set_ports(j);
}

static char *options_path(const struct job *j)
{
	return xasprintf("%s/criu.conf", j->images);
}

static char *folder_of(const struct job *j)
{
	return xasprintf("%s/%s", json_str(j->request, "lxcpath", ""), j->name);
}

/* Options that liblxc does not know, and that are complete when the gate opens. cgroup-root without
 * a controller also covers the v2 hierarchy. */
static int write_options(const struct job *j, const char *tools, bool source, struct err *err)
{
	_free_ char *path = options_path(j), *yard = xasprintf("%s/yard", tools);
	_free_ char *lazy = j->lazy ? pages_options(source) : xstrdup("");
	bool made = source && criu_yard_make(yard);
	/* The peers of connections have given up by the time that kept memory is restored. */
	_free_ char *text = xasprintf("cgroup-root /%s/%s/payload\n%s%s%s%s%s", j->cgroup_name,
				      j->name, j->kept ? "tcp-close\n" : "",
				      made ? "cgroup-yard " : "", made ? yard : "",
				      made ? "\n" : "", lazy);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || io_write_full(fd, text, strlen(text)) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}

static struct lxc_container *prepare(const struct job *j, const char *role, struct err *err)
{
	_free_ char *tools = criu_tools(j->shm, err);
	struct lxc_container *c;

	if (!tools || rootfs_private_ns(err) < 0)
		return NULL;
	criu_cache(j->run, tools);
	c = helper_lxc_open(j->request, err);
	if (!c)
		return NULL;
	setenv("PATH", tools, 1);
	set_hook(j, role);
	if (write_options(j, tools, str_eq(role, "source"), err) == 0)
		return c;
	lxc_container_put(c);
	return NULL;
}

static bool say_ready(void)
{
	return write(HELPER_FD_EXTRA, "r", 1) == 1;
}

/* False when the daemon went away or changed its mind. */
static bool await_start(void)
{
	char c;
	ssize_t n;

	while ((n = read(HELPER_FD_EXTRA, &c, 1)) < 0 && errno == EINTR)
		;
	return n == 1;
}

/* --- dump --------------------------------------------------------------------------------- */

static void connect_ports(const struct job *j, bool on)
{
	struct err err;

	if (devices_connect(j->spec, on, &err) < 0)
		log_err(LOG_WARN, "interface of a container that moves", &err);
}

/* While a commit may have been sent only the database knows whether the tasks may go on. */
static void let_go_on(const struct job *j)
{
	if (access(j->sent, F_OK) == 0)
		return;
	connect_ports(j, true);
	criu_mend(j->cgroup_name, j->name);
	if (!j->keep_frozen)
		cgroup_freeze(j->cgroup_name, j->name, false, deadline_in(THAW_MS),
			      &(struct err){ 0 });
}

static int if_stopped(void *arg, pid_t pid)
{
	*(pid_t *)arg = pid;
	return pids_is_stopped(pid);
}

/* In a frozen cgroup of v1 CRIU would wait for ever to get hold of such a process. */
static int check_stopped(const struct job *j, struct err *err)
{
	pid_t pid = 0;

	if (cgroup_each_pid(j->cgroup_name, j->name, "payload", if_stopped, &pid) == 0)
		return 0;
	return err_set(err, ERR_CONFLICT, "process %d is stopped by a signal", pid);
}

/* A connection that a process has accepted is carried over, one that waits for that is not. The
 * interface is off the bridge: no new ones come. */
static int await_accepts(pid_t init, struct err *err)
{
	_free_ char *path = xasprintf("/proc/%d/ns/net", init);
	_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_close_ int theirs = open(path, O_RDONLY | O_CLOEXEC);
	int64_t deadline = deadline_in(ACCEPT_MS);

	if (own < 0 || theirs < 0 || setns(theirs, CLONE_NEWNET) < 0)
		return err_sys(err, "enter the network of process %d", init);
	while (tcp_waiting() > 0 && clock_ms() < deadline)
		poll(NULL, 0, ACCEPT_STEP_MS); /* nobody tells when a process accepts */
	return setns(own, CLONE_NEWNET) < 0 ? err_sys(err, "leave the network of process %d", init)
					    : 0;
}

static int if_vforks(void *arg, pid_t pid)
{
	*(pid_t *)arg = pid;
	return pids_waits_for_vfork("/proc", pid);
}

/* CRIU would wait in vain for a process to stop that itself waits for its child, and that one is
 * frozen. */
static int freeze_tasks(const struct job *j, struct err *err)
{
	pid_t pid = 0;

	for (int tries = 0; tries < VFORK_TRIES; tries++) {
		/* CRIU polls the freezer every 100 ms; it takes a frozen cgroup as it is. */
		if (cgroup_freeze(j->cgroup_name, j->name, true, deadline_in(FREEZE_MS), err) < 0)
			return -1;
		if (cgroup_each_pid(j->cgroup_name, j->name, "payload", if_vforks, &pid) == 0)
			return 0;
		if (j->keep_frozen)
			break;
		if (cgroup_freeze(j->cgroup_name, j->name, false, deadline_in(THAW_MS), err) < 0)
			return -1;
		poll(NULL, 0, VFORK_STEP_MS); /* nobody tells when it has its child's answer */
	}
	return err_set(err, ERR_CONFLICT,
		       "process %d is starting a program and cannot be stopped (vfork)", pid);
}

static int freeze(const struct job *j, pid_t init, struct err *err)
{
	_free_ char *folder = folder_of(j), *options = options_path(j);

	if (check_stopped(j, err) < 0)
		return -1;
	/* From here on no handshake ends here: the kernel would end it for a process that cannot
	 * take the connection any more. */
	connect_ports(j, false);
	if (!j->keep_frozen && await_accepts(init, err) < 0)
		return -1;
	if (freeze_tasks(j, err) < 0 ||
	    pids_check_outside(j->cgroup_name, j->name, init, err) < 0 ||
	    criu_mounts_settle(j->cgroup_name, j->name, init, err) < 0 ||
	    cgroup_owners_save(j->cgroup_name, j->name, j->images, err) < 0)
		return -1;
	return console_dump(folder, j->images, options, j->cgroup_name, j->name, err);
}

/* A process of its own freezes the container and lets CRIU begin, while this one waits in liblxc
 * for the end of CRIU. */
struct freezer {
	pid_t pid;
	struct word {
		bool asked, failed;
		struct err err;
	} *shared; /* with it */
};

static int let_begin(const struct job *j, int own_gate, pid_t init, struct word *w)
{
	_free_ char *options = options_path(j);
	_close_ int gate = own_gate;

	if (!criu_gate_await(gate, -1, deadline_in(GATE_MS)))
		return err_set(&w->err, ERR_TIMEOUT, "CRIU did not start");
	w->asked = say_ready() && await_start();
	if (!w->asked)
		return err_set(&w->err, ERR_CANCELLED, "the move was given up");
	return freeze(j, init, &w->err) < 0 ? -1
					    : criu_gate_open(take_fd(&gate), options, &w->err);
}

static int freezer_start(struct freezer *f, const struct job *j, pid_t init, struct err *err)
{
	_close_ int gate = criu_gate_new(err);

	if (gate < 0)
		return -1;
	f->shared = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->shared == MAP_FAILED)
		return err_sys(err, "shared memory");
	f->pid = fork();
	if (f->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(CRIU_GATE_FD);
		f->shared->failed = let_begin(j, take_fd(&gate), init, f->shared) < 0;
		for (;;)
			pause(); /* who looks for strays takes a child that ended for CRIU */
	}
	close(HELPER_FD_EXTRA);
	return f->pid < 0 ? err_sys(err, "start a process") : 0;
}

/* True when it was the one that failed: a CRIU that has ended by itself it may still wait for. */
static bool freezer_end(struct freezer *f)
{
	kill(f->pid, SIGKILL);
	while (waitpid(f->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return f->shared->failed;
}

static char *cause_of(const struct job *j, const char *log)
{
	char *cause = criu_cause(j->images, log);
	_free_ char *lxc = cause ? NULL : helper_lxc_cause(j->request, j->lxc_log);

	return cause ? cause : xasprintf("CRIU wrote no log: %s", lxc);
}

static const char *dump_failed(const struct job *j, struct err *err)
{
	_free_ char *cause = cause_of(j, "dump.log");

	err_set(err, ERR_INTERNAL, "%s", cause);
	return criu_transient(cause);
}

/* {} when it is done; {again, cause} when it should be tried once more. */
static json_t *dump(const struct job *j, struct lxc_container *c, struct err *err)
{
	struct freezer f = { 0 };
	struct strays *strays;
	const char *why = NULL;
	bool done, failed;
	struct migrate_opts o = {
		.directory = (char *)j->images,
		.stop = true,
		.preserves_inodes = true,
		.ghost_limit = CRIU_GHOST_MAX_BYTES,
		.action_script = (char *)j->hook,
	};

	if (freezer_start(&f, j, c->init_pid(c), err) < 0)
		return NULL;
	strays = strays_begin(j->images);
	done = c->migrate(c, MIGRATE_DUMP, &o, sizeof(o)) == 0;
	strays_end(strays);
	failed = freezer_end(&f);
	if (done)
		return json_object();
	if (failed)
		*err = f.shared->err;
	else
		why = dump_failed(j, err);
	if (f.shared->asked)
		let_go_on(j);
	return why ? json_pack("{ss,ss}", "again", why, "cause", err->msg) : NULL;
}

static int look(void *arg, pid_t pid)
{
	watches_look(arg, pid);
	return 0;
}

json_t *helper_dump(const json_t *request, struct err *err)
{
	struct job j = job_of(request);
	_lxc_ struct lxc_container *c = prepare(&j, "source", err);
	struct watches *watches;
	json_t *done = NULL;

	/* A while before the freeze: an init that sees mounts go has something to say. */
	if (!c || criu_mounts_settle(j.cgroup_name, j.name, c->init_pid(c), err) < 0)
		return NULL;
	watches = watches_new(c->init_pid(c));
	cgroup_each_pid(j.cgroup_name, j.name, "payload", look, watches);
	watches_hold(watches);
	done = dump(&j, c, err);
	watches_free(watches);
	return done;
}

/* --- restore ------------------------------------------------------------------------------ */

/* The monitor inherits every descriptor that is open here: the vault is meant for it. */
static int clean_process(const struct job *j, struct err *err)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, CRIU_GATE_FD + 1, ~0U, 0);
	if (j->lazy && vault_keep(PAGES_FD_OUT, PAGES_FD_KEPT, err) < 0)
		return -1;
	syscall(SYS_close_range, 3, CRIU_GATE_FD - 1, 0);
	signal(SIGPIPE, SIG_DFL);
	umask(INSIDE_UMASK);
	return 0;
}

static int mount_root(const struct job *j, struct err *err)
{
	const char *lxcpath = json_str(j->request, "lxcpath", "");
	_free_ char *root = rootfs_mountpoint(lxcpath, j->name);

	if (rootfs_assemble(j->spec, root, err) < 0)
		return -1;
	return devices_stage(j->spec, lxcpath, err);
}

/* Up to its gate, where CRIU waits for the images. */
static int restore(const struct job *j, struct lxc_container *c, struct err *err)
{
	_free_ char *folder = folder_of(j);
	struct migrate_opts o = {
		.directory = (char *)j->images,
		.preserves_inodes = true,
		.action_script = (char *)j->hook,
	};

	if (console_lend(folder, err) < 0 ||
	    (j->kept && criu_stage(j->kept, j->images, j->spec, err) < 0))
		return -1;
	if (c->migrate(c, MIGRATE_RESTORE, &o, sizeof(o)) == 0)
		return 0;
	_free_ char *cause = cause_of(j, "restore.log");

	return err_set(err, ERR_INTERNAL, "%s", cause);
}

static void note_failure(const struct job *j, const struct err *err)
{
	_free_ char *path = xasprintf("%s/failure", j->images);

	io_write_file(path, err->msg, strlen(err->msg), 0600, &(struct err){ 0 });
}

/* Ends with the monitor's start, or never began: what is left behind is the monitor, with nothing
 * of ours. */
static int restore_worker(const struct job *j)
{
	struct err err = { 0 };
	struct lxc_container *c;

	c = clean_process(j, &err) < 0 ? NULL : prepare(j, "target", &err);
	if (c && mount_root(j, &err) == 0 && restore(j, c, &err) == 0)
		return 0;
	note_failure(j, &err);
	return 1;
}

static int worker_failed(const struct job *j, int status, struct err *err)
{
	_free_ char *path = xasprintf("%s/failure", j->images);
	_free_ char *text = io_read_file(path, sizeof(err->msg), NULL, err);

	if (WIFSIGNALED(status))
		return err_set(err, ERR_INTERNAL, "the restore was killed by signal %d",
			       WTERMSIG(status));
	return err_set(err, ERR_INTERNAL, "%s", text ? text : "the restore gave no reason");
}

/* The images are there, and all files. */
static int begin(const struct job *j, pid_t worker, int own_gate, struct err *err)
{
	_free_ char *folder = folder_of(j), *options = options_path(j);
	_free_ char *at = rootfs_mountpoint(json_str(j->request, "lxcpath", ""), j->name);
	_free_ char *root = xasprintf("/proc/%d/root%s", worker, at);
	_close_ int gate = own_gate;

	if (rootfs_refresh(root, err) < 0 ||
	    console_restore(folder, j->images, options, err) < 0)
		return -1;
	criu_fix_timers(j->images);
	dad_skip(j->images);
	return criu_gate_open(take_fd(&gate), options, err);
}

/* 1: its worker has ended; 0: it has been asked to begin; -1: it has not, and will not be. */
static int await_word(pid_t worker, int gate)
{
	_close_ int fd = (int)syscall(SYS_pidfd_open, worker, 0);
	struct pollfd pf[] = { { .fd = HELPER_FD_EXTRA, .events = POLLIN },
			       { .fd = fd, .events = POLLIN } };

	if (!criu_gate_await(gate, fd, deadline_in(GATE_MS)))
		return 1;
	if (!say_ready())
		return -1;
	while (poll(pf, ARRAY_SIZE(pf), -1) < 0 && errno == EINTR)
		;
	if (!pf[0].revents)
		return 1;
	return await_start() ? 0 : -1;
}

static int end_worker(const struct job *j, pid_t worker, struct err *err)
{
	int status = 0;

	while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : worker_failed(j, status, err);
}

static int run_worker(const struct job *j, struct err *err)
{
	_close_ int gate = criu_gate_new(err);
	struct err ignored;
	pid_t worker;
	int rc;

	if (gate < 0)
		return -1;
	worker = fork();
	if (worker == 0)
		_exit(restore_worker(j));
	close(CRIU_GATE_FD);
	if (worker < 0)
		return err_sys(err, "start a process");
	rc = await_word(worker, gate);
	if (rc == 0)
		rc = begin(j, worker, take_fd(&gate), err);
	else if (rc < 0)
		err_set(err, ERR_CANCELLED, "the move was given up");
	if (gate >= 0)
		close(take_fd(&gate));
	if (rc >= 0)
		return end_worker(j, worker, err);
	end_worker(j, worker, &ignored);
	return -1;
}

json_t *helper_restore(const json_t *request, struct err *err)
{
	struct job j = job_of(request);
	_lxc_ struct lxc_container *c = NULL;

	if (run_worker(&j, err) < 0)
		return NULL;
	c = helper_lxc_open(request, err);
	return c ? json_pack("{si}", "pid", (int)c->init_pid(c)) : NULL;
}
