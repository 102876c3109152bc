/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/lazy.h - which memory of restored tasks has yet to come; no system calls.
 *
 * Two views of the same pages. An image is one task's memory as it was dumped, cut into blocks:
 * each block is fetched once. A task that runs has parts of it that it misses, at addresses that
 * change as the task moves its memory (mremap(2)); what it gives back (munmap(2), madvise(2)) it no
 * longer misses, and a child of fork(2) misses what its parent does.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define LAZY_BLOCK_BYTES (256 << 10)

enum lazy_state { LAZY_UNASKED, LAZY_ASKED, LAZY_DONE };

struct lazy_block {
	uint64_t start, len;
	enum lazy_state state;
};

struct lazy_image {
	int64_t number; /* of the task, inside */
	struct lazy_block *blocks; /* by address */
	size_t n, cursor; /* the one that is likely needed next */
	size_t left;      /* not done */
};

/* From the bytes of pagemap-NUMBER.img, which are read only. */
int lazy_image_parse(int64_t number, unsigned char *data, size_t len, struct lazy_image *ret,
		     struct err *err);
void lazy_image_done(struct lazy_image *image);
struct lazy_block *lazy_image_find(struct lazy_image *image, uint64_t address);
/* The next that nobody has asked for, from the cursor on, which moves behind it; or NULL. */
struct lazy_block *lazy_image_next(struct lazy_image *image);

/* Bytes that are missed at `start`, as they were dumped at `image`. */
struct lazy_part {
	uint64_t start, len, image;
};

struct lazy_parts {
	struct lazy_part *v; /* by start, none overlap */
	size_t n;
};

/* All of an image. */
void lazy_parts_init(struct lazy_parts *p, const struct lazy_image *image);
void lazy_parts_copy(struct lazy_parts *to, const struct lazy_parts *from);
void lazy_parts_done(struct lazy_parts *p);
bool lazy_parts_find(const struct lazy_parts *p, uint64_t address, struct lazy_part *ret);
/* Any that was dumped within those bytes, cut to them. */
bool lazy_parts_find_image(const struct lazy_parts *p, uint64_t image, uint64_t len,
			   struct lazy_part *ret);
void lazy_parts_drop(struct lazy_parts *p, uint64_t start, uint64_t len);
void lazy_parts_move(struct lazy_parts *p, uint64_t from, uint64_t to, uint64_t len);
