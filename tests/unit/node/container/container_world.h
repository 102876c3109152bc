/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/node/container/container_world.h - a node with real containers for a test: small root
 * file systems of busybox, unprivileged, in a network namespace of the test's own.
 *
 * world_setup and world_teardown are the group's fixtures; a test's main is container_world_main,
 * because helpers are this program again.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/container/container.h"
#include "node/container/exec.h"
#include "node/daemon/host.h"
#include "node/helper/verbs.h"
#include "node/host/cgroup.h"
#include "node/host/idmap.h"
#include "node/host/pids.h"
#include "node/node_int.h"
#include "tests/unit/base/patience.h"

#define BUSYBOX "/bin/busybox"

/* Reaps what it starts, takes the halt signal, reboots on request. */
static const char init_script[] =
	"#!/bin/sh\n"
	"trap 'exit 0' PWR TERM\n"
	"echo booted >>/boots\n"
	"echo hello >/dev/console\n"
	"while :; do\n"
	"	if [ -e /reboot-now ]; then rm /reboot-now; busybox reboot -f; fi\n"
	"	sleep 0.1 & wait $!\n"
	"done\n";

struct world {
	char dir[64], cg[32];
	struct pool *pool;
	struct node *n;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char told[32]; /* last status */
	int tellings;
	pid_t guard;
	int guard_fd; /* it cleans up when this is closed, by whatever ends the test */
};

static inline void on_change(void *arg, const char *name, const json_t *state)
{
	struct world *w = arg;

	pthread_mutex_lock(&w->lock);
	str_copy(w->told, sizeof(w->told), json_str(state, "status", "gone"));
	w->tellings++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static inline bool wait_told(struct world *w, const char *status)
{
	struct timespec until = { .tv_sec = time(NULL) + PATIENCE_MS / 1000 };
	bool ok;

	pthread_mutex_lock(&w->lock);
	while (!str_eq(w->told, status) &&
	       pthread_cond_timedwait(&w->changed, &w->lock, &until) == 0)
		;
	ok = str_eq(w->told, status);
	pthread_mutex_unlock(&w->lock);
	return ok;
}

static inline void must(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s: %s", err_name(err->kind), err->msg);
}

static inline void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	struct err err;

	must(io_write_file(path, text, strlen(text), mode, &err), &err);
	assert_int_equal(chmod(path, mode), 0);
}

static inline void make_root(const char *root)
{
	static const char *const dirs[] = { "bin", "sbin", "proc", "sys", "dev",
					    "tmp", "etc",  "root", "var" };
	static const char *const applets[] = { "sh",   "sleep", "cat",   "echo", "id",
					       "ls",   "rm",    "stty",  "ps",   "ip",
					       "kill", "true",  "nproc", "grep", "tty" };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_free_ char *path = xasprintf("%s/%s", root, dirs[i]);

		must(io_mkdirs(path, 0755, &err), &err);
	}
	{
		_free_ char *to = xasprintf("%s/bin/busybox", root);
		const char *const cp[] = { "cp", BUSYBOX, to, NULL };

		must(proc_run(cp, NULL, PATIENCE, &err), &err);
	}
	for (size_t i = 0; i < ARRAY_SIZE(applets); i++) {
		_free_ char *path = xasprintf("%s/bin/%s", root, applets[i]);

		assert_int_equal(symlink("busybox", path), 0);
	}
	write_file(root, "sbin/init", init_script, 0755);
	write_file(root, "etc/passwd", "root::0:0:root:/root:/bin/sh\n", 0644);
}

static inline void open_node(struct world *w)
{
	struct node_opts o = { .dir = w->dir,
			       .cgroup_name = w->cg,
			       .pool = w->pool,
			       .instance_changed = on_change,
			       .arg = w };
	struct err err;

	w->n = node_new(&o, &err);
	if (!w->n)
		fail_msg("%s", err.msg);
}

/* ThreadSanitizer keeps a thread of its own in every process; no such process may enter a user
 * namespace, which helpers must. */
static inline bool world_possible(void)
{
#ifdef __SANITIZE_THREAD__
	return false;
#else
	return geteuid() == 0;
#endif
}

/* --- what a test leaves, even one that is killed ------------------------------------------- */

static inline void unmount_below(const char *dir)
{
	_free_ char *text = NULL;
	struct err err;
	char *f[3];

	text = io_read_file("/proc/self/mounts", 1 << 20, NULL, &err);
	for (char *line = text, *next; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (str_split(line, ' ', f, ARRAY_SIZE(f)) >= 2 && str_starts(f[1], dir))
			umount2(f[1], MNT_DETACH);
	}
}

/* True when nothing of it lives any more. */
static inline bool end_all(const char *cg)
{
	_json_ json_t *names = cgroup_names(cg);
	struct err err;
	json_t *v;
	size_t i;

	json_array_foreach(names, i, v) {
		if (cgroup_is_frozen(cg, json_string_value(v)))
			cgroup_freeze(cg, json_string_value(v), false, deadline_in(100), &err);
	}
	return cgroup_kill(cg, "", "") == 0;
}

static inline void clean_up(const char *dir, const char *cg)
{
	int64_t deadline = PATIENCE;
	bool ended;
	struct err err;

	while (!(ended = end_all(cg)) && clock_ms() < deadline)
		poll(NULL, 0, 10);
	cgroup_remove(cg, "");
	unmount_below(dir);
	_exit(io_remove_tree(dir, &err) == 0 && ended ? 0 : 1);
}

