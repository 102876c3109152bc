/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/keys.h"

#include "base/check.h"

static const struct key rows[] = {
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/storage/keys.def"
#undef REFUSED
#undef KEY
	KEY_END
};

const struct keys pool_keys = { rows, NULL };
