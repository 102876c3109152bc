/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/work/keys.h"
#include "base/mem.h"
#include "base/str.h"

/* Each row of the table must accept its own default, be found by its name, and explain itself. */
static void test_table(void **state)
{
	size_t n;
	const struct key *keys = key_table(&n);

	assert_true(n > 50);
	for (size_t i = 0; i < n; i++) {
		_json_ json_t *config = json_object();
		struct err err = { 0 };

		assert_true(strlen(keys[i].doc) > 2);
		if (strchr(keys[i].name, '*'))
			continue;
		assert_ptr_equal(key_find(keys[i].of, keys[i].name), &keys[i]);
		if (!keys[i].dflt)
			continue;
		json_put_str(config, keys[i].name, keys[i].dflt);
		if (keys_check(keys[i].of, "test", config, NULL, &err) < 0)
			fail_msg("default of %s: %s", keys[i].name, err.msg);
		assert_string_equal(key_value(keys[i].of, NULL, keys[i].name), keys[i].dflt);
	}
}

static const struct {
	const char *name, *good;
} samples[] = {
	{ "limits.cpu", "0-3,7" },
	{ "limits.memory", "512MiB" },
	{ "raw.lxc", "lxc.cap.drop = sys_time" },
	{ "volatile.base_image",
	  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" },
	{ "volatile.uuid", "6f1b9a64-1c70-4a2e-9d0f-3b1f8f0f1b11" },
	{ "volatile.*.hwaddr", "00:16:3e:01:02:03" },
	{ "hwaddr", "00:16:3e:01:02:03" },
	{ "ipv4.address", "10.1.2.3" },
	{ "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9" },
	{ "source", "/srv/pool" },
	{ "path", "/srv" },
	{ "core.https_address", "10.0.0.5:8443" },
	{ "cluster.join_token_expiry", "3H" },
	{ "core.remote_token_expiry", "3H" },
};

/* Of the row's own default, words, range or type; else of the samples, else any text. */
static const char *good_value(const struct key *k, char buf[32])
{
	if (k->dflt)
		return k->dflt;
	if (k->rule.words)
		return k->rule.words[0];
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		if (str_eq(samples[i].name, k->name))
			return samples[i].good;
	}
	if (k->type == K_BOOL)
		return "true";
	snprintf(buf, 32, "%lld", (long long)k->rule.max);
	return k->type == K_INT ? buf : "br0";
}

static int check_value(const struct key *k, const char *value, struct err *err)
{
	const char *star = strchr(k->name, '*');
	_free_ char *name = star ? xasprintf("%.*sx%s", (int)(star - k->name), k->name, star + 1)
				 : xstrdup(k->name);
	_json_ json_t *config = json_object();

	json_put_str(config, name, value);
	return keys_check(k->of, "test", config, NULL, err);
}

/* Fails unless the value is refused by name. */
static void refuses(const struct key *k, const char *value)
{
	_free_ char *start = xstrndup(value, 40);
	_free_ char *name = xstrndup(k->name, strcspn(k->name, "*"));
	struct err err = { 0 };

	if (check_value(k, value, &err) == 0)
		fail_msg("%s takes \"%s\"", k->name, start);
	assert_int_equal(err.kind, ERR_INVALID);
	if (!strstr(err.msg, name) || (strlen(value) < 60 && !strstr(err.msg, start)))
		fail_msg("%s = %s: %s", k->name, value, err.msg);
}

static void refuses_number(const struct key *k, int64_t value)
{
	_free_ char *text = xasprintf("%lld", (long long)value);

	refuses(k, text);
}

