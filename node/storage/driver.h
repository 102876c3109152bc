/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/driver.h - what a driver of storage pools is: a row of driver.def, and a struct
 * storage_ops in the file of its name.
 *
 * Only that file knows the driver's nature. Whoever depends on it calls an operation, or reads a
 * flag; what a driver does not do is NULL. Names of pools and volumes were checked before.
 */
#pragma once
#include "node/node.h"

struct storage_ops;

struct storage_driver {
	const char *name, *version;
	const struct storage_ops *ops;
};

/* A pool as its driver sees it; lives for one call. */
struct storage_pool {
	struct node *node;
	const struct storage_driver *driver;
	const char *name;
	char *here;   /* storage-pools/NAME: its folder, or a link to that */
	char *source; /* where its configuration puts it, else the same as `here` */
};

struct storage_ops {
	/* Volumes may hold character devices 0/0: what overlayfs(5) calls whiteouts. */
	bool whiteouts;
	/* Names of the extended attributes with which it marks what is in a volume, up to a NULL:
	 * they are part of the container's data. NULL: none. */
	const char *const *marks;

	/* Under the lock of this host's pools. A pool that is made already is made sure of. A mark
	 * at `here` (node/storage/mark.h) says that there is one; deleting removes it and all else
	 * that is ours, and refuses while there are volumes. */
	int (*pool_create)(const struct storage_pool *p, struct err *err);
	int (*pool_delete)(const struct storage_pool *p, struct err *err);
	/* {space:{used,total},inodes:{...}} */
	json_t *(*pool_usage)(const struct storage_pool *p, struct err *err);
	/* Removes what jobs left that were cut off. */
	int (*recover)(const struct storage_pool *p, struct err *err);
	/* The names of its volumes. */
	json_t *(*list)(const struct storage_pool *p);

	/* image_root: an unpacked image, NULL: an empty volume. A half-made one is not there.
	 * ERR_CONFLICT when there is one of that name. */
	int (*create)(const struct storage_pool *p, const char *volume, const char *image_root,
		      struct err *err);
	/* 0 as well when it is gone already. */
	int (*remove)(const struct storage_pool *p, const char *volume, struct err *err);
	int (*rename)(const struct storage_pool *p, const char *volume, const char *new_name,
		      struct err *err);
	/* What a spec calls the volume, and its folder that holds the container's own data: the
	 * caller frees. */
	char *(*path)(const struct storage_pool *p, const char *volume);
	char *(*data_path)(const struct storage_pool *p, const char *volume);
	/* Where the memory of its container is kept while that is stopped (node/storage/kept.h); it
	 * goes and is renamed with the volume. The caller frees. */
	char *(*kept_path)(const struct storage_pool *p, const char *volume);
	/* Bytes of that data; -1 when they cannot be counted by the deadline. */
	int64_t (*usage)(const struct storage_pool *p, const char *volume, int64_t deadline);
	/* Its image's fingerprint, for the caller to free; NULL when it stands on none. A driver
	 * without this copies: its volumes need their image no more. */
	char *(*stands_on)(const struct storage_pool *p, const char *volume);

	/* A copy of its data as they are now, while nobody writes to them; then it is kept, whole
	 * and on the disk, until it is removed, or the volume is: 0 as well when it is gone. */
	int (*snapshot)(const struct storage_pool *p, const char *volume, const char *id,
			struct err *err);
	int (*snapshot_keep)(const struct storage_pool *p, const char *volume, const char *id,
			     struct err *err);
	int (*snapshot_remove)(const struct storage_pool *p, const char *volume, const char *id,
			       struct err *err);
	/* Goes back to a snapshot, which stays: what fails for want of space is in the first; the
	 * second may be called again until it succeeds, and drops the memory that is kept. */
	int (*restore_prepare)(const struct storage_pool *p, const char *volume, const char *id,
			       struct err *err);
	int (*restore)(const struct storage_pool *p, const char *volume, struct err *err);
	int (*restore_drop)(const struct storage_pool *p, const char *volume, struct err *err);

	/* Helpers only: the root of a spec's container at mountpoint. The working directory is an
	 * empty folder for what the driver needs on the way (rootfs.h). */
	int (*mount)(const json_t *spec, const char *mountpoint, struct err *err);

	const struct folder_ops *folder; /* of a driver that is made of node/storage/folder.h */
};

/* NULL: no row has that name, and err lists them. */
const struct storage_driver *storage_driver_find(const char *name, struct err *err);
