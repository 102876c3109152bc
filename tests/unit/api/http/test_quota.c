/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/http/quota.h"

static void networks_of_addresses(void **state)
{
	assert_int_equal(quota_net("10.1.2.3:80"), quota_net("10.1.2.3:9999"));
	assert_int_not_equal(quota_net("10.1.2.3:80"), quota_net("10.1.2.4:80"));
	assert_int_equal(quota_net("[2001:db8::1]:80"), quota_net("[2001:db8::2]:80"));
	assert_int_not_equal(quota_net("[2001:db8::1]:80"), quota_net("[2001:db8:0:1::1]:80"));
	assert_int_equal(quota_net("[::ffff:10.1.2.3]:80"), quota_net("10.1.2.3:80"));
	assert_int_equal(quota_net("@"), 0);
	assert_int_equal(quota_net(""), 0);
}

static int take_all(struct quota *q, enum caller_kind kind, uint64_t net, enum quota_what what)
{
	int n = 0;

	while (quota_take(q, kind, net, what, 1) == QUOTA_OK)
		n++;
	return n;
}

static void one_network_leaves_room_for_others(void **state)
{
	struct quota *q = quota_new();
	int each = take_all(q, CALLER_NOBODY, 1, QUOTA_CONNS), all = each;

	assert_true(each > 0);
	assert_int_equal(quota_take(q, CALLER_NOBODY, 1, QUOTA_CONNS, 1), QUOTA_NET_FULL);
	assert_int_equal(quota_take(q, CALLER_NOBODY, 2, QUOTA_CONNS, 1), QUOTA_OK);
	assert_int_equal(quota_busiest(q), 1);
	all++;
	for (uint64_t net = 3; net < 100; net++)
		all += take_all(q, CALLER_NOBODY, net, QUOTA_CONNS);
	assert_true(all > each);
	assert_int_equal(quota_take(q, CALLER_NOBODY, 2, QUOTA_CONNS, 1), QUOTA_FULL);
	quota_free(q);
}

static void strangers_leave_all_to_the_trusted(void **state)
{
	static const enum caller_kind trusted[] = { CALLER_CLIENT, CALLER_MEMBER, CALLER_ADMIN };
	struct quota *q = quota_new();

	for (int what = 0; what < QUOTA_WHATS; what++) {
		size_t step = what == QUOTA_BODY ? 1 << 20 : 1;

		for (uint64_t net = 1; net < 100; net++) {
			while (quota_take(q, CALLER_NOBODY, net, what, step) == QUOTA_OK)
				;
		}
		for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++)
			assert_int_equal(quota_take(q, trusted[i], 1, what, step), QUOTA_OK);
	}
	assert_int_equal(quota_take(q, CALLER_MEMBER, 1, QUOTA_BODY, 64 << 20), QUOTA_OK);
	quota_free(q);
}

static void what_is_given_back_can_be_taken(void **state)
{
	struct quota_slot slot = { 0 };
	struct quota *q = quota_new();
	int n = take_all(q, CALLER_NOBODY, 7, QUOTA_REQUESTS);

	assert_int_equal(quota_hold(q, &slot, CALLER_NOBODY, 7, QUOTA_REQUESTS), QUOTA_NET_FULL);
	assert_false(slot.held);
	quota_give(q, CALLER_NOBODY, 7, QUOTA_REQUESTS, (size_t)n);
	assert_int_equal(quota_hold(q, &slot, CALLER_NOBODY, 7, QUOTA_REQUESTS), QUOTA_OK);
	quota_drop(q, &slot, QUOTA_REQUESTS);
	quota_drop(q, &slot, QUOTA_REQUESTS);
	assert_false(slot.held);
	assert_int_equal(quota_busiest(q), 0);
	quota_free(q);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_of_addresses),
		cmocka_unit_test(one_network_leaves_room_for_others),
		cmocka_unit_test(strangers_leave_all_to_the_trusted),
		cmocka_unit_test(what_is_given_back_can_be_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