/* What no row may take, by type and rule. */
static void test_every_row(void **state)
{
	static const char *const no_numbers[] = {
		"1.5", " 1",   "1 ", "0x10", "1e3", "\xd9\xa3", "99999999999999999999",
		"one", "1GiB", "+1"
	};
	static const char *const no_bools[] = { "maybe", " true", "true ", "2", "tru\xc3\xa9" };
	size_t n;
	const struct key *keys = key_table(&n);
	_free_ char *huge = xcalloc((64 << 10) + 2, 1);

	memset(huge, '1', (64 << 10) + 1);
	for (size_t i = 0; i < n; i++) {
		const struct key *k = &keys[i];
		struct err err = { 0 };
		char buf[32];

		refuses(k, huge);
		if (k->refused) {
			refuses(k, "true");
			continue;
		}
		if (check_value(k, good_value(k, buf), &err) < 0)
			fail_msg("%s", err.msg);
		for (size_t v = 0; k->type == K_INT && v < ARRAY_SIZE(no_numbers); v++)
			refuses(k, no_numbers[v]);
		for (size_t v = 0; k->type == K_BOOL && v < ARRAY_SIZE(no_bools); v++)
			refuses(k, no_bools[v]);
		if (k->type == K_INT && k->rule.min < k->rule.max) {
			refuses_number(k, k->rule.min - 1);
			refuses_number(k, k->rule.max + 1);
		}
		if (k->rule.words || k->rule.check || k->rule.read)
			refuses(k, "a\nb");
		if (k->rule.words)
			refuses(k, "NoSuchWord");
	}
}

#define A31 "abcdefghijklmnopqrstuvwxyz01234"
#define A61 A31 "abcdefghijklmnopqrstuvwxyz0123"
#define A63 A31 "-" A31

