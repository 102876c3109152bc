/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/memory/images.h - CRIU's image files on their way into the target's RAM.
 *
 * Memory pages are sent while CRIU still writes them (pages-*.img only grow), those of zeros left
 * out, everything else once it is done. Both sides write RAM ahead of time and give it back when it
 * is needed: a move for which there is no room fails before anything stands still, and while it
 * does nobody waits for pages that the host of a virtual machine has yet to provide.
 */
#pragma once
#include <sys/types.h>

#include "migrate/stream/frame.h"

/* Room in dir: a file of that many bytes, written. ERR_NO_SPACE names what is missing. */
#define IMAGES_RESERVE_MAX ((int64_t)1 << 30)
int images_reserve(const char *dir, const char *name, int64_t bytes, struct err *err);
void images_release(const char *dir, const char *name);
/* Makes an empty folder for images below root, which is made, too; an old one goes first. They hold
 * a container's memory: only root and the group, that of the container's root, may look: CRIU
 * opens them as both. */
int images_make_dir(const char *root, const char *dir, gid_t group, struct err *err);
/* Removes it, and the root with its tools unless that holds other images. */
void images_drop(const char *root, const char *dir);

struct image_source;
struct image_source *image_source_new(const char *dir, struct err *err);
void image_source_free(struct image_source *s);
/* Readable when there may be more to send. */
int image_source_fd(const struct image_source *s);
/* Sends what has come to the pages; *ret_bytes counts what was sent of them. */
int image_source_follow(struct image_source *s, struct channel *l, int64_t *ret_bytes,
			struct err *err);
/* CRIU is done: sends all the rest, then RESTORE. */
int image_source_finish(struct image_source *s, struct channel *l, struct err *err);
int64_t image_source_sent(const struct image_source *s);

struct image_target;
/* reserve: a file of images_reserve whose RAM the first pages file takes over; may be NULL. */
struct image_target *image_target_new(const char *dir, const char *reserve, struct err *err);
void image_target_free(struct image_target *t);
/* Takes IMAGE frames; RESTORE checks that all has come. */
int image_take(struct image_target *t, const struct frame *f, struct err *err);
/* The source begins anew: removes what has come. */
void image_target_restart(struct image_target *t);
int64_t image_taken(const struct image_target *t);
