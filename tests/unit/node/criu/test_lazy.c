/* SPDX-License-Identifier: Apache-2.0 */
/* Which memory has yet to come: from the list of pages in an image, and as tasks change theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/criu/lazy.h"

#define P 4096UL
#define B ((uint64_t)LAZY_BLOCK_BYTES)

static uint8_t *put(uint8_t *p, unsigned field, uint64_t v)
{
	*p++ = (uint8_t)(field << 3);
	for (; v > 127; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

struct entry {
	uint64_t address, pages, flags;
	bool old; /* the number of pages stands in the field of earlier versions */
};

static uint8_t *add(uint8_t *p, const struct entry *e)
{
	uint8_t *at = p + 4;
	uint32_t size;

	at = put(at, 1, e->address);
	at = put(at, 2, e->old ? e->pages : 0);
	at = put(at, 4, e->flags);
	if (!e->old)
		at = put(at, 5, e->pages);
	size = (uint32_t)(at - p - 4);
	memcpy(p, &size, 4);
	return at;
}

static size_t build(uint8_t *buf, const struct entry *e, size_t n)
{
	static const uint8_t head[] = { 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0, 8, 1 };
	uint8_t *p = buf + sizeof(head);

	memcpy(buf, head, sizeof(head));
	for (size_t i = 0; i < n; i++)
		p = add(p, &e[i]);
	return (size_t)(p - buf);
}

static void only_lazy_pages_have_yet_to_come(void **state)
{
	static const struct entry entries[] = {
		{ B, 3, 6, false },             /* lazy, two entries in a row */
		{ B + 3 * P, 2, 6, true },      /**/
		{ B + 6 * P, 1, 4, false },     /* in the image */
		{ 2 * B - P, 2, 2, false },     /* across the border of two blocks */
		{ 9 * B, B / P * 2, 2, false }, /* two whole ones */
	};
	static const struct lazy_block want[] = {
		{ B, 5 * P, 0 }, { 2 * B - P, P, 0 }, { 2 * B, P, 0 },
		{ 9 * B, B, 0 }, { 10 * B, B, 0 },
	};
	struct lazy_image image;
	uint8_t buf[512];
	struct err err;
	size_t len = build(buf, entries, ARRAY_SIZE(entries));

	assert_int_equal(lazy_image_parse(7, buf, len, &image, &err), 0);
	assert_int_equal(image.number, 7);
	assert_int_equal(image.n, ARRAY_SIZE(want));
	assert_int_equal(image.left, image.n);
	for (size_t i = 0; i < image.n; i++) {
		assert_int_equal(image.blocks[i].start, want[i].start);
		assert_int_equal(image.blocks[i].len, want[i].len);
		assert_ptr_equal(lazy_image_find(&image, want[i].start + want[i].len - 1),
				 &image.blocks[i]);
	}
	assert_null(lazy_image_find(&image, 0));
	assert_null(lazy_image_find(&image, B + 5 * P));
	assert_null(lazy_image_find(&image, 11 * B));
	lazy_image_done(&image);
}

static void each_block_is_asked_for_once(void **state)
{
	static const struct entry entry = { B, B / P * 3, 2, false };
	struct lazy_image image;
	uint8_t buf[64];
	struct err err;

	assert_int_equal(lazy_image_parse(1, buf, build(buf, &entry, 1), &image, &err), 0);
	image.cursor = 2;
	image.blocks[0].state = LAZY_DONE;
	for (int i = 2; i > 0; i--) {
		struct lazy_block *b = lazy_image_next(&image);

		assert_ptr_equal(b, &image.blocks[i]);
		b->state = LAZY_ASKED;
	}
	assert_null(lazy_image_next(&image));
	lazy_image_done(&image);
}

static void lists_that_are_malformed_are_refused(void **state)
{
	static const struct entry bad[][2] = {
		{ { B + 1, 1, 2, false }, { 4 * B, 1, 2, false } },      /* not of a page */
		{ { 4 * B, 1, 2, false }, { B, 1, 2, false } },          /* not in order */
		{ { B, 2, 2, false }, { B + P, 1, 2, false } },          /* overlapping */
		{ { B, UINT64_MAX / P, 2, false }, { B, 1, 2, false } }, /* no such memory */
		{ { UINT64_C(1) << 62, 1, 2, false }, { B, 1, 2, true } },
	};
	static const struct entry good = { B, 1, 2, false };
	struct lazy_image image = { .number = -1 };
	uint8_t buf[256];
	struct err err;
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		len = build(buf, bad[i], 2);
		assert_int_equal(lazy_image_parse(1, buf, len, &image, &err), -1);
	}
	len = build(buf, &good, 1);
	for (size_t cut = 1; cut < len - 14; cut++)
		assert_int_equal(lazy_image_parse(1, buf, len - cut, &image, &err), -1);
	assert_int_equal(lazy_image_parse(1, buf, 3, &image, &err), -1);
	assert_int_equal(image.number, -1);
}

