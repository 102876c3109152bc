/* SPDX-License-Identifier: Apache-2.0 */
#include "api/keys_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "api/keys.h"
#include "base/mem.h"
#include "base/str.h"

#define CPU_MAX 4096
#define RANGES_MAX 32

static const char *one_of(const char *v, const char *const *words, const char *otherwise)
{
	for (; *words; words++) {
		if (str_eq(v, *words))
			return NULL;
	}
	return otherwise;
}

static const char *in_range(const char *v, int64_t min, int64_t max, const char *otherwise)
{
	int64_t i;

	return str_to_i64(v, min, max, &i) ? NULL : otherwise;
}

const char *check_evacuate(const char *v)
{
	static const char *const words[] = { "auto", "migrate", "live-migrate", "stop", NULL };

	return one_of(v, words, "must be auto, migrate, live-migrate or stop");
}

static bool is_cpu_range(char *part)
{
	char *ends[2];
	uint64_t a, b;
	size_t n = str_split(part, '-', ends, 2);

	if (n == 1)
		return str_to_u64(ends[0], CPU_MAX, &a);
	return n == 2 && str_to_u64(ends[0], CPU_MAX, &a) && str_to_u64(ends[1], CPU_MAX, &b) &&
	       a <= b;
}

const char *check_cpus(const char *v)
{
	static const char wrong[] = "must be a number of CPUs from 1, or a set such as 0-2,5";
	_free_ char *copy = xstrdup(v);
	char *parts[64];
	size_t n;
	uint64_t count;

	if (!strpbrk(v, ",-"))
		return str_to_u64(v, CPU_MAX, &count) && count > 0 ? NULL : wrong;
	n = str_split(copy, ',', parts, ARRAY_SIZE(parts));
	if (n > ARRAY_SIZE(parts))
		return wrong;
	for (size_t i = 0; i < n; i++) {
		if (!is_cpu_range(parts[i]))
			return wrong;
	}
	return NULL;
}

const char *check_memory(const char *v)
{
	static const char wrong[] = "must be a size such as 512MiB, or a share such as 10%";
	_free_ char *copy = xstrdup(v);
	size_t n = strlen(copy);
	uint64_t u;

	if (n && copy[n - 1] == '%') {
		copy[n - 1] = '\0';
		return str_to_u64(copy, 100, &u) && u > 0 ? NULL : wrong;
	}
	return str_to_size(v, &u) && u > 0 ? NULL : wrong;
}

static const char *check_raw_line(const char *line)
{
	static const char *const ours[] = { "lxc.rootfs",     "lxc.log",       "lxc.net",
					    "lxc.cgroup.dir", "lxc.include",   "lxc.hook",
					    "lxc.uts.name",   "lxc.ephemeral", "lxc.console" };

	while (isblank((unsigned char)*line))
		line++;
	if (!*line || *line == '#')
		return NULL;
	if (!str_starts(line, "lxc.") || !strchr(line, '='))
		return "every line must be \"lxc.KEY = VALUE\"";
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		if (str_starts(line, ours[i]))
			return "keys of the root file system, network, log, hooks, includes and "
			       "console belong to the server";
	}
	return NULL;
}

const char *check_raw_lxc(const char *v)
{
	_free_ char *copy = xstrdup(v);
	char *line = copy, *next;
	const char *wrong = NULL;

	for (; line && !wrong; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		wrong = check_raw_line(line);
	}
	return wrong;
}

const char *check_line(const char *v)
{
	return strpbrk(v, "\n\r") ? "must be one line" : NULL;
}

const char *check_mtu(const char *v)
{
	return in_range(v, 576, 65535, "must be from 576 to 65535");
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

const char *check_dns_mode(const char *v)
{
	static const char *const words[] = { "managed", "dynamic", "none", NULL };

	return one_of(v, words, "must be managed, dynamic or none");
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
		return "has too many ranges";
	for (size_t i = 0; i < n; i++) {
		if (!is_range4(parts[i]))
			return "must be FIRST-LAST, several separated by commas";
	}
	return NULL;
}

const char *check_none6(const char *v)
{
	static const char *const words[] = { "none", "auto", NULL };

	return one_of(v, words, "must be none or auto: networks have no IPv6 of their own here");
}

const char *check_vni(const char *v)
{
	return in_range(v, 1, (1 << 24) - 1, "must be from 1 to 16777215");
}

const char *check_path(const char *v)
{
	if (v[0] == '/' && !strstr(v, "/../") && !str_ends(v, "/..") && strlen(v) < 4000)
		return NULL;
	return "must be an absolute path without \"..\"";
}

const char *check_expiry(const char *v)
{
	int64_t s;

	return str_to_duration(v, &s) ? NULL : "must be a time such as 10M, 3H or 15d, up to 100y";
}

const char *check_threshold(const char *v)
{
	return in_range(v, 2, 3600, "must be from 2 to 3600 seconds");
}

const char *check_latency(const char *v)
{
	return in_range(v, 5, 10000, "must be from 5 to 10000 milliseconds");
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
	return strpbrk(v, " \t/@") ? "must be an address and a port such as 10.0.0.5:8443" : NULL;
}

const char *check_scheduler(const char *v)
{
	static const char *const words[] = { "all", "group", "manual", NULL };

	return one_of(v, words, "must be all, group or manual");
}

const char *check_ifname(const char *v)
{
	return str_is_ifname(v) ? NULL : "must be an interface name of at most 15 characters";
}

const char *check_nictype(const char *v)
{
	static const char *const words[] = { "bridged", NULL };

	return one_of(v, words, "only bridged is implemented");
}

const char *check_mac(const char *v)
{
	size_t n = strlen(v);

	for (size_t i = 0; i < n; i++) {
		if (i % 3 == 2 ? v[i] != ':' : !isxdigit((unsigned char)v[i]))
			n = 0;
	}
	return n == 17 ? NULL : "must be a MAC address such as 00:16:3e:01:02:03";
}

const char *check_ip4(const char *v)
{
	struct in_addr a;

	return inet_pton(AF_INET, v, &a) == 1 ? NULL : "must be an IPv4 address";
}
