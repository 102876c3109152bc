/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/storage.h - how a driver of storage pools looks, and storage beyond node/node.h.
 *
 * A pool is a folder: storage-pools/POOL, or a link of that name to the "source" of its
 * configuration. A volume is built as containers/.tmp-NAME-XX and renamed, and renamed to
 * .deleted-NAME-XX before it is removed: whatever bears a plain name is whole. Folders are for
 * root only, since the set-id programs of containers lie in them with their ids unshifted.
 */
#pragma once
#include "node/node.h"

struct storage_ops {
	const char *driver, *version;
	const char *data; /* folder of a volume that holds the container's own data */
	/* Whether the pool's folder can hold volumes of this driver; NULL: always. */
	int (*check)(const char *pool_dir, struct err *err);
	/* Fills the empty folder vol; image_root may be NULL. */
	int (*fill)(const char *vol, const char *image_root, struct err *err);
	/* The volume's image when it stands on one: "FP", for the caller to free; NULL: never. */
	char *(*stands_on)(const char *vol);
};
extern const struct storage_ops storage_dir, storage_overlay;

/* Removes half-made and half-deleted volumes in all pools. */
int storage_recover(struct node *n, struct err *err);
/* The names of the volumes of a pool. */
json_t *volume_list(struct node *n, const json_t *pool);
/* Whether a volume of any pool stands on the image. */
bool storage_uses_image(struct node *n, const char *fingerprint);

/* Copies the content and attributes of the folder `from` to the existing, empty folder `to`:
 * owners, modes, times, attributes, hard links, holes; shares blocks where the file system can.
 * (copy.c) */
int storage_copy_tree(const char *from, const char *to, struct err *err);
/* Mode and owner of one folder to another. */
int storage_copy_attrs(const char *from, const char *to, struct err *err);
