/* SPDX-License-Identifier: Apache-2.0 */
/* Consoles of real containers. */
#include "tests/unit/node/container/container_world.h"

#include <dirent.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "node/console/console.h"
#include "node/console/wire.h"
#include "node/container/container.h"
#include "node/container/logs.h"
#include "node/container/terminal.h"
#include "node/daemon/host.h"
#include "tests/unit/base/patience.h"

/* A shell on the console, with jobs, again and again. */
static const char inittab[] = "console::respawn:-/bin/sh\n";

static void start_one(struct world *w, const char *name)
{
	_json_ json_t *spec = make_spec(w, name, "dir");
	_free_ char *init = xasprintf("%s/vol-%s/rootfs/sbin/init", w->dir, name);
	_free_ char *table = xasprintf("vol-%s/rootfs/etc/inittab", name);
	struct err err;

	assert_int_equal(unlink(init), 0);
	assert_int_equal(symlink("/bin/busybox", init), 0);
	write_file(w->dir, table, inittab, 0644);
	must(container_start(w->n, spec, &err), &err);
}

static void type(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `want` has come, and no further. */
static void expect(int fd, const char *want)
{
	_sbuf_ struct sbuf out = SBUF(4 << 20);
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	char c;

	while (!out.data || !str_ends(out.data, want)) {
		if (poll(&pf, 1, PATIENCE_MS) <= 0 || read(fd, &c, 1) != 1)
			fail_msg("\"%s\" instead of \"%s\"", out.data ? out.data : "", want);
		sbuf_putc(&out, c);
	}
}

static int attach(struct world *w, const char *name, int width, int height)
{
	struct err err;
	int fd = container_console(w->n, name, width, height, &err);

	must(fd, &err);
	return fd;
}

/* The holder of a folder: the pid, 0 when there is none. */
static pid_t holder_of(const char *folder)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid, ret = 0;

	while (d && !ret && (e = readdir(d))) {
		_free_ char *path = xasprintf("/proc/%s/cmdline", e->d_name);
		_free_ char *text = NULL;
		struct err err;
		size_t len = 0;

		if (!str_to_u64(e->d_name, INT32_MAX, &pid))
			continue;
		text = io_read_file(path, 4096, &len, &err);
		if (text && str_ends(text, "/dunlin-console-holder") &&
		    str_eq(text + strlen(text) + 1, folder))
			ret = pid;
	}
	closedir(d);
	return (pid_t)ret;
}

static bool wait_no_holder(const char *folder)
{
	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 10)) {
		if (!holder_of(folder))
			return true;
	}
	return false;
}

static char *log_of(struct world *w, const char *name)
{
	struct err err;
	size_t len;
	char *log = container_console_log(w->n, name, &len, &err);

	assert_non_null(log);
	return log;
}

