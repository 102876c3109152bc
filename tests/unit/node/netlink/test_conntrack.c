/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace that translates what comes from two of its three addresses. */
#include "tests/unit/node/network/netns.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "node/netlink/conntrack.h"

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add out type veth peer name other");
	must("ip link set other up");
	must("ip addr add 192.0.2.1/24 dev out");
	must("ip link set out up");
	for (int i = 2; i < 5; i++)
		must("ip addr add 10.9.0.%d/32 dev lo", i);
	must("nft add table ip nat");
	must("nft add chain ip nat post { type nat hook postrouting priority srcnat ; }");
	must("nft add rule ip nat post ip saddr { 10.9.0.2, 10.9.0.3 } masquerade");
	must("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out");
	return 0;
}

static void send_from(const char *address, int port)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &from.sin_addr);
	inet_pton(AF_INET, "192.0.2.2", &to.sin_addr);
	to.sin_port = htons((uint16_t)port);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
}

static size_t count(const char *address)
{
	struct err err = { 0 };
	size_t n = 99;
	struct ip ip;

	assert_true(ip_parse(address, &ip));
	if (conntrack_count(&ip, 1, &n, &err) < 0)
		fail_msg("%s", err.msg);
	return n;
}

static void forgets_what_was_translated(void **state)
{
	struct err err = { 0 };
	struct ip two;

	for (int port = 9; port < 12; port++)
		send_from("10.9.0.2", port);
	send_from("10.9.0.3", 9);
	send_from("10.9.0.4", 9);
	assert_int_equal(count("10.9.0.2"), 3);
	assert_int_equal(count("10.9.0.3"), 1);
	assert_int_equal(count("10.9.0.4"), 0);
	assert_int_equal(count("192.0.2.1"), 0);
	assert_true(ip_parse("10.9.0.2", &two));
	assert_int_equal(conntrack_forget(&two, 1, &err), 0);
	assert_int_equal(count("10.9.0.2"), 0);
	assert_int_equal(count("10.9.0.3"), 1);
	assert_int_equal(conntrack_forget(&two, 1, &err), 0);
	assert_int_equal(conntrack_forget(NULL, 0, &err), 0);
}

/* A port of this host that leads to one of its addresses. */
static void what_was_forwarded_counts_too(void **state)
{
	struct err err = { 0 };
	struct ip four;

	must("nft add chain ip nat there { type nat hook output priority -100 ; }");
	must("nft add rule ip nat there udp dport 99 dnat to 10.9.0.4");
	send_from("10.9.0.3", 99);
	assert_int_equal(count("10.9.0.4"), 1);
	assert_true(ip_parse("10.9.0.4/24", &four));
	assert_int_equal(conntrack_forget(&four, 1, &err), 0);
	assert_int_equal(count("10.9.0.4"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forgets_what_was_translated),
		cmocka_unit_test(what_was_forwarded_counts_too),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
