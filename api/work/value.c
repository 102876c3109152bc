/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "api/work/keys.h"
#include "base/mem.h"
#include "base/str.h"

#define RANGES_MAX 16
#define LABEL_MAX 63
#define DOMAIN_MAX (253 - LABEL_MAX - 1) /* with an instance's name and a dot before it */

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

static bool is_label(const char *v, size_t n)
{
	if (n < 1 || n > LABEL_MAX || v[0] == '-' || v[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)v[i]) && v[i] != '-')
			return false;
	}
	return true;
}

/* RFC 1035, 2.3.4: labels of up to 63 bytes, and names of up to 253 in text. */
const char *check_domain(const char *v)
{
	static const char wrong[] = "must be a domain name of at most 189 characters (instances' "
				    "names go before it), each part of 1 to 63 letters, digits and "
				    "inner hyphens";
	const char *label = v;

	if (strlen(v) > DOMAIN_MAX)
		return wrong;
	for (size_t n = strcspn(label, "."); is_label(label, n); n = strcspn(label, ".")) {
		if (!label[n])
			return NULL;
		label += n + 1;
	}
	return wrong;
}

/* Addresses that an interface of a subnet can have: RFC 6890 tells which have other purposes. */
static bool is_host4(uint32_t ip, int bits)
{
	uint32_t hosts = ~0u >> bits;

	return ip >> 24 >= 1 && ip >> 24 <= 223 && ip >> 24 != 127 && ip >> 16 != 0xa9fe &&
	       (ip & hosts) != 0 && (ip & hosts) != hosts;
}

const char *check_cidr4(const char *v)
{
	_free_ char *copy = xstrdup(v);
	char *parts[2];
	struct in_addr a;
	uint64_t bits;

	if (str_eq(v, "auto") || str_eq(v, "none"))
		return NULL;
	if (str_split(copy, '/', parts, 2) != 2 || inet_pton(AF_INET, parts[0], &a) != 1 ||
	    !str_to_u64(parts[1], 30, &bits) || bits < 8)
		return "must be an address with a prefix from 8 to 30 such as 10.1.2.1/24, auto "
		       "or none";
	if (!is_host4(ntohl(a.s_addr), (int)bits))
		return "must be the address of a host in its subnet: not the subnet itself, its "
		       "broadcast, a loopback (127), link-local (169.254), multicast or reserved "
		       "address";
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

	if (str_to_duration(v, &s) && !isdigit((unsigned char)v[strlen(v) - 1]))
		return NULL;
	return "must be numbers with a unit (S, M, H, d, w, m or y) such as 3H or \"1d 12H\", at "
	       "most 100y";
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

/* liblxc gives an interface no name of one byte, and "lo" is there. */
static bool is_nic_name(const char *v, size_t longest)
{
	size_t n = strlen(v);

	return str_is_ifname(v) && n > 1 && n <= longest && !str_eq(v, "lo");
}

const char *check_nic_name(const char *v)
{
	if (is_nic_name(v, 15))
		return NULL;
	return "must be an interface name of 2 to 15 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
}

/* The other end of the pair has a byte more. */
const char *check_host_name(const char *v)
{
	if (is_nic_name(v, 14))
		return NULL;
	return "must be an interface name of 2 to 14 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
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
