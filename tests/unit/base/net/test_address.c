/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"

#define NAME ADDRESS_NAME
#define IP4 ADDRESS_IP4
#define IP6 ADDRESS_IP6

/* Each form of the grammar: what it is read as, how it is written, and whether it can be listened
 * on. */
static void addresses(void **state)
{
	static const struct {
		const char *text;
		struct address a;
		const char *full;
		bool any, listens, splits;
	} cases[] = {
		{ "10.0.0.5", { IP4, "10.0.0.5", -1 }, "10.0.0.5:8443", false, true, false },
		{ "10.0.0.5:9000", { IP4, "10.0.0.5", 9000 }, "10.0.0.5:9000", false, true, true },
		{ "10.0.0.5:0", { IP4, "10.0.0.5", 0 }, "10.0.0.5:0", false, false, true },
		{ "0.0.0.0", { IP4, "0.0.0.0", -1 }, "0.0.0.0:8443", true, true, false },
		{ "0.0.0.0:1", { IP4, "0.0.0.0", 1 }, "0.0.0.0:1", true, true, true },
		{ "[fd00::1]", { IP6, "fd00::1", -1 }, "[fd00::1]:8443", false, true, false },
		{ "[fd00::1]:65535", { IP6, "fd00::1", 65535 }, "[fd00::1]:65535", false, true,
		  true },
		{ "fd00::1", { IP6, "fd00::1", -1 }, "[fd00::1]:8443", false, false, false },
		{ "fd00::1:8443", { IP6, "fd00::1:8443", -1 }, "[fd00::1:8443]:8443", false, false,
		  false },
		{ "[fe80::1%eth0]:1", { IP6, "fe80::1%eth0", 1 }, "[fe80::1%eth0]:1", false, true,
		  true },
		{ "::", { IP6, "::", -1 }, "[::]:8443", true, false, false },
		{ "[::]:1", { IP6, "::", 1 }, "[::]:1", true, true, true },
		{ "[0:0::0]:1", { IP6, "0:0::0", 1 }, "[0:0::0]:1", true, true, true },
		{ "host", { NAME, "host", -1 }, "host:8443", false, true, false },
		{ "host.example:1", { NAME, "host.example", 1 }, "host.example:1", false, true,
		  true },
		{ "host:000008443", { NAME, "host", 8443 }, "host:8443", false, true, true },
		{ "10.0.0.300:1", { NAME, "10.0.0.300", 1 }, "10.0.0.300:1", false, true, true },
		{ ":9000", { NAME, "", 9000 }, ":9000", true, true, true },
		{ "*:1", { NAME, "*", 1 }, "*:1", true, true, true },
		{ "", { NAME, "", -1 }, ":8443", true, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *full = NULL, *listens = NULL;
		struct address a = { 0 };
		struct err err = { 0 };
		char host[64], port[8];

		if (address_parse(cases[i].text, &a, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.msg);
		full = address_text(&a);
		if (a.is != cases[i].a.is || !str_eq(a.host, cases[i].a.host) ||
		    a.port != cases[i].a.port || !str_eq(full, cases[i].full) ||
		    address_is_any(&a) != cases[i].any ||
		    address_text_is_any(cases[i].text) != cases[i].any)
			fail_msg("%s: %d %s %d, %s", cases[i].text, a.is, a.host, a.port, full);
		if (listen_parse(cases[i].text, &listens, &err) != (cases[i].listens ? 0 : -1) ||
		    !str_eq(listens, cases[i].listens ? full : NULL) ||
		    listen_parse(cases[i].text, NULL, &err) != (cases[i].listens ? 0 : -1))
			fail_msg("%s listens: %s, %s", cases[i].text, listens, err.msg);
		if (address_split(cases[i].text, host, sizeof(host), port, &err) !=
		    (cases[i].splits ? 0 : -1))
			fail_msg("%s: %s", cases[i].text, err.msg);
		if (cases[i].splits)
			assert_string_equal(host, a.host);
	}
}

#define PORT "must end in a port from 1 to 65535"
#define BRACKETS "an IPv6 address needs brackets: [fd00::1]:8443"
#define FORM "must be an address and a port such as 10.0.0.5:8443"

static void no_addresses(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "10.0.0.5:", PORT },      { "10.0.0.5:65536", PORT }, { "10.0.0.5:https", PORT },
		{ "a:-1", PORT },           { "a:1x", PORT },           { "[fd00::1]8443", PORT },
		{ "[fd00::1]:x", PORT },    { "[fd00::1", BRACKETS },   { "[]:1", BRACKETS },
		{ "[host]:1", BRACKETS },   { "[10.0.0.5]", BRACKETS }, { "::1]:80", BRACKETS },
		{ "[fd00::1%]", BRACKETS }, { "a:b:c", BRACKETS },      { "1.0.0.5:1:2", BRACKETS },
		{ "]", BRACKETS },          { "a: 1", FORM },           { "a b:1", FORM },
		{ "https://a:1", FORM },    { "me@a:1", FORM },         { "a\nb", FORM },
		{ "a?b", FORM },            { "a#b", FORM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct address a = { .port = 7 };
		struct err err = { 0 };
		char host[64], port[8];

		if (address_parse(cases[i].text, &a, &err) == 0)
			fail_msg("%s: is %s", cases[i].text, a.host);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_string_equal(err.msg, cases[i].says);
		assert_int_equal(a.port, 7);
		assert_false(address_text_is_any(cases[i].text));
		assert_int_equal(listen_parse(cases[i].text, NULL, &err), -1);
		assert_int_equal(address_split(cases[i].text, host, sizeof(host), port, &err), -1);
		if (!strstr(err.msg, cases[i].text) || !strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

static void what_is_missing_is_told(void **state)
{
	char host[64], port[8];
	struct err err = { 0 };

	assert_int_equal(address_split("10.0.0.1", host, sizeof(host), port, &err), -1);
	assert_string_equal(err.msg, "address \"10.0.0.1\" is not host:port");
	assert_int_equal(address_split("fd00::1:8443", host, sizeof(host), port, &err), -1);
	assert_string_equal(err.msg, "address \"fd00::1:8443\": " BRACKETS);
	assert_int_equal(listen_parse("::", NULL, &err), -1);
	assert_string_equal(err.msg, BRACKETS);
}

static void a_host_may_fill_its_room(void **state)
{
	char host[5], port[8], longest[ADDRESS_HOST_SIZE + 1] = "";
	struct err err = { 0 };
	struct address a;

	assert_int_equal(address_split("abcd:1", host, sizeof(host), port, &err), 0);
	assert_string_equal(host, "abcd");
	assert_string_equal(port, "1");
	assert_int_equal(address_split("abcde:1", host, sizeof(host), port, &err), -1);
	assert_string_equal(err.msg, "address \"abcde:1\" is too long");
	memset(longest, 'a', ADDRESS_HOST_SIZE - 1);
	assert_int_equal(address_parse(longest, &a, &err), 0);
	longest[ADDRESS_HOST_SIZE - 1] = 'a';
	assert_int_equal(address_parse(longest, &a, &err), -1);
	assert_string_equal(err.msg, "must have a host of at most 255 bytes");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(what_is_missing_is_told),
		cmocka_unit_test(a_host_may_fill_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
