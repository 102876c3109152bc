/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/node/network/netns.h"

#include <errno.h>
#include <net/if.h>

#include "node/netlink/link.h"
#include "node/netlink/tap.h"

static void is_there_while_it_is_open(void **state)
{
	const struct tap_spec s = { .name = "tap-of-test", .mtu = 1400, .frames = 77 };
	struct link_info l;
	struct err err = { 0 };
	int fd = tap_open(&s, &err);
	char byte;

	if (fd < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(link_get(s.name, &l, &err), 0);
	assert_int_equal(l.mtu, 1400);
	assert_true(l.flags & IFF_UP);
	assert_int_equal(l.mac[0], 0xfe);
	assert_true(says(-1, "ip link show tap-of-test", "qlen 77"));
	assert_false(says(-1, "ip addr show tap-of-test", "inet6"));
	/* nothing has come, and it says so at once */
	assert_int_equal(read(fd, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(if_nametoindex(s.name), 0);
}

static void takes_nobody_elses_name(void **state)
{
	struct err err = { 0 };

	must("ip tuntap add dev theirs mode tap");
	assert_int_equal(tap_open(&(struct tap_spec){ .name = "theirs" }, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(tap_open(&(struct tap_spec){ .name = "longer-than-names" }, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	must("ip link del theirs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_there_while_it_is_open),
		cmocka_unit_test(takes_nobody_elses_name),
	};

	return cmocka_run_group_tests(tests, netns_set_up, netns_tear_down);
}
