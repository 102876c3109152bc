/* SPDX-License-Identifier: Apache-2.0 */
/* Hardware addresses, beside the leases of a real store. */
#include "tests/unit/cluster/store_world.h"

#include <ctype.h>
#include <string.h>

#include "api/work/address_int.h"

static void lease(struct store_world *w, const char *ip, const char *instance, const char *mac)
{
	_free_ char *key = xasprintf("br0/%s", ip);

	world_put(w, ENT_ADDRESS, key,
		  json_pack("{s:s, s:s, s:s, s:s, s:s}", "network", "br0", "ip", ip, "instance",
			    instance, "device", "eth0", "hwaddr", mac));
}

static int setup(void **state)
{
	struct store_world *w = xnew(struct store_world);

	world_open(w);
	world_start(w);
	lease(w, "10.1.2.2", "c1", "00:16:3e:aa:bb:01");
	lease(w, "10.1.2.3", "c2", "00:16:3E:AA:BB:02");
	world_put(w, ENT_ADDRESS, "br0/10.1.2.4",
		  json_pack("{s:s, s:s, s:b, s:s}", "network", "br0", "ip", "10.1.2.4", "freed", 1,
			    "hwaddr", "00:16:3e:aa:bb:03"));
	/* named like an address of hardware, which it has not */
	lease(w, "10.1.2.5", "00:16:3e:aa:bb:04", "00:16:3e:aa:bb:05");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_close(*state);
	free(*state);
	return 0;
}

static void has_one_key_however_it_is_written(void **state)
{
	static const struct {
		const char *network, *mac, *key;
	} cases[] = {
		{ "br0", "00:16:3e:aa:bb:01", "br0/00:16:3e:aa:bb:01" },
		{ "br0", "00:16:3E:AA:bB:01", "br0/00:16:3e:aa:bb:01" },
		/* names of networks are as they are */
		{ "BR0", "AA:AA:AA:AA:AA:AA", "BR0/aa:aa:aa:aa:aa:aa" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *key = mac_key(cases[i].network, cases[i].mac);

		assert_string_equal(key, cases[i].key);
	}
}

static void is_nobody_elses(void **state)
{
	static const struct {
		const char *network, *mac, *instance, *holder; /* holder: NULL when it is free */
	} cases[] = {
		{ "br0", "00:16:3e:aa:bb:99", "c9", NULL },
		{ "br0", "00:16:3e:aa:bb:01", "c9", "c1" },
		{ "br0", "00:16:3E:AA:BB:01", "c9", "c1" },
		{ "br0", "00:16:3e:aa:bb:02", "c9", "c2" },
		/* of the instance itself */
		{ "br0", "00:16:3e:aa:bb:01", "c1", NULL },
		/* frames of another network do not get there */
		{ "br1", "00:16:3e:aa:bb:01", "c9", NULL },
		/* the device has left */
		{ "br0", "00:16:3e:aa:bb:03", "c9", NULL },
		{ "br0", "00:16:3e:aa:bb:04", "c9", NULL },
	};
	struct store_world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		int rc = mac_check(w->store, cases[i].network, cases[i].mac, cases[i].instance,
				   &err);
		_free_ char *whose = xasprintf("of device \"eth0\" of instance \"%s\"",
					       cases[i].holder ? cases[i].holder : "");

		if (rc != (cases[i].holder ? -1 : 0))
			fail_msg("%s on %s: %d", cases[i].mac, cases[i].network, rc);
		if (!cases[i].holder)
			continue;
		assert_int_equal(err.kind, ERR_CONFLICT);
		if (!strstr(err.msg, whose) || !strstr(err.msg, cases[i].mac))
			fail_msg("%s", err.msg);
	}
}

static void is_made_of_the_range_for_containers(void **state)
{
	struct store_world *w = *state;
	char one[18], two[18];

	mac_make(w->store, one);
	mac_make(w->store, two);
	assert_string_not_equal(one, two);
	assert_true(str_starts(one, "00:16:3e:"));
	assert_int_equal(strlen(one), 17);
	for (size_t i = 0; i < strlen(one); i++) {
		bool colon = i % 3 == 2;

		assert_true(colon ? one[i] == ':'
				  : isxdigit((unsigned char)one[i]) &&
					    !isupper((unsigned char)one[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_key_however_it_is_written),
		cmocka_unit_test(is_nobody_elses),
		cmocka_unit_test(is_made_of_the_range_for_containers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
