/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/keys.h"

#include <string.h>

#include "base/check.h"
#include "base/str.h"

static const char *check_listen(const char *v)
{
	const char *colon = strrchr(v, ':');
	uint64_t port;

	if (colon && v[0] != '[' && memchr(v, ':', colon - v))
		return "an IPv6 address needs brackets: [fd00::1]:8443";
	if (colon && (v[0] != '[' || colon[-1] == ']') &&
	    (!str_to_u64(colon + 1, 65535, &port) || port == 0))
		return "must end in a port from 1 to 65535";
	if (strpbrk(v, " /@") || check_line(v))
		return "must be an address and a port such as 10.0.0.5:8443";
	return NULL;
}

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
