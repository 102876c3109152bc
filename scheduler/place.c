/* SPDX-License-Identifier: Apache-2.0 */
#include "scheduler/place.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/arch.h"
#include "base/mem.h"
#include "base/str.h"

/* Hard constraints, in the order in which they are explained. */
static bool is_outside(const struct place_member *m, const struct place_request *r)
{
	return m->outside;
}

static bool is_left(const struct place_member *m, const struct place_request *r)
{
	return m->left;
}

static bool is_offline(const struct place_member *m, const struct place_request *r)
{
	return !m->online;
}

static bool is_leaving(const struct place_member *m, const struct place_request *r)
{
	return m->leaving;
}

static bool is_reserved(const struct place_member *m, const struct place_request *r)
{
	return m->by_name || (m->by_group && !r->group);
}

static bool is_foreign(const struct place_member *m, const struct place_request *r)
{
	return !str_empty(r->architecture) && !str_empty(m->architecture) &&
	       !arch_runs(m->architecture, r->architecture);
}

static const struct {
	bool (*rules_out)(const struct place_member *m, const struct place_request *r);
	const char *label;
} filters[] = {
	{ is_outside, "not in the group" },
	{ is_left, "where it is" },
	{ is_offline, "offline" },
	{ is_leaving, "leaving" },
	{ is_reserved, "not to be chosen (scheduler.instance)" },
	{ is_foreign, "of another architecture" },
};

/* Parts per million of what the member has; members that tell no size count as 1 GiB and 1 CPU. */
static uint64_t share(uint64_t requested, uint64_t total, uint64_t dflt)
{
	if (total == 0)
		total = dflt;
	return (uint64_t)((double)requested * 1e6 / (double)total);
}

struct score {
	uint64_t memory, cpus, instances;
};

static struct score score_of(const struct place_member *m, const struct place_request *r)
{
	return (struct score){
		share(m->memory_requested_bytes + r->memory_bytes, m->memory_total_bytes, 1 << 30),
		share(m->cpus_requested + r->cpus, m->cpus_total, 1),
		m->instances,
	};
}

static int cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const struct place_member *a, const struct place_member *b,
		   const struct place_request *r)
{
	struct score x = score_of(a, r), y = score_of(b, r);
	int c;

	if ((c = cmp_u64(x.memory, y.memory)) || (c = cmp_u64(x.cpus, y.cpus)) ||
	    (c = cmp_u64(x.instances, y.instances)))
		return c;
	return strcmp(a->name, b->name);
}

static int explain_none(const size_t counts[], size_t n, struct err *err)
{
	char text[300] = "";
	size_t at = 0;

	if (n == 0)
		return err_set(err, ERR_UNAVAILABLE,
			       "no member can take the instance: no member of the cluster is known "
			       "here yet; try again in a moment");
	for (size_t f = 0; f < ARRAY_SIZE(filters); f++) {
		if (counts[f] && at < sizeof(text))
			at += snprintf(text + at, sizeof(text) - at, "%s%zu %s", at ? ", " : "",
				       counts[f], filters[f].label);
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "no member can take the instance: of %zu, %s; bring one back or name one "
		       "with --target",
		       n, text);
}

static void explain_choice(const struct place_member *m, const struct place_request *r,
			   size_t eligible, struct place_choice *ret)
{
	struct score s = score_of(m, r);

	str_copy(ret->member, sizeof(ret->member), m->name);
	snprintf(ret->reason, sizeof(ret->reason),
		 "%s has the fewest requested resources of %zu eligible member%s: memory %.1f%%, "
		 "cpu %.1f%%, %u instance%s",
		 m->name, eligible, eligible == 1 ? "" : "s", s.memory / 1e4, s.cpus / 1e4,
		 m->instances, m->instances == 1 ? "" : "s");
}

int place_choose(const struct place_member *members, size_t n, const struct place_request *req,
		 struct place_choice *ret, struct err *err)
{
	size_t counts[ARRAY_SIZE(filters)] = { 0 };
	const struct place_member *best = NULL;
	size_t eligible = 0;

	assert(members || !n);
	for (size_t i = 0; i < n; i++) {
		size_t f = 0;

		while (f < ARRAY_SIZE(filters) && !filters[f].rules_out(&members[i], req))
			f++;
		if (f < ARRAY_SIZE(filters)) {
			counts[f]++;
			continue;
		}
		eligible++;
		if (!best || compare(&members[i], best, req) < 0)
			best = &members[i];
	}
	if (!best)
		return explain_none(counts, n, err);
	explain_choice(best, req, eligible, ret);
	return 0;
}
