/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets of networks: what addresses they have, and which of them stand in each other's way. */
#include "tests/unit/cluster/store_world.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/work/address_int.h"
#include "node/daemon/host.h"

struct world {
	struct store_world w;
	struct api_env env;
};

static json_t *network(const char *address, const char *ranges, const char *dhcp)
{
	json_t *config = json_object();

	if (address)
		json_put_str(config, "ipv4.address", address);
	if (ranges)
		json_put_str(config, "ipv4.dhcp.ranges", ranges);
	if (dhcp)
		json_put_str(config, "ipv4.dhcp", dhcp);
	return json_pack("{s:s, s:o}", "type", "bridge", "config", config);
}

static struct net4 net_of(const char *address)
{
	_json_ json_t *doc = network(address, NULL, NULL);
	struct net4 n;

	assert_true(net4_parse(doc, &n));
	return n;
}

/* --- in numbers ------------------------------------------------------------------------------ */

static void reads_addresses(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint32_t ip;
	} cases[] = {
		{ "10.1.2.3", true, 0x0a010203 },
		{ "0.0.0.0", true, 0 },
		{ "255.255.255.255", true, 0xffffffff },
		{ "10.1.2", false, 0 },
		{ "10.1.2.256", false, 0 },
		{ "10.1.2.3/24", false, 0 },
		{ "10.1.2.3 ", false, 0 },
		{ "fd00::1", false, 0 },
		{ "n1", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t ip = 0;
		char text[16];

		if (net4_parse_ip(cases[i].text, &ip) != cases[i].ok)
			fail_msg("\"%s\"", cases[i].text);
		if (!cases[i].ok)
			continue;
		assert_int_equal(ip, cases[i].ip);
		assert_string_equal(net4_text(ip, text), cases[i].text);
	}
}

/* "FIRST-LAST,..." of the candidates. */
static char *candidates(const struct net4 *n)
{
	_sbuf_ struct sbuf b = SBUF(1024);
	char first[16], last[16];

	for (size_t i = 0; i < n->nranges; i++)
		sbuf_printf(&b, "%s%s-%s", i ? "," : "", net4_text(n->ranges[i].first, first),
			    net4_text(n->ranges[i].last, last));
	return xstrdup(b.data);
}

static void has_hosts_and_ranges(void **state)
{
	static const struct {
		const char *address, *ranges, *candidates;
	} cases[] = {
		{ "10.1.2.1/24", NULL, "10.1.2.1-10.1.2.254" },
		{ "10.1.2.77/24", NULL, "10.1.2.1-10.1.2.254" },
		{ "10.1.2.1/30", NULL, "10.1.2.1-10.1.2.2" },
		{ "10.1.2.1/16", NULL, "10.1.0.1-10.1.255.254" },
		{ "10.1.2.1/24", "10.1.2.9-10.1.2.9", "10.1.2.9-10.1.2.9" },
		/* in order, whatever the order in which they were given */
		{ "10.1.2.1/24", "10.1.2.100-10.1.2.120,10.1.2.5-10.1.2.9",
		  "10.1.2.5-10.1.2.9,10.1.2.100-10.1.2.120" },
		/* none twice */
		{ "10.1.2.1/24", "10.1.2.10-10.1.2.50,10.1.2.40-10.1.2.60", "10.1.2.10-10.1.2.60" },
		{ "10.1.2.1/24", "10.1.2.10-10.1.2.90,10.1.2.20-10.1.2.30", "10.1.2.10-10.1.2.90" },
		{ "10.1.2.1/24", "10.1.2.10-10.1.2.20,10.1.2.20-10.1.2.30", "10.1.2.10-10.1.2.30" },
		{ "10.1.2.1/24", "10.1.2.10-10.1.2.20,10.1.2.22-10.1.2.30",
		  "10.1.2.10-10.1.2.20,10.1.2.22-10.1.2.30" },
		/* what the subnet does not hold is none of its own */
		{ "10.1.2.1/24", "10.9.9.1-10.9.9.9,10.1.2.5-10.1.2.9", "10.1.2.5-10.1.2.9" },
		{ "10.1.2.1/24", "10.9.9.1-10.9.9.9", "10.1.2.1-10.1.2.254" },
		{ "10.1.2.1/24", "10.1.2.250-10.1.2.255", "10.1.2.1-10.1.2.254" },
		{ "10.1.2.1/24", "10.1.2.0-10.1.2.9", "10.1.2.1-10.1.2.254" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = network(cases[i].address, cases[i].ranges, NULL);
		_free_ char *is = NULL;
		struct net4 n;

		assert_true(net4_parse(doc, &n));
		is = candidates(&n);
		if (!str_eq(is, cases[i].candidates))
			fail_msg("%s with %s: %s", cases[i].address,
				 cases[i].ranges ? cases[i].ranges : "no ranges", is);
	}
}

static void has_a_gateway_and_dhcp(void **state)
{
	static const char *const without[] = { "none", "auto", NULL };
	static const struct {
		const char *text;
		bool dhcp;
	} cases[] = { { NULL, true }, { "true", true }, { "false", false } };

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		_json_ json_t *doc = network(without[i], NULL, NULL);
		struct net4 n;

		assert_false(net4_parse(doc, &n));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = network("192.168.5.33/26", NULL, cases[i].text);
		struct net4 n;

		assert_true(net4_parse(doc, &n));
		assert_int_equal(n.gateway, 0xc0a80521);
		assert_int_equal(n.bits, 26);
		assert_int_equal(n.dhcp, cases[i].dhcp);
	}
}

