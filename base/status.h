/* SPDX-License-Identifier: Apache-2.0 */
/* base/status.h - what an instance or an operation is in, as LXD's API names and numbers it
 * (status.def).
 */
#pragma once
#include <stdbool.h>

enum status {
#define STATUS(id, code, name, alive) STATUS_##id = code,
#include "base/status.def"
#undef STATUS
};

const char *status_name(enum status s); /* as clients read it */
/* STATUS_ERROR for a name that is none, or NULL. */
enum status status_by_name(const char *name);
/* Of an instance: its processes can be asked, and shown. */
bool status_is_alive(enum status s);
/* Of an operation: it has ended. */
bool status_is_final(enum status s);
