/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/lazy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "node/criu/message.h"

#define HEAD_BYTES 8 /* of an image file: two magic numbers */
#define ADDRESS_MAX ((uint64_t)1 << 57)
/* Of an entry in CRIU's images/pagemap.proto. */
enum { ENTRY_ADDRESS = 1, ENTRY_PAGES_OLD = 2, ENTRY_FLAGS = 4, ENTRY_PAGES = 5 };
#define FLAG_LAZY 2

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- images ------------------------------------------------------------------------------- */

struct entry {
	uint64_t address, pages;
	bool lazy;
};

static struct entry parse_entry(unsigned char *p, unsigned char *end)
{
	struct entry e = { 0 };
	struct field f;
	uint64_t old = 0;

	while ((p = message_next(p, end, &f))) {
		if (f.type != FIELD_VARINT)
			continue;
		if (f.number == ENTRY_ADDRESS)
			e.address = f.value;
		else if (f.number == ENTRY_PAGES_OLD)
			old = f.value;
		else if (f.number == ENTRY_PAGES)
			e.pages = f.value;
		else if (f.number == ENTRY_FLAGS)
			e.lazy = f.value & FLAG_LAZY;
	}
	if (!e.pages)
		e.pages = old;
	return e;
}

/* Blocks end where their number says so: a task that grows does not shift them. */
static void add_blocks(struct lazy_image *image, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t next = lower(end, (start / LAZY_BLOCK_BYTES + 1) * LAZY_BLOCK_BYTES);
		struct lazy_block *last = image->n ? &image->blocks[image->n - 1] : NULL;

		if (last && last->start + last->len == start && start % LAZY_BLOCK_BYTES) {
			last->len += next - start;
		} else {
			image->blocks =
				xrealloc(image->blocks, (image->n + 1) * sizeof(*image->blocks));
			image->blocks[image->n++] = (struct lazy_block){ start, next - start, 0 };
		}
		start = next;
	}
}

int lazy_image_parse(int64_t number, unsigned char *data, size_t len, struct lazy_image *ret,
		     struct err *err)
{
	unsigned char *p = data + HEAD_BYTES, *end = data + len;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), last = 0;
	struct lazy_image image = { .number = number };
	bool good = len >= HEAD_BYTES;
	uint32_t size;

	for (bool head = true; good && end - p >= 4; head = false) {
		struct entry e;

		memcpy(&size, p, 4);
		p += 4;
		good = size <= (size_t)(end - p);
		if (!good)
			break;
		e = parse_entry(p, p + size);
		p += size;
		if (head)
			continue;
		good = e.address % page == 0 && e.address >= last && e.address <= ADDRESS_MAX &&
		       e.pages <= ADDRESS_MAX / page;
		if (!good)
			break;
		last = e.address + e.pages * page;
		if (e.lazy)
			add_blocks(&image, e.address, last);
	}
	if (!good || p != end) {
		lazy_image_done(&image);
		return err_set(err, ERR_INVALID, "the list of pages of process %lld is malformed",
			       (long long)number);
	}
	image.left = image.n;
	*ret = image;
	return 0;
}

void lazy_image_done(struct lazy_image *image)
{
	free(image->blocks);
	*image = (struct lazy_image){ 0 };
}

struct lazy_block *lazy_image_find(struct lazy_image *image, uint64_t address)
{
	size_t low = 0, high = image->n;

	while (low < high) {
		size_t at = (low + high) / 2;

		if (image->blocks[at].start + image->blocks[at].len <= address)
			low = at + 1;
		else
			high = at;
	}
	return low < image->n && image->blocks[low].start <= address ? &image->blocks[low] : NULL;
}

struct lazy_block *lazy_image_next(struct lazy_image *image)
{
	for (size_t i = 0; i < image->n; i++) {
		struct lazy_block *b = &image->blocks[image->cursor];

		image->cursor = (image->cursor + 1) % image->n;
		if (b->state == LAZY_UNASKED)
			return b;
	}
	return NULL;
}

