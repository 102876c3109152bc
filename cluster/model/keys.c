/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/keys.h"

#include "base/check.h"
#include "base/net/address.h"
#include "base/str.h"

#define RATE_MIN ((uint64_t)64 << 10)
#define RATE_MAX ((uint64_t)1 << 40)

/* As int64_t; an even number would be no better than the odd one below it. */
static int parse_voters(const char *v, void *ret, struct err *err)
{
	int64_t i;

	if (!str_to_i64(v, 3, 7, &i) || i % 2 == 0)
		return err_set(err, ERR_INVALID, "must be 3, 5 or 7");
	if (ret)
		*(int64_t *)ret = i;
	return 0;
}

/* As int64_t, bytes. */
static int parse_rate(const char *v, void *ret, struct err *err)
{
	uint64_t bytes;

	if (!str_to_size(v, &bytes) || bytes < RATE_MIN || bytes > RATE_MAX)
		return err_set(err, ERR_INVALID, "must be from 64KiB to 1TiB, as in 100MiB");
	if (ret)
		*(int64_t *)ret = (int64_t)bytes;
	return 0;
}

static const struct key rows[] = {
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "cluster/model/keys.def"
#undef REFUSED
#undef KEY
	KEY_END
};

const struct keys server_keys = { rows, "server" };
const struct keys member_keys = { rows, "member" };
const struct keys image_keys = { rows, "image" };
