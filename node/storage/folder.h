/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/folder.h - what drivers share whose pools are folders, and their volumes folders in
 * them.
 *
 * A pool is storage-pools/POOL, or a link of that name to the "source" of its configuration. A
 * volume is built as containers/.tmp-NAME-XX and renamed, and renamed to .deleted-NAME-XX before it
 * is removed: whatever bears a plain name is whole. So it is with what lies in a volume: its
 * snapshots, and what is to take the place of its data (snapshot.c). Folders are for root only,
 * since the set-id programs of containers lie in them with their ids unshifted.
 */
#pragma once
#include "node/storage/driver.h"
#include "node/storage/storage.h"

#define FOLDER_TEMP ".tmp-"
#define FOLDER_DELETED ".deleted-"

struct folder_ops {
	const char *data; /* folder of a volume that holds the container's own data */
	/* Whether the pool's folder can hold volumes of this driver; NULL: always. */
	int (*check)(const char *pool_folder, struct err *err);
	/* Makes the folder `volume` and fills it; image_root may be NULL. When it fails, what it
	 * leaves is dropped. */
	int (*make)(const char *volume, const char *image_root, struct err *err);
	/* Removes it, or what there is of it. */
	int (*drop)(const char *volume, struct err *err);
	/* The volume's image when it stands on one: its fingerprint, for the caller to free. */
	char *(*stands_on)(const char *volume);
	/* Rids a copy of the data of what holds for its original alone; NULL: nothing does. */
	int (*detach)(const char *data, struct err *err);
	/* The data was replaced by such a copy: what the volume remembers of it goes; NULL: it
	 * remembers nothing. */
	int (*replaced)(const char *volume, struct err *err);
};

/* An empty one, for root only: how `make` begins. */
int folder_make(const char *volume, struct err *err);

int folder_pool_create(const struct storage_pool *p, struct err *err);
int folder_pool_delete(const struct storage_pool *p, struct err *err);
json_t *folder_pool_usage(const struct storage_pool *p, struct err *err);
int folder_recover(const struct storage_pool *p, struct err *err);
json_t *folder_list(const struct storage_pool *p);
int folder_create(const struct storage_pool *p, const char *volume, const char *image_root,
		  struct err *err);
int folder_remove(const struct storage_pool *p, const char *volume, struct err *err);
int folder_rename(const struct storage_pool *p, const char *volume, const char *new_name,
		  struct err *err);
char *folder_path(const struct storage_pool *p, const char *volume);
char *folder_data_path(const struct storage_pool *p, const char *volume);
char *folder_kept_path(const struct storage_pool *p, const char *volume);
int64_t folder_usage(const struct storage_pool *p, const char *volume, int64_t deadline);
char *folder_stands_on(const struct storage_pool *p, const char *volume);
int folder_snapshot(const struct storage_pool *p, const char *volume, const char *id,
		    struct err *err);
int folder_snapshot_keep(const struct storage_pool *p, const char *volume, const char *id,
			 struct err *err);
int folder_snapshot_remove(const struct storage_pool *p, const char *volume, const char *id,
			   struct err *err);
char *folder_snapshots(const struct storage_pool *p, const char *volume);
int folder_restore_prepare(const struct storage_pool *p, const char *volume, const char *id,
			   struct err *err);
int folder_restore(const struct storage_pool *p, const char *volume, struct err *err);
int folder_restore_drop(const struct storage_pool *p, const char *volume, struct err *err);

/* In a struct storage_ops: all of the above but stands_on, by a struct folder_ops. */
#define FOLDER_DRIVER(ops)                                                                     \
	.folder = (ops), .pool_create = folder_pool_create, .pool_delete = folder_pool_delete, \
	.pool_usage = folder_pool_usage, .recover = folder_recover, .list = folder_list,       \
	.create = folder_create, .remove = folder_remove, .rename = folder_rename,             \
	.path = folder_path, .data_path = folder_data_path, .kept_path = folder_kept_path,     \
	.usage = folder_usage, .snapshot = folder_snapshot,                                    \
	.snapshot_keep = folder_snapshot_keep, .snapshot_remove = folder_snapshot_remove,      \
	.restore_prepare = folder_restore_prepare, .restore = folder_restore,                  \
	.restore_drop = folder_restore_drop
