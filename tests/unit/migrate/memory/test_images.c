/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/memory/images.h"
#include "tests/unit/migrate/stream/channel_pair.h"

struct world {
	char dir[64], from[96], to[96];
	struct pair p;
	struct image_source *source;
	struct image_target *target;
};

static int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct err err;

	snprintf(w->dir, sizeof(w->dir), "/tmp/test-images-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->from, sizeof(w->from), "%s/from", w->dir);
	snprintf(w->to, sizeof(w->to), "%s/to", w->dir);
	assert_int_equal(images_make_dir(w->dir, w->from, getegid(), &err), 0);
	assert_int_equal(images_make_dir(w->dir, w->to, getegid(), &err), 0);
	w->p = pair_new();
	w->source = image_source_new(w->from, &err);
	assert_int_equal(images_reserve(w->to, "reserve", 1 << 20, &err), 0);
	w->target = image_target_new(w->to, "reserve", &err);
	assert_non_null(w->source);
	assert_non_null(w->target);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	image_source_free(w->source);
	image_target_free(w->target);
	pair_free(&w->p);
	images_drop(w->dir, w->from);
	images_drop(w->dir, w->to);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static void append(struct world *w, const char *name, char c, size_t len)
{
	_free_ char *path = xasprintf("%s/%s", w->from, name);
	_free_ char *data = xcalloc(len + 1, 1);
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	memset(data, c, len);
	assert_int_equal(io_write_full(fd, data, len), 0);
}

static void take(struct world *w, int frames)
{
	struct frame f;
	struct err err;

	while (frames-- > 0) {
		assert_int_equal(frame_recv(w->p.b, &f, 0, &err), 0);
		assert_int_equal(image_take(w->target, &f, &err), 0);
	}
}

static void check_file(struct world *w, const char *name, const char *want)
{
	_free_ char *path = xasprintf("%s/%s", w->to, name);
	struct err err;
	_free_ char *got = io_read_file(path, 1 << 20, NULL, &err);

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void pages_go_ahead_and_all_arrives(void **state)
{
	struct world *w = *state;
	int64_t sent;
	struct err err;

	append(w, "pages-1.img", 'a', 5);
	append(w, "core-1.img", 'c', 3);
	append(w, "dump.log", 'l', 3);
	assert_int_equal(image_source_follow(w->source, w->p.a, &sent, &err), 0);
	assert_int_equal(sent, 5);
	append(w, "pages-1.img", 'b', 2);
	append(w, "pages-2.img", 'z', 1);
	append(w, "empty.img", 'e', 0);
	assert_int_equal(image_source_follow(w->source, w->p.a, &sent, &err), 0);
	assert_int_equal(sent, 3);
	assert_int_equal(image_source_follow(w->source, w->p.a, &sent, &err), 0);
	assert_int_equal(sent, 0);
	append(w, "core-1.img", 'd', 1);
	assert_int_equal(image_source_finish(w->source, w->p.a, &err), 0);
	take(w, 6); /* pages-1 twice, pages-2, core-1, empty, the end */
	check_file(w, "pages-1.img", "aaaaabb");
	check_file(w, "pages-2.img", "z");
	check_file(w, "core-1.img", "cccd");
	check_file(w, "empty.img", "");
	assert_int_equal(image_taken(w->target), 12);
}

/* Pages by a letter each; 0: of zeros, -: less than a page. */
static void write_pages(struct world *w, const char *name, const char *letters)
{
	for (const char *p = letters; *p; p++)
		append(w, name, *p == '0' ? '\0' : *p, *p == '-' ? 7 : 4096);
}

static void check_same(struct world *w, const char *name)
{
	_free_ char *from = xasprintf("%s/%s", w->from, name);
	_free_ char *to = xasprintf("%s/%s", w->to, name);
	size_t from_len = 0, to_len = 0;
	struct err err;
	_free_ char *sent = io_read_file(from, 1 << 20, &from_len, &err);
	_free_ char *came = io_read_file(to, 1 << 20, &to_len, &err);

	assert_non_null(came);
	assert_int_equal(to_len, from_len);
	assert_memory_equal(came, sent, from_len);
}

static void pages_of_zeros_are_left_out(void **state)
{
	static const struct {
		const char *name;
		const char *first, *then; /* before and after a look at them */
		int64_t sent;
	} rows[] = {
		{ "pages-1.img", "a0b", "", 2 * 4096 },
		{ "pages-2.img", "000a", "", 4096 },
		{ "pages-3.img", "a", "0", 4096 },
		{ "pages-4.img", "0000", "0", 0 },
		{ "pages-5.img", "0", "00a0", 4096 },
		{ "pages-6.img", "ab", "0c-", 3 * 4096 + 7 },
		{ "core-1.img", "", "0a0", 3 * 4096 },
	};
	struct world *w = *state;
	int64_t sent, before, all = 0;
	struct err err;
	struct frame f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		write_pages(w, rows[i].name, rows[i].first);
		assert_int_equal(image_source_follow(w->source, w->p.a, &sent, &err), 0);
		before = sent;
		write_pages(w, rows[i].name, rows[i].then);
		assert_int_equal(image_source_follow(w->source, w->p.a, &sent, &err), 0);
		if (str_starts(rows[i].name, "pages-"))
			assert_int_equal(before + sent, rows[i].sent);
		all += rows[i].sent;
	}
	assert_int_equal(image_source_finish(w->source, w->p.a, &err), 0);
	assert_int_equal(image_source_sent(w->source), all);
	do {
		assert_int_equal(frame_recv(w->p.b, &f, 0, &err), 0);
		assert_int_equal(image_take(w->target, &f, &err), 0);
	} while (f.type != FR_RESTORE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_same(w, rows[i].name);
}

static void growth_is_told(void **state)
{
	struct world *w = *state;
	struct pollfd pf = { .fd = image_source_fd(w->source), .events = POLLIN };

	assert_int_equal(poll(&pf, 1, 0), 0);
	append(w, "pages-1.img", 'a', 5);
	assert_int_equal(poll(&pf, 1, 1000), 1);
}

static int give(struct world *w, enum frame_type type, uint64_t at, const char *name,
		const char *bytes, struct err *err)
{
	uint8_t buf[256];
	size_t n = strlen(name);
	struct frame f = { type, (uint32_t)(9 + n + strlen(bytes)), buf };

	put_u64(buf, at);
	buf[8] = (uint8_t)n;
	memcpy(buf + 9, name, n);
	memcpy(buf + 9 + n, bytes, strlen(bytes));
	return image_take(w->target, &f, err);
}

static void names_cannot_lead_out(void **state)
{
	static const char *const bad[] = { "",       "../x.img", "/etc/x.img", "a/b.img",
					   ".x.img", "pages-1",  "..",         "x.img\n" };
	struct world *w = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(give(w, FR_IMAGE, 0, bad[i], "x", &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void links_in_the_folder_are_not_followed(void **state)
{
	struct world *w = *state;
	_free_ char *path = xasprintf("%s/core-1.img", w->to);
	struct err err;

	assert_int_equal(symlink("/tmp/test-images-escape", path), 0);
	assert_int_equal(give(w, FR_IMAGE, 0, "core-1.img", "x", &err), -1);
	assert_false(io_exists("/tmp/test-images-escape"));
}

static void gaps_and_missing_images_are_noticed(void **state)
{
	struct world *w = *state;
	struct frame end = { FR_RESTORE, 16, (uint8_t[16]){ 3, 0, 0, 0, 0, 0, 0, 0, 3 } };
	struct err err;

	assert_int_equal(give(w, FR_IMAGE, 0, "pages-1.img", "xyz", &err), 0);
	assert_int_equal(give(w, FR_IMAGE, 2, "pages-1.img", "x", &err), -1);
	assert_non_null(strstr(err.msg, "gap"));
	assert_int_equal(give(w, FR_IMAGE, UINT64_MAX, "pages-1.img", "x", &err), -1);
	assert_int_equal(give(w, FR_IMAGE, 1, "core-1.img", "x", &err), -1);
	assert_non_null(strstr(err.msg, "gap"));
	assert_int_equal(image_take(w->target, &end, &err), -1);
	assert_non_null(strstr(err.msg, "missing"));
	end.len = 3;
	assert_int_equal(image_take(w->target, &end, &err), -1);
}

/* As of a helper, or of a daemon before this one. */
static void what_is_dropped_is_not_kept_by_other_mount_namespaces(void **state)
{
	struct world *w = *state;
	int go[2], said[2];
	char c = 'x';
	pid_t pid;

	append(w, "pages-1.img", 'a', 1);
	assert_int_equal(pipe2(go, O_CLOEXEC) | pipe2(said, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_free_ char *image = xasprintf("%s/pages-1.img", w->from);
		bool ok = unshare(CLONE_NEWNS) == 0 && access(image, F_OK) == 0;

		ok = ok && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
		ok = ok && write(said[1], &c, 1) == 1 && read(go[0], &c, 1) == 1;
		_exit(ok && access(image, F_OK) < 0 ? 0 : 1);
	}
	assert_int_equal(read(said[0], &c, 1), 1);
	images_drop(w->dir, w->from);
	assert_int_equal(write(go[1], &c, 1), 1);
	assert_int_equal(waitpid(pid, &go[0], 0), pid);
	assert_int_equal(go[0], 0);
}

static void room_is_asked_for_beforehand(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(images_reserve("/nowhere/at/all", "reserve", 1, &err), -1);
	assert_int_equal(images_reserve("/sys", "reserve", 1, &err), -1);
	assert_int_equal(images_reserve(w->to, "more", 300000, &err), 0);
	images_release(w->to, "more");
	images_release(w->to, "more");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_go_ahead_and_all_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_zeros_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(growth_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(names_cannot_lead_out, setup, teardown),
		cmocka_unit_test_setup_teardown(links_in_the_folder_are_not_followed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(gaps_and_missing_images_are_noticed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_is_dropped_is_not_kept_by_other_mount_namespaces, setup, teardown),
		cmocka_unit_test_setup_teardown(room_is_asked_for_beforehand, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