static void nics_get_hosts_only(void **state)
{
	static const struct {
		const char *net, *ip, *words; /* words: NULL when a nic can have it */
	} cases[] = {
		{ "10.1.2.1/24", "10.1.2.2", NULL },
		{ "10.1.2.1/24", "10.1.2.254", NULL },
		{ "10.1.2.9/24", "10.1.2.1", NULL },
		{ "10.1.2.1/16", "10.1.2.255", NULL },
		{ "10.1.2.1/24", "10.1.2.1", "address 10.1.2.1 is the gateway of network \"br0\"" },
		{ "10.1.2.1/24", "10.1.2.0", "10.1.2.0 is the address of the subnet itself" },
		{ "10.1.2.1/24", "10.1.2.255", "10.1.2.255 is the broadcast address" },
		{ "10.1.2.1/26", "10.1.2.63", "10.1.2.63 is the broadcast address" },
		{ "10.1.2.1/24", "10.1.3.2",
		  "10.1.3.2 is not in the subnet 10.1.2.0/24 of network \"br0\"" },
		{ "10.1.2.70/26", "10.1.2.5", "is not in the subnet 10.1.2.64/26" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct net4 n = net_of(cases[i].net);
		struct err err = { 0 };
		uint32_t ip;

		assert_true(net4_parse_ip(cases[i].ip, &ip));
		assert_int_equal(net4_check(&n, "br0", ip, &err), cases[i].words ? -1 : 0);
		if (!cases[i].words)
			continue;
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].ip, err.msg);
	}
}

/* --- beside others --------------------------------------------------------------------------- */

/* The only address of this host, whose network is the test's own; in a /24. */
static void give_address(const char *interface, const char *ip)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq r = { 0 };
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	str_copy(r.ifr_name, sizeof(r.ifr_name), interface);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	assert_int_equal(ioctl(fd, SIOCSIFADDR, &r), 0);
	assert_int_equal(inet_pton(AF_INET, "255.255.255.0", &a.sin_addr), 1);
	memcpy(&r.ifr_netmask, &a, sizeof(a));
	assert_int_equal(ioctl(fd, SIOCSIFNETMASK, &r), 0);
	close(fd);
}

static int setup(void **state)
{
	struct world *t = xnew(struct world);
	struct node_opts o = { .cgroup_name = "dunlin-test-subnet" };
	struct err err = { 0 };

	give_address("lo", "10.204.0.5");
	world_open(&t->w);
	o.dir = t->w.dir;
	o.pool = t->w.pool;
	t->env = (struct api_env){
		.dir = t->w.dir, .cluster = t->w.cluster, .store = t->w.store, .pool = t->w.pool
	};
	t->env.node = node_new(&o, &err);
	assert_non_null(t->env.node);
	world_start(&t->w);
	world_put(&t->w, ENT_NETWORK, "other", network("10.201.0.1/16", NULL, NULL));
	world_put(&t->w, ENT_NETWORK, "plain", network("none", NULL, NULL));
	world_put(&t->w, ENT_MEMBER, "m7", json_pack("{s:s}", "address", "192.0.2.4:8443"));
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	node_free(t->env.node);
	world_close(&t->w);
	free(t);
	return 0;
}

