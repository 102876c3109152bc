/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static bool is_clean(const char *v)
{
	for (; *v; v++) {
		if (iscntrl((unsigned char)*v))
			return false;
	}
	return true;
}

const char *check_line(const char *v)
{
	return is_clean(v) ? NULL : "must be one line without control characters";
}

/* NAME_MAX of Linux's file systems. */
static bool has_long_name(const char *v)
{
	size_t n = strcspn(v, "/");

	for (; n <= 255 && v[n]; n = strcspn(v, "/"))
		v += n + 1;
	return n > 255;
}

const char *check_path(const char *v)
{
	_free_ char *dir = xasprintf("%s/", v);
	bool plain = !strstr(dir, "/../") && !strstr(dir, "/./") && !strstr(v, "//");

	if (v[0] == '/' && plain && is_clean(v) && strlen(v) < 4000 && !has_long_name(v))
		return NULL;
	return "must be an absolute path without \".\", \"..\", \"//\", control characters and "
	       "names of more than 255 bytes";
}

const char *check_name(const char *v)
{
	return str_is_name(v, 64) ? NULL : "must be a name of at most 64 bytes without \"/\"";
}

const char *check_ifname(const char *v)
{
	return str_is_ifname(v) ? NULL : "must be an interface name of at most 15 characters";
}

const char *check_uuid(const char *v)
{
	return str_is_uuid(v) ? NULL : "must be a UUID";
}

const char *check_fingerprint(const char *v)
{
	return str_is_hex(v, 64) ? NULL : "must be the 64 hexadecimal digits of an image";
}

int parse_life(const char *v, void *ret, struct err *err)
{
	int64_t s;

	if (isdigit((unsigned char)v[strlen(v) - 1]) || !str_to_duration(v, &s))
		return err_set(err, ERR_INVALID,
			       "must be numbers with a unit (S, M, H, d, w, m or y) such as 3H or "
			       "\"1d 12H\", at most 100y");
	if (ret)
		*(int64_t *)ret = s;
	return 0;
}
