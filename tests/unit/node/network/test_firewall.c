/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a network, as nft lists them after it took them. */
#include "tests/unit/node/network/netns.h"

#include "node/network/network_int.h"

#define INET "nft list table inet dunlin-n0"
#define BRIDGE "nft list table bridge dunlin-n0"

struct rule {
	const char *text; /* blanks of any kind are one */
	bool there;
};

/* One blank wherever there is any. */
static char *squeezed(const char *text)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);

	for (const char *p = text; *p; p++) {
		if (!strchr(" \t\n", *p))
			sbuf_putc(&b, *p);
		else if (b.len && b.data[b.len - 1] != ' ')
			sbuf_putc(&b, ' ');
	}
	return sbuf_take(&b);
}

static void lists(const char *command, const struct rule *rules)
{
	_free_ char *listed = output(-1, command), *text = squeezed(listed);

	for (; rules->text; rules++)
		if ((strstr(text, rules->text) != NULL) != rules->there)
			fail_msg("%s: \"%s\" is %s in\n%s", command, rules->text,
				 rules->there ? "not" : "there", text);
}

#define LISTS(command, ...) lists(command, (const struct rule[]){ __VA_ARGS__, { .text = NULL } })

static struct net net_of(bool nat, bool firewall, bool routing)
{
	struct net net = { .name = "n0", .mac = { 0x02, 0xd0, 0, 0, 0, 1 } };

	assert_true(ip_parse("10.9.0.1/24", &net.v4.gateway));
	net.v4.nat = nat;
	net.v4.firewall = firewall;
	net.v4.routing = routing;
	return net;
}

static void ensure(const struct net *net)
{
	struct err err = { 0 };

	if (firewall_ensure(net, &err) < 0)
		fail_msg("%s", err.msg);
}

static void a_bridge_is_let_in_out_and_translated(void **state)
{
	struct net net = net_of(true, true, true);

	ensure(&net);
	LISTS(INET, { "iifname \"n0\" udp dport { 53, 67, 547 } accept", true },
	      { "iifname \"n0\" tcp dport 53 accept", true },
	      { "meta nfproto ipv4 iifname \"n0\" oifname != \"n0\" accept", true },
	      { "meta nfproto ipv4 oifname \"n0\" iifname != \"n0\" accept", true },
	      { "ip saddr 10.9.0.0/24 ip daddr != 10.9.0.0/24 oifname != \"n0\" masquerade",
		true },
	      /* no container reaches the port of tunnels */
	      { "iifname \"n0\" udp dport 4789 drop", true });
	assert_int_equal(run_in(-1, NULL, BRIDGE), -1);
}

static void each_key_turns_its_rules(void **state)
{
	struct net nat = net_of(false, true, true), firewall = net_of(true, false, true),
		   routing = net_of(true, true, false), bare = net_of(true, true, true);

	ensure(&nat);
	LISTS(INET, { "masquerade", false }, { "accept; } chain", false },
	      { "tcp dport 53 accept", true });
	ensure(&firewall);
	LISTS(INET, { "masquerade", true }, { "dport 53", false },
	      { "oifname != \"n0\" accept", false }, { "udp dport 4789 drop", true });
	ensure(&routing);
	LISTS(INET, { "meta nfproto ipv4 iifname \"n0\" oifname != \"n0\" drop", true },
	      { "meta nfproto ipv4 oifname \"n0\" iifname != \"n0\" drop", true },
	      { "oifname != \"n0\" accept", false });
	/* no gateway: nothing of IPv4 to be let through */
	bare.v4.gateway = (struct ip){ 0 };
	ensure(&bare);
	LISTS(INET, { "masquerade", false }, { "meta nfproto ipv4", false });
}

/* Whoever may not route is kept out with the firewall off as well. */
static void without_routing_nothing_passes(void **state)
{
	struct net net = net_of(false, false, false);

	ensure(&net);
	LISTS(INET, { "iifname \"n0\" oifname != \"n0\" drop", true },
	      { "oifname \"n0\" iifname != \"n0\" drop", true });
}