static const struct {
	enum keys_of of;
	const char *key, *value;
	bool ok;
} values[] = {
	{ KEYS_INSTANCE, "limits.cpu", "1", true },
	{ KEYS_INSTANCE, "limits.cpu", "0-3,7", true },
	{ KEYS_INSTANCE, "limits.cpu", "3-1", false },
	{ KEYS_INSTANCE, "limits.cpu", "0", false },
	{ KEYS_INSTANCE, "limits.cpu", "-1", false },
	{ KEYS_INSTANCE, "limits.cpu", "two", false },
	{ KEYS_INSTANCE, "limits.memory", "512MiB", true },
	{ KEYS_INSTANCE, "limits.memory", "10%", true },
	{ KEYS_INSTANCE, "limits.memory", "0%", false },
	{ KEYS_INSTANCE, "limits.memory", "101%", false },
	{ KEYS_INSTANCE, "limits.memory", "much", false },
	{ KEYS_INSTANCE, "limits.memroy", "1GiB", false },
	{ KEYS_INSTANCE, "boot.autostart", "TRUE", true },
	{ KEYS_INSTANCE, "boot.autostart", "maybe", false },
	{ KEYS_INSTANCE, "environment.A", "b", true },
	{ KEYS_INSTANCE, "environment.", "b", false },
	{ KEYS_INSTANCE, "environment", "b", false },
	{ KEYS_INSTANCE, "user.anything.at.all", "b", true },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.cap.drop = sys_time\n# note\n", true },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.rootfs.path = /etc", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.hook.start = /bin/sh", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.include = /etc/passwd", false },
	{ KEYS_INSTANCE, "raw.lxc", "nonsense", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.idmap = u 0 0 1", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.namespace.clone = net", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.execute.cmd = /bin/sh", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.monitor.unshare = 1", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.cgroup.relative = 1", false },
	{ KEYS_INSTANCE, "raw.lxc", "lxc.cgroup2.memory.high = 9000000", true },
	{ KEYS_INSTANCE, "limits.memory", "1", false },
	{ KEYS_INSTANCE, "environment.A=B", "b", false },
	{ KEYS_INSTANCE, "environment.A B", "b", false },
	{ KEYS_INSTANCE, "user.a\nb", "b", false },
	{ KEYS_INSTANCE, "volatile.nonsense", "b", false },
	{ KEYS_INSTANCE, "volatile.eth0.speed", "b", false },
	{ KEYS_INSTANCE, "volatile.last_state.power", "RUNNING", true },
	{ KEYS_INSTANCE, "cluster.evacuate", "stop", false },
	{ KEYS_NETWORK, "ipv4.dhcp.expiry", "30m", true },
	{ KEYS_NETWORK, "ipv4.dhcp.expiry", "infinite", true },
	{ KEYS_NETWORK, "ipv4.dhcp.expiry", "30s", false },
	{ KEYS_NETWORK, "ipv4.dhcp.expiry", "soon", false },
	{ KEYS_NETWORK, "volatile.x", "b", false },
	{ KEYS_NIC, "host_name", "veth56789012345", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.1/7", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.1/31", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.2/30", true },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.0/16", true },
	{ KEYS_NETWORK, "ipv4.address", "223.1.2.1/24", true },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.0/24", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.255/24", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.3/30", false },
	{ KEYS_NETWORK, "ipv4.address", "224.0.0.1/24", false },
	{ KEYS_NETWORK, "ipv4.address", "240.0.0.1/8", false },
	{ KEYS_NETWORK, "ipv4.address", "255.255.255.254/24", false },
	{ KEYS_NETWORK, "ipv4.address", "127.0.0.1/8", false },
	{ KEYS_NETWORK, "ipv4.address", "169.254.0.1/16", false },
	{ KEYS_NETWORK, "ipv4.address", "0.0.0.0/8", false },
	{ KEYS_NETWORK, "ipv4.address", "0.1.2.3/24", false },
	{ KEYS_NETWORK, "dns.domain", "lab.example", true },
	{ KEYS_NETWORK, "dns.domain", "x-1.y", true },
	{ KEYS_NETWORK, "dns.domain", ".", false },
	{ KEYS_NETWORK, "dns.domain", "a.", false },
	{ KEYS_NETWORK, "dns.domain", ".a", false },
	{ KEYS_NETWORK, "dns.domain", "a..b", false },
	{ KEYS_NETWORK, "dns.domain", "-x", false },
	{ KEYS_NETWORK, "dns.domain", "-.a", false },
	{ KEYS_NETWORK, "dns.domain", "a-.b", false },
	{ KEYS_NETWORK, "dns.domain", "a_b", false },
	{ KEYS_NETWORK, "dns.domain", A63, true },
	{ KEYS_NETWORK, "dns.domain", A63 "a", false },
	{ KEYS_NETWORK, "dns.domain", A63 "." A61 "." A63, true },
	{ KEYS_NETWORK, "dns.domain", A63 "." A63 "." A63, false },
	{ KEYS_NIC, "name", "eth0", true },
	{ KEYS_NIC, "name", "a1", true },
	{ KEYS_NIC, "name", "veth56789012345", true },
	{ KEYS_NIC, "name", "0", false },
	{ KEYS_NIC, "name", "e", false },
	{ KEYS_NIC, "name", "lo", false },
	{ KEYS_NIC, "name", "all", false },
	{ KEYS_NIC, "name", "default", false },
	{ KEYS_NIC, "name", "a%d", false },
	{ KEYS_NIC, "name", "a:1", false },
	{ KEYS_NIC, "host_name", "1", false },
	{ KEYS_NIC, "host_name", "lo", false },
	{ KEYS_NIC, "host_name", "default", false },
	{ KEYS_NIC, "host_name", "veth5678901234", true },
	{ KEYS_NIC, "hwaddr", "01:16:3e:01:02:03", false },
	{ KEYS_NIC, "hwaddr", "00:00:00:00:00:00", false },
	{ KEYS_DISK, "size", "1GiB", false },
	{ KEYS_DISK, "path", "//", false },
	{ KEYS_DISK, "path", "/a/./b", false },
	{ KEYS_DISK, "path", "/a/b/", true },
	{ KEYS_DISK, "path", "/" A63 A63 A63 A63 "abc", true },
	{ KEYS_DISK, "path", "/a/" A63 A63 A63 A63 "abcd/b", false },
	{ KEYS_SERVER, "cluster.max_voters", "4", false },
	{ KEYS_SERVER, "cluster.max_voters", "9", false },
	{ KEYS_SERVER, "cluster.max_voters", "5", true },
	{ KEYS_SERVER, "cluster.max_standby", "6", false },
	{ KEYS_SERVER, "cluster.raft_latency_ms", "19", false },
	{ KEYS_SERVER, "cluster.raft_latency_ms", "501", false },
	{ KEYS_SERVER, "core.https_address", "a\nb", false },
	{ KEYS_IMAGE, "os", "Debian", true },
	{ KEYS_IMAGE, "o s", "Debian", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.1/24", true },
	{ KEYS_NETWORK, "ipv4.address", "auto", true },
	{ KEYS_NETWORK, "ipv4.address", "none", true },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.1", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.1/33", false },
	{ KEYS_NETWORK, "ipv4.address", "10.1.2.256/24", false },
	{ KEYS_NETWORK, "ipv4.dhcp.ranges", "10.0.0.2-10.0.0.9,10.0.0.20-10.0.0.30", true },
	{ KEYS_NETWORK, "ipv4.dhcp.ranges", "10.0.0.9-10.0.0.2", false },
	{ KEYS_NETWORK, "ipv6.address", "fd00::1/64", false },
	{ KEYS_NETWORK, "bridge.mtu", "1500", true },
	{ KEYS_NETWORK, "bridge.mtu", "10", false },
	{ KEYS_NETWORK, "vxlan.id", "16777216", false },
	{ KEYS_POOL, "source", "/srv/pool", true },
	{ KEYS_POOL, "source", "srv/pool", false },
	{ KEYS_POOL, "source", "/srv/../etc", false },
	{ KEYS_SERVER, "core.https_address", "10.0.0.5:8443", true },
	{ KEYS_SERVER, "core.https_address", "10.0.0.5", true },
	{ KEYS_SERVER, "core.https_address", ":8443", true },
	{ KEYS_SERVER, "core.https_address", "[fd00::1]:8443", true },
	{ KEYS_SERVER, "core.https_address", "fd00::1:8443", false },
	{ KEYS_SERVER, "core.https_address", "10.0.0.5:99999", false },
	{ KEYS_SERVER, "cluster.join_token_expiry", "3H", true },
	{ KEYS_SERVER, "cluster.join_token_expiry", "1H 30M", true },
	{ KEYS_SERVER, "cluster.join_token_expiry", "soon", false },
	{ KEYS_SERVER, "cluster.join_token_expiry", "30", false },
	{ KEYS_SERVER, "core.remote_token_expiry", "1d 30", false },
	{ KEYS_SERVER, "core.remote_token_expiry", "0", false },
	{ KEYS_SERVER, "core.remote_token_expiry", "-1H", false },
	{ KEYS_SERVER, "core.remote_token_expiry", "101y", false },
	{ KEYS_SERVER, "core.trust_password", "x", false },
	{ KEYS_MEMBER, "user.rack", "7", true },
	{ KEYS_MEMBER, "scheduler.instance", "sometimes", false },
};

static void test_values(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_json_ json_t *config = json_object();
		struct err err = { 0 };

		json_put_str(config, values[i].key, values[i].value);
		if ((keys_check(values[i].of, "test", config, NULL, &err) == 0) != values[i].ok)
			fail_msg("%s=%s: expected %s", values[i].key, values[i].value,
				 values[i].ok ? "success" : "a refusal");
		if (!values[i].ok) {
			assert_int_equal(err.kind, ERR_INVALID);
			assert_non_null(strstr(err.msg, values[i].key));
			assert_non_null(strstr(err.msg, "test"));
		}
	}
}

