/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "node/device/device.h"

#define A31 "abcdefghijklmnopqrstuvwxyz01234"
#define A61 A31 "abcdefghijklmnopqrstuvwxyz0123"
#define A63 A31 "-" A31

static const struct key_value values[] = {
	{ &device_nic.keys, "network", "br0", true },
	{ &device_nic.keys, "network", "br/0", false },
	{ &device_nic.keys, "parent", "br0", true },
	{ &device_nic.keys, "parent", "-br0", false },
	{ &device_nic.keys, "hwaddr", "00:16:3e:01:02:03", true },
	{ &device_nic.keys, "hwaddr", "00:16:3E:01:02:0F", true },
	{ &device_nic.keys, "hwaddr", "00:16:3e:01:02", false },
	{ &device_nic.keys, "hwaddr", "00:16:3e:01:02:0g", false },
	{ &device_nic.keys, "ipv4.address", "10.1.2.3", true },
	{ &device_nic.keys, "ipv4.address", "10.1.2.3/24", false },
	{ &device_nic.keys, "ipv4.address", "10.1.2.300", false },
	{ &device_nic.keys, "ipv4.address", "fd00::1", false },
	{ &device_disk.keys, "source", "/srv", true },
	{ &device_disk.keys, "source", "srv", false },
	{ &device_disk.keys, "pool", "default", true },
	{ &device_disk.keys, "pool", "a/b", false },
	{ &device_nic.keys, "host_name", "veth56789012345", false },
	{ &device_nic.keys, "name", "eth0", true },
	{ &device_nic.keys, "name", "a1", true },
	{ &device_nic.keys, "name", "veth56789012345", true },
	{ &device_nic.keys, "name", "0", false },
	{ &device_nic.keys, "name", "e", false },
	{ &device_nic.keys, "name", "lo", false },
	{ &device_nic.keys, "name", "all", false },
	{ &device_nic.keys, "name", "default", false },
	{ &device_nic.keys, "name", "a%d", false },
	{ &device_nic.keys, "name", "a:1", false },
	{ &device_nic.keys, "host_name", "1", false },
	{ &device_nic.keys, "host_name", "lo", false },
	{ &device_nic.keys, "host_name", "default", false },
	{ &device_nic.keys, "host_name", "veth5678901234", true },
	{ &device_nic.keys, "hwaddr", "01:16:3e:01:02:03", false },
	{ &device_nic.keys, "hwaddr", "00:00:00:00:00:00", false },
	{ &device_disk.keys, "size", "1GiB", false },
	{ &device_disk.keys, "path", "//", false },
	{ &device_disk.keys, "path", "/a/./b", false },
	{ &device_disk.keys, "path", "/a/b/", true },
	{ &device_disk.keys, "path", "/" A63 A63 A63 A63 "abc", true },
	{ &device_disk.keys, "path", "/a/" A63 A63 A63 A63 "abcd/b", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&device_nic.keys, values, ARRAY_SIZE(values));
	keys_rows_hold(&device_disk.keys, values, ARRAY_SIZE(values));
	keys_rows_hold(&device_none.keys, values, ARRAY_SIZE(values));
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
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\",\"name\":\"eth0\"}}", true },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\"}}", false },
	{ "{\"e0\":{\"type\":\"nic\",\"network\":\"br0\",\"parent\":\"br0\"}}", false },
	{ "{\"e\":{\"type\":\"nic\"}}", false },
	{ "{\"e\":{\"type\":\"nic\",\"network\":\"br0\",\"hwaddr\":\"00:16:3e:1:2:3\"}}", false },
	{ "{\"e0\":{\"type\":\"nic\",\"network\":\"br0\",\"hwaddr\":\"00:16:3e:01:02:03\"}}",
	  true },
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
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
