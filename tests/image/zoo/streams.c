/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the Internet's protocols, most of them connected within the container. */
#include "tests/image/zoo/zoo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_MD5SIG_MAXKEYLEN
#define TCP_MD5SIG_MAXKEYLEN 80
#endif

static int fd = -1, other = -1, listener = -1;

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0);
	return true;
}

static bool up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	bool good = ioctl(s, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);

	close(s);
	NEED(good);
	return true;
}

static struct sockaddr_in here(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A server of ours on any port, and who connects to it. */
static bool listen_any(int protocol)
{
	struct sockaddr_in at = here();

	NEED(up());
	NEED((listener = socket(AF_INET, SOCK_STREAM, protocol)) >= 0);
	NEED(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED(listen(listener, 4) == 0);
	return true;
}

static bool connect_here(void)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	NEED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return true;
}

static bool tcp_make(void)
{
	NEED(listen_any(0) && connect_here());
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	NEED(write(other, "hello", 5) == 5);
	return zoo_readable(fd);
}

static bool tcp_same(void)
{
	NEED(zoo_hears(fd, "hello"));
	NEED(write(fd, "back", 4) == 4 && zoo_hears(other, "back"));
	NEED(write(other, "hello", 5) == 5);
	return true;
}

static bool tcp_options_make(void)
{
	int on = 1, idle = 77;

	NEED(tcp_make());
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0);
	NEED(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0);
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle)) == 0);
	return true;
}

static bool tcp_options_same(void)
{
	int v = 0;
	socklen_t len = sizeof(v);

	NEED(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &v, &len) == 0 && v == 1);
	NEED(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &v, &len) == 0 && v == 77);
	return tcp_same();
}

static bool tcp_listen_make(void)
{
	return listen_any(0);
}

static bool tcp_listen_same(void)
{
	NEED(connect_here());
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	close(other);
	close(fd);
	return true;
}

/* Its own end is closed, the other not; and the other way round. */
static bool tcp_half_make(void)
{
	NEED(tcp_make());
	NEED(shutdown(fd, SHUT_WR) == 0);
	NEED(zoo_readable(other));
	return true;
}

static bool tcp_half_same(void)
{
	char x;

	NEED(zoo_readable(other));
	NEED(read(other, &x, 1) == 0);
	NEED(zoo_hears(fd, "hello"));
	NEED(write(other, "hello", 5) == 5);
	return true;
}

/* Both ends are closed for writing, and held. */
static bool tcp_over_make(void)
{
	NEED(tcp_half_make());
	NEED(shutdown(other, SHUT_WR) == 0);
	return true;
}

static bool tcp_over_same(void)
{
	char x[16];

	NEED(read(other, x, sizeof(x)) == 0);
	return true;
}

