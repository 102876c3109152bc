/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of containers on a bridge, and frames that are sent and seen on their wires. */
#pragma once
#include "tests/unit/node/network/netns.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "node/device/port.h"
#include "tests/unit/base/patience.h"

#define WIRE_TYPE 0x88b5 /* for experiments, IEEE 802 */

/* New interfaces have nothing to say of their own. */
static inline void wire_silence(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

/* A pair HOST and HOSTp, as the interface of a container with that address; its description. */
static inline json_t *wire_container(const char *host, const char *mac, const char *bridge)
{
	char alias[PORT_ALIAS_SIZE];
	uint8_t bytes[MAC_LEN];
	struct err err;

	assert_true(mac_parse(mac, bytes));
	port_alias(bytes, alias);
	must("ip link add %s type veth peer name %sp address %s", host, host, mac);
	assert_int_equal(link_set_alias(host, alias, &err), 0);
	must("ip link set %s up", host);
	must("ip link set %sp up", host);
	return json_pack("{s[{ss,ss,ss,ss,ss}]}", "devices", "device", "eth0", "type", "nic",
			 "name", "eth0", "host_name", host, "bridge", bridge);
}

static inline int wire_open(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(WIRE_TYPE),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(WIRE_TYPE));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static inline void wire_send_from(int fd, const char *from, const char *to, uint8_t number)
{
	uint8_t frame[64] = { [ETH_HLEN] = number };

	assert_true(mac_parse(to, frame));
	assert_true(mac_parse(from, frame + MAC_LEN));
	frame[12] = WIRE_TYPE >> 8;
	frame[13] = WIRE_TYPE & 0xff;
	assert_int_equal(send(fd, frame, sizeof(frame), 0), sizeof(frame));
}

static inline void wire_send(int fd, const char *to, uint8_t number)
{
	wire_send_from(fd, "02:00:00:00:00:00", to, number);
}

/* The number of the next frame that came; -1: none in that time. */
static inline int wire_next(int fd, int ms)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };
	struct sockaddr_ll from = { .sll_pkttype = PACKET_OUTGOING };
	socklen_t len = sizeof(from);
	uint8_t frame[2048];

	while (poll(&pf, 1, ms) > 0) {
		assert_true(recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &len) >=
			    ETH_HLEN + 1);
		if (from.sll_pkttype != PACKET_OUTGOING)
			return frame[ETH_HLEN];
	}
	return -1;
}
