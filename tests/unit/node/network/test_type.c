/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/network/network_int.h"

static json_t *parsed(const char *text)
{
	struct err err;
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void test_types(void **state)
{
	for (size_t i = 0; network_types[i]; i++) {
		const struct network_ops *ops = network_types[i];
		_json_ json_t *net = json_pack("{ss}", "type", ops->type);
		struct err err;

		assert_ptr_equal(network_type_of(net, &err), ops);
		assert_string_equal(ops->keys.scope, ops->type);
		assert_non_null(keys_find(&ops->keys, "ipv4.address"));
		assert_int_equal(network_spans(net), ops->spans != NULL);
		/* Who spans members is told where their containers are. */
		assert_int_equal(ops->forwarding != NULL, ops->spans != NULL);
	}
}

static void test_default(void **state)
{
	static const char *const texts[] = { "{}", "{\"type\":\"\"}", "{\"type\":null}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_json_ json_t *net = parsed(texts[i]);
		struct err err;

		assert_ptr_equal(network_type_of(net, &err), network_types[0]);
		assert_false(network_spans(net));
	}
}

static void test_unknown(void **state)
{
	static const char *const texts[] = { "{\"type\":\"ovn\"}", "{\"type\":\"BRIDGE\"}",
					     "{\"type\":\"bridge \"}" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_json_ json_t *net = parsed(texts[i]);
		struct err err = { 0 };

		assert_null(network_type_of(net, &err));
		assert_int_equal(err.kind, ERR_INVALID);
		for (size_t k = 0; network_types[k]; k++)
			assert_non_null(strstr(err.msg, network_types[k]->type));
		assert_false(network_spans(net));
	}
}

static void test_keys_of_types(void **state)
{
	static const struct {
		const char *type, *config;
		const char *wrong; /* NULL: right */
	} cases[] = {
		{ "overlay", "{\"vxlan.id\":\"7\"}", NULL },
		{ "overlay", "{\"vxlan.id\":\"0\"}", "vxlan.id" },
		{ "bridge", "{\"vxlan.id\":\"7\"}", "overlay" },
		{ "bridge", "{\"bridge.mtu\":\"1400\"}", NULL },
		{ "overlay", "{\"bridge.mtu\":\"1400\"}", NULL },
		{ "bridge", "{\"ipv4.nat.address\":\"10.1.2.3\"}", "ipv4.nat.address" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *net = json_pack("{ss}", "type", cases[i].type);
		_json_ json_t *config = parsed(cases[i].config);
		struct err err = { 0 };
		int rc = keys_check(&network_type_of(net, &err)->keys, "network \"n\"", config,
				    NULL, &err);

		assert_int_equal(rc < 0, cases[i].wrong != NULL);
		if (cases[i].wrong)
			assert_non_null(strstr(err.msg, cases[i].wrong));
	}
}

#define NET "\"name\":\"n0\",\"type\":"

static void test_parse(void **state)
{
	static const struct {
		const char *desc;
		uint32_t mtu, vni; /* mtu 0: refused */
	} cases[] = {
		{ "{" NET "\"bridge\",\"vni\":7}", 1500, 0 },
		{ "{" NET "\"bridge\",\"config\":{\"bridge.mtu\":\"9000\"}}", 9000, 0 },
		{ "{" NET "\"overlay\",\"vni\":7}", 1450, 7 },
		{ "{" NET "\"overlay\",\"vni\":7,\"config\":{\"bridge.mtu\":\"1300\"}}", 1300, 7 },
		{ "{" NET "\"overlay\"}", 0, 0 },
		{ "{" NET "\"overlay\",\"vni\":16777216}", 0, 0 },
		{ "{" NET "\"overlay\",\"vni\":7,\"peers\":[{\"address\":\"192.0.2.1\"}]}", 0, 0 },
		{ "{" NET "\"ovn\"}", 0, 0 },
		{ "{\"name\":\"a/b\",\"type\":\"bridge\"}", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *desc = parsed(cases[i].desc);
		struct err err = { 0 };
		struct net net;
		int rc = net_parse(&net, desc, &err);

		if ((rc == 0) != (cases[i].mtu != 0))
			fail_msg("%s: %s", cases[i].desc, rc < 0 ? err.msg : "taken");
		if (rc < 0) {
			assert_int_equal(err.kind, ERR_INVALID);
			continue;
		}
		assert_int_equal(net.mtu, cases[i].mtu);
		assert_int_equal(net.vni, cases[i].vni);
		net_done(&net);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),         cmocka_unit_test(test_default),
		cmocka_unit_test(test_unknown),       cmocka_unit_test(test_parse),
		cmocka_unit_test(test_keys_of_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
