/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/sbuf.h"

bool str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || *end || v > max)
		return false;
	*ret = v;
	return true;
}

bool str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	long long v;
	char *end;

	if (!s || !(isdigit((unsigned char)*s) || (*s == '-' && isdigit((unsigned char)s[1]))))
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

bool str_to_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "true", "1", "yes", "on" };
	static const char *const no[] = { "false", "0", "no", "off" };

	for (size_t i = 0; s && i < ARRAY_SIZE(yes); i++) {
		bool is_yes = strcasecmp(s, yes[i]) == 0;

		if (is_yes || strcasecmp(s, no[i]) == 0) {
			*ret = is_yes;
			return true;
		}
	}
	return false;
}

static const struct {
	const char *name;
	uint64_t bytes;
} units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1000ULL },
	{ "KB", 1000ULL },
	{ "MB", 1000000ULL },
	{ "GB", 1000000000ULL },
	{ "TB", 1000000000000ULL },
	{ "KiB", 1ULL << 10 },
	{ "MiB", 1ULL << 20 },
	{ "GiB", 1ULL << 30 },
	{ "TiB", 1ULL << 40 },
};

bool str_to_size(const char *s, uint64_t *ret_bytes)
{
	unsigned long long v;
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name) == 0) {
			uint64_t r;

			if (__builtin_mul_overflow((uint64_t)v, units[i].bytes, &r))
				return false;
			*ret_bytes = r;
			return true;
		}
	}
	return false;
}

#define DAY_S 86400LL
#define DURATION_MAX_S (100 * 365 * DAY_S)

/* The number and the unit at *s, which is left at the space or end after them. */
static bool take_duration(const char **s, int64_t *ret_s)
{
	const struct {
		const char *name;
		int64_t s;
	} named[] = { { "", 1 },	  { "S", 1 },	      { "M", 60 },
		      { "H", 3600 },	  { "d", DAY_S },     { "w", 7 * DAY_S },
		      { "m", 30 * DAY_S }, { "y", 365 * DAY_S } };
	unsigned long long v;
	size_t n;
	char *end;

	if (!isdigit((unsigned char)**s))
		return false;
	errno = 0;
	v = strtoull(*s, &end, 10);
	n = strcspn(end, " ");
	*s = end + n;
	for (size_t i = 0; i < ARRAY_SIZE(named) && !errno; i++) {
		if (strlen(named[i].name) != n || strncmp(end, named[i].name, n) != 0)
			continue;
		*ret_s = (int64_t)v * named[i].s;
		return v && v <= (unsigned long long)(DURATION_MAX_S / named[i].s);
	}
	return false;
}

bool str_to_duration(const char *s, int64_t *ret_s)
{
	int64_t part, sum = 0;

	for (; s && take_duration(&s, &part); s++) {
		sum += part;
		if (sum > DURATION_MAX_S)
			return false;
		if (!*s) {
			*ret_s = sum;
			return true;
		}
	}
	return false;
}

const char *str_of_size(uint64_t bytes, char buf[16])
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double v = bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_SIZE(names)) {
		v /= 1024;
		i++;
	}
	snprintf(buf, 16, i ? "%.1f %s" : "%.0f %s", v, names[i]);
	return buf;
}

bool str_is_hostname(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > 63 || !isalpha((unsigned char)s[0]) || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-')
			return false;
	}
	return true;
}

bool str_is_folder(const char *s)
{
	const char *end = s ? strchr(s, '~') : NULL;

	if (!end)
		return str_is_hostname(s);
	if (end - s < 1 || end - s > 63 || !isalnum((unsigned char)s[0]))
		return false;
	for (; s < end; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("._-", *s))
			return false;
	}
	return str_is_hostname(end + 1);
}

bool str_is_name(const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > max || isspace((unsigned char)s[0]) || s[0] == '-')
		return false;
	if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == '/')
			return false;
	}
	return true;
}

bool str_is_ifname(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n < 1 || n > 15 || s[0] == '-' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0 ||
	    strcmp(s, "all") == 0 || strcmp(s, "default") == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)s[i]) && !strchr("-_.", s[i]))
			return false;
	}
	return true;
}

bool str_is_hex(const char *s, size_t len)
{
	if (!s || strlen(s) != len)
		return false;
	return strspn(s, "0123456789abcdef") == len;
}

bool str_is_uuid(const char *s)
{
	if (!s || strlen(s) != 36)
		return false;
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return true;
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
	return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = s ? strlen(s) : 0, m = strlen(suffix);

	return s && n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Both begin with a digit: compares the numbers and steps over them. */
static int compare_numbers(const char **a, const char **b)
{
	size_t la, lb;
	int r;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	la = strspn(*a, "0123456789");
	lb = strspn(*b, "0123456789");
	r = la != lb ? (la < lb ? -1 : 1) : strncmp(*a, *b, la);
	*a += la;
	*b += lb;
	return r;
}

int str_natural(const char *a, const char *b)
{
	const char *x = a, *y = b;

	while (*x && *y) {
		int r;

		if (isdigit((unsigned char)*x) && isdigit((unsigned char)*y)) {
			r = compare_numbers(&x, &y);
			if (r)
				return r;
			continue;
		}
		if (*x != *y)
			return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
		x++;
		y++;
	}
	if (*x || *y)
		return *x ? 1 : -1;
	return strcmp(a, b); /* 01 and 1 */
}

int str_yes_no(const char *s)
{
	if (strcasecmp(s, "yes") == 0 || strcasecmp(s, "y") == 0)
		return 1;
	return strcasecmp(s, "no") == 0 || strcasecmp(s, "n") == 0 ? 0 : -1;
}

bool str_copy(char *dst, size_t size, const char *src)
{
	int n = snprintf(dst, size, "%s", src ? src : "");

	return n >= 0 && (size_t)n < size;
}

size_t str_split(char *s, char sep, char **parts, size_t max)
{
	size_t n = 0;

	for (;;) {
		char *p = strchr(s, sep);

		if (n == max)
			return max + 1;
		parts[n++] = s;
		if (!p)
			return n;
		*p = '\0';
		s = p + 1;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool str_url_decode(char *s, bool plus)
{
	char *out = s;

	for (; *s; s++) {
		int hi, lo;

		if (*s != '%') {
			*out++ = plus && *s == '+' ? ' ' : *s;
			continue;
		}
		hi = hex_digit(s[1]);
		lo = hi < 0 ? -1 : hex_digit(s[2]);
		if (lo < 0 || (hi == 0 && lo == 0))
			return false;
		*out++ = (char)(hi << 4 | lo);
		s += 2;
	}
	*out = '\0';
	return true;
}

char *str_url_encode(const char *s)
{
	struct sbuf b = SBUF(64 << 10);

	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-._~/", *s))
			sbuf_putc(&b, *s);
		else
			sbuf_printf(&b, "%%%02X", (unsigned char)*s);
	}
	return sbuf_take(&b);
}