static bool tcp_reset_make(void)
{
	struct linger l = { 1, 0 };

	NEED(tcp_make());
	NEED(setsockopt(other, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	close(other);
	NEED(zoo_readable(fd));
	return true;
}

static bool tcp_bound_make(void)
{
	struct sockaddr_in at = here();

	at.sin_port = htons(7999);
	NEED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	NEED(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return true;
}

static bool tcp_bound_same(void)
{
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof(at);

	NEED(getsockname(fd, (struct sockaddr *)&at, &len) == 0 && ntohs(at.sin_port) == 7999);
	return true;
}

/* Nobody answers there: the address is one for documents. */
static bool tcp_connecting_make(void)
{
	struct sockaddr_in at = here();

	NEED(inet_aton("192.0.2.1", &at.sin_addr) == 1);
	at.sin_port = htons(7999);
	NEED((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EINPROGRESS);
	return true;
}

/* It has come, and its server has not taken it yet. */
static bool tcp_waiting_make(void)
{
	NEED(listen_any(0) && connect_here());
	NEED(zoo_readable(listener));
	return true;
}

static bool tcp6_make(void)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t len = sizeof(at);

	NEED(up());
	NEED((listener = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 4) == 0);
	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	NEED((fd = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	NEED(write(other, "hello", 5) == 5);
	return zoo_readable(fd);
}

/* An address of eth0 that means nothing without it, and is no longer tentative. */
static bool find_link_local(char text[33], unsigned *index)
{
	unsigned prefix, scope, flags;
	FILE *f = fopen("/proc/net/if_inet6", "re");
	char name[IFNAMSIZ];
	bool found = false;

	while (f && !found && fscanf(f, "%32s %x %x %x %x %15s", text, index, &prefix, &scope,
				     &flags, name) == 6)
		found = scope == 0x20 && !(flags & 0x40) && strcmp(name, "eth0") == 0;
	if (f)
		fclose(f);
	return found;
}

static bool link_local(struct sockaddr_in6 *ret)
{
	char text[33];
	unsigned index;
	int tries = 0;

	while (!find_link_local(text, &index)) {
		NEED(tries++ < 1000);
		poll(NULL, 0, 10);
	}
	*ret = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_scope_id = index };
	for (int i = 0; i < 16; i++)
		NEED(sscanf(text + 2 * i, "%2hhx", &ret->sin6_addr.s6_addr[i]) == 1);
	return true;
}

static bool tcp6_link_listen_make(void)
{
	struct sockaddr_in6 at;

	NEED(link_local(&at));
	NEED((listener = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 4) == 0);
	return true;
}

static bool tcp6_link_listen_same(void)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);
	int s;

	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	NEED((s = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(connect(s, (struct sockaddr *)&at, sizeof(at)) == 0);
	close(s);
	return true;
}

static bool tcp6_link_make(void)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);

	NEED(tcp6_link_listen_make());
	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	NEED((fd = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	NEED(write(other, "hello", 5) == 5);
	return zoo_readable(fd);
}

static bool tcp6_link_any_make(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, at;
	socklen_t len = sizeof(any);

	NEED(link_local(&at));
	NEED((listener = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(bind(listener, (struct sockaddr *)&any, len) == 0 && listen(listener, 4) == 0);
	NEED(getsockname(listener, (struct sockaddr *)&any, &len) == 0);
	at.sin6_port = any.sin6_port;
	NEED((fd = socket(AF_INET6, SOCK_STREAM, 0)) >= 0);
	NEED(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	NEED(write(other, "hello", 5) == 5);
	return zoo_readable(fd);
}

static bool tcp_unopened_make(void)
{
	NEED((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	return true;
}

static bool tcp_urgent_make(void)
{
	NEED(tcp_make());
	NEED(send(other, "!", 1, MSG_OOB) == 1);
	return true;
}

static bool tcp_urgent_same(void)
{
	char x;

	NEED(zoo_hears(fd, "hello"));
	NEED(recv(fd, &x, 1, MSG_OOB) == 1 && x == '!');
	NEED(write(other, "hello", 5) == 5 && send(other, "!", 1, MSG_OOB) == 1);
	return true;
}

static bool tcp_tls_make(void)
{
	struct tls12_crypto_info_aes_gcm_128 key = { .info = { TLS_1_2_VERSION,
							       TLS_CIPHER_AES_GCM_128 } };

	NEED(tcp_make());
	NEED(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4) == 0);
	NEED(setsockopt(fd, SOL_TLS, TLS_TX, &key, sizeof(key)) == 0);
	return true;
}

static bool tcp_signed_make(void)
{
	struct sockaddr_in at = here();
	struct tcp_md5sig key = { .tcpm_keylen = 3, .tcpm_key = "abc" };

	NEED(listen_any(0));
	memcpy(&key.tcpm_addr, &at, sizeof(at));
	NEED(setsockopt(listener, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof(key)) == 0);
	fd = listener;
	return true;
}

/* Who connects without the key is not answered. */
static bool tcp_signed_same(void)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);
	struct pollfd pf = { .events = POLLOUT };

	NEED(getsockname(listener, (struct sockaddr *)&at, &len) == 0);
	NEED((pf.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) >= 0);
	NEED(connect(pf.fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == EINPROGRESS);
	NEED(poll(&pf, 1, 2000) == 0);
	close(pf.fd);
	return true;
}

static bool mptcp_make(void)
{
	return listen_any(IPPROTO_MPTCP);
}

static bool mptcp_connected_make(void)
{
	NEED(listen_any(IPPROTO_MPTCP));
	NEED(connect_here());
	NEED((other = accept(listener, NULL, NULL)) >= 0);
	return true;
}

static bool sctp_make(void)
{
	return listen_any(IPPROTO_SCTP);
}

/* --- datagrams ----------------------------------------------------------------------------- */

static bool udp_of(int protocol)
{
	struct sockaddr_in at = here();
	socklen_t len = sizeof(at);

	NEED(up());
	NEED((fd = socket(AF_INET, SOCK_DGRAM, protocol)) >= 0);
	NEED((other = socket(AF_INET, SOCK_DGRAM, protocol)) >= 0);
	NEED(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	NEED(connect(other, (struct sockaddr *)&at, sizeof(at)) == 0);
	return true;
}

static bool udp_make(void)
{
	return udp_of(0);
}

static bool udplite_make(void)
{
	return udp_of(IPPROTO_UDPLITE);
}

static bool udp_same(void)
{
	NEED(write(other, "hello", 5) == 5 && zoo_hears(fd, "hello"));
	return true;
}

static bool udp6_link_make(void)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);

	NEED(link_local(&at));
	NEED((fd = socket(AF_INET6, SOCK_DGRAM, 0)) >= 0);
	NEED((other = socket(AF_INET6, SOCK_DGRAM, 0)) >= 0);
	NEED(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	NEED(getsockname(fd, (struct sockaddr *)&at, &len) == 0);
	NEED(connect(other, (struct sockaddr *)&at, sizeof(at)) == 0);
	return true;
}

/* The protocol allows it to be lost. */
static bool udp_unread_make(void)
{
	NEED(udp_make());
	NEED(write(other, "lost", 4) == 4);
	return zoo_readable(fd);
}

static bool multicast_make(void)
{
	struct ip_mreqn group = { .imr_address.s_addr = htonl(INADDR_LOOPBACK) };

	NEED(udp_make());
	NEED(inet_aton("239.1.2.3", &group.imr_multiaddr) == 1);
	NEED(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0);
	return true;
}

static bool multicast_same(void)
{
	struct ip_mreqn group = { .imr_address.s_addr = htonl(INADDR_LOOPBACK) };

	NEED(inet_aton("239.1.2.3", &group.imr_multiaddr) == 1);
	NEED(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0);
	errno = 0;
	return udp_same();
}

static bool corked_make(void)
{
	int on = 1;

	NEED(udp_make());
	NEED(setsockopt(other, IPPROTO_UDP, 1, &on, sizeof(on)) == 0); /* UDP_CORK */
	NEED(write(other, "hello", 5) == 5);
	return true;
}

static bool raw_make(void)
{
	NEED((fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)) >= 0);
	return true;
}

static bool raw6_make(void)
{
	NEED((fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)) >= 0);
	return true;
}

static bool ping_make(void)
{
	NEED((fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)) >= 0);
	return true;
}

static bool device_make(void)
{
	NEED(udp_make());
	NEED(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	return true;
}

static bool device_same(void)
{
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);

	NEED(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len) == 0);
	NEED(strcmp(name, "lo") == 0);
	return udp_same();
}

const struct state zoo_streams[] = {
	{ "tcp", tcp_make, tcp_same },
	{ "tcp-options", tcp_options_make, tcp_options_same },
	{ "tcp-listen", tcp_listen_make, tcp_listen_same },
	{ "tcp-half", tcp_half_make, tcp_half_same },
	{ "tcp-over", tcp_over_make, tcp_over_same },
	{ "tcp-reset", tcp_reset_make, still_open },
	{ "tcp-bound", tcp_bound_make, tcp_bound_same },
	{ "tcp-connecting", tcp_connecting_make, still_open },
	{ "tcp-waiting", tcp_waiting_make, NULL },
	{ "tcp6", tcp6_make, tcp_same },
	{ "tcp6-link", tcp6_link_make, tcp_same },
	{ "tcp6-link-any", tcp6_link_any_make, tcp_same },
	{ "tcp6-link-open", tcp6_link_listen_make, tcp6_link_listen_same },
	{ "udp6-link", udp6_link_make, udp_same },
	{ "tcp-unopened", tcp_unopened_make, still_open },
	{ "tcp-urgent", tcp_urgent_make, tcp_urgent_same },
	{ "tcp-tls", tcp_tls_make, NULL },
	{ "tcp-signed", tcp_signed_make, tcp_signed_same },
	{ "mptcp", mptcp_make, NULL },
	{ "mptcp-connected", mptcp_connected_make, NULL },
	{ "sctp", sctp_make, NULL },
	{ "udp", udp_make, udp_same },
	{ "udplite", udplite_make, udp_same },
	{ "udp-unread", udp_unread_make, still_open },
	{ "multicast", multicast_make, multicast_same },
	{ "corked", corked_make, NULL },
	{ "raw", raw_make, still_open },
	{ "raw6", raw6_make, still_open },
	{ "ping", ping_make, NULL },
	{ "device", device_make, device_same },
	{ NULL, NULL, NULL },
};
