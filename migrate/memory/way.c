/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/memory/way.h"

#include <assert.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"

#define PIPE_BYTES (1 << 20) /* CRIU keeps pages in pipes, of two descriptors each */
#define FILES_SPARE 2000     /* that it needs otherwise */
#define LOOK_SPEED 8000000000 /* bytes a second at which CRIU finds out which pages there are */

static int64_t plain_ms(const struct way_facts *f)
{
	bool slow = f->speed && f->speed < WAY_SPEED_MAX;

	return f->memory / ((slow ? f->speed : WAY_SPEED_MAX) / 1000 + 1);
}

static const char *plain_cannot(const struct way_facts *f)
{
	return "";
}

static int64_t post_copy_ms(const struct way_facts *f)
{
	return f->memory / (LOOK_SPEED / 1000);
}

static const char *post_copy_cannot(const struct way_facts *f)
{
	if (*f->no_post_copy)
		return f->no_post_copy;
	if (f->speed && f->speed < WAY_SPEED_MIN)
		return "what is waited for would take seconds at the cluster's move.bandwidth";
	if (f->target_free < f->memory)
		return "the target has not enough RAM";
	return f->memory / PIPE_BYTES * 2 > f->source_files - FILES_SPARE
		       ? "the source may not open enough pipes (LimitNOFILE)"
		       : "";
}

static const struct {
	const char *name;
	int64_t (*ms)(const struct way_facts *f);
	const char *(*cannot)(const struct way_facts *f); /* "" when it can */
} ways[] = {
#define WAY(id, name, ms, cannot) [WAY_##id] = { name, ms, cannot },
#include "migrate/memory/way.def"
#undef WAY
};

const char *way_name(enum memory_way way)
{
	assert(way < WAY_COUNT);
	return ways[way].name;
}

int way_parse(const char *word, enum memory_way *ret, struct err *err)
{
	int way = 0;

	while (way < WAY_COUNT && !str_eq(word, ways[way].name))
		way++;
	if (way == WAY_COUNT && !str_eq(word, "best"))
		return err_set(err, ERR_INVALID, "\"%.40s\" is no way for memory to move", word);
	*ret = (enum memory_way)way;
	return 0;
}

int64_t way_still_ms(enum memory_way way, const struct way_facts *f)
{
	assert(way < WAY_COUNT);
	return ways[way].ms(f);
}

enum memory_way way_choose(enum memory_way wish, const struct way_facts *f, char *ret_why,
			   size_t size)
{
	int best = WAY_PLAIN;

	assert(wish <= WAY_COUNT);
	if (wish < WAY_COUNT) {
		const char *cannot = ways[wish].cannot(f);

		snprintf(ret_why, size, "%s", *cannot ? cannot : "as configured");
		return *cannot ? WAY_PLAIN : wish;
	}
	for (int way = best + 1; way < WAY_COUNT; way++) {
		if (!*ways[way].cannot(f) && ways[way].ms(f) + WAY_WORTH_MS <= ways[best].ms(f))
			best = way;
	}
	snprintf(ret_why, size, "%lld MiB would stand still for %lld ms, plain for %lld ms",
		 (long long)(f->memory >> 20), (long long)ways[best].ms(f),
		 (long long)ways[WAY_PLAIN].ms(f));
	return (enum memory_way)best;
}
