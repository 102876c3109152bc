/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/storage.h - pools of this host and the volumes in them, whatever their drivers.
 * Beyond node/node.h: */
#pragma once
#include "node/node.h"

/* The driver of a pool for which none is named. */
const char *storage_driver_default(void);
/* "overlay, dir": all of them, the default first; the caller frees. */
char *storage_driver_names(void);
/* ERR_INVALID, with the names of all, for another one. */
int storage_driver_check(const char *name, struct err *err);
/* Its volumes hold what differs from their image, whose root must be here while they are used. */
bool pool_stands_on_images(const json_t *pool);
/* Its volumes may hold overlayfs' whiteouts. */
bool pool_has_whiteouts(const json_t *pool);
/* Removes half-made and half-deleted volumes in all pools. */
int storage_recover(struct node *n, struct err *err);
/* The names of the volumes of a pool. */
json_t *volume_list(struct node *n, const json_t *pool);
/* Whether a volume of any pool stands on the image. */
bool storage_uses_image(struct node *n, const char *fingerprint);
