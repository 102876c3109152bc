/* SPDX-License-Identifier: Apache-2.0 */
/* Who had an address before may still be in the caches of its neighbours, for half a minute and
 * more. So the host says on behalf of a container, on every port of its bridge, whose the address
 * is now: by a gratuitous ARP request (RFC 5227 3), or an unsolicited neighbour advertisement
 * (RFC 4861 7.2.6). Its own cache is told by netlink, for the bridge does not hear itself. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/netlink.h"
#include "node/network/network.h"
#include "node/network/network_int.h"

struct arp_frame {
	struct ether_header eth;
	struct ether_arp arp;
} __attribute__((packed));

struct advert_frame {
	struct ether_header eth;
	struct ip6_hdr ip6;
	struct nd_neighbor_advert advert;
	struct nd_opt_hdr option;
	uint8_t mac[MAC_LEN];
} __attribute__((packed));

static void fill_arp(struct arp_frame *f, const uint8_t mac[MAC_LEN], const struct ip *ip)
{
	*f = (struct arp_frame){ .eth = { .ether_type = htons(ETHERTYPE_ARP) } };
	memset(f->eth.ether_dhost, 0xff, MAC_LEN);
	memcpy(f->eth.ether_shost, mac, MAC_LEN);
	f->arp.arp_hrd = htons(ARPHRD_ETHER);
	f->arp.arp_pro = htons(ETHERTYPE_IP);
	f->arp.arp_hln = MAC_LEN;
	f->arp.arp_pln = 4;
	f->arp.arp_op = htons(ARPOP_REQUEST);
	memcpy(f->arp.arp_sha, mac, MAC_LEN);
	memcpy(f->arp.arp_spa, ip->bytes, 4);
	memcpy(f->arp.arp_tpa, ip->bytes, 4);
}

static uint32_t add_words(uint32_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	return sum;
}

/* Over the addresses, length and protocol too (RFC 8200 8.1). */
static uint16_t checksum(const struct advert_frame *f)
{
	size_t len = sizeof(f->advert) + sizeof(f->option) + sizeof(f->mac);
	const uint8_t *message = (const uint8_t *)f + sizeof(f->eth) + sizeof(f->ip6);
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	sum = add_words(sum, (const uint8_t *)&f->ip6 + 8, 32);
	sum = add_words(sum, message, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void fill_advert(struct advert_frame *f, const uint8_t mac[MAC_LEN], const struct ip *ip)
{
	static const uint8_t all_nodes_mac[MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t all_nodes[16] = { 0xff, 0x02, [15] = 1 };

	*f = (struct advert_frame){ .eth = { .ether_type = htons(ETHERTYPE_IPV6) } };
	memcpy(f->eth.ether_dhost, all_nodes_mac, MAC_LEN);
	memcpy(f->eth.ether_shost, mac, MAC_LEN);
	f->ip6.ip6_flow = htonl(6u << 28);
	f->ip6.ip6_plen = htons(sizeof(f->advert) + sizeof(f->option) + sizeof(f->mac));
	f->ip6.ip6_nxt = IPPROTO_ICMPV6;
	f->ip6.ip6_hlim = 255;
	memcpy(&f->ip6.ip6_src, ip->bytes, 16);
	memcpy(&f->ip6.ip6_dst, all_nodes, 16);
	f->advert.nd_na_type = ND_NEIGHBOR_ADVERT;
	f->advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	memcpy(&f->advert.nd_na_target, ip->bytes, 16);
	f->option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
	f->option.nd_opt_len = 1;
	memcpy(f->mac, mac, MAC_LEN);
	f->advert.nd_na_cksum = checksum(f);
}

int announce_open(struct err *err)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? err_sys(err, "open a packet socket") : fd;
}

static int send_frame(int fd, int index, const void *frame, size_t len, struct err *err)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = index,
				  .sll_halen = MAC_LEN };

	memcpy(to.sll_addr, frame, MAC_LEN);
	if (sendto(fd, frame, len, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return err_sys(err, "announce an address");
	return 0;
}

/* Only what the host's cache has already changes. */
static void tell_host(int index, const uint8_t mac[MAC_LEN], const struct ip *ip)
{
	struct ndmsg nd = { .ndm_family = (unsigned char)ip->family,
			    .ndm_ifindex = index,
			    .ndm_state = NUD_STALE };
	struct err ignored;
	struct nlmsg m;

	nl_begin(&m, RTM_NEWNEIGH, NLM_F_REPLACE, &nd, sizeof(nd));
	nl_put(&m, NDA_DST, ip->bytes, ip_len(ip));
	nl_put(&m, NDA_LLADDR, mac, MAC_LEN);
	nl_call(&m, "update a neighbour", &ignored);
}

int announce_address(int fd, const char *bridge, const uint8_t mac[MAC_LEN], const struct ip *ip,
		     struct err *err)
{
	int index = (int)if_nametoindex(bridge);
	union {
		struct arp_frame arp;
		struct advert_frame advert;
	} f;

	if (!index)
		return err_set(err, ERR_NOT_FOUND, "there is no bridge \"%s\" on this member",
			       bridge);
	tell_host(index, mac, ip);
	if (ip->family == AF_INET) {
		fill_arp(&f.arp, mac, ip);
		return send_frame(fd, index, &f.arp, sizeof(f.arp), err);
	}
	fill_advert(&f.advert, mac, ip);
	return send_frame(fd, index, &f.advert, sizeof(f.advert), err);
}
