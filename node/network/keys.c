/* SPDX-License-Identifier: Apache-2.0 */
#include "node/network/keys.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/type.h"

#define LABEL_MAX 63
#define DOMAIN_MAX (253 - LABEL_MAX - 1) /* with an instance's name and a dot before it */

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
static const char *check_domain(const char *v)
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

/* What dnsmasq takes as the time of a lease; it takes no less than two minutes. */
static const char *check_lease(const char *v)
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

/* Addresses that an interface of a subnet can have: RFC 6890 tells which have other purposes. */
static bool is_host4(uint32_t ip, int bits)
{
	uint32_t hosts = ~0u >> bits;

	return ip >> 24 >= 1 && ip >> 24 <= 223 && ip >> 24 != 127 && ip >> 16 != 0xa9fe &&
	       (ip & hosts) != 0 && (ip & hosts) != hosts;
}

int net_parse_cidr4(const char *v, void *ret, struct err *err)
{
	struct ip ip = { 0 };
	uint32_t raw;

	if (!str_eq(v, "auto") && !str_eq(v, "none")) {
		if (!strchr(v, '/') || !ip_parse(v, &ip) || ip.family != AF_INET || ip.prefix < 8 ||
		    ip.prefix > 30)
			return err_set(err, ERR_INVALID,
				       "must be an address with a prefix from 8 to 30 such as "
				       "10.1.2.1/24, auto or none");
		memcpy(&raw, ip.bytes, sizeof(raw));
		if (!is_host4(ntohl(raw), ip.prefix))
			return err_set(err, ERR_INVALID,
				       "must be the address of a host in its subnet: not the "
				       "subnet itself, its broadcast, a loopback (127), "
				       "link-local (169.254), multicast or reserved address");
	}
	if (ret)
		*(struct ip *)ret = ip;
	return 0;
}

static bool parse_range(char *text, struct range4 *ret)
{
	struct err ignored;
	char *ends[2];

	return str_split(text, '-', ends, 2) == 2 &&
	       ip4_parse(ends[0], &ret->first, &ignored) == 0 &&
	       ip4_parse(ends[1], &ret->last, &ignored) == 0 && ret->first <= ret->last;
}

int net_parse_ranges4(const char *v, void *ret, struct err *err)
{
	_free_ char *copy = xstrdup(v);
	char *parts[RANGES4_MAX];
	struct ranges4 r = { .n = str_split(copy, ',', parts, RANGES4_MAX) };

	if (r.n > RANGES4_MAX)
		return err_set(err, ERR_INVALID, "has more than %d ranges", RANGES4_MAX);
	for (size_t i = 0; i < r.n; i++) {
		if (!parse_range(parts[i], &r.v[i]))
			return err_set(err, ERR_INVALID,
				       "must be FIRST-LAST, several separated by commas");
	}
	if (ret)
		*(struct ranges4 *)ret = r;
	return 0;
}

const struct key network_rows[] = {
#define NETWORK(...)
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/network/type.def"
#undef REFUSED
#undef KEY
#undef NETWORK
	KEY_END
};

const struct keys network_keys = { network_rows, "any" };
