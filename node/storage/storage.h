/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/storage.h - pools of this host and the volumes in them, whatever their drivers. */
#pragma once
#include "node/node.h"

/* pool: {"name","driver","config":{source,...}}. */
int pool_create(struct node *n, const json_t *pool, struct err *err);
/* By what this host knows of it; 0 as well when it is gone. ERR_CONFLICT while it holds volumes. */
int pool_delete(struct node *n, const char *name, struct err *err);
/* {space:{used,total},inodes:{...}} */
json_t *pool_usage(struct node *n, const json_t *pool, struct err *err);
const json_t *storage_drivers(void); /* [{"Name","Version","Remote"}], borrowed */
/* A container's volume from an image (image_root NULL: empty). Atomic: a half-made one is not
 * there. */
int volume_create(struct node *n, const json_t *pool, const char *name, const char *image_root,
		  struct err *err);
/* ERR_CONFLICT when files of this name are here already, of an instance that no row knows: asked
 * before a row or a note lays claim to the name, for what follows may undo it all. */
int volume_check_free(struct node *n, const json_t *pool, const char *name, struct err *err);
int volume_delete(struct node *n, const json_t *pool, const char *name, struct err *err);
int volume_rename(struct node *n, const json_t *pool, const char *name, const char *new_name,
		  struct err *err);
char *volume_path(struct node *n, const json_t *pool, const char *name); /* caller frees */
/* The folder whose content is the container's own data, wherever its driver has it. What a move
 * sends. */
char *volume_data_path(struct node *n, const json_t *pool, const char *name);
/* Where the memory of its container is kept (node/storage/kept.h). The caller frees. */
char *volume_kept_path(struct node *n, const json_t *pool, const char *name);
/* There is such memory. */
bool volume_is_kept(struct node *n, const json_t *pool, const char *name);
/* Allocated bytes of its data; -1 when they cannot be counted by the deadline. */
int64_t volume_usage(struct node *n, const json_t *pool, const char *name, int64_t deadline);

/* A copy of a volume's data as they are now, under an id of the caller's: who could write to them
 * stands still. Then it is kept, whole and on the disk; it is renamed and deleted with the volume.
 */
int volume_snapshot(struct node *n, const json_t *pool, const char *name, const char *id,
		    struct err *err);
int volume_snapshot_keep(struct node *n, const json_t *pool, const char *name, const char *id,
			 struct err *err);
/* Kept or not; 0 as well when it is gone. */
int volume_snapshot_delete(struct node *n, const json_t *pool, const char *name, const char *id,
			   struct err *err);
/* Has what a snapshot holds ready to take the place of the volume's data; then they are replaced,
 * and kept memory goes with the old ones: 0 as well when that is done, or nothing is ready. Or the
 * volume stays as it is. */
int volume_restore_prepare(struct node *n, const json_t *pool, const char *name, const char *id,
			   struct err *err);
int volume_restore(struct node *n, const json_t *pool, const char *name, struct err *err);
int volume_restore_drop(struct node *n, const json_t *pool, const char *name, struct err *err);

/* The driver of a pool for which none is named. */
const char *storage_driver_default(void);
/* "a, b": all of them, the default first; the caller frees. */
char *storage_driver_names(void);
/* ERR_INVALID, with the names of all, for another one. */
int storage_driver_check(const char *name, struct err *err);
/* Its volumes hold what differs from their image, whose root must be here while they are used. */
bool pool_stands_on_images(const json_t *pool);
/* Its volumes may hold overlayfs' whiteouts. */
bool pool_has_whiteouts(const json_t *pool);
/* Extended attributes that a move has to carry over, up to a NULL; NULL: none. */
const char *const *pool_marks(const json_t *pool);
/* Removes half-made and half-deleted volumes in all pools. */
int storage_recover(struct node *n, struct err *err);
/* The names of the volumes of a pool. */
json_t *volume_list(struct node *n, const json_t *pool);
/* Whether a volume of any pool stands on the image. */
bool storage_uses_image(struct node *n, const char *fingerprint);
/* Deletes the image, or has it go with the last volume that stands on it. */
int storage_delete_image(struct node *n, const char *fingerprint, struct err *err);
