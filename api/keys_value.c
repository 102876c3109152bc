/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "api/keys.h"
#include "base/mem.h"
#include "base/str.h"

#define RANGES_MAX 16

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

const char *check_domain(const char *v)
{
	size_t n = strlen(v);

	if (n > 200)
		return "must be a domain name";
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)v[i]) && v[i] != '.' && v[i] != '-')
			return "must be a domain name";
	}
	return NULL;
}

const char *check_cidr4(const char *v)
{
	static const char wrong[] = "must be an address with its prefix such as 10.1.2.1/24, auto "
				    "or none";
	_free_ char *copy = xstrdup(v);
	char *parts[2];
	struct in_addr a;
	uint64_t bits;

	if (str_eq(v, "auto") || str_eq(v, "none"))
		return NULL;
	if (str_split(copy, '/', parts, 2) != 2 || inet_pton(AF_INET, parts[0], &a) != 1 ||
	    !str_to_u64(parts[1], 30, &bits) || bits < 8)
		return wrong;
	return NULL;
}

static bool is_range4(char *part)
{
	char *ends[2];
	struct in_addr a, b;

	return str_split(part, '-', ends, 2) == 2 && inet_pton(AF_INET, ends[0], &a) == 1 &&
	       inet_pton(AF_INET, ends[1], &b) == 1 && ntohl(a.s_addr) <= ntohl(b.s_addr);
}

const char *check_ranges4(const char *v)
{
	_free_ char *copy = xstrdup(v);
	char *parts[RANGES_MAX];
	size_t n = str_split(copy, ',', parts, RANGES_MAX);

	if (n > RANGES_MAX)
		return "has more than 16 ranges";
	for (size_t i = 0; i < n; i++) {
		if (!is_range4(parts[i]))
			return "must be FIRST-LAST, several separated by commas";
	}
	return NULL;
}

const char *check_path(const char *v)
{
	_free_ char *dir = xasprintf("%s/", v);
	bool plain = !strstr(dir, "/../") && !strstr(dir, "/./") && !strstr(v, "//");

	if (v[0] == '/' && plain && is_clean(v) && strlen(v) < 4000)
		return NULL;
	return "must be an absolute path without \".\", \"..\", \"//\" and control characters";
}

const char *check_name(const char *v)
{
	return str_is_name(v, 64) ? NULL : "must be a name of at most 64 bytes without \"/\"";
}

/* What dnsmasq takes as the time of a lease; it takes no less than two minutes. */
const char *check_lease(const char *v)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
	_free_ char *copy = xstrdup(v);
	size_t n = strlen(copy);
	uint64_t u, scale = 1;

	if (str_eq(v, "infinite"))
		return NULL;
	for (size_t i = 0; n && i < ARRAY_SIZE(units); i++) {
		if (copy[n - 1] != units[i].unit)
			continue;
		scale = units[i].seconds;
		copy[n - 1] = '\0';
		break;
	}
	if (str_to_u64(copy, INT32_MAX / scale, &u) && u * scale >= 120)
		return NULL;
	return "must be a time from 2m on, such as 30m, 1h or 2d, or infinite";
}

const char *check_odd(const char *v)
{
	return strchr("13579", v[strlen(v) - 1]) ? NULL : "must be an odd number";
}

const char *check_fingerprint(const char *v)
{
	return str_is_hex(v, 64) ? NULL : "must be the 64 hexadecimal digits of an image";
}

const char *check_uuid(const char *v)
{
	return str_is_uuid(v) ? NULL : "must be a UUID";
}

const char *check_expiry(const char *v)
{
	int64_t s;

	return str_to_duration(v, &s) ? NULL : "must be a time such as 10M, 3H or 15d, up to 100y";
}

const char *check_listen(const char *v)
{
	const char *colon = strrchr(v, ':');
	uint64_t port;

	if (colon && v[0] != '[' && memchr(v, ':', colon - v))
		return "an IPv6 address needs brackets: [fd00::1]:8443";
	if (colon && (v[0] != '[' || colon[-1] == ']') &&
	    (!str_to_u64(colon + 1, 65535, &port) || port == 0))
		return "must end in a port from 1 to 65535";
	if (strpbrk(v, " /@") || !is_clean(v))
		return "must be an address and a port such as 10.0.0.5:8443";
	return NULL;
}

const char *check_ifname(const char *v)
{
	return str_is_ifname(v) ? NULL : "must be an interface name of at most 15 characters";
}

/* The other end of the pair has a byte more. */
const char *check_host_name(const char *v)
{
	if (str_is_ifname(v) && strlen(v) < 15)
		return NULL;
	return "must be an interface name of at most 14 characters";
}

const char *check_mac(const char *v)
{
	size_t n = strlen(v);

	for (size_t i = 0; i < n; i++) {
		if (i % 3 == 2 ? v[i] != ':' : !isxdigit((unsigned char)v[i]))
			n = 0;
	}
	/* The lowest bit of the first byte, here of its second digit, is that of groups. */
	if (n != 17 || strchr("13579bdfBDF", v[1]) || strspn(v, "0:") == n)
		return "must be a MAC address of one interface such as 00:16:3e:01:02:03";
	return NULL;
}

const char *check_ip4(const char *v)
{
	struct in_addr a;

	return inet_pton(AF_INET, v, &a) == 1 ? NULL : "must be an IPv4 address";
}
