/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/memory/way.h - which way the memory of a container goes (way.def). */
#pragma once
#include <stdint.h>

#include "base/err.h"

enum memory_way {
#define WAY(id, name, ms, cannot) WAY_##id,
#include "migrate/memory/way.def"
#undef WAY
	WAY_COUNT,
};
const char *way_name(enum memory_way way);
/* "best" is WAY_COUNT. */
int way_parse(const char *word, enum memory_way *ret, struct err *err);

#define WAY_WORTH_MS 150
#define WAY_SPEED_MAX 400000000 /* bytes a second, from source to restored, as measured */
#define WAY_SPEED_MIN (1 << 20) /* of memory that follows: what is waited for comes in blocks */

struct way_facts {
	int64_t memory;           /* of the container */
	int64_t speed;            /* bytes a second that may be sent; 0: as many as go */
	int64_t target_free;      /* bytes of RAM there */
	int64_t source_files;     /* descriptors that a process of the source may have */
	const char *no_post_copy; /* why one of the two members cannot; "" */
};
/* How long the container stands still for it. */
int64_t way_still_ms(enum memory_way way, const struct way_facts *f);
/* What is wished for, if it is possible; WAY_COUNT: the best. ret_why: why it is that one. */
enum memory_way way_choose(enum memory_way wish, const struct way_facts *f, char *ret_why,
			   size_t size);
