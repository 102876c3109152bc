/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/settings.h - the server keys that the cluster reads (cluster/model/settings.def).
 */
#pragma once
#include <stdint.h>

#include "cluster/store/store.h"

enum setting {
#define SETTING(id, name, least, most, dflt, doc) SETTING_##id,
#include "cluster/model/settings.def"
#undef SETTING
	SETTING_MAX
};

/* The value in the database, or the default. */
int64_t setting_get(struct store *s, enum setting id);
/* The value when it is in range, else the default. */
int64_t setting_bounded(enum setting id, int64_t value);
