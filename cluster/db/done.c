/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/done.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS_MIN 256
#define ID_TEXT 32

struct entry {
	struct entry *bucket, *newer;
	int64_t revision;
	bool burnt;
	char id[ID_TEXT];
};

struct done {
	struct entry **buckets;
	size_t n_buckets, n;
	struct entry *oldest, **newest;
	int64_t floor;
};

struct done *done_new(void)
{
	struct done *d = xnew(struct done);

	d->n_buckets = BUCKETS_MIN;
	d->buckets = xcalloc(d->n_buckets, sizeof(*d->buckets));
	d->newest = &d->oldest;
	return d;
}

void done_clear(struct done *d)
{
	done_forget(d, INT64_MAX);
	d->floor = 0;
}

int64_t done_floor(const struct done *d)
{
	return d->floor;
}

void done_free(struct done *d)
{
	if (!d)
		return;
	done_clear(d);
	assert(d->n == 0);
	free(d->buckets);
	free(d);
}

/* Ids are random: their first digits are as good as a hash. */
static size_t slot(const struct done *d, const char *id)
{
	uint64_t h;

	memcpy(&h, id, sizeof(h));
	h *= 0x9e3779b97f4a7c15ULL;
	return (h >> 32) & (d->n_buckets - 1);
}

static void grow(struct done *d)
{
	free(d->buckets);
	d->n_buckets *= 2;
	d->buckets = xcalloc(d->n_buckets, sizeof(*d->buckets));
	for (struct entry *e = d->oldest; e; e = e->newer) {
		struct entry **b = &d->buckets[slot(d, e->id)];

		e->bucket = *b;
		*b = e;
	}
}

void done_add(struct done *d, const char *id, int64_t revision, bool burnt)
{
	struct entry *e, **b;

	if (strlen(id) != ID_TEXT)
		return;
	/* Each revision has an id: what is missing before the first one was forgotten. */
	if (!d->oldest && revision - 1 > d->floor)
		d->floor = revision - 1;
	e = xnew(struct entry);
	b = &d->buckets[slot(d, id)];
	memcpy(e->id, id, ID_TEXT);
	e->revision = revision;
	e->burnt = burnt;
	e->bucket = *b;
	*b = e;
	*d->newest = e;
	d->newest = &e->newer;
	if (++d->n > d->n_buckets)
		grow(d);
}

bool done_find(const struct done *d, const char *id, int64_t *ret_revision, bool *ret_burnt)
{
	if (strlen(id) != ID_TEXT)
		return false;
	for (const struct entry *e = d->buckets[slot(d, id)]; e; e = e->bucket) {
		if (memcmp(e->id, id, ID_TEXT) != 0)
			continue;
		*ret_revision = e->revision;
		*ret_burnt = e->burnt;
		return true;
	}
	return false;
}

static void unlink_entry(struct done *d, struct entry *e)
{
	struct entry **pp = &d->buckets[slot(d, e->id)];

	while (*pp != e) {
		assert(*pp);
		pp = &(*pp)->bucket;
	}
	*pp = e->bucket;
}

void done_forget(struct done *d, int64_t up_to)
{
	if (up_to > d->floor)
		d->floor = up_to;
	while (d->oldest && d->oldest->revision <= up_to) {
		struct entry *e = d->oldest;

		d->oldest = e->newer;
		if (!d->oldest)
			d->newest = &d->oldest;
		unlink_entry(d, e);
		free(e);
		d->n--;
	}
}
