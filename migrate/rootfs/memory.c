/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/rootfs/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

void seen_of(struct seen *e, const struct stat *st)
{
	e->ino = st->st_ino;
	e->size = (uint64_t)st->st_size;
	e->rdev = st->st_rdev;
	e->mtime_ns = time_ns(st->st_mtim);
	e->ctime_ns = time_ns(st->st_ctim);
	e->mode = st->st_mode;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->nlink = (uint32_t)st->st_nlink;
}

void seen_spoil(struct seen *e)
{
	e->ctime_ns = INT64_MIN;
}

bool seen_same(const struct seen *a, const struct seen *b)
{
	if (a->ino != b->ino || a->ctime_ns != b->ctime_ns || a->mode != b->mode)
		return false;
	/* What a folder holds is compared entry by entry. */
	if (!S_ISDIR(a->mode) && (a->size != b->size || a->mtime_ns != b->mtime_ns))
		return false;
	return a->uid == b->uid && a->gid == b->gid && a->rdev == b->rdev;
}

struct seen *seen_add(struct seen *folder, const char *name)
{
	struct seen *e;

	if (folder->nchild == folder->room) {
		folder->room = folder->room ? folder->room * 2 : 8;
		folder->child = xrealloc(folder->child, folder->room * sizeof(*folder->child));
	}
	e = &folder->child[folder->nchild++];
	*e = (struct seen){ .name = xstrdup(name) };
	return e;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seen *)a)->name, ((const struct seen *)b)->name);
}

void seen_sort(struct seen *folder)
{
	if (folder->nchild)
		qsort(folder->child, folder->nchild, sizeof(*folder->child), by_name);
}

const struct seen *seen_find(const struct seen *folder, const char *name)
{
	struct seen key = { .name = (char *)name };

	if (!folder || !folder->nchild)
		return NULL;
	return bsearch(&key, folder->child, folder->nchild, sizeof(key), by_name);
}

void seen_clear(struct seen *e)
{
	for (size_t i = 0; i < e->nchild; i++)
		seen_clear(&e->child[i]);
	free(e->child);
	free(e->name);
	*e = (struct seen){ 0 };
}

/* --- names by inode ----------------------------------------------------------------------- */

static struct names_slot *find_slot(const struct names *n, uint64_t ino)
{
	size_t i = (size_t)(ino * 0x9e3779b97f4a7c15ULL >> 20) & (n->room - 1);

	while (n->slot[i].path && n->slot[i].ino != ino)
		i = (i + 1) & (n->room - 1);
	return &n->slot[i];
}

const char *names_get(const struct names *n, uint64_t ino)
{
	return n->room ? find_slot(n, ino)->path : NULL;
}

bool names_fresh(const struct names *n, uint64_t ino)
{
	return n->room && find_slot(n, ino)->fresh;
}

static void grow(struct names *n)
{
	struct names old = *n;

	n->room = old.room ? old.room * 2 : 64;
	n->slot = xcalloc(n->room, sizeof(*n->slot));
	for (size_t i = 0; i < old.room; i++) {
		if (old.slot[i].path)
			*find_slot(n, old.slot[i].ino) = old.slot[i];
	}
	free(old.slot);
}

void names_put(struct names *n, uint64_t ino, const char *path, bool fresh)
{
	struct names_slot *s;

	if (n->count * 2 >= n->room)
		grow(n);
	s = find_slot(n, ino);
	if (s->path)
		return;
	s->ino = ino;
	s->path = xstrdup(path);
	s->fresh = fresh;
	n->count++;
}

void names_clear(struct names *n)
{
	for (size_t i = 0; i < n->room; i++)
		free(n->slot[i].path);
	free(n->slot);
	*n = (struct names){ 0 };
}
