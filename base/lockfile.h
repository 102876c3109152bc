/* SPDX-License-Identifier: Apache-2.0 */
/* base/lockfile.h - files and folders that one holder at a time has (flock(2)); the kernel frees
 * them with the process, however that ends. A file has the holder's pid as its text.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Makes the file when there is none and waits for its lock. The descriptor holds it. ERR_CONFLICT
 * after the deadline, naming the holder. */
int lockfile_take(const char *path, int64_t deadline, struct err *err);

/* Makes the folder when there is none, and waits for its lock for as long as who holds it works;
 * threads of one process wait for each other, too. The descriptor holds it. */
int lockfile_folder(const char *path, mode_t mode, struct err *err);