static void check(const struct lazy_parts *p, const char *want)
{
	char got[256] = "";

	for (size_t i = 0; i < p->n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%llu+%llu=%llu ",
			 (unsigned long long)p->v[i].start, (unsigned long long)p->v[i].len,
			 (unsigned long long)p->v[i].image);
	assert_string_equal(got, want);
}

static struct lazy_parts two_parts(void)
{
	struct lazy_block blocks[] = { { 100, 50, 0 }, { 150, 50, 0 }, { 300, 100, 0 } };
	struct lazy_image image = { .blocks = blocks, .n = 3 };
	struct lazy_parts p;

	lazy_parts_init(&p, &image);
	return p;
}

static void what_comes_or_is_given_back_is_missed_no_more(void **state)
{
	static const struct {
		uint64_t start, len;
		const char *left;
	} cases[] = {
		{ 0, 50, "100+100=100 300+100=300 " },
		{ 0, 1000, "" },
		{ 100, 100, "300+100=300 " },
		{ 120, 10, "100+20=100 130+70=130 300+100=300 " },
		{ 150, 200, "100+50=100 350+50=350 " },
		{ 90, 20, "110+90=110 300+100=300 " },
		{ 390, 100, "100+100=100 300+90=300 " },
		{ 200, 100, "100+100=100 300+100=300 " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lazy_parts p = two_parts();

		lazy_parts_drop(&p, cases[i].start, cases[i].len);
		check(&p, cases[i].left);
		lazy_parts_done(&p);
	}
}

static void memory_that_moves_is_found_again(void **state)
{
	static const struct {
		uint64_t from, to, len;
		const char *left;
	} cases[] = {
		{ 100, 1000, 100, "300+100=300 1000+100=100 " },
		{ 150, 1000, 200, "100+50=100 350+50=350 1000+50=150 1150+50=300 " },
		{ 300, 0, 100, "0+100=300 100+100=100 " },
		{ 300, 120, 50, "100+20=100 120+50=300 170+30=170 350+50=350 " }, /* over another */
		{ 500, 100, 50, "150+50=150 300+100=300 " }, /* nothing missed there */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct lazy_parts p = two_parts(), child;
		struct lazy_part part;

		lazy_parts_move(&p, cases[i].from, cases[i].to, cases[i].len);
		check(&p, cases[i].left);
		lazy_parts_copy(&child, &p);
		lazy_parts_drop(&p, 0, 5000);
		check(&child, cases[i].left);
		assert_false(lazy_parts_find(&p, 100, &part));
		lazy_parts_done(&p);
		lazy_parts_done(&child);
	}
}

static void parts_are_found_by_where_they_are_and_were(void **state)
{
	struct lazy_parts p = two_parts();
	struct lazy_part part;

	lazy_parts_move(&p, 300, 1000, 100);
	assert_true(lazy_parts_find(&p, 1050, &part));
	assert_int_equal(part.image + (1050 - part.start), 350);
	assert_false(lazy_parts_find(&p, 300, &part));
	assert_false(lazy_parts_find(&p, 99, &part));
	assert_false(lazy_parts_find(&p, 1100, &part));
	assert_true(lazy_parts_find_image(&p, 390, 100, &part));
	assert_int_equal(part.start, 1090);
	assert_int_equal(part.len, 10);
	assert_int_equal(part.image, 390);
	assert_false(lazy_parts_find_image(&p, 200, 100, &part));
	lazy_parts_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_lazy_pages_have_yet_to_come),
		cmocka_unit_test(each_block_is_asked_for_once),
		cmocka_unit_test(lists_that_are_malformed_are_refused),
		cmocka_unit_test(what_comes_or_is_given_back_is_missed_no_more),
		cmocka_unit_test(memory_that_moves_is_found_again),
		cmocka_unit_test(parts_are_found_by_where_they_are_and_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
