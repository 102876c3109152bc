/* SPDX-License-Identifier: Apache-2.0 */
/* Files, commands and the console of real containers. */
#include "node/container/container.h"
#include "node/container/exec.h"
#include "node/container/file.h"
#include "tests/unit/node/container/container_world.h"
#include "tests/unit/base/patience.h"

/* What file_get told of a path. */
struct got {
	struct file_info info;
	int fd;
	json_t *list;
	char *target;
	char text[64]; /* the first bytes of a file */
};

static int get(struct world *w, const json_t *spec, const char *path, struct got *g,
	       struct err *err)
{
	*g = (struct got){ .fd = -1 };
	if (file_get(w->n, spec, path, &g->info, &g->fd, &g->list, &g->target, err) < 0)
		return -1;
	if (g->fd >= 0)
		assert_true(read(g->fd, g->text, sizeof(g->text) - 1) >= 0);
	return 0;
}

static void got_free(struct got *g)
{
	if (g->fd >= 0)
		close(g->fd);
	json_decref(g->list);
	free(g->target);
}

static void put(struct world *w, const json_t *spec, const char *path, const char *type,
		const char *content)
{
	struct file_put f = { .path = path,
			      .type = type,
			      .uid = -1,
			      .gid = -1,
			      .mode = -1,
			      .content_fd = -1,
			      .target = content };
	_close_ int fd = -1;
	struct err err;

	if (str_eq(type, "file")) {
		f.content_fd = fd = io_temp_fd(w->dir, &err);
		assert_int_equal(io_write_full(fd, content, strlen(content)), 0);
		lseek(fd, 0, SEEK_SET);
	}
	if (str_eq(path, "/root/f")) {
		f.uid = 12;
		f.gid = 34;
		f.mode = 0640;
	}
	must(file_put(w->n, spec, &f, &err), &err);
}

static void check_got(struct world *w, const json_t *spec)
{
	struct got g;
	struct err err;

	must(get(w, spec, "/root/f", &g, &err), &err);
	assert_string_equal(g.text, "content");
	assert_string_equal(g.info.type, "file");
	assert_int_equal(g.info.uid, 12);
	assert_int_equal(g.info.gid, 34);
	assert_int_equal(g.info.mode, 0640);
	assert_int_equal(g.info.size, 7);
	got_free(&g);
	must(get(w, spec, "/root/d", &g, &err), &err);
	assert_string_equal(g.info.type, "directory");
	assert_int_equal(json_array_size(g.list), 1);
	assert_int_equal(g.info.mode, 0755);
	got_free(&g);
	must(get(w, spec, "/root/d/l", &g, &err), &err);
	assert_string_equal(g.info.type, "symlink");
	assert_string_equal(g.target, "/../../../../etc/passwd");
	got_free(&g);
	assert_int_equal(get(w, spec, "/root/none", &g, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(get(w, spec, "relative", &g, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void check_delete(struct world *w, const json_t *spec)
{
	struct err err;

	assert_int_equal(file_delete(w->n, spec, "/root/d", &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	must(file_delete(w->n, spec, "/root/d/l", &err), &err);
	must(file_delete(w->n, spec, "/root/d", &err), &err);
	assert_int_equal(file_delete(w->n, spec, "/root/d", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(file_delete(w->n, spec, "/", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* The link points out of the container, as seen from the host: it must end up inside. */
static void test_files(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c2", "overlay");
	struct err err;

	for (int running = 0; running < 2; running++) {
		put(w, spec, "/root/f", "file", "content");
		put(w, spec, "/root/d", "directory", NULL);
		put(w, spec, "/root/d", "directory", NULL);
		put(w, spec, "/root/d/l", "symlink", "/../../../../etc/passwd");
		check_got(w, spec);
		put(w, spec, "/root/d/l", "file", running ? "second" : "first");
		check_delete(w, spec);
		if (running)
			break;
		must(container_start(w->n, spec, &err), &err);
		expect_run(w, "c2", "cat /etc/passwd", 0, "first");
		expect_run(w, "c2", "ls -ln /root/f | { read a b c d e; echo $a $c $d; }", 0,
			   "-rw-r----- 12 34\n");
	}
	expect_run(w, "c2", "cat /etc/passwd", 0, "second");
	end_container(w, "c2");
}

static void test_interactive(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d1", "dir");
	_json_ json_t *command =
		json_pack("[sss]", "sh", "-c", "stty size; read x; stty size; tty; cat");
	_json_ json_t *env = json_pack("{ss}", "PATH", "/bin:/sbin");
	_sbuf_ struct sbuf out = SBUF(65536);
	struct exec_spec es = {
		.name = "d1", .command = command, .environment = env, .interactive = true
	};
	struct ended end = ENDED;
	int master, slave;
	struct err err;
	struct exec *e;

	must(container_start(w->n, spec, &err), &err);
	must(tty_open(w->n, "d1", 100, 40, &master, &slave, &err), &err);
	es.fds[0] = slave;
	e = container_exec(w->n, &es, on_done, &end, &err);
	assert_non_null(e);
	close(slave);
	while (!out.data || !strstr(out.data, "40 100")) {
		char buf[256];
		ssize_t n = read(master, buf, sizeof(buf));

		assert_true(n > 0);
		sbuf_add(&out, buf, (size_t)n);
	}
	assert_int_equal(tty_resize(master, 77, 33), 0);
	assert_int_equal(write(master, "go\n", 3), 3);
	while (!strstr(out.data, "33 77")) {
		char buf[256];
		ssize_t n = read(master, buf, sizeof(buf));

		assert_true(n > 0);
		sbuf_add(&out, buf, (size_t)n);
	}
	/* It controls the terminal: the interrupt character reaches the command. */
	assert_int_equal(write(master, "\x03", 1), 1);
	assert_int_equal(wait_done(&end), 130);
	exec_free(e);
	close(master);
	end_container(w, "d1");
}

static void test_signal_and_kill(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d2", "dir");
	_json_ json_t *command = json_pack("[ss]", "sleep", "1000");
	_json_ json_t *env = json_object();
	struct exec_spec es = {
		.name = "d2", .command = command, .environment = env, .fds = { -1, -1, -1 }
	};
	struct ended end = ENDED, never = ENDED;
	struct err err;
	struct exec *e;

	must(container_start(w->n, spec, &err), &err);
	e = container_exec(w->n, &es, on_done, &end, &err);
	assert_non_null(e);
	exec_signal(e, SIGTERM);
	assert_int_equal(wait_done(&end), 128 + SIGTERM);
	exec_free(e);
	e = container_exec(w->n, &es, on_done, &never, &err);
	assert_non_null(e);
	exec_free(e);
	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 20)) {
		_sbuf_ struct sbuf out = SBUF(65536);

		run(w, "d2", json_pack("[s]", "ps"), &out);
		if (!strstr(out.data, "sleep 1000"))
			break;
	}
	expect_run(w, "d2", "ps | cat", 0, NULL);
	assert_false(never.told);
	end_container(w, "d2");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_interactive),
		cmocka_unit_test(test_signal_and_kill),
	};

	return container_world_main(argc, argv, tests, world_setup, world_teardown);
}
