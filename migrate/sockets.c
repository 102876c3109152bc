/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"

/* What CRIU 4.2 restores; AF_INET stands for both. */
static const struct {
	int domain, type, protocol; /* -1: any */
} carried_sockets[] = {
	{ AF_UNIX, -1, -1 },
	{ AF_NETLINK, -1, -1 },
	{ AF_PACKET, -1, -1 },
	{ AF_INET, SOCK_RAW, -1 },
	{ AF_INET, -1, IPPROTO_TCP },
	{ AF_INET, -1, IPPROTO_UDP },
	{ AF_INET, -1, IPPROTO_UDPLITE },
};

static const struct {
	int domain, protocol; /* -1: any */
	const char *what;
} named_sockets[] = {
	{ AF_INET, IPPROTO_MPTCP, "a socket of Multipath TCP" },
	{ AF_INET, IPPROTO_SCTP, "a socket of SCTP" },
	{ AF_VSOCK, -1, "a socket of a virtual machine" },
	{ AF_ALG, -1, "a socket of the kernel's cryptography" },
};

static bool fits(int rule, int value)
{
	return rule < 0 || rule == value;
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, name, &v, &len) == 0 ? v : -1;
}

/* CRIU 4.2 binds it without its link, which the kernel does not take. */
static bool is_connection_of_link(int fd)
{
	struct sockaddr_in6 own = { 0 }, peer;
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);

	return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	       own.sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&own.sin6_addr) &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0;
}

void task_socket(const struct task *t, int pidfd, const char *number)
{
	int64_t n = -1;
	_close_ int fd = str_to_i64(number, 0, INT32_MAX, &n)
				 ? (int)syscall(SYS_pidfd_getfd, pidfd, (int)n, 0)
				 : -1;
	int domain = option(fd, SOL_SOCKET, SO_DOMAIN), type = option(fd, SOL_SOCKET, SO_TYPE),
	    protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);

	/* One that was closed meanwhile forbids nothing. */
	if (domain < 0 || type < 0 || protocol < 0)
		return;
	if (domain == AF_INET6)
		domain = AF_INET;
	/* Of UDP-Lite, too. */
	if (domain == AF_INET && type == SOCK_DGRAM && option(fd, IPPROTO_UDP, UDP_CORK) > 0)
		task_refuse(t, "holds back the rest of a datagram (UDP_CORK), which CRIU cannot "
			       "carry over");
	if (protocol == IPPROTO_TCP && is_connection_of_link(fd))
		task_refuse(t, "has a connection of a link-local address, which CRIU cannot carry "
			       "over");
	for (size_t i = 0; i < ARRAY_SIZE(carried_sockets); i++) {
		if (domain == carried_sockets[i].domain && fits(carried_sockets[i].type, type) &&
		    fits(carried_sockets[i].protocol, protocol))
			return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(named_sockets); i++) {
		if (domain == named_sockets[i].domain &&
		    fits(named_sockets[i].protocol, protocol)) {
			task_refuse(t, "has %s, which CRIU cannot carry over",
				    named_sockets[i].what);
			return;
		}
	}
	task_refuse(t, "has a socket of family %d and protocol %d, which CRIU cannot carry over",
		    domain, protocol);
}
