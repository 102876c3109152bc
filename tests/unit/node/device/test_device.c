/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

/* --- the table ------------------------------------------------------------------------------ */

/* Whatever its type, a device that was checked can be described, and one that is in a description
 * is found again. */
static void test_types(void **state)
{
	for (size_t i = 0; device_types[i]; i++) {
		const struct device_ops *ops = device_types[i];
		_json_ json_t *dev = json_pack("{ss}", "type", ops->type);
		_json_ json_t *described = device_describe("d", dev);

		assert_ptr_equal(device_ops_of(dev), ops);
		assert_ptr_equal(device_ops_of(described), ops);
		assert_non_null(keys_find(&ops->keys, "type"));
		assert_string_equal(json_str(described, "device", ""), "d");
		for (const char *const *o = ops->fixed; o && *o; o++)
			assert_true(**o != '\0');
		/* What comes in can go out. */
		assert_int_equal(ops->plug != NULL, ops->unplug || ops->release);
	}
}

static int conf(struct device_conf *c, const json_t *dev, struct err *err)
{
	return 0;
}

static int stage(const json_t *spec, const json_t *dev, const char *target, struct err *err)
{
	return 0;
}

static int plug(const struct device_inside *c, const json_t *dev, struct err *err)
{
	return 0;
}

/* One that liblxc has to be told of is not taken for put in where nobody can. */
static void test_plugged_or_at_the_start(void **state)
{
	static const struct {
		struct device_ops ops;
		int rc;
	} cases[] = {
		{ { .type = "idle" }, 0 },
		{ { .type = "both", .conf = conf, .stage = stage, .plug = plug }, 0 },
		{ { .type = "line", .conf = conf }, -1 },
		{ { .type = "file", .stage = stage }, -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(device_check_plug(&cases[i].ops, &err), cases[i].rc);
		assert_int_equal(err.kind, cases[i].rc ? ERR_CONFLICT : ERR_NONE);
		if (cases[i].rc)
			assert_non_null(strstr(err.msg, cases[i].ops.type));
	}
	for (size_t i = 0; device_types[i]; i++)
		assert_int_equal(device_check_plug(device_types[i], &(struct err){ 0 }), 0);
}

static void test_unknown_type(void **state)
{
	static const char *const texts[] = { "{}", "{\"type\":\"gpu\"}", "{\"type\":\"\"}",
					     "{\"type\":3}", "[]" };
	struct device_port port;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_json_ json_t *dev = parsed(texts[i]);
		_json_ json_t *spec = json_pack("{ss,s[O]}", "name", "c1", "devices", dev);
		struct err err = { 0 };

		assert_null(device_ops_of(dev));
		assert_null(device_network(dev));
		assert_false(device_is_root(dev));
		assert_false(device_has_port(dev, &port));
		assert_int_equal(devices_prepare(spec, DEVICE_START, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "c1"));
	}
}

static void test_types_are_named(void **state)
{
	_json_ json_t *devices = parsed("{\"d\":{\"type\":\"gpu\"}}");
	struct err err = { 0 };

	assert_int_equal(devices_check("instance \"c1\"", devices, NULL, &err), -1);
	for (size_t i = 0; device_types[i]; i++)
		assert_non_null(strstr(err.msg, device_types[i]->type));
}

/* --- options -------------------------------------------------------------------------------- */

static const struct {
	const char *options, *network, *place;
	bool root;
} facts[] = {
	{ "{\"type\":\"nic\",\"network\":\"br0\"}", "br0", "interface \"d\"", false },
	{ "{\"type\":\"nic\",\"parent\":\"b1\",\"name\":\"eth0\"}", "b1", "interface \"eth0\"",
	  false },
	{ "{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\"}", NULL, "path \"/\"", true },
	{ "{\"type\":\"disk\",\"path\":\"/srv//\",\"source\":\"/x\"}", NULL, "path \"/srv\"",
	  false },
	{ "{\"type\":\"none\",\"network\":\"br0\",\"path\":\"/\"}", NULL, NULL, false },
};