static void test_attach(void **state)
{
	struct world *w = *state;
	_json_ json_t *logs = NULL;
	_free_ char *log = NULL, *names = NULL;
	struct err err;
	int fd, other;

	start_one(w, "k1");
	logs = container_logs(w->n, "k1");
	names = json_text(logs);
	fd = attach(w, "k1", 100, 40);
	type(fd, "echo $((40+2)); stty size\n");
	expect(fd, "\n42");
	expect(fd, "40 100");
	container_console_resize(w->n, "k1", 77, 33);
	type(fd, "stty size\n");
	expect(fd, "33 77");
	/* Everybody sees the same. */
	other = attach(w, "k1", 0, 0);
	type(other, "echo for-$((1+1)); stty size\n");
	expect(fd, "for-2");
	expect(other, "33 77");
	close(other);
	/* Nothing says more afterwards: the shell would, with its next prompt. */
	type(fd, "exec sh -c 'echo still-$((2+2)); exec sleep 1000'\n");
	expect(fd, "still-4\r\n");
	close(fd);
	log = log_of(w, "k1");
	assert_non_null(strstr(log, "for-2"));
	assert_non_null(strstr(names, "console.log"));
	must(container_console_clear(w->n, "k1", &err), &err);
	free(log);
	log = log_of(w, "k1");
	assert_string_equal(log, "");
	end_container(w, "k1");
	assert_int_equal(container_console(w->n, "k1", 80, 25, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
}

/* Interrupts reach the job in the foreground; a shell that ends is followed by another. */
static void test_is_a_terminal(void **state)
{
	struct world *w = *state;
	int fd;

	start_one(w, "k2");
	fd = attach(w, "k2", 80, 25);
	/* Who says this is in the foreground already. */
	type(fd, "tty; sh -c 'echo up-$((1+1)); exec sleep 1000'\n");
	expect(fd, "/dev/console");
	expect(fd, "up-2");
	type(fd, "\x03");
	expect(fd, "^C");
	type(fd, "echo broke-$((3+3)); exit\n");
	expect(fd, "broke-6");
	type(fd, "\necho anew-$((4+4))\n");
	expect(fd, "anew-8");
	close(fd);
	end_container(w, "k2");
}

static void test_daemon_restarts(void **state)
{
	struct world *w = *state;
	_json_ json_t *keep = json_pack("{sb}", "k3", 1);
	struct err err;
	int fd;

	start_one(w, "k3");
	fd = attach(w, "k3", 80, 25);
	type(fd, "kept=yes; echo ready-$((1+1))\n");
	expect(fd, "ready-2");
	close(fd);
	node_free(w->n);
	w->n = NULL;
	open_node(w);
	must(node_recover(w->n, keep, &err), &err);
	fd = attach(w, "k3", 80, 25);
	type(fd, "echo kept:$kept\n");
	expect(fd, "kept:yes");
	close(fd);
	end_container(w, "k3");
}

static void test_holder_ends(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "k4", "dir");
	_json_ json_t *keep = json_pack("{sb}", "k4", 1);
	_free_ char *folder = node_path(w->n, "containers/k4");
	struct err err;
	pid_t init, holder;

	start_one(w, "k4");
	holder = holder_of(folder);
	assert_true(holder > 0);
	must(container_stop(w->n, "k4", true, 0, &err), &err);
	assert_int_equal(holder_of(folder), 0);
	must(container_start(w->n, spec, &err), &err);
	assert_true(holder_of(folder) > 0);
	/* Without a daemon, too. */
	init = container_pid(w->n, "k4");
	node_free(w->n);
	w->n = NULL;
	kill(init, SIGKILL);
	assert_true(wait_no_holder(folder));
	open_node(w);
	must(node_recover(w->n, keep, &err), &err);
	must(container_start(w->n, spec, &err), &err);
	close(attach(w, "k4", 80, 25));
	end_container(w, "k4");
	assert_true(wait_no_holder(folder));
}

static void test_log_is_bounded(void **state)
{
	struct world *w = *state;
	_free_ char *path = node_path(w->n, "containers/k5/" CONSOLE_LOG), *log = NULL;
	struct stat st;
	int fd;

	start_one(w, "k5");
	fd = attach(w, "k5", 80, 25);
	type(fd, "busybox seq 1 400000; echo last-$((5+5))\n");
	for (int64_t until = deadline_in(3 * PATIENCE_MS); clock_ms() < until; poll(NULL, 0, 50)) {
		free(log);
		log = log_of(w, "k5");
		if (strstr(log, "last-10"))
			break;
	}
	assert_non_null(strstr(log, "\n400000\r\nlast-10"));
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, CONSOLE_LOG_KEPT, CONSOLE_LOG_MAX);
	close(fd);
	end_container(w, "k5");
}

static int one_pid(void *arg, pid_t pid)
{
	pid_t *pids = arg;

	pids[++pids[0]] = pid;
	return pids[0] == 15;
}

static enum console_use use_of(struct world *w, const char *name)
{
	_free_ char *folder = node_path(w->n, "containers/%s", name);
	pid_t pids[16] = { 0 }, who;
	struct console_tty tty;

	assert_true(console_find(folder, &tty));
	cgroup_each_pid(w->cg, name, "payload", one_pid, pids);
	return console_look("/proc", pids + 1, (size_t)pids[0], &tty, &who);
}

