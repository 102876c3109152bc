/* SPDX-License-Identifier: Apache-2.0 */
/* One nftables table a network, replaced as a whole in one transaction by the nft program: its
 * library would stay in the daemon's memory. */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/network/network_int.h"

#define NFT "/usr/sbin/nft"
#define NFT_MS 60000 /* the first one of a host loads modules of the kernel */
#define RULES_MAX (256 << 10)

static int apply(const struct sbuf *rules, const char *network, struct err *err)
{
	static const char *const argv[] = { NFT, "-f", "-", NULL };

	if (rules->overflow)
		return err_set(err, ERR_INTERNAL, "network \"%s\": too many rules", network);
	if (proc_run_input(argv, rules->data, NULL, deadline_in(NFT_MS), err) < 0)
		return err_wrap(err, "network \"%s\": firewall", network);
	return 0;
}

/* nft has no "delete if there"; adding what exists is allowed. */
static void drop_table(struct sbuf *b, const char *family, const char *name)
{
	sbuf_printf(b, "add table %s dunlin-%s\ndelete table %s dunlin-%s\n", family, name, family,
		    name);
}

static void input_rules(struct sbuf *b, const struct net *net)
{
	sbuf_puts(b, "chain enter {\ntype filter hook input priority filter; policy accept;\n");
	sbuf_printf(b, "iifname \"%s\" udp dport { 53, 67, 547 } accept\n", net->name);
	sbuf_printf(b, "iifname \"%s\" tcp dport 53 accept\n}\n", net->name);
}

static void peer_set(struct sbuf *b, const struct net *net)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < net->npeers; i++)
		sbuf_printf(b, "%s%s", i ? ", " : "", ip_text(&net->peers[i], text));
}

/* Datagrams of this network, as an expression of nft: what other software of this host does with
 * the port is told apart by the network's number, 24 bits behind the eight bytes of UDP and four of
 * VXLAN (RFC 7348, section 5). */
static void puts_datagrams(struct sbuf *b, const struct net *net)
{
	sbuf_printf(b, "udp dport %d @th,96,24 %u ", VXLAN_PORT, net->vni);
}

/* Not in a member's name, or in the name of one that is not reached by where it came from. */
static void foreign_rules(struct sbuf *b, const struct net *net, const char *to)
{
	puts_datagrams(b, net);
	sbuf_puts(b, to);
	if (net->npeers) {
		sbuf_printf(b, "%s saddr != { ", net->local.family == AF_INET6 ? "ip6" : "ip");
		peer_set(b, net);
		sbuf_puts(b, " } ");
	}
	sbuf_puts(b, "drop\n");
	puts_datagrams(b, net);
	sbuf_printf(b, "%sfib saddr . iif oif missing drop\n", to);
}

/* Whoever can send a datagram to a member's VXLAN port is on the network it names: only members
 * may, and not with what a container sends in a member's name. That the state of connections is
 * asked for makes the kernel put fragments together first: the number may be in the second one. */
static void tunnel_rules(struct sbuf *b, const struct net *net)
{
	bool v6 = net->local.family == AF_INET6;
	char local[INET6_ADDRSTRLEN];

	sbuf_puts(b, "chain tunnel {\ntype filter hook input priority filter; policy accept;\n");
	sbuf_printf(b, "iifname \"%s\" udp dport %d drop\n", net->name, VXLAN_PORT);
	if (net->local.family) {
		sbuf_printf(b, "udp dport %d ct state invalid drop\n", VXLAN_PORT);
		puts_datagrams(b, net);
		sbuf_printf(b, "meta nfproto != ipv%d drop\n", v6 ? 6 : 4);
		puts_datagrams(b, net);
		sbuf_printf(b, "%s daddr != %s drop\n", v6 ? "ip6" : "ip",
			    ip_text(&net->local, local));
		foreign_rules(b, net, "");
	}
	sbuf_puts(b, "}\n");
}

/* What this host passes on to members may leave it with its own address. */
static void passing_rules(struct sbuf *b, const struct net *net)
{
	_sbuf_ struct sbuf to = SBUF(RULES_MAX);

	sbuf_printf(b, "iifname \"%s\" oifname != \"%s\" udp dport %d drop\n", net->name, net->name,
		    VXLAN_PORT);
	if (!net->npeers)
		return;
	sbuf_printf(&to, "%s daddr { ", net->local.family == AF_INET6 ? "ip6" : "ip");
	peer_set(&to, net);
	sbuf_puts(&to, " } ");
	foreign_rules(b, net, to.data);
}