static void test_facts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		_json_ json_t *dev = parsed(facts[i].options);
		const struct device_ops *ops = device_ops_of(dev);
		const char *network = device_network(dev);
		_free_ char *place = ops->place ? ops->place("d", dev) : NULL;

		assert_true(network ? str_eq(network, facts[i].network) : !facts[i].network);
		assert_true(place ? str_eq(place, facts[i].place) : !facts[i].place);
		assert_int_equal(device_is_root(dev), facts[i].root);
	}
}

static void assert_text(const char *options, const char *is, const char *want)
{
	if (want ? !str_eq(is, want) : is != NULL)
		fail_msg("%s: \"%s\", not \"%s\"", options, is ? is : "NULL", want ? want : "NULL");
}

/* Whoever leases addresses and makes bridges asks this of a device, and not what type it is. */
static void test_claims(void **state)
{
	static const struct {
		const char *options;
		bool claims;
		struct device_claim want;
		const char *pool;
	} cases[] = {
		{ "{\"type\":\"nic\",\"network\":\"br0\"}",
		  true,
		  { .network = "br0", .named_by = "network" },
		  NULL },
		{ "{\"type\":\"nic\",\"parent\":\"b1\",\"hwaddr\":\"00:16:3e:00:00:01\","
		  "\"name\":\"eth0\"}",
		  true,
		  { .network = "b1", .hwaddr = "00:16:3e:00:00:01", .name = "eth0" },
		  NULL },
		{ "{\"type\":\"nic\",\"network\":\"br0\",\"host_name\":\"h0\","
		  "\"ipv4.address\":\"1.2.3.4\",\"parent\":\"\",\"hwaddr\":\"\"}",
		  true,
		  { .network = "br0", .named_by = "network", .host_name = "h0", .ipv4 = "1.2.3.4" },
		  NULL },
		{ "{\"type\":\"nic\",\"hwaddr\":\"00:16:3e:00:00:01\"}", false, { 0 }, NULL },
		{ "{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"p\",\"network\":\"br0\"}",
		  false,
		  { 0 },
		  "p" },
		{ "{\"type\":\"disk\",\"path\":\"/a\",\"source\":\"/b\"}", false, { 0 }, NULL },
		{ "{\"type\":\"none\",\"network\":\"br0\",\"pool\":\"p\"}", false, { 0 }, NULL },
		{ "{\"type\":\"gpu\",\"network\":\"br0\",\"pool\":\"p\"}", false, { 0 }, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *options = cases[i].options;
		const struct device_claim *want = &cases[i].want;
		_json_ json_t *dev = parsed(options);
		struct device_claim c = { 0 };

		if (device_claims(dev, &c) != cases[i].claims)
			fail_msg("%s", options);
		assert_text(options, device_pool(dev), cases[i].pool);
		if (!cases[i].claims)
			continue;
		assert_text(options, c.network, want->network);
		assert_text(options, c.named_by, want->named_by);
		assert_text(options, c.name, want->name);
		assert_text(options, c.host_name, want->host_name);
		assert_text(options, c.hwaddr, want->hwaddr);
		assert_text(options, c.ipv4, want->ipv4);
		/* It is an option of its type, which may get another value. */
		if (c.named_by)
			assert_string_equal(json_str(dev, c.named_by, ""), c.network);
	}
}

static bool is_one_of(void *arg, const char *interface)
{
	return str_eq(arg, interface);
}

static bool is_any(void *arg, const char *interface)
{
	return true;
}

static bool is_none(void *arg, const char *interface)
{
	return false;
}

/* On a host that has "lo", which is no bridge. */
static void test_host(void **state)
{
	static const struct {
		const char *options, *bridge;
		bool (*is_network)(void *arg, const char *interface);
		bool (*is_own)(void *arg, const char *interface);
		const char *words; /* NULL: it can be here */
	} cases[] = {
		{ "{\"type\":\"nic\",\"network\":\"no-such0\"}", "no-such0", is_any, is_none,
		  NULL },
		{ "{\"type\":\"nic\",\"parent\":\"no-such0\"}", "no-such0", is_any, is_none, NULL },
		{ "{\"type\":\"nic\",\"parent\":\"no-such0\"}", "no-such0", is_none, is_none,
		  "no such interface on member \"m1\"" },
		{ "{\"type\":\"nic\",\"parent\":\"lo\"}", "lo", is_none, is_none,
		  "\"parent\": it is no bridge on member \"m1\"" },
		{ "{\"type\":\"nic\",\"network\":\"b\",\"host_name\":\"lo\"}", "b", is_none,
		  is_none, "has an interface \"lo\" already" },
		{ "{\"type\":\"nic\",\"network\":\"b\",\"host_name\":\"lo\"}", "b", is_none,
		  is_one_of, NULL },
		{ "{\"type\":\"nic\",\"network\":\"b\",\"host_name\":\"l\"}", "b", is_none,
		  is_one_of, NULL },
		/* That of a network that is not made yet. */
		{ "{\"type\":\"nic\",\"network\":\"b\",\"host_name\":\"lo2\"}", "b", is_any,
		  is_none, "has an interface \"lo2\" already" },
		{ "{\"type\":\"nic\",\"network\":\"lo\",\"mtu\":\"1500\"}", "lo", is_any, is_none,
		  NULL },
		{ "{\"type\":\"disk\",\"source\":\"/\",\"path\":\"/a\"}", NULL, is_none, is_none,
		  NULL },
		{ "{\"type\":\"disk\",\"source\":\"/nowhere/x\",\"path\":\"/a\"}", NULL, is_none,
		  is_none, "no such path on member \"m1\"" },
		{ "{\"type\":\"disk\",\"source\":\"/nowhere/x\",\"required\":\"false\"}", NULL,
		  is_none, is_none, NULL },
	};

	char lo[] = "lo";

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *dev = parsed(cases[i].options);
		struct device_host host = { "m1", cases[i].bridge, cases[i].is_network,
					    cases[i].is_own, lo };
		struct err err = { 0 };
		int rc = device_ops_of(dev)->check_host("it", dev, &host, &err);

		if ((rc == 0) != !cases[i].words)
			fail_msg("%s: %s", cases[i].options, rc < 0 ? err.msg : "taken");
		if (rc < 0 && !strstr(err.msg, cases[i].words))
			fail_msg("%s: %s", cases[i].options, err.msg);
	}
}

