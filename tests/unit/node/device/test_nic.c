/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces: which options go together, and what stands on the host at each step, in a namespace
 * of the test. */
#include "node/device/port.h"
#include "tests/unit/node/network/netns.h"

#define MAC "00:16:3e:00:00:01"
#define OTHER_MAC "00:16:3e:00:00:02"

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static int prepare(const char *mac, const char *bridge, int mtu, enum device_use use,
		   struct err *err)
{
	_json_ json_t *dev = json_pack("{ss,ss,ss,si,ss,ss}", "host_name", "h0", "hwaddr", mac,
				       "bridge", bridge, "mtu", mtu, "device", "eth0", "name",
				       "eth0");

	return device_nic.prepare(dev, use, err);
}

static int release(struct err *err)
{
	_json_ json_t *dev = json_pack("{ss}", "host_name", "h0");

	return device_nic.release(dev, err);
}

static bool is_there(const char *name, struct link_info *ret)
{
	struct err err;

	return link_get(name, ret, &err) == 0;
}

static int set_up(void **state)
{
	netns_set_up(state);
	must("ip link add br0 mtu 1400 type bridge");
	must("ip link set br0 up");
	return 0;
}

static void options_that_do_not_go_together(void **state)
{
	static const struct {
		const char *device, *options, *wrong; /* NULL: nothing */
	} cases[] = {
		{ "eth0", "{\"network\":\"n\"}", NULL },
		{ "eth0", "{\"parent\":\"br0\"}", NULL },
		{ "a device", "{\"network\":\"n\",\"name\":\"eth0\"}", NULL },
		{ "eth0", "{}", "it: a nic needs \"network\" (or \"parent\")" },
		/* what is empty is not given */
		{ "eth0", "{\"network\":\"\"}", "it: a nic needs \"network\" (or \"parent\")" },
		{ "eth0", "{\"network\":\"n\",\"parent\":\"br0\"}",
		  "it: \"parent\" can't be set (to \"br0\") beside \"network\"" },
		{ "a device", "{\"network\":\"n\"}", "it: \"name\" is missing" },
		{ "a-name-of-sixteen", "{\"network\":\"n\"}", "it: \"name\" is missing" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *options = parsed(cases[i].options);
		struct err err = { 0 };
		int rc = device_nic.check("it", cases[i].device, options, &err);

		assert_int_equal(rc, cases[i].wrong ? -1 : 0);
		if (rc < 0 && (err.kind != ERR_INVALID || !str_starts(err.msg, cases[i].wrong)))
			fail_msg("%s: %s", cases[i].options, err.msg);
	}
}

/* liblxc makes the pair of a start: all that is asked of the host is room for it. */
static void a_start_finds_its_name_free(void **state)
{
	struct err err = { 0 };
	struct link_info link;

	assert_int_equal(prepare(MAC, "br0", 0, DEVICE_START, &err), 0);
	assert_false(is_there("h0", &link));
	/* left behind by one before */
	assert_int_equal(prepare(MAC, "", 0, DEVICE_RESTORE, &err), 0);
	assert_int_equal(prepare(OTHER_MAC, "br0", 0, DEVICE_START, &err), 0);
	assert_false(is_there("h0", &link));
	assert_int_equal(prepare(MAC, "br7", 0, DEVICE_START, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "there is no bridge \"br7\" on this member");
	assert_int_equal(prepare(MAC, "lo", 0, DEVICE_START, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* Restored, it is off its bridge until the move is decided; plugged in, it is on it. */
static void the_pair_is_made_here(void **state)
{
	struct err err = { 0 };
	struct link_info host, peer;

	assert_int_equal(prepare(MAC, "br0", 0, DEVICE_RESTORE, &err), 0);
	assert_true(is_there("h0", &host) && is_there("h0p", &peer));
	assert_true(port_is_ours(&host));
	assert_int_equal(host.master, 0);
	assert_int_equal(host.mtu, 1400); /* the bridge's */
	assert_int_equal(prepare(MAC, "br0", 0, DEVICE_PLUG, &err), 0);
	assert_true(is_there("h0", &peer) && peer.index == host.index); /* the same is kept */
	assert_true(peer.master > 0);
	assert_int_equal(prepare(OTHER_MAC, "br0", 1300, DEVICE_PLUG, &err), 0);
	assert_true(is_there("h0", &peer) && peer.index != host.index);
	assert_int_equal(peer.mtu, 1300);
	assert_int_equal(release(&err), 0);
	assert_false(is_there("h0", &host) || is_there("h0p", &peer));
	assert_int_equal(release(&err), 0); /* of what has gone by itself */
}

/* What somebody else has made is neither taken over nor removed. */
static void what_is_not_ours_stays(void **state)
{
	static const enum device_use uses[] = { DEVICE_START, DEVICE_RESTORE, DEVICE_PLUG };
	struct err err = { 0 };
	struct link_info link;

	must("ip link add h0 type veth peer name h0p");
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		assert_int_equal(prepare(MAC, "br0", 0, uses[i], &err), -1);
		assert_int_equal(err.kind, ERR_CONFLICT);
		assert_string_equal(err.msg,
				    "this member has an interface \"h0\" that is not Dunlin's");
	}
	assert_int_equal(release(&err), 0);
	assert_true(is_there("h0", &link));
	must("ip link del h0");
}

/* A bridge that takes no port leaves none half made. */
static void a_pair_that_cannot_be_plugged_is_gone(void **state)
{
	struct err err = { 0 };
	struct link_info link;

	assert_int_equal(prepare(MAC, "br7", 1400, DEVICE_PLUG, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_false(is_there("h0", &link));
}

static void descriptions_that_are_none(void **state)
{
	static const struct {
		const char *dev, *wrong;
	} cases[] = {
		{ "{\"host_name\":\"h0\",\"hwaddr\":\"00:16\"}", "hwaddr \"00:16\" is not valid" },
		{ "{\"host_name\":\"h0\"}", "hwaddr \"\" is not valid" },
		{ "{\"host_name\":\"h0\",\"hwaddr\":\"" MAC "\",\"mtu\":70000}",
		  "mtu is out of range" },
		{ "{\"host_name\":\"h0\",\"hwaddr\":\"" MAC "\",\"mtu\":-1}",
		  "mtu is out of range" },
		{ "{\"hwaddr\":\"" MAC "\"}",
		  "host_name \"\" is not an interface name of up to 14 bytes" },
		/* no room for the other end's letter */
		{ "{\"host_name\":\"fifteen-letters\",\"hwaddr\":\"" MAC "\"}",
		  "host_name \"fifteen-letters\" is not an interface name of up to 14 bytes" },
		{ "{\"host_name\":\"a/b\",\"hwaddr\":\"" MAC "\"}",
		  "host_name \"a/b\" is not an interface name of up to 14 bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *dev = parsed(cases[i].dev);
		struct err err = { 0 };

		assert_int_equal(device_nic.prepare(dev, DEVICE_PLUG, &err), -1);
		assert_string_equal(err.msg, cases[i].wrong);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_that_do_not_go_together),
		cmocka_unit_test(a_start_finds_its_name_free),
		cmocka_unit_test(the_pair_is_made_here),
		cmocka_unit_test(what_is_not_ours_stays),
		cmocka_unit_test(a_pair_that_cannot_be_plugged_is_gone),
		cmocka_unit_test(descriptions_that_are_none),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
