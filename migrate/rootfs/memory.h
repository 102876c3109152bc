/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/rootfs/memory.h - what a pass over a folder remembers for the next one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* One entry; folders own their children, sorted by name. */
struct seen {
	char *name;
	uint64_t ino, size, rdev;
	int64_t mtime_ns, ctime_ns;
	uint32_t mode, uid, gid, nlink;
	struct seen *child;
	size_t nchild, room;
};

static inline int64_t time_ns(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void seen_of(struct seen *e, const struct stat *st);
/* Marks an entry so that it equals nothing: it has to be sent again. */
void seen_spoil(struct seen *e);
bool seen_same(const struct seen *a, const struct seen *b);
/* The child is appended; names are sorted once by seen_sort. */
struct seen *seen_add(struct seen *folder, const char *name);
void seen_sort(struct seen *folder);
const struct seen *seen_find(const struct seen *folder, const char *name); /* NULL is fine */
void seen_clear(struct seen *e); /* what it owns, not itself */

/* First path seen of each file with several names. */
struct names {
	struct names_slot {
		uint64_t ino;
		char *path;
		bool fresh;
	} * slot;
	size_t count, room;
};
const char *names_get(const struct names *n, uint64_t ino);
/* fresh: that path was sent in this pass, so that the other names have to follow it. */
bool names_fresh(const struct names *n, uint64_t ino);
void names_put(struct names *n, uint64_t ino, const char *path, bool fresh);
void names_clear(struct names *n);
