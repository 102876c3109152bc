/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of a network's dnsmasq. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"

static json_t *json_of(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

/* The words after "--quiet-ra", each after a blank: those that follow from the configuration. */
static char *own_words(const struct dnsmasq_args *a)
{
	struct sbuf b = SBUF(65536);
	size_t i = 0;

	while (i < a->n && !str_eq(a->v[i], "--quiet-ra"))
		i++;
	assert_true(i < a->n);
	sbuf_puts(&b, "");
	while (++i < a->n)
		sbuf_printf(&b, " %s", a->v[i]);
	return sbuf_take(&b);
}

#define DNS " --no-hosts --hostsdir=/d/names --strict-order"
#define DOMAIN(name) " --local=/" name "/ --domain=" name
#define RANGE(subnet, mask, expiry) " --dhcp-range=" subnet ",static," mask "," expiry
#define DHCP " --dhcp-no-override --dhcp-authoritative --dhcp-rapid-commit --no-ping"

static void follow_the_configuration(void **state)
{
	static const struct {
		const char *config, *gateway;
		bool dhcp;
		uint32_t mtu;
		const char *words;
	} cases[] = {
		{ "{}", "10.1.2.1/24", true, 1500,
		  DNS DOMAIN("lxd") RANGE("10.1.2.0", "255.255.255.0", "1h") DHCP },
		{ "{}", "10.1.2.1/24", false, 1500, DNS DOMAIN("lxd") },
		/* Clients are told of another MTU than that of Ethernet. */
		{ "{}", "10.1.2.1/24", true, 1450,
		  DNS DOMAIN("lxd") RANGE("10.1.2.0", "255.255.255.0", "1h")
			  DHCP " --dhcp-option-force=26,1450" },
		{ "{\"ipv4.dhcp.expiry\":\"10m\",\"dns.domain\":\"example\"}", "10.1.130.9/17",
		  true, 1500,
		  DNS DOMAIN("example") RANGE("10.1.128.0", "255.255.128.0", "10m") DHCP },
		{ "{\"dns.mode\":\"none\"}", "10.1.2.1/24", true, 1500,
		  " --port=0" RANGE("10.1.2.0", "255.255.255.0", "1h") DHCP },
		{ "{\"dns.mode\":\"none\",\"dns.domain\":\"example\"}", "10.1.2.1/24", false, 1500,
		  " --port=0" },
		/* With a longer prefix no address is left for anybody. */
		{ "{}", "10.1.2.1/30", true, 1500,
		  DNS DOMAIN("lxd") RANGE("10.1.2.0", "255.255.255.252", "1h") DHCP },
		{ "{}", "10.1.2.1/31", true, 1500, DNS DOMAIN("lxd") },
		{ "{}", "10.1.2.1/32", true, 1500, DNS DOMAIN("lxd") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *config = json_of(cases[i].config);
		struct net net = { .name = "br0", .config = config, .mtu = cases[i].mtu };
		struct dnsmasq_args a;
		struct err err = { 0 };
		_free_ char *words = NULL;

		assert_true(ip_parse(cases[i].gateway, &net.v4.gateway));
		net.v4.dhcp = cases[i].dhcp;
		if (dnsmasq_args(&a, &net, "/d", &err) < 0)
			fail_msg("%s", err.msg);
		assert_null(a.v[a.n]);
		words = own_words(&a);
		if (!str_eq(words, cases[i].words))
			fail_msg("%s %s:%s", cases[i].config, cases[i].gateway, words);
		dnsmasq_args_done(&a);
	}
}

/* Of the host's dnsmasq, its configuration and its interfaces it takes nothing. */
static void keep_to_themselves(void **state)
{
	static const char *const words[] = {
		"/usr/sbin/dnsmasq",        "--conf-file=",
		"--pid-file=/d/dnsmasq.pid", "--interface=br0",
		"--except-interface=lo",    "--bind-interfaces",
		"--dhcp-leasefile=/d/dnsmasq.leases", "--dhcp-hostsfile=/d/dnsmasq.hosts",
	};
	_json_ json_t *config = json_object();
	struct net net = { .name = "br0", .config = config, .mtu = 1500 };
	struct dnsmasq_args a;
	struct err err = { 0 };

	assert_int_equal(dnsmasq_args(&a, &net, "/d", &err), 0);
	assert_string_equal(a.v[0], words[0]);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t k = 0;

		while (k < a.n && !str_eq(a.v[k], words[i]))
			k++;
		if (k == a.n)
			fail_msg("%s is missing", words[i]);
	}
	dnsmasq_args_done(&a);
}

/* Without root's rights where nobody may pass its folders. */
static void run_as_whom_the_folders_let_pass(void **state)
{
	static const struct {
		mode_t above, own;
		const char *user;
	} cases[] = {
		{ 0711, 0711, "--user=nobody" },
		{ 0700, 0711, "--user=root" },
		{ 0711, 0710, "--user=root" },
	};
	char above[] = "/tmp/dunlin-test-args-XXXXXX";
	_free_ char *own = NULL;
	_json_ json_t *config = json_object();
	struct net net = { .name = "br0", .config = config, .mtu = 1500 };

	assert_non_null(mkdtemp(above));
	own = xasprintf("%s/own", above);
	assert_int_equal(mkdir(own, 0700), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dnsmasq_args a;
		struct err err = { 0 };

		assert_int_equal(chmod(above, cases[i].above), 0);
		assert_int_equal(chmod(own, cases[i].own), 0);
		assert_int_equal(dnsmasq_args(&a, &net, own, &err), 0);
		assert_string_equal(a.v[3], cases[i].user);
		dnsmasq_args_done(&a);
	}
	assert_int_equal(rmdir(own), 0);
	assert_int_equal(rmdir(above), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follow_the_configuration),
		cmocka_unit_test(keep_to_themselves),
		cmocka_unit_test(run_as_whom_the_folders_let_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