/* A process of its own, in a session that nobody who ends the test signals. */
static inline void guard_start(struct world *w)
{
	int fds[2];
	char c;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	w->guard = fork();
	assert_true(w->guard >= 0);
	if (w->guard > 0) {
		close(fds[0]);
		w->guard_fd = fds[1];
		return;
	}
	setsid();
	close_range(fds[0] + 1, ~0U, 0);
	while (read(fds[0], &c, 1) < 0)
		;
	clean_up(w->dir, w->cg);
}

static inline void guard_end(struct world *w)
{
	int status = -1;

	close(w->guard_fd);
	assert_int_equal(waitpid(w->guard, &status, 0), w->guard);
	assert_int_equal(status, 0);
}

static inline int world_setup(void **state)
{
	struct world *w = xnew(struct world);
	char hex[16];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	snprintf(w->dir, sizeof(w->dir), "/var/tmp/dunlin-test-%s", rng_hex(hex, 4));
	snprintf(w->cg, sizeof(w->cg), "dunlin-test-%s", hex);
	guard_start(w);
	w->pool = pool_new((const struct pool_bound[POOL_LANES]){
		[POOL_FAST] = { 4, 64 }, [POOL_JOB] = { 4, 64 }, [POOL_SLOW] = { 4, 64 } });
	open_node(w);
	*state = w;
	return 0;
}

static inline json_t *make_spec(struct world *w, const char *name, const char *driver)
{
	bool overlay = str_eq(driver, "overlay");
	_free_ char *volume = xasprintf("%s/vol-%s", w->dir, name);
	_free_ char *image = xasprintf("%s/image-%s", w->dir, name);
	_free_ char *root = overlay ? xstrdup(image) : xasprintf("%s/rootfs", volume);
	_free_ char *upper = xasprintf("%s/upper", volume), *work = xasprintf("%s/work", volume);
	struct err err;

	if (!io_exists(root))
		make_root(root);
	must(io_mkdirs(upper, 0755, &err), &err);
	must(io_mkdirs(work, 0700, &err), &err);
	return json_pack("{ss,s{ss,ss,ss},sb,s{si,si},s{ss,ss,ss},s[]}", "name", name, "config",
			 "environment.COLOUR", "blue sky", "limits.memory", "256MiB", "user.x", "y",
			 "privileged", 0, "idmap", "base", 1000000, "size", 65536, "rootfs",
			 "driver", driver, "volume", volume, "image", image, "devices");
}

static inline void end_container(struct world *w, const char *name)
{
	struct err err;

	if (container_status(w->n, name) != STATUS_STOPPED)
		container_stop(w->n, name, true, 0, &err);
	must(container_delete(w->n, name, &err), &err);
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	if (w->n)
		node_stop(w->n);
	pool_free(w->pool);
	node_free(w->n);
	guard_end(w);
	free(w);
	return 0;
}

/* --- commands ----------------------------------------------------------------------------- */

struct ended {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	int status;
	bool told;
};

static inline void on_done(void *arg, int status, const struct err *err)
{
	struct ended *e = arg;

	pthread_mutex_lock(&e->lock);
	assert_false(e->told);
	e->told = true;
	e->status = status;
	pthread_cond_broadcast(&e->cond);
	pthread_mutex_unlock(&e->lock);
}

static inline int wait_done(struct ended *e)
{
	struct timespec until = { .tv_sec = time(NULL) + PATIENCE_MS / 1000 };
	int status;

	pthread_mutex_lock(&e->lock);
	while (!e->told && pthread_cond_timedwait(&e->cond, &e->lock, &until) == 0)
		;
	status = e->told ? e->status : -1;
	pthread_mutex_unlock(&e->lock);
	return status;
}

#define ENDED                                                                  \
	{                                                                      \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, -1, false \
	}

static inline void read_all(int fd, struct sbuf *out)
{
	char buf[512];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sbuf_add(out, buf, (size_t)n);
	sbuf_putc(out, '\0');
}

/* Exit status; what it wrote is in out. */
static inline int run(struct world *w, const char *name, json_t *own_command, struct sbuf *out)
{
	_json_ json_t *command = own_command;
	_json_ json_t *env = json_pack("{ss,ss}", "PATH", "/bin:/sbin", "GREETING", "ahoi");
	struct exec_spec spec = { .name = name, .command = command, .environment = env };
	struct ended end = ENDED;
	struct err err;
	struct exec *e;
	int pipefd[2], status;

	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	spec.fds[0] = -1;
	spec.fds[1] = spec.fds[2] = pipefd[1];
	e = container_exec(w->n, &spec, on_done, &end, &err);
	close(pipefd[1]);
	if (!e)
		fail_msg("%s", err.msg);
	read_all(pipefd[0], out);
	close(pipefd[0]);
	status = wait_done(&end);
	exec_free(e);
	return status;
}

static inline void expect_run(struct world *w, const char *name, const char *script, int status,
			      const char *want)
{
	_sbuf_ struct sbuf out = SBUF(65536);
	int got = run(w, name, json_pack("[sss]", "sh", "-c", script), &out);

	if (got != status || (want && !str_eq(out.data, want)))
		fail_msg("%s: status %d, output \"%s\"", script, got, out.data);
}

/* Of one test alone when its name is given. */
#define container_world_main(argc, argv, tests, set_up, tear_down)                      \
	({                                                                              \
		int rc_ = helper_main(helper_verbs, argc, argv);                        \
                                                                                        \
		if (rc_ < 0 && !world_possible()) {                                     \
			print_message("skipped: needs root, and no ThreadSanitizer\n"); \
			rc_ = 0;                                                        \
		}                                                                       \
		if (rc_ < 0 && argc > 1)                                                \
			cmocka_set_test_filter(argv[1]);                                \
		rc_ >= 0 ? rc_ : cmocka_run_group_tests(tests, set_up, tear_down);      \
	})