/* Options come as text, and are in a description what their rows say. */
static void test_describe(void **state)
{
	static const struct {
		const char *options, *description;
	} cases[] = {
		{ "{\"type\":\"disk\",\"path\":\"/a\",\"source\":\"/b\",\"readonly\":\"1\","
		  "\"user.x\":\"y\"}",
		  "{\"type\":\"disk\",\"device\":\"d\",\"path\":\"/a\",\"source\":\"/b\","
		  "\"readonly\":true,\"shift\":false,\"required\":true}" },
		{ "{\"type\":\"nic\",\"network\":\"br0\",\"mtu\":\"1400\"}",
		  "{\"type\":\"nic\",\"device\":\"d\",\"network\":\"br0\",\"mtu\":1400,"
		  "\"nictype\":\"bridged\"}" },
		{ "{\"type\":\"none\"}", "{\"type\":\"none\",\"device\":\"d\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *options = parsed(cases[i].options);
		_json_ json_t *want = parsed(cases[i].description);
		_json_ json_t *dev = device_describe("d", options);
		_free_ char *text = json_text(dev);

		if (!json_equal(dev, want))
			fail_msg("%s, not %s", text, cases[i].description);
	}
}

/* --- descriptions --------------------------------------------------------------------------- */

#define DISK "\"type\":\"disk\",\"device\":\"d\",\"source\":\"/srv\",\"path\":\"/a\""
#define NIC "\"type\":\"nic\",\"device\":\"e\",\"name\":\"eth0\",\"bridge\":\"br0\""

static void test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "{" DISK "}", "{" DISK "}", true },
		{ "{" DISK "}", "{" DISK ",\"required\":false}", true },
		{ "{" DISK "}", "{" DISK ",\"readonly\":true}", false },
		{ "{" DISK "}", "{" DISK ",\"shift\":true}", false },
		{ "{" DISK "}",
		  "{\"type\":\"disk\",\"device\":\"f\",\"source\":\"/srv\",\"path\":\"/a\"}",
		  false },
		{ "{" NIC "}", "{" NIC ",\"ipv4\":\"10.1.2.3/24\"}", true },
		{ "{" NIC "}", "{" NIC ",\"mtu\":1400}", false },
		{ "{" NIC "}", "{" NIC ",\"hwaddr\":\"00:16:3e:00:00:02\"}", false },
		{ "{" NIC "}", "{\"type\":\"none\",\"device\":\"e\"}", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *a = parsed(cases[i].a), *b = parsed(cases[i].b);

		if (device_is_same(a, b) != cases[i].same)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
		assert_int_equal(device_is_same(b, a), cases[i].same);
	}
}

