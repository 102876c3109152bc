/* SPDX-License-Identifier: Apache-2.0 */
/* base/lockfile.h - a file that one process at a time holds (flock(2)); the kernel frees it with
 * the process, however that ends. It has the holder's pid as its text.
 */
#pragma once
#include <stdint.h>

#include "base/err.h"

/* Makes the file when there is none and waits for its lock. The descriptor holds it. ERR_CONFLICT
 * after the deadline, naming the holder. */
int lockfile_take(const char *path, int64_t deadline, struct err *err);