static void forward_rules(struct sbuf *b, const struct net *net)
{
	const struct net_ipv4 *f = &net->v4;
	const char *verdict = f->routing ? "accept" : "drop";

	if (!f->gateway.family || (f->routing && !f->firewall))
		return;
	/* Frames between ports of the bridge may pass here too (br_netfilter): routing is not
	 * their matter. */
	sbuf_printf(b, "meta nfproto ipv4 iifname \"%s\" oifname != \"%s\" %s\n", net->name,
		    net->name, verdict);
	sbuf_printf(b, "meta nfproto ipv4 oifname \"%s\" iifname != \"%s\" %s\n", net->name,
		    net->name, verdict);
}

/* A member's host that talks to a container is answered untranslated: the container may come from
 * elsewhere with its connections, and the first packet seen here may be the answer. Only for
 * neighbours on the underlay, which have a route to the container. */
static void spare_members(struct sbuf *b, const struct net *net)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < net->npeers && net->local.family == AF_INET; i++) {
		if (ip_in(&net->peers[i], &net->local))
			sbuf_printf(b, "ip daddr %s return\n", ip_text(&net->peers[i], text));
	}
}

static void nat_rules(struct sbuf *b, const struct net *net)
{
	const struct net_ipv4 *f = &net->v4;
	char gw[INET6_ADDRSTRLEN];

	if (!f->gateway.family || !f->nat)
		return;
	ip_text(&f->gateway, gw);
	sbuf_printf(b, "ip saddr %s/%d ip daddr != %s/%d oifname != \"%s\" masquerade\n", gw,
		    f->gateway.prefix, gw, f->gateway.prefix, net->name);
}

static void inet_table(struct sbuf *b, const struct net *net)
{
	drop_table(b, "inet", net->name);
	sbuf_printf(b, "table inet dunlin-%s {\n", net->name);
	if (net->v4.firewall)
		input_rules(b, net);
	tunnel_rules(b, net);
	sbuf_puts(b, "chain forward {\ntype filter hook forward priority filter; policy accept;\n");
	passing_rules(b, net);
	forward_rules(b, net);
	sbuf_puts(b, "}\nchain nat {\ntype nat hook postrouting priority srcnat; policy accept;\n");
	spare_members(b, net);
	nat_rules(b, net);
	sbuf_puts(b, "}\n}\n");
}

/* The gateway has the same addresses on every member, and every member's dnsmasq serves its own
 * containers: neither the gateway's frames, nor questions to it, nor DHCP and router
 * advertisements cross the VXLAN port. */
static void border_rules(struct sbuf *b, const struct net *net, const char *side, const char *port)
{
	char mac[MAC_TEXT_SIZE], gw[INET6_ADDRSTRLEN];

	mac_text(net->mac, mac);
	sbuf_printf(b, "%s \"%s\" ether saddr %s drop\n", side, port, mac);
	sbuf_printf(b, "%s \"%s\" ether daddr %s drop\n", side, port, mac);
	if (net->v4.gateway.family) {
		ip_text(&net->v4.gateway, gw);
		sbuf_printf(b, "%s \"%s\" arp daddr ip %s drop\n", side, port, gw);
		sbuf_printf(b, "%s \"%s\" arp saddr ip %s drop\n", side, port, gw);
	}
	sbuf_printf(b, "%s \"%s\" udp dport { 67, 68, 546, 547 } drop\n", side, port);
	sbuf_printf(b, "%s \"%s\" icmpv6 type { nd-router-solicit, nd-router-advert } drop\n", side,
		    port);
}

static void bridge_table(struct sbuf *b, const struct net *net)
{
	static const struct {
		const char *chain, *hook, *side;
	} chains[] = {
		{ "arriving", "prerouting", "iifname" },
		{ "leaving", "forward", "oifname" },
		{ "own", "output", "oifname" },
	};
	char port[IFNAMSIZ];

	drop_table(b, "bridge", net->name);
	if (!net->local.family)
		return;
	vxlan_name(net->vni, port);
	sbuf_printf(b, "table bridge dunlin-%s {\n", net->name);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++) {
		sbuf_printf(b, "chain %s {\ntype filter hook %s priority filter; policy accept;\n",
			    chains[i].chain, chains[i].hook);
		border_rules(b, net, chains[i].side, port);
		sbuf_puts(b, "}\n");
	}
	sbuf_puts(b, "}\n");
}

int firewall_ensure(const struct net *net, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(RULES_MAX);

	inet_table(&b, net);
	bridge_table(&b, net);
	return apply(&b, net->name, err);
}

int firewall_remove(const char *name, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(RULES_MAX);

	drop_table(&b, "inet", name);
	drop_table(&b, "bridge", name);
	return apply(&b, name, err);
}
