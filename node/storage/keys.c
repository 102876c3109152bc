/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/keys.h"

#include "base/check.h"

static const struct key rows[] = {
#define DRIVER(...)
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/storage/driver.def"
#undef REFUSED
#undef KEY
#undef DRIVER
	KEY_END
};

const struct keys pool_keys = { rows, "any" };

struct keys pool_keys_of(const char *driver)
{
	return (struct keys){ rows, driver };
}
