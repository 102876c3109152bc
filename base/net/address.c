/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"

#define PORT_MAX 65535

static bool is_ip6(const char *host)
{
	const char *zone = strchr(host, '%');
	_free_ char *bare = xstrndup(host, zone ? (size_t)(zone - host) : strlen(host));
	struct in6_addr a;

	return inet_pton(AF_INET6, bare, &a) == 1 && (!zone || zone[1]);
}

static enum address_host kind_of(const char *host)
{
	struct in_addr a;

	return inet_pton(AF_INET, host, &a) == 1 ? ADDRESS_IP4
	       : is_ip6(host)			 ? ADDRESS_IP6
						 : ADDRESS_NAME;
}

/* What is left of the text after the host: nothing, or ":PORT". */
static int parse_port(const char *rest, int *ret, struct err *err)
{
	uint64_t port;

	*ret = -1;
	if (!*rest)
		return 0;
	if (*rest != ':' || !str_to_u64(rest + 1, PORT_MAX, &port))
		return err_set(err, ERR_INVALID, "must end in a port from 1 to %d", PORT_MAX);
	*ret = (int)port;
	return 0;
}

static int bad_brackets(struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "an IPv6 address needs brackets: [fd00::1]:" ADDRESS_PORT);
}

int address_parse(const char *text, struct address *ret, struct err *err)
{
	bool brackets = text[0] == '[';
	const char *host = text + brackets;
	size_t n = strcspn(host, brackets ? "]" : ":");
	struct address a = { 0 };

	if (!brackets && strchr(host, ':') != strrchr(host, ':'))
		n = strlen(host);
	if (strpbrk(text, " /@?#") || check_line(text))
		return err_set(err, ERR_INVALID,
			       "must be an address and a port such as 10.0.0.5:" ADDRESS_PORT);
	if (n >= sizeof(a.host))
		return err_set(err, ERR_INVALID, "must have a host of at most %zu bytes",
			       sizeof(a.host) - 1);
	memcpy(a.host, host, n);
	a.is = kind_of(a.host);
	if ((brackets && (host[n] != ']' || a.is != ADDRESS_IP6)) ||
	    (a.is == ADDRESS_NAME && strpbrk(a.host, ":[]")))
		return bad_brackets(err);
	if (parse_port(host + n + brackets, &a.port, err) < 0)
		return -1;
	*ret = a;
	return 0;
}

char *address_text(const struct address *a)
{
	bool brackets = a->is == ADDRESS_IP6;
	char port[8];

	snprintf(port, sizeof(port), "%d", a->port);
	return xasprintf("%s%s%s:%s", brackets ? "[" : "", a->host, brackets ? "]" : "",
			 a->port < 0 ? ADDRESS_PORT : port);
}

bool address_is_any(const struct address *a)
{
	static const char *const any[] = { "", "*", "0.0.0.0" };
	struct in6_addr v6;

	for (size_t i = 0; i < ARRAY_SIZE(any); i++) {
		if (str_eq(a->host, any[i]))
			return true;
	}
	return inet_pton(AF_INET6, a->host, &v6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&v6);
}

bool address_text_is_any(const char *text)
{
	struct err ignored;
	struct address a;

	return address_parse(text, &a, &ignored) == 0 && address_is_any(&a);
}

int address_split(const char *text, char *host, size_t host_size, char port[8], struct err *err)
{
	struct address a;

	if (address_parse(text, &a, err) < 0)
		return err_wrap(err, "address \"%.100s\"", text);
	if (a.is == ADDRESS_IP6 && text[0] != '[') {
		bad_brackets(err);
		return err_wrap(err, "address \"%.100s\"", text);
	}
	if (a.port < 0)
		return err_set(err, ERR_INVALID, "address \"%.100s\" is not host:port", text);
	if (strlen(a.host) >= host_size)
		return err_set(err, ERR_INVALID, "address \"%.100s\" is too long", text);
	str_copy(host, host_size, a.host);
	snprintf(port, 8, "%d", a.port);
	return 0;
}

int listen_parse(const char *text, void *ret, struct err *err)
{
	struct address a;

	if (address_parse(text, &a, err) < 0)
		return -1;
	if (a.is == ADDRESS_IP6 && text[0] != '[')
		return bad_brackets(err);
	if (a.port == 0)
		return err_set(err, ERR_INVALID, "must end in a port from 1 to %d", PORT_MAX);
	if (ret)
		*(char **)ret = address_text(&a);
	return 0;
}