static void keeps_away_from_others(void **state)
{
	static const struct {
		const char *address, *words; /* words: NULL when it may be */
	} cases[] = {
		{ "10.203.0.1/24", NULL },
		{ "10.200.255.1/24", NULL },
		{ "192.0.3.1/24", NULL },
		{ "10.204.1.1/24", NULL },
		{ "none", NULL },
		{ "10.201.7.1/24", "its subnet overlaps that of network \"other\"" },
		{ "10.201.0.1/16", "\"10.201.0.1/16\" for key \"ipv4.address\"" },
		{ "10.200.0.1/14", "overlaps that of network \"other\"" },
		{ "192.0.2.1/24", "its subnet holds the address of member \"m7\"" },
		{ "10.204.0.1/24", "holds an address of this host's interface \"lo\"" },
	};
	struct world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = network(cases[i].address, NULL, NULL);
		struct err err = { 0 };
		int rc = net4_check_subnet(&t->env, "br0", doc, NULL, &err);

		if (rc != (cases[i].words ? -1 : 0))
			fail_msg("%s: %d %s", cases[i].address, rc, err.msg);
		if (!cases[i].words)
			continue;
		assert_int_equal(err.kind, ERR_CONFLICT);
		if (!strstr(err.msg, "network \"br0\": ") || !strstr(err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].address, err.msg);
	}
}

static void does_not_overlap_itself(void **state)
{
	struct world *t = *state;
	_json_ json_t *doc = network("10.201.0.1/16", NULL, NULL);
	struct err err = { 0 };

	assert_int_equal(net4_check_subnet(&t->env, "other", doc, NULL, &err), 0);
}

/* Others may have come since; a change of something else is not the time to say so. */
static void what_stays_passes(void **state)
{
	static const struct {
		const char *address, *ranges;
		int rc;
		enum err_kind kind;
	} cases[] = {
		{ "10.201.7.1/24", NULL, 0, 0 },
		{ "10.201.7.1/24", "10.201.7.5-10.201.7.9", 0, 0 },
		{ "10.201.7.1/24", "10.1.1.5-10.1.1.9", -1, ERR_INVALID },
		{ "10.201.7.2/24", NULL, -1, ERR_CONFLICT },
		{ "10.201.7.1/25", NULL, -1, ERR_CONFLICT },
	};
	struct world *t = *state;
	_json_ json_t *old = network("10.201.7.1/24", NULL, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = network(cases[i].address, cases[i].ranges, NULL);
		struct err err = { 0 };

		assert_int_equal(net4_check_subnet(&t->env, "br0", doc, old, &err), cases[i].rc);
		if (cases[i].rc < 0)
			assert_int_equal(err.kind, cases[i].kind);
	}
}

/* Also ranges that an older version took. */
static void ranges_that_stay_pass(void **state)
{
	struct world *t = *state;
	_json_ json_t *old = network("10.203.7.1/24", "10.1.1.5-10.1.1.9", NULL);
	struct err err = { 0 };

	assert_int_equal(net4_check_subnet(&t->env, "br0", old, old, &err), 0);
	assert_int_equal(net4_check_subnet(&t->env, "br0", old, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void picks_what_is_free(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < 50; i++) {
		struct err err = { 0 };
		_free_ char *cidr = net4_pick_subnet(t->w.store, &err);
		struct net4 n;

		assert_non_null(cidr);
		n = net_of(cidr);
		assert_int_equal(n.bits, 24);
		assert_int_equal(n.gateway >> 24, 10);
		assert_int_equal(n.gateway & 0xff, 1);
		assert_int_not_equal(n.gateway >> 16 & 0xff, 201);
		assert_int_not_equal(n.gateway >> 8, 0x0acc00); /* that of lo */
	}
}

/* All of 10/8 is one network's. */
static void says_that_none_is_free(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };

	world_put(&t->w, ENT_NETWORK, "all", network("10.0.0.1/8", NULL, NULL));
	assert_null(net4_pick_subnet(t->w.store, &err));
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_non_null(strstr(err.msg, "name one as ipv4.address"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_addresses),        cmocka_unit_test(has_hosts_and_ranges),
		cmocka_unit_test(has_a_gateway_and_dhcp), cmocka_unit_test(nics_get_hosts_only),
		cmocka_unit_test(keeps_away_from_others), cmocka_unit_test(does_not_overlap_itself),
		cmocka_unit_test(what_stays_passes),      cmocka_unit_test(ranges_that_stay_pass),
		cmocka_unit_test(picks_what_is_free),     cmocka_unit_test(says_that_none_is_free),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
