/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/tcp_left.h"

#include <assert.h>
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_S 2
#define BIT(state) (1U << (state))
/* FIN_WAIT2 and TIME_WAIT have nothing to tell their peers any more. */
#define LEFT_STATES                                                                                \
	(BIT(TCP_ESTABLISHED) | BIT(TCP_SYN_RECV) | BIT(TCP_FIN_WAIT1) | BIT(TCP_CLOSE_WAIT) |     \
	 BIT(TCP_LAST_ACK) | BIT(TCP_CLOSING))

typedef void (*diag_fn)(void *arg, const struct inet_diag_msg *m);

/* --- sock_diag(7) ------------------------------------------------------------------------- */

static int ask(int fd, int family, uint32_t states)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} q = {
		.h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.r = { .sdiag_family = (uint8_t)family,
		       .sdiag_protocol = IPPROTO_TCP,
		       .idiag_states = states },
	};

	return send(fd, &q, sizeof(q), 0) == sizeof(q) ? 0 : -1;
}

/* 1 when that was the end. */
static int take(const char *buf, size_t len, diag_fn fn, void *arg)
{
	for (const struct nlmsghdr *h = (const void *)buf; NLMSG_OK(h, len);
	     h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR) {
			errno = -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			return -1;
		}
		fn(arg, NLMSG_DATA(h));
	}
	return 0;
}

static int each(int family, uint32_t states, diag_fn fn, void *arg)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = { .tv_sec = ANSWER_S };
	char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	int rc = fd < 0 ? -1 : ask(fd, family, states), saved;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (rc == 0) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		rc = n < 0 ? -1 : take(buf, (size_t)n, fn, arg);
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc < 0 ? -1 : 0;
}

static void add_queue(void *arg, const struct inet_diag_msg *m)
{
	*(int *)arg += (int)m->idiag_rqueue;
}

int tcp_waiting(void)
{
	int n = 0;

	if (each(AF_INET, BIT(TCP_LISTEN), add_queue, &n) < 0 ||
	    each(AF_INET6, BIT(TCP_LISTEN), add_queue, &n) < 0)
		return -1;
	return n;
}

/* --- what nobody holds -------------------------------------------------------------------- */

struct found {
	struct tcp_left *v;
	int n, max;
};

static bool is_mapped(const struct inet_diag_msg *m)
{
	return m->idiag_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)m->id.idiag_src);
}

static void add_left(void *arg, const struct inet_diag_msg *m)
{
	struct found *f = arg;
	/* The last four bytes of a mapped address are the IPv4 one. */
	size_t skip = is_mapped(m) ? 12 : 0;
	struct tcp_left *t;

	if (m->idiag_inode || f->n == f->max)
		return;
	t = &f->v[f->n++];
	memset(t, 0, sizeof(*t));
	t->family = skip ? AF_INET : m->idiag_family;
	memcpy(t->own, (const char *)m->id.idiag_src + skip, sizeof(t->own) - skip);
	memcpy(t->peer, (const char *)m->id.idiag_dst + skip, sizeof(t->peer) - skip);
	t->own_port = ntohs(m->id.idiag_sport);
	t->peer_port = ntohs(m->id.idiag_dport);
	t->scope = m->id.idiag_if;
}

int tcp_left_find(struct tcp_left *ret, int max)
{
	struct found f = { .v = ret, .max = max };

	assert(max >= 0);
	if (each(AF_INET, LEFT_STATES, add_left, &f) < 0 ||
	    each(AF_INET6, LEFT_STATES, add_left, &f) < 0)
		return -1;
	return f.n;
}

/* --- the question ------------------------------------------------------------------------- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* No port: raw sockets have none. */
static socklen_t address_of(const struct tcp_left *t, const uint8_t *ip, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = t->family;
	if (t->family == AF_INET) {
		memcpy(&ret->v4.sin_addr, ip, 4);
		return sizeof(ret->v4);
	}
	memcpy(&ret->v6.sin6_addr, ip, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&ret->v6.sin6_addr))
		ret->v6.sin6_scope_id = t->scope;
	return sizeof(ret->v6);
}

static uint32_t add_words(uint32_t sum, const void *data, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2) {
		uint16_t word;

		memcpy(&word, (const char *)data + i, sizeof(word));
		sum += word;
	}
	return sum;
}

/* RFC 9293, 3.1; of IPv6 the kernel sees to it. */
static uint16_t checksum_v4(const struct tcp_left *t, const struct tcphdr *h)
{
	uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(*h));

	sum = add_words(sum, t->own, 4);
	sum = add_words(sum, t->peer, 4);
	sum = add_words(sum, h, sizeof(*h));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* An acknowledgement of nothing: RFC 9293, 3.10.7.4 has the peer answer it with where it is. */
static struct tcphdr question(const struct tcp_left *t)
{
	struct tcphdr h = { .source = htons(t->own_port),
			    .dest = htons(t->peer_port),
			    .doff = sizeof(h) / 4,
			    .ack = 1 };

	if (t->family == AF_INET)
		h.check = checksum_v4(t, &h);
	return h;
}

bool tcp_left_reset(const struct tcp_left *t)
{
	int fd = socket(t->family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	int at = offsetof(struct tcphdr, check), saved;
	struct tcphdr h = question(t);
	union address own, peer;
	socklen_t own_len = address_of(t, t->own, &own), peer_len = address_of(t, t->peer, &peer);
	bool ok = fd >= 0;

	if (ok && t->family == AF_INET6)
		ok = setsockopt(fd, IPPROTO_IPV6, IPV6_CHECKSUM, &at, sizeof(at)) == 0;
	ok = ok && bind(fd, &own.any, own_len) == 0 &&
	     sendto(fd, &h, sizeof(h), MSG_DONTWAIT, &peer.any, peer_len) == sizeof(h);
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return ok;
}