static void test_ports(void **state)
{
	_json_ json_t *nic = parsed("{" NIC ",\"host_name\":\"veth1\"}");
	_json_ json_t *disk = parsed("{" DISK "}");
	struct device_port p;

	assert_true(device_has_port(nic, &p));
	assert_string_equal(p.device, "e");
	assert_string_equal(p.name, "eth0");
	assert_string_equal(p.host_name, "veth1");
	assert_string_equal(p.bridge, "br0");
	assert_string_equal(p.ipv4, "");
	assert_false(device_has_port(disk, &p));
}

/* --- before a start ------------------------------------------------------------------------- */

static void test_missing_source(void **state)
{
	static const struct {
		const char *device;
		bool ok;
	} cases[] = {
		{ "{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/\"}", true },
		{ "{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/nowhere/x\"}", false },
		{ "{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/nowhere/x\","
		  "\"required\":false}",
		  true },
		{ "{\"type\":\"none\",\"device\":\"d\"}", true },
	};
	static const enum device_use uses[] = { DEVICE_START, DEVICE_RESTORE, DEVICE_PLUG };

	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(uses); i++) {
		size_t k = i / ARRAY_SIZE(uses);
		_json_ json_t *spec =
			json_pack("{ss,s[o]}", "name", "c1", "devices", parsed(cases[k].device));
		struct err err = { 0 };
		int rc = devices_prepare(spec, uses[i % ARRAY_SIZE(uses)], &err);

		if ((rc == 0) != cases[k].ok)
			fail_msg("%s: %s", cases[k].device, rc < 0 ? err.msg : "taken");
		if (rc < 0)
			assert_non_null(strstr(err.msg, "/nowhere/x"));
	}
}

/* --- lines of liblxc's configuration -------------------------------------------------------- */

static char *conf_of(const char *devices, enum device_use use, struct err *err)
{
	_json_ json_t *spec = json_pack("{ss,so}", "name", "c1", "devices", parsed(devices));
	struct sbuf out = SBUF(65536);
	struct device_conf c = { .use = use, .lxcpath = "/l", .name = "c1", .out = &out };

	if (devices_conf(spec, &c, err) == 0)
		return sbuf_take(&out);
	sbuf_free(&out);
	return NULL;
}

#define VETH "\"type\":\"nic\",\"device\":\"e\",\"name\":\"eth0\",\"host_name\":\"v1\",\"mtu\":1400"
#define MORE "\"hwaddr\":\"00:16:3e:00:00:01\",\"bridge\":\"br0\""

