/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/dunlind.c - argv to the daemon, one of its verbs, or a helper job. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/daemon/arguments.h"
#include "node/daemon/daemon.h"
#include "node/daemon/init/client.h"
#include "node/daemon/init/init.h"
#include "node/helper/verbs.h"

#define SHUTDOWN_TIMEOUT_S 60
#define ANSWER_MS 90000 /* a host that shuts down has a lot to do */
#define PATIENCE_MS (24 * 3600 * 1000)

static const char usage[] =
	"Usage: dunlind [--group GROUP] [--log-level LEVEL]\n"
	"       dunlind VERB [options]\n"
	"\n"
	"The node daemon of Dunlin. Without a verb it runs in the foreground and logs to stderr.\n"
	"Stopping or restarting it leaves containers running.\n"
	"\n"
	"Verbs:\n"
	"  init        configure a running daemon, or join a cluster (see dunlind init --help)\n"
	"  waitready   return once the daemon answers: --timeout SECONDS (default: for ever)\n"
	"  shutdown    stop the daemon cleanly; containers go on\n"
	"                --timeout SECONDS  for all of it (default 60 and the containers' time)\n"
	"                --instances        stop the containers first, each within its\n"
	"                                   boot.host_shutdown_timeout; the next daemon\n"
	"                                   starts them again\n"
	"                --if-host-stops    only when systemd is shutting the host down\n"
	"\n"
	"Options:\n"
	"  --group GROUP      members of GROUP administer through the unix socket (default: root)\n"
	"  --log-level LEVEL  error, warn, info (default), debug or trace\n"
	"  --debug, --verbose the same as --log-level debug\n"
	"  --help, --version\n"
	"\n"
	"Environment:\n"
	"  DUNLIN_DIR         state directory (default /var/lib/dunlin); several daemons with\n"
	"                     different directories can run on one host\n";

static int fail(const struct err *err)
{
	fprintf(stderr, "Error: %s\n", err->msg);
	return 1;
}

static int waitready_main(int argc, char **argv)
{
	uint64_t s = 0;
	struct err err;

	if (!arguments_waitready(argc, argv, &s)) {
		fputs("Usage: dunlind waitready [--timeout SECONDS]\n", stderr);
		return 1;
	}
	return init_wait_ready(s ? deadline_in((int64_t)s * 1000) : 0, &err) < 0 ? fail(&err) : 0;
}

/* Of the running daemon, to see its end. */
static int daemon_pidfd(struct err *err)
{
	_json_ json_t *server = init_call("GET", "/1.0", NULL, 0, err);
	pid_t pid = (pid_t)json_int(json_obj(server, "environment"), "server_pid", 0);
	int fd;

	if (!server)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? err_sys(err, "watch the daemon, process %d", pid) : fd;
}

static int64_t shutdown_deadline(const struct shutdown_arguments *s)
{
	return deadline_in((int64_t)(s->timeout_s ? s->timeout_s : SHUTDOWN_TIMEOUT_S) * 1000);
}

/* Containers have times of their own, unless the caller has set one for all. */
static int shut_down(const struct shutdown_arguments *s, struct err *err)
{
	_json_ json_t *body = json_pack("{sb}", "instances", s->instances);
	bool patient = s->instances && !s->timeout_s;
	int64_t deadline = patient ? deadline_in(PATIENCE_MS) : shutdown_deadline(s);
	_close_ int fd = daemon_pidfd(err);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	_json_ json_t *asked = NULL;

	if (fd < 0)
		return -1;
	asked = init_call("PUT", "/internal/shutdown", body, deadline, err);
	if (!asked)
		return -1;
	if (patient)
		deadline = shutdown_deadline(s);
	if (poll(&p, 1, deadline_left(deadline)) <= 0)
		return err_set(err, ERR_TIMEOUT, "dunlind is still stopping");
	return 0;
}

/* Nobody else knows what runs here: one that has stopped or died is started for it. */
static int shut_down_stopped(const struct shutdown_arguments *s, struct err *err)
{
	const char *const argv[] = { "/proc/self/exe", NULL };
	struct proc_spec spec = { .argv = argv, .fds = { -1, 2, 2 }, .nfds = 3 };
	struct proc p = { .pidfd = -1 };
	int status, rc = -1;

	if (proc_spawn(&spec, &p, err) < 0)
		return -1;
	if (init_wait_ready(shutdown_deadline(s), err) == 0)
		rc = shut_down(s, err);
	if (rc == 0)
		rc = proc_wait(&p, shutdown_deadline(s), &status, err);
	proc_kill(&p);
	return rc;
}

static bool answers(void)
{
	struct err ignored;
	_json_ json_t *server = init_call("GET", "/1.0", NULL, deadline_in(ANSWER_MS), &ignored);

	return server != NULL;
}

static int shut_down_all(const struct shutdown_arguments *s, struct err *err)
{
	if (answers()) {
		if (shut_down(s, err) == 0)
			return 0;
		/* Unless it died meanwhile, and left the rest running. */
		if (err->kind == ERR_TIMEOUT || answers())
			return -1;
	}
	return shut_down_stopped(s, err);
}

/* As systemctl says it: the job that stops the host is queued or runs. When systemd does not get to
 * answer, instances that are stopped for nothing are less than instances that are killed. */
static bool host_stops(void)
{
	static const char *const argv[] = { "systemctl", "is-system-running", NULL };
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err;

	/* Its exit status is that of any state but "running". */
	if (proc_run(argv, &out, deadline_in(ANSWER_MS), &err) < 0 && err.kind == ERR_TIMEOUT)
		return true;
	return out.data && str_starts(out.data, "stopping");
}

static int shutdown_main(int argc, char **argv)
{
	struct shutdown_arguments s;
	struct err err;

	if (!arguments_shutdown(argc, argv, &s)) {
		fputs("Usage: dunlind shutdown [--instances] [--if-host-stops] "
		      "[--timeout SECONDS]\n",
		      stderr);
		return 1;
	}
	if (s.if_host_stops && !host_stops())
		return 0;
	return (s.instances ? shut_down_all(&s, &err) : shut_down(&s, &err)) < 0 ? fail(&err) : 0;
}

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} verbs[] = {
	{ "init", init_main },
	{ "waitready", waitready_main },
	{ "shutdown", shutdown_main },
};

static int run_daemon(int argc, char **argv)
{
	struct daemon_arguments a;
	struct daemon_opts o = { .dir = init_dir() };
	struct err err;

	switch (arguments_daemon(argc, argv, &a)) {
	case WISH_HELP:
		return fputs(usage, stdout) < 0;
	case WISH_VERSION:
		return puts(DUNLIN_VERSION) < 0;
	case WISH_USAGE:
		return fputs(usage, stderr), 1;
	case WISH_RUN:
		break;
	}
	if (a.strange) {
		fprintf(stderr, "Error: unknown verb \"%s\"; see dunlind --help\n", a.strange);
		return 1;
	}
	o.group = a.group;
	log_init(a.level);
	if (fault_init(&err) < 0 || daemon_run(&o, &err) < 0)
		return fail(&err);
	return 0;
}

int main(int argc, char **argv)
{
	int rc;

	/* Nothing that is made here is for others; what must be says so where it is made. */
	umask(077);
	rc = helper_main(helper_verbs, argc, argv);
	if (rc >= 0)
		return rc;
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		if (str_eq(argv[1], verbs[i].name))
			return verbs[i].main(argc - 1, argv + 1);
	}
	return run_daemon(argc, argv);
}