static void test_filled(void **state)
{
	_json_ json_t *config = json_pack("{s:s}", "ipv4.nat", "true");
	_json_ json_t *filled = keys_filled(KEYS_NETWORK, config);

	assert_string_equal(json_str(filled, "ipv4.nat", ""), "true");
	assert_string_equal(json_str(filled, "ipv4.dhcp.expiry", ""), "1h");
	assert_null(json_str(filled, "bridge.mtu", NULL));
	assert_int_equal(json_object_size(config), 1);
}

/* Clients send numbers and booleans, and "" or null to unset. */
static void test_cleaning(void **state)
{
	_json_ json_t *config = json_pack("{s:b, s:i, s:s, s:n, s:s}", "boot.autostart", 1,
					  "boot.autostart.delay", 5, "limits.cpu", "", "user.a",
					  "user.b", "x");
	_json_ json_t *nested = json_pack("{s:{}}", "user.a");
	struct err err = { 0 };

	assert_int_equal(keys_check(KEYS_INSTANCE, "c1", config, NULL, &err), 0);
	assert_int_equal(json_object_size(config), 3);
	assert_string_equal(json_str(config, "boot.autostart", ""), "true");
	assert_string_equal(json_str(config, "boot.autostart.delay", ""), "5");
	assert_int_equal(keys_check(KEYS_INSTANCE, "c1", nested, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

/* What an older version took is in no other key's way; to change it is to have it checked. */
static void test_kept_values(void **state)
{
	_json_ json_t *old = json_pack("{s:s, s:s}", "limits.cpu", "two", "no.such.key", "1");
	_json_ json_t *config = json_pack("{s:s, s:s, s:s}", "limits.cpu", "two", "no.such.key",
					  "1", "user.a", "b");
	_json_ json_t *nic = json_pack("{s:{s:s, s:s, s:s}}", "e", "type", "nic", "network", "br0",
				       "name", "0");
	_json_ json_t *next = json_deep_copy(nic);
	struct err err = { 0 };

	assert_int_equal(keys_check(KEYS_INSTANCE, "c1", config, NULL, &err), -1);
	assert_int_equal(keys_check(KEYS_INSTANCE, "c1", config, old, &err), 0);
	json_put_str(config, "limits.cpu", "three");
	assert_int_equal(keys_check(KEYS_INSTANCE, "c1", config, old, &err), -1);
	assert_non_null(strstr(err.msg, "three"));
	assert_int_equal(devices_check("c1", nic, NULL, &err), -1);
	assert_int_equal(devices_check("c1", next, nic, &err), 0);
	json_put_str(json_obj(next, "e"), "mtu", "1400");
	assert_int_equal(devices_check("c1", next, nic, &err), -1);
}

static const struct {
	const char *text;
	bool ok;
} devices[] = {
	{ "{}", true },
	{ "{\"root\":{\"type\":\"disk\",\"path\":\"/\",\"pool\":\"default\"}}", true },
	{ "{\"root\":{\"type\":\"disk\",\"path\":\"/\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/mnt\",\"source\":\"/srv\"}}", true },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/mnt\",\"source\":\"srv\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/dev\",\"source\":\"/srv\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/proc/\",\"source\":\"/srv\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/sys\",\"source\":\"/srv\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/device\",\"source\":\"/srv\"}}", true },
	{ "{\"d\":{\"type\":\"disk\",\"source\":\"/srv\"}}", false },
	{ "{\"d\":{\"type\":\"disk\",\"path\":\"/mnt\",\"pool\":\"p\",\"source\":\"v\"}}", false },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\"}}", true },
	{ "{\"e\":{\"type\":\"nic\"}}", false },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\",\"hwaddr\":\"00:16:3e:1:2:3\"}}", false },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\",\"hwaddr\":\"00:16:3e:01:02:03\"}}", true },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\",\"speed\":\"fast\"}}", false },
	{ "{\"e\":{\"type\":\"none\"}}", true },
	{ "{\"e\":{\"type\":\"gpu\"}}", false },
	{ "{\"e\":{\"network\":\"br0\"}}", false },
	{ "{\"e\":\"nic\"}", false },
	{ "{\"a/b\":{\"type\":\"none\"}}", false },
};

static void test_devices(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct err err = { 0 };
		_json_ json_t *j =
			json_parse(devices[i].text, strlen(devices[i].text), "devices", &err);

		assert_non_null(j);
		if ((devices_check("instance \"c1\"", j, NULL, &err) == 0) != devices[i].ok)
			fail_msg("%s: expected %s", devices[i].text,
				 devices[i].ok ? "success" : "a refusal");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),     cmocka_unit_test(test_values),
		cmocka_unit_test(test_cleaning),  cmocka_unit_test(test_kept_values),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_every_row), cmocka_unit_test(test_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