static void an_overlay_takes_members_datagrams_only(void **state)
{
	struct net net = net_of(true, true, true);
	struct ip peers[2];

	net.vni = 7;
	net.peers = peers;
	net.npeers = 2;
	assert_true(ip_parse("192.0.2.1/24", &net.local) && ip_parse("192.0.2.2", &peers[0]) &&
		    ip_parse("198.51.100.3", &peers[1]));
	ensure(&net);
	LISTS(INET, { "udp dport 4789 ct state invalid drop", true },
	      { "udp dport 4789 @th,96,24 0x7 meta nfproto != ipv4 drop", true },
	      { "udp dport 4789 @th,96,24 0x7 ip daddr != 192.0.2.1 drop", true },
	      { "udp dport 4789 @th,96,24 0x7 ip saddr != { 192.0.2.2, 198.51.100.3 } drop",
		true },
	      { "udp dport 4789 @th,96,24 0x7 fib saddr . iif oif", true },
	      { "iifname \"n0\" oifname != \"n0\" udp dport 4789 drop", true },
	      { "ip daddr { 192.0.2.2, 198.51.100.3 } ip saddr != { 192.0.2.2, 198.51.100.3 } drop",
		true },
	      /* a neighbour is answered untranslated, who is none is not spared */
	      { "ip daddr 192.0.2.2 return", true }, { "ip daddr 198.51.100.3 return", false });
	LISTS(BRIDGE, { "chain arriving { type filter hook prerouting", true },
	      { "chain leaving { type filter hook forward", true },
	      { "chain own { type filter hook output", true },
	      { "iifname \"vx7\" ether saddr 02:d0:00:00:00:01 drop", true },
	      { "oifname \"vx7\" ether daddr 02:d0:00:00:00:01 drop", true },
	      { "iifname \"vx7\" arp daddr ip 10.9.0.1 drop", true },
	      { "oifname \"vx7\" arp saddr ip 10.9.0.1 drop", true },
	      { "oifname \"vx7\" udp dport { 67, 68, 546, 547 } drop", true },
	      { "iifname \"vx7\" icmpv6 type { nd-router-solicit, nd-router-advert } drop",
		true });
	/* alone, nobody's datagrams are taken */
	net.npeers = 0;
	ensure(&net);
	LISTS(INET, { "@th,96,24 0x7 drop", true }, { "192.0.2.2", false });
}

static void an_underlay_of_ipv6(void **state)
{
	struct net net = net_of(true, true, true);
	struct ip peer;

	net.vni = 0xffffff;
	net.peers = &peer;
	net.npeers = 1;
	assert_true(ip_parse("fd00::1/64", &net.local) && ip_parse("fd00::2", &peer));
	ensure(&net);
	LISTS(INET, { "@th,96,24 0xffffff meta nfproto != ipv6 drop", true },
	      { "ip6 daddr != fd00::1 drop", true }, { "ip6 saddr != fd00::2 drop", true },
	      { "return", false });
	LISTS(BRIDGE, { "iifname \"vx16777215\" ether saddr", true });
}

/* What was there before is replaced as a whole, and an overlay's rules go with its port. */
static void is_replaced_and_removed(void **state)
{
	struct net net = net_of(true, true, true);
	struct err err = { 0 };

	must("nft add table inet dunlin-n0");
	must("nft add chain inet dunlin-n0 mine");
	ensure(&net);
	LISTS(INET, { "chain mine", false });
	assert_int_equal(run_in(-1, NULL, BRIDGE), -1);
	assert_int_equal(firewall_remove("n0", &err), 0);
	assert_int_equal(run_in(-1, NULL, INET), -1);
	assert_int_equal(firewall_remove("n0", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bridge_is_let_in_out_and_translated),
		cmocka_unit_test(each_key_turns_its_rules),
		cmocka_unit_test(without_routing_nothing_passes),
		cmocka_unit_test(an_overlay_takes_members_datagrams_only),
		cmocka_unit_test(an_underlay_of_ipv6),
		cmocka_unit_test(is_replaced_and_removed),
	};

	return cmocka_run_group_tests(tests, netns_set_up, netns_tear_down);
}
