/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/replica/settings.h - the server keys that the cluster itself reads: whole numbers of
 * cluster/model/keys.def. */
#pragma once
#include <stdint.h>

#include "cluster/replica/replica.h"

/* The value in the database; the default when it is unset or can't be read. */
int64_t setting_get(struct replica *r, const char *name);
/* The same of a value that stands elsewhere (NULL: unset). */
int64_t setting_of(const char *name, const char *value);
