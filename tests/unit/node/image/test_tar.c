/* SPDX-License-Identifier: Apache-2.0 */
/* The only reader of tarballs, entry by entry, with limits small enough to be met. */
#include "tests/unit/node/image/tarball.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/image/image_int.h"

struct walked {
	struct sbuf text; /* "path=target:bytes " of each entry; "!" left out */
	int64_t done;
};

static int note_entry(void *arg, struct image_entry *e, struct err *err)
{
	struct walked *w = arg;
	size_t bytes = 0, len;
	const void *data;
	int64_t off;
	int rc;

	while ((rc = image_entry_data(e, &data, &len, &off, err)) > 0)
		bytes += len;
	sbuf_printf(&w->text, "%s%s%s%s:%zu ", e->left_out ? "!" : "", e->path, e->link ? "=" : "",
		    e->link ? e->link : "", bytes);
	return rc;
}

static void note_progress(void *arg, int64_t done)
{
	struct walked *w = arg;

	assert_true(done >= w->done);
	w->done = done;
}

static int walk(const struct item *items, const struct image_limits *limits, struct walked *w,
		struct err *err)
{
	_close_ int fd = make_tar("/tmp", ARCHIVE_FILTER_GZIP, items);
	struct image_walk walk = { .fd = fd,
				   .limits = limits,
				   .entry = note_entry,
				   .arg = w,
				   .progress = note_progress,
				   .progress_arg = w };

	*w = (struct walked){ .text = SBUF(4096) };
	return image_tar_load(err) < 0 ? -1 : image_tar_walk(&walk, err);
}

static void clean_paths(void **state)
{
	static const struct item items[] = { DIR_("./"),
					     DIR_("./a/"),
					     FILE_("a//b", "four"),
					     HARD_("./c", "./a/b"),
					     LINK_("up", "../../etc"),
					     FILE_("a/./d", ""),
					     DEV_("pipe", AE_IFIFO),
					     DEV_("disk", AE_IFBLK),
					     HARD_("disk2", "disk"),
					     { .path = NULL } };
	struct walked w;
	struct err err = { 0 };

	if (walk(items, &image_limits_default, &w, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(w.text.data, ":0 a:0 a/b:4 c=a/b:0 up:0 a/d:0 pipe:0 !disk:0 "
					 "!disk2=disk:0 ");
	assert_true(w.done > 0);
	sbuf_free(&w.text);
}

static struct image_limits small_limits(void)
{
	struct image_limits l = image_limits_default;

	l.entries = 4;
	l.path = 40;
	l.depth = 4;
	l.unpacked = 1 << 20;
	return l;
}

static void limits(void **state)
{
	static const struct {
		struct item items[7];
		const char *says; /* NULL: it is just within them */
	} rows[] = {
		{ { FILE_("1", ""), FILE_("2", ""), FILE_("3", ""), FILE_("4", "") }, NULL },
		{ { FILE_("1", ""), FILE_("2", ""), FILE_("3", ""), FILE_("4", ""),
		    FILE_("5", "") },
		  "more than 4 entries" },
		{ { FILE_("a/b/c/d", "") }, NULL },
		{ { FILE_("a/b/c/d/e", "") }, "too long" },
		{ { FILE_("1234567890123456789012345678901234567", "") }, NULL },
		{ { FILE_("1234567890123456789012345678901234567890x", "") }, "too long" },
		{ { { .path = "zeros", .type = AE_IFREG, .zeros = 2 << 20, .mode = 0644 } },
		  "unpacks to more than" },
		{ { FILE_("../x", "") }, "\"..\"" },
		{ { FILE_("a/../../x", "") }, "\"..\"" },
		{ { HARD_("b", "later"), FILE_("later", "") }, "no earlier file" },
		{ { FILE_("a", ""), HARD_("b", "../a") }, "\"..\"" },
		{ { LINK_("a", "/etc"), FILE_("a/passwd", "") }, "lies below \"a\"" },
		{ { FILE_("a", ""), DIR_("a") }, "a directory and something else" },
		{ { FILE_(".", "top") }, "no directory" },
		{ { { .path = NULL } }, "empty" },
	};
	const struct image_limits l = small_limits();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		struct walked w;
		int rc = walk(rows[i].items, &l, &w, &err);

		if (rc == 0 && rows[i].says)
			fail_msg("row %zu is taken: %s", i, w.text.data);
		if (rc < 0 && (!rows[i].says || !strstr(err.msg, rows[i].says)))
			fail_msg("row %zu: \"%s\"", i, err.msg);
		if (rc < 0)
			assert_true(err.kind == ERR_INVALID || err.kind == ERR_TOO_LARGE);
		sbuf_free(&w.text);
	}
}

/* Who is told of an entry may end the walk. */
static int refuse(void *arg, struct image_entry *e, struct err *err)
{
	++*(int *)arg;
	return err_set(err, ERR_CANCELLED, "the test wants no more");
}

static void ends_when_told(void **state)
{
	static const struct item items[] = { FILE_("a", ""), FILE_("b", ""), { .path = NULL } };
	_close_ int fd = make_tar("/tmp", ARCHIVE_FILTER_NONE, items);
	int told = 0;
	struct image_walk walk = {
		.fd = fd, .limits = &image_limits_default, .entry = refuse, .arg = &told
	};
	struct err err = { 0 };

	assert_int_equal(image_tar_load(&err), 0);
	assert_int_equal(image_tar_walk(&walk, &err), -1);
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_int_equal(told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clean_paths),
		cmocka_unit_test(limits),
		cmocka_unit_test(ends_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
