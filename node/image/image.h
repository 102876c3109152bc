/* SPDX-License-Identifier: Apache-2.0 */
/* node/image/image.h - images of this host: tarballs in, roots out.
 *
 * images/FP             the unified tarball, or the metadata tarball of a pair
 * images/FP.rootfs      the root tarball of a pair
 * images/FP.meta.json   what the first pass learned
 * images/FP.root/       unpacked
 * images/FP.deleted     deleted by the user, but volumes stand on it: goes with the
 *                       last of them (their moves still need the tarball)
 */
#pragma once
#include "node/node.h"

/* Verifies and takes a unified tarball (or a split pair: rootfs_fd >= 0): size and entry
 * limits, no absolute or ".." paths or links out, no device nodes, metadata.yaml present and
 * sane. want_fp, when not NULL, must be the result. Returns
 * {fingerprint,size,architecture,created_at,expires_at,properties{},type}. Nothing is left
 * behind on failure. progress may be NULL.
 */
json_t *image_import(struct node *n, int fd, int rootfs_fd, const char *want_fp,
		     void (*progress)(void *arg, int64_t done, int64_t total), void *arg,
		     struct err *err);
bool image_present(struct node *n, const char *fingerprint);
int image_open(struct node *n, const char *fingerprint, int64_t *ret_size, struct err *err);
/* The unpacked root (shared lower layer); unpacks on first use, atomically. Path to the caller
 * to free. */
char *image_root(struct node *n, const char *fingerprint, struct err *err);
json_t *image_templates(struct node *n, const char *fingerprint);

/* Removes what an interrupted import, unpacking or deletion left. */
int image_recover(struct node *n, struct err *err);
/* The second tarball of a split image; ERR_NOT_FOUND when it is unified. image_open opens the
 * first. */
int image_open_rootfs(struct node *n, const char *fingerprint, int64_t *ret_size, struct err *err);
/* metadata.yaml as JSON; NULL when absent. New reference. */
json_t *image_metadata(struct node *n, const char *fingerprint);
/* It came here since this server is the member that it is: what the rows say holds for it. */
bool image_is_mine(struct node *n, const char *fingerprint);
/* Another membership begins. */
int image_disown_all(struct node *n, struct err *err);
/* Whether a volume stands on the image. */
typedef bool image_user(struct node *n, const char *fingerprint);
/* One that is used is gone with its last user. */
int image_delete(struct node *n, const char *fingerprint, image_user *used, struct err *err);
/* A volume that stood on the image is gone. */
void image_released(struct node *n, const char *fingerprint, image_user *used);
