/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU's action script, called as CRIU does. The test is the helper that calls CRIU, the daemon at
 * the socket, and the container: its network namespace has the bridge and the port. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/rng.h"
#include "node/criu/dad.h"
#include "node/criu/tcp_left.h"
#include "node/host/cgroup.h"
#include "node/host/owner.h"
#include "node/host/tool.h"
#include "node/netlink/link.h"
#include "tests/unit/node/network/netns.h"

#define ID "op-1 c1 7"

struct world {
	void *home;
	char dir[64], cgroup[40];
	char *hook;
	pid_t init; /* of the container, whose network is the test's */
	int listener;
};

static void put(const struct world *w, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, name);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static bool has(const struct world *w, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, name);
	struct err err;
	_free_ char *is = io_read_file(path, 4096, NULL, &err);

	return str_eq(is ? is : "nothing", text);
}

static void listen_at(struct world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/move.sock", w->dir);
	unlink(un.sun_path);
	w->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(w->listener, 8), 0);
}

static int group_set_up(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;
	char hex[16];

	netns_set_up(&w->home);
	must("ip link add br0 type bridge");
	must("ip link add v0 type veth peer name v0p");
	w->init = getpid();
	w->hook = tool_path("dunlin-criu-hook", &err);
	if (!w->hook)
		fail_msg("%s", err.msg);
	snprintf(w->cgroup, sizeof(w->cgroup), "dunlin-test-hook-%s", rng_hex(hex, 4));
	*state = w;
	return 0;
}

static int group_tear_down(void **state)
{
	struct world *w = *state;

	netns_tear_down(&w->home);
	free(w->hook);
	free(w);
	return 0;
}

static int set_up(void **state)
{
	struct world *w = *state;

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-hook-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	put(w, "freezer", "");
	listen_at(w);
	must("ip link set v0 nomaster");
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	close(w->listener);
	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	return 0;
}

/* --- one call --------------------------------------------------------------------------------- */

struct call {
	const char *stage, *role;
	bool sent, keep;
	const char *cgroup;
};

static void set(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void set(const char *name, const char *fmt, ...)
{
	_free_ char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	setenv(name, value, 1);
}

/* In a child: becomes the script, of which `helper` is the grandparent. */
static void become(const struct world *w, const struct call *c, pid_t helper)
{
	set("CRTOOLS_SCRIPT_ACTION", "%s", c->stage);
	set("CRTOOLS_INIT_PID", "%d", (int)w->init);
	set("DUNLIN_HOOK_ROLE", "%s", c->role);
	set("DUNLIN_HOOK_DIR", "%s", w->dir);
	set("DUNLIN_HOOK_ID", "%s", ID);
	set("DUNLIN_HOOK_HELPER", "%d", (int)helper);
	set("DUNLIN_HOOK_SENT", "%s/%s", w->dir, c->sent ? "freezer" : "nothing");
	set("DUNLIN_HOOK_NICS", "br0:v0 br0:no-such nonsense");
	set("DUNLIN_HOOK_FREEZER", "%s/freezer", w->dir);
	set("DUNLIN_HOOK_FROZEN", "FROZEN");
	set("DUNLIN_HOOK_THAWED", "THAWED");
	if (c->keep)
		set("DUNLIN_HOOK_KEEP", "1");
	set("DUNLIN_HOOK_IMAGES", "%s", w->dir);
	set("DUNLIN_HOOK_CGROUP", "%s", c->cgroup ? c->cgroup : "nothing");
	execl(w->hook, w->hook, (char *)NULL);
	_exit(127);
}

static pid_t start(const struct world *w, const struct call *c)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		become(w, c, 0);
	return pid;
}