/* --- parts -------------------------------------------------------------------------------- */

static void insert(struct lazy_parts *p, size_t at, struct lazy_part part)
{
	assert(at <= p->n);
	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	memmove(p->v + at + 1, p->v + at, (p->n - at) * sizeof(*p->v));
	p->v[at] = part;
	p->n++;
}

static void erase(struct lazy_parts *p, size_t at)
{
	assert(at < p->n);
	memmove(p->v + at, p->v + at + 1, (--p->n - at) * sizeof(*p->v));
}

/* The first that ends behind the address. */
static size_t at_or_after(const struct lazy_parts *p, uint64_t address)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t at = (low + high) / 2;

		if (p->v[at].start + p->v[at].len <= address)
			low = at + 1;
		else
			high = at;
	}
	return low;
}

void lazy_parts_init(struct lazy_parts *p, const struct lazy_image *image)
{
	*p = (struct lazy_parts){ 0 };
	for (size_t i = 0; i < image->n; i++) {
		const struct lazy_block *b = &image->blocks[i];
		struct lazy_part *last = p->n ? &p->v[p->n - 1] : NULL;

		if (last && last->start + last->len == b->start)
			last->len += b->len;
		else
			insert(p, p->n, (struct lazy_part){ b->start, b->len, b->start });
	}
}

void lazy_parts_copy(struct lazy_parts *to, const struct lazy_parts *from)
{
	to->n = from->n;
	to->v = xcalloc(from->n + 1, sizeof(*to->v));
	if (from->n)
		memcpy(to->v, from->v, from->n * sizeof(*to->v));
}

void lazy_parts_done(struct lazy_parts *p)
{
	free(p->v);
	*p = (struct lazy_parts){ 0 };
}

bool lazy_parts_find(const struct lazy_parts *p, uint64_t address, struct lazy_part *ret)
{
	size_t at = at_or_after(p, address);

	if (at == p->n || p->v[at].start > address)
		return false;
	*ret = p->v[at];
	return true;
}

bool lazy_parts_find_image(const struct lazy_parts *p, uint64_t image, uint64_t len,
			   struct lazy_part *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct lazy_part *q = &p->v[i];
		uint64_t from = higher(q->image, image), to = lower(q->image + q->len, image + len);

		if (from >= to)
			continue;
		*ret = (struct lazy_part){ q->start + (from - q->image), to - from, from };
		return true;
	}
	return false;
}

void lazy_parts_drop(struct lazy_parts *p, uint64_t start, uint64_t len)
{
	uint64_t end = start + len;
	size_t at = at_or_after(p, start);

	while (at < p->n && p->v[at].start < end) {
		struct lazy_part whole = p->v[at];
		uint64_t whole_end = whole.start + whole.len;

		erase(p, at);
		if (whole.start < start)
			insert(p, at++, (struct lazy_part){ whole.start, start - whole.start,
							    whole.image });
		if (whole_end > end)
			insert(p, at++, (struct lazy_part){ end, whole_end - end,
							    whole.image + (end - whole.start) });
	}
}

void lazy_parts_move(struct lazy_parts *p, uint64_t from, uint64_t to, uint64_t len)
{
	struct lazy_parts moved = { 0 };
	uint64_t end = from + len;

	for (size_t at = at_or_after(p, from); at < p->n && p->v[at].start < end; at++) {
		const struct lazy_part *q = &p->v[at];
		uint64_t a = higher(q->start, from), b = lower(q->start + q->len, end);

		insert(&moved, moved.n,
		       (struct lazy_part){ a - from + to, b - a, q->image + (a - q->start) });
	}
	lazy_parts_drop(p, from, len);
	/* Whatever was there has been unmapped. */
	lazy_parts_drop(p, to, len);
	for (size_t i = 0; i < moved.n; i++)
		insert(p, at_or_after(p, moved.v[i].start), moved.v[i]);
	lazy_parts_done(&moved);
}
