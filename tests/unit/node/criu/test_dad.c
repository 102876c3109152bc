/* SPDX-License-Identifier: Apache-2.0 */
/* Images of a network namespace as CRIU writes them, as far as they matter here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/criu/dad.h"

#define MAX (64 << 10)

struct world {
	char dir[40];
};

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/test-dad-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static void put(struct sbuf *b, const void *data, size_t len)
{
	sbuf_add(b, data, len);
}

static void put_field(struct sbuf *b, unsigned number, const void *data, size_t len)
{
	sbuf_putc(b, (char)(number << 3 | 2));
	sbuf_putc(b, (char)len);
	put(b, data, len);
}

/* An entry of a list: its type and number. */
static void put_sysctl(struct sbuf *b, unsigned list, uint8_t type, uint8_t value)
{
	const uint8_t entry[] = { 0x08, type, 0x10, value };

	put_field(b, list, entry, sizeof(entry));
}

static void put_record(struct sbuf *b, const struct sbuf *message)
{
	uint32_t len = (uint32_t)message->len;

	if (!b->len)
		put(b, "\0\0\0\0\0\0\0", 8);
	put(b, &len, sizeof(len));
	put(b, message->data, message->len);
}

static void save(struct world *w, const char *name, const struct sbuf *b)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, name);
	struct err err;

	assert_int_equal(io_write_file(path, b->data, b->len, 0600, &err), 0);
}

/* What is in the file, NULL without; ret_len may be NULL. */
static char *load(struct world *w, const char *name, size_t *ret_len)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, name);
	struct err err;

	return io_read_file(path, MAX, ret_len, &err);
}

static void save_ids(struct world *w)
{
	static const uint8_t ids[] = { 0x08, 1, 0x10, 2, 0x18, 3, 0x20, 4, 0x28, 5, 0x30, 11 };
	_sbuf_ struct sbuf b = SBUF(MAX), m = SBUF(MAX);

	put(&m, ids, sizeof(ids));
	put_record(&b, &m);
	save(w, "ids-1.img", &b);
}

static void save_namespace(struct world *w, uint8_t type, uint8_t dflt, uint8_t all)
{
	_sbuf_ struct sbuf b = SBUF(MAX), m = SBUF(MAX);

	put_sysctl(&m, 3, 6, 1); /* of IPv4 */
	put_sysctl(&m, 5, type, dflt);
	put_sysctl(&m, 5, 6, 1); /* the next of the list */
	put_sysctl(&m, 6, 6, all);
	put_record(&b, &m);
	save(w, "netns-11.img", &b);
}

static void put_link(struct sbuf *b, const char *name, uint8_t value)
{
	_sbuf_ struct sbuf m = SBUF(MAX);

	put(&m, "\x08\x02\x10\x07\x18\x64\x20\x01", 8); /* type, index, MTU, flags */
	put_field(&m, 5, name, strlen(name));
	put_sysctl(&m, 9, 6, 1); /* of IPv4 */
	put_sysctl(&m, 10, 6, value);
	put_sysctl(&m, 10, 6, 1); /* the next of the list */
	put_record(b, &m);
}

static void save_links(struct world *w)
{
	_sbuf_ struct sbuf b = SBUF(MAX);

	put_link(&b, "lo", 0);
	put_link(&b, "eth0", 1);
	put_link(&b, "odd name", 1);
	put_link(&b, "eth1", 2);
	save(w, "netdev-11.img", &b);
}

static size_t count_ones(const char *data, size_t len, uint8_t list)
{
	const char entry[] = { (char)(list << 3 | 2), 4, 0x08, 6, 0x10, 1 };
	size_t n = 0;

	for (const char *p = data; (p = memmem(p, len - (size_t)(p - data), entry, 6)); p++)
		n++;
	return n;
}

static void turns_off_what_was_on(void **state)
{
	struct world *w = *state;
	_free_ char *notes = NULL, *links = NULL, *netns = NULL;
	size_t links_len, netns_len;

	save_ids(w);
	save_namespace(w, 6, 1, 0);
	save_links(w);
	dad_skip(w->dir);
	notes = load(w, DAD_NOTES, NULL);
	assert_non_null(notes);
	assert_string_equal(notes, "default 1\neth0 1\neth1 2\n");
	/* only the first of each list, and nothing of IPv4 */
	netns = load(w, "netns-11.img", &netns_len);
	assert_int_equal(count_ones(netns, netns_len, 5), 1);
	assert_int_equal(count_ones(netns, netns_len, 3), 1);
	links = load(w, "netdev-11.img", &links_len);
	assert_int_equal(count_ones(links, links_len, 10), 5); /* 4 and the odd name's */
	assert_int_equal(count_ones(links, links_len, 9), 4);
}

static void again_there_is_nothing_to_do(void **state)
{
	struct world *w = *state;
	_free_ char *once = NULL, *twice = NULL, *path = xasprintf("%s/%s", w->dir, DAD_NOTES);
	size_t len, again;

	save_ids(w);
	save_namespace(w, 6, 1, 1);
	save_links(w);
	dad_skip(w->dir);
	once = load(w, "netns-11.img", &len);
	remove(path);
	dad_skip(w->dir);
	twice = load(w, "netns-11.img", &again);
	assert_int_equal(len, again);
	assert_memory_equal(once, twice, len);
	assert_null(load(w, DAD_NOTES, NULL));
}

static void what_is_odd_is_left_alone(void **state)
{
	struct world *w = *state;
	_free_ char *was = NULL, *is = NULL;
	size_t was_len, is_len;

	dad_skip(w->dir); /* no images */
	assert_null(load(w, DAD_NOTES, NULL));
	save_ids(w);
	save_namespace(w, 5, 1, 0); /* a text */
	was = load(w, "netns-11.img", &was_len);
	dad_skip(w->dir);
	is = load(w, "netns-11.img", &is_len);
	assert_int_equal(is_len, was_len);
	assert_memory_equal(is, was, is_len);
	assert_null(load(w, DAD_NOTES, NULL));
}

/* An image may end anywhere, and hold anything. */
static void broken_images_break_nothing(void **state)
{
	struct world *w = *state;
	_free_ char *whole = NULL;
	size_t len;

	save_ids(w);
	save_links(w);
	whole = load(w, "netdev-11.img", &len);
	for (size_t n = 1; n < len; n++) {
		_sbuf_ struct sbuf b = SBUF(MAX);

		put(&b, whole, n);
		b.data[n / 2] = (char)0xff;
		save(w, "netdev-11.img", &b);
		dad_skip(w->dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(turns_off_what_was_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(again_there_is_nothing_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_odd_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(broken_images_break_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