static void test_look(void **state)
{
	struct world *w = *state;
	_json_ json_t *plain = make_spec(w, "k7", "dir");
	int fd;
	struct err err;

	start_one(w, "k6");
	fd = attach(w, "k6", 80, 25);
	type(fd, "echo ready-$((1+1))\n");
	expect(fd, "ready-2");
	assert_int_equal(use_of(w, "k6"), CONSOLE_JOBS);
	must(container_start(w->n, plain, &err), &err);
	assert_int_equal(use_of(w, "k7"), CONSOLE_PLAIN);
	close(fd);
	end_container(w, "k6");
	end_container(w, "k7");
}

/* --- without a container ------------------------------------------------------------------ */

static void bare(const char *folder)
{
	_json_ json_t *spec = json_pack("{sb}", "privileged", 1);
	struct err err;

	must(io_mkdirs(folder, 0711, &err), &err);
	must(console_start(folder, spec, &err), &err);
}

/* A socket's address has room for 107 bytes only. */
static void test_long_path(void **state)
{
	struct world *w = *state;
	_free_ char *folder = xasprintf("%s/%0100d/%0100d", w->dir, 1, 2);
	struct console_tty tty;

	bare(folder);
	assert_true(holder_of(folder) > 0);
	assert_true(console_find(folder, &tty));
	console_end(folder);
	assert_int_equal(holder_of(folder), 0);
	assert_false(console_find(folder, &tty));
	console_end(folder);
}

/* A second holder replaces the first, and removing the folder ends it. */
static void test_successor(void **state)
{
	struct world *w = *state;
	_free_ char *folder = xasprintf("%s/successor", w->dir);
	_json_ json_t *spec = json_pack("{sb}", "privileged", 1);
	struct err err;
	pid_t first;

	bare(folder);
	first = holder_of(folder);
	must(console_start(folder, spec, &err), &err);
	for (int64_t until = PATIENCE; clock_ms() < until && kill(first, 0) == 0;)
		poll(NULL, 0, 10);
	assert_int_equal(kill(first, 0), -1);
	assert_true(holder_of(folder) > 0);
	must(io_remove_tree(folder, &err), &err);
	assert_true(wait_no_holder(folder));
}

/* What a login does to be alone on its terminal. */
static int hang_up(const char *path)
{
	int fd;

	setsid();
	signal(SIGHUP, SIG_IGN);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, "before\n", 7) != 7 || vhangup() < 0)
		return 1;
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 || write(fd, "after\n", 6) != 6;
}

/* Waits until the log says so `times`. */
static bool wait_log(const char *path, const char *what, int times)
{
	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 20)) {
		struct err err;
		_free_ char *log = io_read_file(path, 4096, NULL, &err);
		int n = 0;

		for (const char *p = log; p && (p = strstr(p, what)); p += strlen(what))
			n++;
		if (n == times)
			return true;
	}
	return false;
}

static void test_hang_up(void **state)
{
	struct world *w = *state;
	_free_ char *folder = xasprintf("%s/hangup", w->dir);
	_free_ char *path = xasprintf("%s/" CONSOLE_LOG, folder);
	struct console_tty tty;
	int status = 0;
	pid_t pid;

	bare(folder);
	assert_true(console_find(folder, &tty));
	for (int i = 1; i < 4; i++) {
		pid = fork();
		if (pid == 0)
			_exit(hang_up(tty.path));
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		assert_true(wait_log(path, "after\r\n", i));
	}
	console_end(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),	      cmocka_unit_test(test_is_a_terminal),
		cmocka_unit_test(test_daemon_restarts), cmocka_unit_test(test_holder_ends),
		cmocka_unit_test(test_log_is_bounded),  cmocka_unit_test(test_look),
		cmocka_unit_test(test_long_path),	      cmocka_unit_test(test_successor),
		cmocka_unit_test(test_hang_up),
	};

	return container_world_main(argc, argv, tests, world_setup, world_teardown);
}
