/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of Unix, netlink, packets, and of families that few have. */
#include "tests/image/zoo/zoo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_alg.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AF_XDP_FAMILY 44
#define AF_SMC_FAMILY 43

static int fd = -1, other = -1;

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0);
	return true;
}

static bool open_one(int domain, int type, int protocol)
{
	NEED((fd = socket(domain, type, protocol)) >= 0);
	return true;
}

/* --- Unix ---------------------------------------------------------------------------------- */

static bool pair_of(int type)
{
	int pair[2];

	NEED(socketpair(AF_UNIX, type, 0, pair) == 0);
	fd = pair[0];
	other = pair[1];
	NEED(write(other, "hello", 5) == 5);
	return true;
}

static bool pair_same(void)
{
	NEED(zoo_hears(fd, "hello"));
	NEED(write(fd, "back", 4) == 4 && zoo_hears(other, "back"));
	NEED(write(other, "hello", 5) == 5);
	return true;
}

static bool unix_stream_make(void)
{
	return pair_of(SOCK_STREAM);
}

static bool unix_datagram_make(void)
{
	return pair_of(SOCK_DGRAM);
}

static bool unix_packet_make(void)
{
	return pair_of(SOCK_SEQPACKET);
}

static bool pass(int what)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};

	c.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.h), &what, sizeof(what));
	return sendmsg(other, &m, 0) == 1;
}

static bool in_flight_make(void)
{
	int pair[2], file;

	NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fd = pair[0];
	other = pair[1];
	NEED(zoo_write(zoo_path("file"), "hello"));
	NEED((file = open(zoo_path("file"), O_RDONLY)) >= 0);
	NEED(pass(file));
	close(file);
	return true;
}

static bool in_flight_same(void)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c = { 0 };
	char x;
	struct iovec iov = { &x, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	int file;

	NEED(zoo_readable(fd));
	NEED(recvmsg(fd, &m, 0) == 1);
	NEED(c.h.cmsg_type == SCM_RIGHTS);
	memcpy(&file, CMSG_DATA(&c.h), sizeof(file));
	NEED(zoo_hears(file, "hello"));
	lseek(file, 0, SEEK_SET);
	NEED(pass(file));
	close(file);
	return true;
}

static struct sockaddr_un name_of(const char *what)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", zoo_path(what));
	return un;
}

static bool talks(void)
{
	int there = accept(other, NULL, NULL);

	NEED(there >= 0);
	NEED(write(there, "hello", 5) == 5 && zoo_hears(fd, "hello"));
	close(there);
	close(fd);
	return true;
}

