/* SPDX-License-Identifier: Apache-2.0 */
/* Host ends of interfaces and the bridges that they are plugged into, in a namespace of the
 * test. */
#include "tests/unit/node/network/netns.h"

#include "node/device/port.h"
#include "node/network/network_int.h"

#define MAC_TEXT "02:00:00:00:00:07"

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add v0 type veth peer name v0p");
	must("ip link set v0 up");
	must("ip link add br0 type bridge");
	must("ip link add br1 type bridge");
	must("ip link set br0 up");
	must("ip link set br1 up");
	return 0;
}

static struct link_info look(const char *name)
{
	struct link_info l;
	struct err err;

	if (link_get(name, &l, &err) < 0)
		fail_msg("%s", err.msg);
	return l;
}

static void plug(const char *bridge)
{
	struct err err = { 0 };

	if (port_plug("v0", bridge, &err) < 0)
		fail_msg("%s", err.msg);
}

static void marks_what_is_ours(void **state)
{
	char alias[PORT_ALIAS_SIZE];
	uint8_t mac[MAC_LEN];
	struct link_info l = look("v0");
	struct err err;

	assert_false(port_is_ours(&l));
	must("ip link set v0 alias " NETWORK_ALIAS);
	l = look("v0");
	assert_false(port_is_ours(&l)); /* the mark of a bridge is another */
	assert_true(mac_parse(MAC_TEXT, mac));
	port_alias(mac, alias);
	assert_non_null(strstr(alias, MAC_TEXT));
	assert_int_equal(link_set_alias("v0", alias, &err), 0);
	l = look("v0");
	assert_true(port_is_ours(&l));
}

static void goes_from_bridge_to_bridge(void **state)
{
	static const char *const bridges[] = { "br0", "br0", "br1", "", "", "br1", NULL };

	for (size_t i = 0; bridges[i]; i++) {
		int want = *bridges[i] ? look(bridges[i]).index : 0;

		plug(bridges[i]);
		assert_int_equal(look("v0").master, want);
	}
	plug("");
	assert_int_equal(look("v0").master, 0);
}

/* The bridge may know the address at the port that it had before: it is pointed here. */
static void points_the_bridge_here(void **state)
{
	struct err err;

	must("ip link add v1 type veth peer name v1p");
	must("ip link set v1 master br0 up");
	must("bridge fdb replace " MAC_TEXT " dev v1 master static");
	plug("br0");
	assert_true(says(-1, "bridge fdb show br br0", MAC_TEXT " dev v0 master br0"));
	assert_false(says(-1, "bridge fdb show br br0", MAC_TEXT " dev v1"));
	plug("");
	/* one that is not ours says nothing of an address */
	assert_int_equal(link_set_alias("v0", "another one " MAC_TEXT, &err), 0);
	plug("br0");
	plug("");
	assert_int_equal(link_set_alias("v0", "someone at " MAC_TEXT, &err), 0);
	plug("br0");
	assert_false(says(-1, "bridge fdb show br br0", MAC_TEXT));
}

static void names_what_is_missing(void **state)
{
	struct err err = { 0 };

	assert_int_equal(port_check_bridge("br0", &err), 0);
	assert_int_equal(port_check_bridge("none", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "there is no bridge \"none\" on this member");
	assert_int_equal(port_check_bridge("v0p", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_string_equal(err.msg, "\"v0p\" of this member is no bridge");
	plug("br0");
	assert_int_equal(port_plug("v0", "none", &err), -1);
	assert_int_equal(port_plug("v0", "v0p", &err), -1);
	assert_int_equal(look("v0").master, look("br0").index);
	assert_int_equal(port_plug("gone", "br0", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_what_is_ours),
		cmocka_unit_test(goes_from_bridge_to_bridge),
		cmocka_unit_test(points_the_bridge_here),
		cmocka_unit_test(names_what_is_missing),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
