/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/kept.h - the memory of a container that does not run: a folder of images at a path
 * in its volume (volume_kept_path), for root only. It is whole or not there.
 *
 *   nothing --begin--> PATH.new --finish--> PATH --take--> PATH.taken --drop--> nothing
 *                         |                   ^                |
 *                         drop                +-----return-----+
 *
 * What was taken may have run: only who knows that nothing of it has returns it.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"

/* PATH.new, empty; whatever was kept before is gone. */
int kept_begin(const char *path, struct err *err);
/* The folder that is filled; the caller frees. */
char *kept_new(const char *path);
/* On disk, as is all of the volume; then it is kept, whatever becomes of the host. */
int kept_finish(const char *path, struct err *err);
bool kept_is_there(const char *path);
/* Never to be found whole again. 0 as well when it was done before. */
int kept_take(const char *path, struct err *err);
/* The folder that was taken; the caller frees. */
char *kept_taken(const char *path);
bool kept_is_taken(const char *path);
int kept_return(const char *path, struct err *err);
/* All of it, in any stage. */
int kept_drop(const char *path, struct err *err);
/* The sizes of the images in a folder, by name. */
json_t *kept_sizes(const char *folder);
/* Allocated bytes; 0 when nothing is kept. */
int64_t kept_bytes(const char *path);
