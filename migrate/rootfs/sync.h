/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/rootfs/sync.h - a folder's content carried to another member, first while it changes,
 * then the rest.
 *
 * The source walks the tree and sends what differs from what it sent before: a pass compares
 * every entry with the memory of the former pass by inode, ctime, size, mode and owner. Times of
 * modification can be set by anybody inside and are not relied on. The target takes the entries
 * in the order in which they come and trusts none: names are checked, nothing is resolved through
 * links or out of the folder, ids and devices stay within what the container may have.
 *
 * Kept: owners, modes, times in nanoseconds, hard links, symlinks, fifos, sockets, devices,
 * holes, POSIX ACLs, file capabilities, user attributes, and what the storage driver marks its
 * files with. Other attributes belong to the source's file system and stay behind.
 */
#pragma once
#include <sys/stat.h>

#include "migrate/stream/frame.h"

#define SYNC_PATH_MAX 4095
#define SYNC_XATTRS_MAX 64
#define SYNC_XATTR_NAME_MAX 255
#define SYNC_XATTR_VALUE_MAX 65536
#define SYNC_DEPTH_MAX 200

enum sync_kind {
	SYNC_DIR = 'd',     /* made, or brought up to date */
	SYNC_FILE = 'f',    /* its data follow, if it has any */
	SYNC_LINK = 'l',    /* symlink to target */
	SYNC_HARD = 'h',    /* another name of the file `target` */
	SYNC_SPECIAL = 's', /* fifo, socket, device: by mode */
	SYNC_REMOVE = 'x',  /* with all below */
	SYNC_CLOSE = 'c', /* a folder's content is complete: its attributes again, for its times */
};

struct sync_xattr {
	const char *name;
	const void *value;
	size_t len;
};

struct sync_entry {
	enum sync_kind kind;
	const char *path;   /* relative; "" is the folder itself */
	const char *target; /* "" unless a link */
	uint32_t mode, uid, gid;
	uint64_t size, rdev;
	int64_t atime_ns, mtime_ns;
	struct sync_xattr xattr[SYNC_XATTRS_MAX];
	size_t nxattr;
};

/* Appends the entry's bytes. */
void sync_encode(struct sbuf *out, const struct sync_entry *e);
/* The strings point into buf, which ends up with NULs where they end. Checks everything that can
 * be checked without a file system. */
int sync_decode(uint8_t *buf, size_t len, struct sync_entry *ret, struct err *err);
/* Whether an extended attribute is carried over; marks are the driver's (NULL: none). */
bool sync_wants_xattr(const char *name, const char *const *marks);

/* --- source ------------------------------------------------------------------------------- */

struct sync_source;
/* root: the folder to be sent. Takes the descriptor. marks: names of attributes that are the
 * driver's, up to a NULL; NULL: none. */
struct sync_source *sync_source_new(int own_root_fd, const char *const *marks);
void sync_source_free(struct sync_source *s);
/* One pass: sends all that differs from the former pass, then SYNC_DONE (not flushed).
 * *ret_changes counts the entries sent. stop may be NULL: asked now and then, -1 ends the pass. */
int sync_pass(struct sync_source *s, struct channel *l, int (*stop)(void *arg, struct err *err),
	      void *arg, int64_t *ret_changes, struct err *err);
/* Bytes of file data sent so far. */
int64_t sync_sent(const struct sync_source *s);

/* --- target ------------------------------------------------------------------------------- */

struct sync_target_opts {
	int root_fd;     /* borrowed */
	uint32_t id_max; /* largest user and group id of the content */
	bool whiteouts; /* character devices 0/0 of owner id_max + 1 are the driver's and welcome */
	bool devices;   /* a privileged container may have real ones */
	const char *const *marks; /* as the source's */
};
struct sync_target;
struct sync_target *sync_target_new(const struct sync_target_opts *o);
void sync_target_free(struct sync_target *t);
/* Takes SYNC, SYNC_DATA and SYNC_END frames. */
int sync_take(struct sync_target *t, const struct frame *f, struct err *err);
/* Has what was taken since the last call written to disk. */
int sync_flush(struct sync_target *t, struct err *err);