static int end(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The daemon: takes the next connection, which has to say this. */
static int take(struct world *w, const char *said)
{
	_free_ char *want = xasprintf("%s " ID " %d\n", said, (int)w->init);
	struct pollfd pf = { .fd = w->listener, .events = POLLIN };
	char line[512] = "";
	size_t n = 0;
	int s;

	if (poll(&pf, 1, PATIENCE_MS) != 1)
		fail_msg("nobody says \"%s\"", said);
	s = accept(w->listener, NULL, NULL);
	while (n + 1 < sizeof(line) && !memchr(line, '\n', n)) {
		ssize_t got = read(s, line + n, sizeof(line) - 1 - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_string_equal(line, want);
	return s;
}

/* answer: 0 goes away without one. */
static void answer(struct world *w, const char *said, char with)
{
	int s = take(w, said);

	if (with)
		assert_int_equal(write(s, &with, 1), 1);
	close(s);
}

static bool is_plugged(void)
{
	struct link_info port, bridge;
	struct err err;

	assert_int_equal(link_get("v0", &port, &err), 0);
	assert_int_equal(link_get("br0", &bridge, &err), 0);
	return port.master == bridge.index;
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* Answers: what the daemon says to each question, '-' goes away. Without any it is not there. */
static void goes_by_the_verdict(void **state)
{
	static const struct {
		struct call call;
		const char *answers;
		int rc;
		const char *freezer;
	} cases[] = {
		{ { "post-dump", "source", false, false, NULL }, "0", 0, "THAWED" },
		{ { "post-dump", "source", false, false, NULL }, "1", 1, "FROZEN" },
		/* nothing can be committed yet: it goes on here */
		{ { "post-dump", "source", false, false, NULL }, "-", 1, "FROZEN" },
		{ { "post-dump", "source", false, false, NULL }, "", 1, "FROZEN" },
		/* only the database knows: the next daemon tells */
		{ { "post-dump", "source", true, false, NULL }, "--0", 0, "THAWED" },
		{ { "post-dump", "source", true, false, NULL }, "-1", 1, "FROZEN" },
		{ { "post-restore", "target", false, false, NULL }, "0", 0, "" },
		{ { "post-restore", "target", false, false, NULL }, "1", 1, "" },
		{ { "post-restore", "target", false, false, NULL }, "--0", 0, "" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct call *c = &cases[i].call;
		_free_ char *said = xasprintf("hold %s", c->role);
		pid_t pid;

		put(w, "freezer", "");
		put(w, TCP_LEFT, "none yet");
		close(w->listener);
		listen_at(w);
		if (!*cases[i].answers)
			close(w->listener);
		pid = start(w, c);
		for (const char *a = cases[i].answers; *a; a++)
			answer(w, said, *a == '-' ? 0 : *a);
		if (end(pid) != cases[i].rc || !has(w, "freezer", cases[i].freezer))
			fail_msg("case %zu", i);
		/* noted while it stood still: nobody was connected */
		assert_true(has(w, TCP_LEFT, str_eq(c->role, "source") ? "" : "none yet"));
	}
}

/* CRIU has many stages; a folder that is gone is a move that is over. */
static void other_stages_are_none_of_its(void **state)
{
	static const char *const stages[] = { "pre-dump", "post-restore", "setup-namespaces", "" };
	static const char *const roles[] = { "source", "target" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(stages) * 2; i++) {
		const struct call c = { stages[i / 2], roles[i % 2], false, false, NULL };

		if (str_eq(c.stage, "post-restore") && i % 2)
			continue;
		assert_int_equal(end(start(w, &c)), 0);
		assert_true(has(w, "freezer", ""));
		assert_false(is_plugged());
	}
	{
		const struct call c = { "post-dump", "source", false, false, NULL };
		struct world gone = *w;

		str_copy(gone.dir, sizeof(gone.dir), "/tmp/no-such");
		assert_int_equal(end(start(&gone, &c)), 0);
	}
}

/* --- network ---------------------------------------------------------------------------------- */

static void plugs_in_where_the_container_goes_on(void **state)
{
	static const struct {
		struct call call;
		bool daemon, plugged;
	} cases[] = {
		/* given up before the commit: it is back on its bridge */
		{ { "network-unlock", "source", false, false, NULL }, false, true },
		/* it may run elsewhere by now */
		{ { "network-unlock", "source", true, false, NULL }, false, false },
		{ { "network-unlock", "target", false, false, NULL }, true, true },
		{ { "network-unlock", "target", false, false, NULL }, false, true },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t pid;
		int s;

		must("ip link set v0 nomaster");
		if (!cases[i].daemon)
			close(w->listener);
		pid = start(w, &cases[i].call);
		if (cases[i].daemon) {
			s = take(w, "plug target");
			assert_false(is_plugged()); /* what the daemon has kept comes first */
			close(s);
		}
		assert_int_equal(end(pid), 0);
		assert_int_equal(is_plugged(), cases[i].plugged);
		if (!cases[i].daemon)
			listen_at(w);
	}
}

/* Read in this namespace; the processes that the script leaves do the rest. */
static void wait_for(const struct world *w, const char *path, const char *text)
{
	int64_t deadline = PATIENCE;
	struct err err;

	while (clock_ms() < deadline) {
		_free_ char *is = io_read_file(path, 64, NULL, &err);

		if (str_eq(is ? is : "", text))
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("%s does not become \"%s\"", path, text);
}

static void tells_that_it_runs(void **state)
{
	static const bool keeps[] = { false, true };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(keeps); i++) {
		const struct call c = { "post-resume", "target", false, keeps[i], NULL };
		pid_t pid;

		put(w, "freezer", "FROZEN");
		pid = start(w, &c);
		answer(w, "resumed target", 0);
		assert_int_equal(end(pid), 0);
		assert_true(has(w, "freezer", keeps[i] ? "FROZEN" : "THAWED"));
	}
}

/* Addresses came back without the question whether anybody else has them. */
static void puts_back_what_the_images_had_off(void **state)
{
	static const char path[] = "/proc/sys/net/ipv6/conf/v0/accept_dad";
	const struct call c = { "post-resume", "target", false, false, NULL };
	struct world *w = *state;
	pid_t pid;

	must("ip link set v0 up");
	assert_int_equal(run_in(-1, NULL, "sysctl -qw net.ipv6.conf.v0.accept_dad=0"), 0);
	put(w, DAD_NOTES, "v0 2\nno-such 1\n");
	pid = start(w, &c);
	answer(w, "resumed target", 0);
	assert_int_equal(end(pid), 0);
	wait_for(w, path, "2\n");
}

/* --- cgroups ---------------------------------------------------------------------------------- */

static struct stat look(const char *folder, const char *name)
{
	_free_ char *path = xasprintf("%s/%s", folder, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st;
}

/* The note came with the move: nothing in it leads out of the container's own cgroup. */
static void gives_the_cgroups_own_files_only(void **state)
{
	struct world *w = *state;
	const char *hierarchy = cgroup_is_v1("pids") ? "pids" : ".";
	_free_ char *payload = xasprintf("%s/c1/payload", w->cgroup);
	_free_ char *own = cgroup_path("pids", w->cgroup, "c1", "payload");
	_free_ char *inner = xasprintf("%s/a folder", own);
	_free_ char *other = cgroup_path("pids", w->cgroup, "c2", "payload");
	_free_ char *note = xasprintf("640 1000000 1000005 %s /cgroup.procs\n"
				      "700 1000001 1000001 %s /a folder/cgroup.procs\n"
				      "666 1 1 %s /no-such\n"
				      "666 1 1 %s /../../c2/payload/cgroup.procs\n"
				      "666 1 1 .. /cgroup.procs\n"
				      "666 1 1 a/b /cgroup.procs\n"
				      "not a line\n"
				      "9 1 1 %s /tasks\n",
				      hierarchy, hierarchy, hierarchy, hierarchy, hierarchy);
	struct call c = { "pre-resume", "target", false, false, payload };
	struct stat st, before;
	struct err err;

	assert_int_equal(io_mkdirs(inner, 0755, &err), 0);
	assert_int_equal(io_mkdirs(other, 0755, &err), 0);
	before = look(other, "cgroup.procs");
	put(w, CGROUP_OWNERS, note);
	assert_int_equal(end(start(w, &c)), 0);
	st = look(own, "cgroup.procs");
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(st.st_uid == 1000000 && st.st_gid == 1000005);
	st = look(inner, "cgroup.procs");
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, 1000001);
	st = look(other, "cgroup.procs");
	assert_true(st.st_mode == before.st_mode && st.st_uid == before.st_uid);
	cgroup_remove(w->cgroup, "");
}

/* --- a CRIU that is killed -------------------------------------------------------------------- */

/* A process that calls the script, as CRIU does, and then lives until it is told. Whoever is left
 * holds `alive` open. */
static pid_t start_criu(const struct world *w, const struct call *c, pid_t helper, int alive[2],
			int go[2])
{
	pid_t pid;

	assert_int_equal(pipe(alive), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		pid_t script = fork();
		char byte = 0;

		close(alive[0]);
		if (script == 0)
			become(w, c, helper);
		if (waitpid(script, NULL, 0) != script || write(alive[1], "r", 1) != 1)
			_exit(1);
		close(go[1]);
		_exit(read(go[0], &byte, 1) < 0);
	}
	close(alive[1]);
	close(go[0]);
	return pid;
}

static void await_byte(int fd, ssize_t want)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&pf, 1, PATIENCE_MS), 1);
	assert_int_equal(read(fd, &byte, 1), want);
}

static void freezes_when_criu_is_killed(void **state)
{
	static const struct {
		bool ours, kill;
		const char *freezer;
	} cases[] = {
		{ true, true, "FROZEN" },
		{ true, false, "" }, /* it ends by itself: it has cleaned up */
		{ false, true, "" }, /* somebody else's child: that CRIU is gone */
	};
	const struct call c = { "network-lock", "source", false, false, NULL };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int alive[2], go[2];
		pid_t criu;

		put(w, "freezer", "");
		criu = start_criu(w, &c, cases[i].ours ? getpid() : 1, alive, go);
		await_byte(alive[0], 1);
		if (cases[i].kill)
			kill(criu, SIGKILL);
		close(go[1]);
		assert_int_equal(waitpid(criu, NULL, 0), criu);
		await_byte(alive[0], 0); /* nobody is left */
		close(alive[0]);
		if (!has(w, "freezer", cases[i].freezer))
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(goes_by_the_verdict),
		T(other_stages_are_none_of_its),
		T(plugs_in_where_the_container_goes_on),
		T(tells_that_it_runs),
		T(puts_back_what_the_images_had_off),
		T(gives_the_cgroups_own_files_only),
		T(freezes_when_criu_is_killed),
	};

	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
