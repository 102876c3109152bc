/* SPDX-License-Identifier: Apache-2.0 */
/* All ports of a container at once: in and out of their bridges, and announced there. */
#include "tests/unit/node/network/netns.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "node/device/port.h"
#include "node/network/network_int.h"
#include "tests/unit/base/patience.h"

#define NIC(name, host, bridge)                                                                 \
	"{\"device\":\"" name "\",\"type\":\"nic\",\"name\":\"" name "\",\"host_name\":\"" host \
	"\",\"bridge\":\"" bridge "\"}"
#define DISK "{\"device\":\"d\",\"type\":\"disk\",\"path\":\"/x\",\"source\":\"/x\"}"

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add br0 type bridge");
	must("ip link set br0 up");
	for (int i = 0; i < 3; i++) {
		must("ip link add v%d type veth peer name v%dp", i, i);
		must("ip link set v%d up", i);
		must("ip link set v%dp up", i);
	}
	return 0;
}

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s", err.msg);
	return j;
}

static bool on(const char *name)
{
	struct link_info l;
	struct err err;

	assert_int_equal(link_get(name, &l, &err), 0);
	return l.master == (int)if_nametoindex("br0");
}

static void connects_all_or_none(void **state)
{
	_json_ json_t *spec = parsed("{\"devices\":[" NIC("a", "v0", "br0") "," DISK "," NIC(
		"b", "v1", "br0") "," NIC("c", "v2", "") "]}");
	struct err err = { 0 };

	must("ip link set v2 master br0"); /* whose bridge is not ours to know */
	assert_int_equal(devices_connect(spec, true, &err), 0);
	assert_true(on("v0") && on("v1") && on("v2"));
	assert_int_equal(devices_connect(spec, false, &err), 0);
	assert_false(on("v0") || on("v1"));
	assert_true(on("v2"));
	must("ip link set v2 nomaster");
}

/* The others are connected all the same, and the first error is the one that is told. */
static void tries_all(void **state)
{
	_json_ json_t *spec = parsed("{\"devices\":[" NIC("a", "v0", "none1") "," NIC(
		"b", "v1", "br0") "," NIC("c", "v2", "none2") "]}");
	struct err err = { 0 };

	assert_int_equal(devices_connect(spec, true, &err), -1);
	assert_non_null(strstr(err.msg, "none1"));
	assert_true(on("v1"));
	assert_int_equal(devices_connect(spec, false, &err), 0);
	assert_false(on("v1"));
}

/* A socket that sees what the bridge floods to v1. */
static int listen_at(const char *name)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ARP),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
	struct timeval wait = { .tv_usec = 100000 };

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
	return fd;
}

/* The sender's addresses of the next ARP frame (RFC 826); false: none came. */
static bool announced(int fd, const char *mac_want, const char *ip_want)
{
	char mac[MAC_TEXT_SIZE], text[INET6_ADDRSTRLEN];
	struct ip ip = { .family = AF_INET };
	uint8_t frame[1500];
	ssize_t n = recv(fd, frame, sizeof(frame), 0);

	if (n < 0)
		return false;
	assert_true(n >= 42);
	memcpy(ip.bytes, frame + 28, 4);
	assert_string_equal(mac_text(frame + 22, mac), mac_want);
	assert_string_equal(ip_text(&ip, text), ip_want);
	return true;
}

static void announces_its_addresses(void **state)
{
	_json_ json_t *spec = parsed("{\"devices\":[" DISK
				     "," NIC("eth0", "v0", "br0") "," NIC("eth1", "v2", "") "]}");
	_json_ json_t *seen = parsed(
		"{\"lo\":{\"hwaddr\":\"\",\"addresses\":[{\"scope\":\"global\",\"address\":"
		"\"10.9.0.66\"}]},\"eth1\":{\"hwaddr\":\"02:00:00:00:00:08\",\"addresses\":[{"
		"\"scope\":\"global\",\"address\":\"10.9.0.8\"}]},"
		"\"eth0\":{\"hwaddr\":\"02:00:00:00:00:07\",\"addresses\":["
		"{\"scope\":\"local\",\"address\":\"10.9.0.5\"},"
		"{\"scope\":\"link\",\"address\":\"fe80::5\"},"
		"{\"scope\":\"global\",\"address\":\"no address\"},"
		"{\"scope\":\"global\",\"address\":\"10.9.0.7\"}]}}");
	_json_ json_t *none = json_object();
	struct err err = { 0 };
	_close_ int at = listen_at("v1p"), fd = announce_open(&err);
	int64_t deadline = PATIENCE;

	assert_true(fd >= 0);
	must("ip link set v1 master br0");
	assert_true(devices_announce(fd, spec, none));
	assert_true(devices_announce(fd, spec, NULL));
	/* The kernel lets a new port of a bridge forward a moment later. */
	do {
		assert_true(clock_ms() < deadline);
		devices_announce(fd, spec, seen);
	} while (!announced(at, "02:00:00:00:00:07", "10.9.0.7"));
}

/* Nobody would hear of it. */
static void says_when_a_port_does_not_forward_yet(void **state)
{
	_json_ json_t *spec = parsed("{\"devices\":[" NIC("eth0", "v0", "br0") "," NIC(
		"eth1", "v2", "br1") "]}");
	_json_ json_t *none = json_object();
	struct err err = { 0 };
	_close_ int fd = announce_open(&err);
	int64_t deadline = PATIENCE;

	must("ip link add br1 type bridge stp_state 1 forward_delay 2000");
	must("ip link set br1 up");
	must("ip link set v2 master br1");
	assert_false(devices_announce(fd, spec, none));
	must("ip link set br1 type bridge stp_state 0");
	must("ip link set v2 nomaster");
	must("ip link set v2 master br1");
	while (!devices_announce(fd, spec, none))
		assert_true(clock_ms() < deadline);
}

/* By the addresses that the cluster gave it; what it has inside, or none, translates nothing. */
static void nothing_is_translated_where_there_is_nothing(void **state)
{
	_json_ json_t *spec = parsed("{\"devices\":[" DISK "," NIC("a", "v0", "br0") "]}");

	json_array_append_new(json_object_get(spec, "devices"),
			      json_pack("{ss,ss,ss,ss}", "type", "nic", "host_name", "v1",
					"bridge", "br0", "ipv4", "10.9.0.7/24"));
	assert_int_equal(devices_translated(spec), 0);
	devices_forget_translated(spec);
	assert_int_equal(devices_translated(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_all_or_none),
		cmocka_unit_test(tries_all),
		cmocka_unit_test(announces_its_addresses),
		cmocka_unit_test(says_when_a_port_does_not_forward_yet),
		cmocka_unit_test(nothing_is_translated_where_there_is_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
