/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/migrate/rootfs/sync_world.h"

/* A source that cannot be trusted. */

static int give(struct world *w, const struct sync_entry *e, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	struct frame f = { .type = FR_SYNC };

	sync_encode(&b, e);
	f.data = (const uint8_t *)b.data;
	f.len = (uint32_t)b.len;
	return sync_take(w->target, &f, err);
}

static void paths_cannot_lead_out(void **state)
{
	static const char *const bad[] = { "..", "../x", "a/../../x", "/etc/x", "a//b",
					   "a/", "./x",  "a/./b",     "." };
	static const enum sync_kind kinds[] = { SYNC_DIR,     SYNC_FILE,   SYNC_LINK, SYNC_HARD,
						SYNC_SPECIAL, SYNC_REMOVE, SYNC_CLOSE };
	struct world *w = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			struct sync_entry e = { .kind = kinds[k], .path = bad[i] };
			bool folder = kinds[k] == SYNC_DIR || kinds[k] == SYNC_CLOSE;

			e.mode = folder                     ? S_IFDIR | 0755
				 : kinds[k] == SYNC_SPECIAL ? S_IFIFO
							    : S_IFREG | 0644;
			e.target = kinds[k] == SYNC_LINK || kinds[k] == SYNC_HARD ? "x" : "";
			assert_int_equal(give(w, &e, &err), -1);
			assert_int_equal(err.kind, ERR_INVALID);
		}
	}
}

static void links_are_not_followed(void **state)
{
	struct world *w = *state;
	struct sync_entry link = { SYNC_LINK, "out", w->from, .mode = S_IFLNK | 0777 };
	struct sync_entry through = { SYNC_DIR, "out/made", "", .mode = S_IFDIR | 0755 };
	struct sync_entry hard = { SYNC_HARD, "stolen", "out/plain", .mode = S_IFREG };
	struct sync_entry gone = { .kind = SYNC_REMOVE, .path = "out/plain", .target = "" };
	struct sync_entry file = { SYNC_FILE, "out/plain", "", .mode = S_IFREG | 0644 };
	struct err err;

	put(w, "plain", "untouched");
	assert_int_equal(give(w, &link, &err), 0);
	assert_int_equal(give(w, &through, &err), -1);
	assert_int_equal(give(w, &hard, &err), -1);
	assert_int_equal(give(w, &gone, &err), -1);
	assert_int_equal(give(w, &file, &err), -1);
	assert_false(io_exists(in(w, "made")));
	/* Removing it, or putting something in its place, touches the link alone. */
	gone.path = "out";
	assert_int_equal(give(w, &gone, &err), 0);
	assert_true(io_exists(in(w, "plain")));
}

static void ids_and_devices_are_limited(void **state)
{
	static const struct {
		struct sync_entry e;
		const char *word;
	} cases[] = {
		{ { SYNC_FILE, "a", "", .mode = S_IFREG, .uid = 65536 }, "beyond" },
		{ { SYNC_DIR, "a", "", .mode = S_IFDIR, .gid = 70000 }, "beyond" },
		{ { SYNC_SPECIAL, "a", "", .mode = S_IFCHR, .rdev = 0x103 }, "device" },
		{ { SYNC_SPECIAL, "a", "", .mode = S_IFBLK }, "device" },
		{ { SYNC_SPECIAL, "a", "", .mode = S_IFIFO, .uid = 65536, .gid = 65536 },
		  "beyond" },
	};
	struct world *w = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(give(w, &cases[i].e, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].word));
	}
}

static void data_stay_in_their_file(void **state)
{
	struct world *w = *state;
	struct sync_entry e = { SYNC_FILE, "f", "", .mode = S_IFREG | 0644, .size = 4 };
	uint8_t data[16] = { 0 };
	struct frame f = { FR_SYNC_DATA, 12, data }, end = { .type = FR_SYNC_END };
	struct err err;

	assert_int_equal(sync_take(w->target, &f, &err), -1);
	assert_int_equal(sync_take(w->target, &end, &err), -1);
	assert_int_equal(give(w, &e, &err), 0);
	assert_int_equal(give(w, &e, &err), -1); /* the first is not complete */
	assert_int_equal(sync_take(w->target, &f, &err), 0);
	data[0] = 1;
	assert_int_equal(sync_take(w->target, &f, &err), -1);
	memset(data, 255, 8);
	assert_int_equal(sync_take(w->target, &f, &err), -1);
	f.len = 3;
	assert_int_equal(sync_take(w->target, &f, &err), -1);
	assert_int_equal(sync_take(w->target, &end, &err), 0);
}

static void odd_attributes_are_refused(void **state)
{
	static const char *const bad[] = { "trusted.overlay.origin", "security.ima", "",
					   "system.x" };
	struct world *w = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sync_entry e = { SYNC_DIR, "d", "", .mode = S_IFDIR | 0755, .nxattr = 1 };

		e.xattr[0] = (struct sync_xattr){ bad[i], "v", 1 };
		assert_int_equal(give(w, &e, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* A driver that marks nothing takes the marks of no other. */
static void marks_are_the_driver_s(void **state)
{
	struct world *w = *state;
	struct sync_entry e = { SYNC_DIR, "d", "", .mode = S_IFDIR | 0755, .nxattr = 1 };
	struct sync_target_opts o = options(w->to_fd);
	struct err err;

	e.xattr[0] = (struct sync_xattr){ marks[0], "y", 1 };
	assert_int_equal(give(w, &e, &err), 0);
	sync_target_free(w->target);
	o.marks = NULL;
	w->target = sync_target_new(&o);
	assert_int_equal(give(w, &e, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, marks[0]));
	e.xattr[0].name = "user.any";
	assert_int_equal(give(w, &e, &err), 0);
}

/* Stands in for that of libc. */
static int synced;
int syncfs(int fd)
{
	synced++;
	return 0;
}

static void only_what_came_is_written_to_disk(void **state)
{
	struct world *w = *state;
	struct sync_entry e = { SYNC_DIR, "d", "", .mode = S_IFDIR | 0755 };
	struct err err;

	synced = 0;
	assert_int_equal(sync_flush(w->target, &err), 0);
	assert_int_equal(synced, 0);
	assert_int_equal(give(w, &e, &err), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sync_flush(w->target, &err), 0);
		assert_int_equal(synced, 1);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(paths_cannot_lead_out),       T(links_are_not_followed),
		T(ids_and_devices_are_limited), T(data_stay_in_their_file),
		T(odd_attributes_are_refused),  T(marks_are_the_driver_s),
		T(only_what_came_is_written_to_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