static bool unix_listen_make(void)
{
	struct sockaddr_un un = name_of("socket");

	NEED((other = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	NEED(bind(other, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(other, 4) == 0);
	return true;
}

static bool unix_listen_same(void)
{
	struct sockaddr_un un = name_of("socket");

	NEED(open_one(AF_UNIX, SOCK_STREAM, 0));
	NEED(connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	return talks();
}

/* A connection that nobody has accepted. */
static bool unix_pending_make(void)
{
	struct sockaddr_un un = name_of("socket");

	if (other < 0)
		NEED(unix_listen_make());
	NEED(open_one(AF_UNIX, SOCK_STREAM, 0));
	NEED(connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	return true;
}

static bool unix_pending_same(void)
{
	return talks() && unix_pending_make();
}

static bool unix_gone_make(void)
{
	NEED(unix_pending_make());
	NEED(unlink(zoo_path("socket")) == 0);
	return true;
}

static bool unix_gone_same(void)
{
	struct sockaddr_un un = { 0 };
	socklen_t len = sizeof(un);

	NEED(getsockname(other, (struct sockaddr *)&un, &len) == 0);
	NEED(strcmp(un.sun_path, zoo_path("socket")) == 0);
	return zoo_readable(other);
}

static bool unix_abstract_make(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0zoo" };

	NEED((other = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
	NEED(bind(other, (struct sockaddr *)&un, sizeof(sa_family_t) + 4) == 0);
	NEED(listen(other, 4) == 0);
	return true;
}

static bool unix_abstract_same(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0zoo" };

	NEED(open_one(AF_UNIX, SOCK_STREAM, 0));
	NEED(connect(fd, (struct sockaddr *)&un, sizeof(sa_family_t) + 4) == 0);
	return talks();
}

/* --- netlink and packets ------------------------------------------------------------------- */

/* A group of which nothing comes. */
static bool netlink_make(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_DECnet_ROUTE };

	NEED(open_one(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	NEED(bind(fd, (struct sockaddr *)&nl, sizeof(nl)) == 0);
	return true;
}

static bool netlink_same(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} q = { { sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { 0 } };
	struct sockaddr_nl nl = { 0 };
	socklen_t len = sizeof(nl);
	char answer[65536];

	NEED(getsockname(fd, (struct sockaddr *)&nl, &len) == 0 &&
	     nl.nl_groups == RTMGRP_DECnet_ROUTE);
	NEED(send(fd, &q, sizeof(q), 0) == sizeof(q));
	NEED(zoo_readable(fd));
	/* What is left of it would stand in the next move's way. */
	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	return true;
}

static bool netlink_of(int protocol)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };

	NEED(open_one(AF_NETLINK, SOCK_RAW, protocol));
	NEED(bind(fd, (struct sockaddr *)&nl, sizeof(nl)) == 0);
	return true;
}

static bool uevent_make(void)
{
	return netlink_of(NETLINK_KOBJECT_UEVENT);
}

static bool diag_make(void)
{
	return netlink_of(NETLINK_SOCK_DIAG);
}

static bool nftables_make(void)
{
	return netlink_of(NETLINK_NETFILTER);
}

static bool generic_make(void)
{
	return netlink_of(NETLINK_GENERIC);
}

static bool packet_make(void)
{
	NEED(open_one(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
	return true;
}

static bool packet_same(void)
{
	int type = 0;
	socklen_t len = sizeof(type);

	NEED(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM);
	return true;
}

static bool packet_ring_make(void)
{
	struct tpacket_req r = {
		.tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8
	};

	NEED(packet_make());
	NEED(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof(r)) == 0);
	NEED(mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	return true;
}

static bool filter_make(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 0xffff) };
	struct sock_fprog p = { 1, code };

	NEED(open_one(AF_INET, SOCK_DGRAM, 0));
	NEED(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) == 0);
	return true;
}

static bool filter_same(void)
{
	struct sock_filter code[4];
	socklen_t n = 4;

	NEED(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &n) == 0 && n == 1);
	NEED(code[0].k == 0xffff);
	return true;
}

/* --- others -------------------------------------------------------------------------------- */

static bool alg_make(void)
{
	return open_one(AF_ALG, SOCK_SEQPACKET, 0);
}

static bool vsock_make(void)
{
	return open_one(AF_VSOCK, SOCK_STREAM, 0);
}

static bool xdp_make(void)
{
	return open_one(AF_XDP_FAMILY, SOCK_RAW, 0);
}

static bool smc_make(void)
{
	return open_one(AF_SMC_FAMILY, SOCK_STREAM, 0);
}

static bool can_make(void)
{
	return open_one(AF_CAN, SOCK_RAW, 1);
}

static bool tipc_make(void)
{
	return open_one(AF_TIPC, SOCK_STREAM, 0);
}

static bool key_make(void)
{
	return open_one(AF_KEY, SOCK_RAW, 2);
}

static bool rds_make(void)
{
	return open_one(AF_RDS, SOCK_SEQPACKET, 0);
}

static bool bluetooth_make(void)
{
	return open_one(AF_BLUETOOTH, SOCK_RAW, 1);
}

static bool pppoe_make(void)
{
	return open_one(AF_PPPOX, SOCK_STREAM, 0);
}

const struct state zoo_sockets[] = {
	{ "unix-stream", unix_stream_make, pair_same },
	{ "unix-datagram", unix_datagram_make, pair_same },
	{ "unix-packet", unix_packet_make, pair_same },
	{ "in-flight", in_flight_make, in_flight_same },
	{ "unix-listen", unix_listen_make, unix_listen_same },
	{ "unix-pending", unix_pending_make, unix_pending_same },
	{ "unix-gone", unix_gone_make, unix_gone_same },
	{ "unix-abstract", unix_abstract_make, unix_abstract_same },
	{ "netlink", netlink_make, netlink_same },
	{ "netlink-uevent", uevent_make, still_open },
	{ "netlink-diag", diag_make, still_open },
	{ "netlink-filter", nftables_make, still_open },
	{ "netlink-generic", generic_make, still_open },
	{ "packet", packet_make, packet_same },
	{ "packet-ring", packet_ring_make, packet_same },
	{ "filter", filter_make, filter_same },
	{ "alg", alg_make, NULL },
	{ "vsock", vsock_make, NULL },
	{ "xdp", xdp_make, NULL },
	{ "smc", smc_make, NULL },
	{ "can", can_make, NULL },
	{ "tipc", tipc_make, NULL },
	{ "key", key_make, NULL },
	{ "rds", rds_make, NULL },
	{ "bluetooth", bluetooth_make, NULL },
	{ "pppoe", pppoe_make, NULL },
	{ NULL, NULL, NULL },
};