static void test_conf(void **state)
{
	static const struct {
		const char *devices;
		enum device_use use;
		const char *text;
	} cases[] = {
		{ "[]", DEVICE_START, "" },
		{ "[{\"type\":\"none\",\"device\":\"e\"}]", DEVICE_START, "" },
		{ "[{" VETH "," MORE "}]", DEVICE_START,
		  "lxc.net.0.type = veth\nlxc.net.0.link = br0\nlxc.net.0.veth.pair = v1\n"
		  "lxc.net.0.mtu = 1400\nlxc.net.0.hwaddr = 00:16:3e:00:00:01\n"
		  "lxc.net.0.name = eth0\nlxc.net.0.flags = up\n" },
		{ "[{" VETH "," MORE "}]", DEVICE_RESTORE,
		  "lxc.net.0.type = phys\nlxc.net.0.link = v1p\nlxc.net.0.name = eth0\n"
		  "lxc.net.0.flags = up\n" },
		{ "[{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/\",\"path\":\"/a b\"}]",
		  DEVICE_START,
		  "lxc.mount.entry = /l/c1/stage/dev-d a\\040b none bind,create=dir 0 0\n" },
		{ "[{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/etc/passwd\","
		  "\"path\":\"/p\",\"readonly\":true}]",
		  DEVICE_RESTORE,
		  "lxc.mount.entry = /l/c1/stage/dev-d p none bind,ro,create=file 0 0\n" },
		{ "[{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/nowhere/x\","
		  "\"path\":\"/p\",\"required\":false}]",
		  DEVICE_START, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err;
		_free_ char *text = conf_of(cases[i].devices, cases[i].use, &err);

		if (!text)
			fail_msg("%s: %s", cases[i].devices, err.msg);
		assert_string_equal(text, cases[i].text);
	}
}

/* The kernel takes one default route. */
static void test_first_gateway(void **state)
{
	struct err err;
	_free_ char *text =
		conf_of("[{" VETH ",\"ipv4\":\"10.1.2.3/24\",\"ipv4_gateway\":\"10.1.2.1\"},"
			"{\"type\":\"nic\",\"device\":\"f\",\"name\":\"eth1\",\"host_name\":\"v2\","
			"\"ipv4\":\"10.1.3.3/24\",\"ipv4_gateway\":\"10.1.3.1\"}]",
			DEVICE_RESTORE, &err);

	assert_non_null(strstr(text, "lxc.net.0.ipv4.gateway = 10.1.2.1\n"));
	assert_non_null(strstr(text, "lxc.net.1.ipv4.address = 10.1.3.3/24 10.1.3.255\n"));
	assert_null(strstr(text, "lxc.net.1.ipv4.gateway"));
}

static void test_bad_conf(void **state)
{
	static const char *const bad[] = {
		"[{\"type\":\"nic\",\"device\":\"e\",\"name\":\"a/b\",\"host_name\":\"v1\"}]",
		"[{\"type\":\"nic\",\"device\":\"e\",\"name\":\"eth0\",\"host_name\":\"\"}]",
		"[{\"type\":\"nic\",\"device\":\"e\",\"name\":\"eth0\","
		"\"host_name\":\"fifteen-bytes-x\"}]",
		"[{" VETH ",\"ipv4\":\"10.1.2.3/24\\nlxc.include = /x\"}]",
		"[{\"type\":\"nic\",\"device\":\"e\",\"name\":\"eth0\",\"host_name\":\"v1\","
		"\"mtu\":65536}]",
		"[{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/\",\"path\":\"/\"}]",
		"[{\"type\":\"disk\",\"device\":\"d\",\"source\":\"/\",\"path\":\"/a\\nb\"}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };
		_free_ char *text = conf_of(bad[i], DEVICE_START, &err);

		if (text)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "of c1"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_plugged_or_at_the_start),
		cmocka_unit_test(test_unknown_type),
		cmocka_unit_test(test_types_are_named),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_missing_source),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_first_gateway),
		cmocka_unit_test(test_bad_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
