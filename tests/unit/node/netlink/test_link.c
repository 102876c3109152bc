/* SPDX-License-Identifier: Apache-2.0 */
/* Changing links that are there, in a network namespace of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/netlink/link.h"

static const uint8_t mac[MAC_LEN] = { 0x02, 0xd0, 1, 2, 3, 4 };

static int setup(void **state)
{
	struct err err = { 0 };

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(link_add_bridge("br-t", mac, &err), 0);
	assert_int_equal(link_add_veth("va", "vb", NULL, 0, &err), 0);
	return 0;
}

static struct link_info look(const char *name)
{
	struct link_info l;
	struct err err = { 0 };

	if (link_get(name, &l, &err) < 0)
		fail_msg("%s", err.msg);
	return l;
}

static void a_link_is_changed(void **state)
{
	static const uint8_t other[MAC_LEN] = { 0x02, 0xd0, 9, 9, 9, 9 };
	struct err err = { 0 };

	assert_false(look("va").flags & IFF_UP);
	assert_int_equal(link_up("va", true, &err), 0);
	assert_true(look("va").flags & IFF_UP);
	assert_int_equal(link_up("va", false, &err), 0);
	assert_false(look("va").flags & IFF_UP);
	assert_int_equal(link_set_mtu("va", 1342, &err), 0);
	assert_int_equal(look("va").mtu, 1342);
	assert_int_not_equal(look("vb").mtu, 1342);
	assert_int_equal(link_set_mac("va", other, &err), 0);
	assert_memory_equal(look("va").mac, other, MAC_LEN);
	assert_int_equal(link_set_alias("va", "dunlin c1 eth0", &err), 0);
	assert_string_equal(look("va").alias, "dunlin c1 eth0");
	assert_int_equal(look("va").peer, look("vb").index);
}

static void a_port_is_plugged_and_unplugged(void **state)
{
	struct err err = { 0 };

	assert_int_equal(look("va").master, 0);
	assert_int_equal(link_set_master("va", "br-t", &err), 0);
	assert_int_equal(look("va").master, look("br-t").index);
	assert_int_equal(link_set_learning("va", false, &err), 0);
	assert_int_equal(link_set_master("va", NULL, &err), 0);
	assert_int_equal(look("va").master, 0);
	/* Only a port of a bridge can learn. */
	assert_int_equal(link_set_learning("va", false, &err), -1);
	assert_int_equal(link_set_master("va", "no-such", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no-such"));
	assert_int_equal(link_set_master("no-such", "br-t", &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

/* Who changes what is gone hears of it, with its name. */
static void absent_links_are_named(void **state)
{
	struct err err = { 0 };

	assert_int_equal(link_up("gone", true, &err), -1);
	assert_int_equal(err.sys, ENODEV);
	assert_non_null(strstr(err.msg, "start network interface gone"));
	assert_int_equal(link_set_mtu("gone", 1400, &err), -1);
	assert_non_null(strstr(err.msg, "gone"));
	assert_int_equal(link_set_mac("gone", mac, &err), -1);
	assert_non_null(strstr(err.msg, "gone"));
	assert_int_equal(link_set_alias("gone", "x", &err), -1);
	assert_non_null(strstr(err.msg, "gone"));
	assert_int_equal(link_delete("gone", &err), 0);
}

struct names {
	int n, stop_at;
	bool bridge;
};

static int note(void *arg, const struct link_info *l)
{
	struct names *s = arg;

	s->n++;
	s->bridge |= str_eq(l->name, "br-t") && str_eq(l->kind, "bridge");
	return s->n == s->stop_at;
}

static void all_links_are_told_until_one_has_enough(void **state)
{
	struct names all = { 0 }, some = { .stop_at = 2 };
	struct err err = { 0 };

	assert_int_equal(link_each(note, &all, &err), 0);
	assert_true(all.n >= 4); /* lo, the bridge, both ends */
	assert_true(all.bridge);
	assert_int_equal(link_each(note, &some, &err), 0);
	assert_int_equal(some.n, 2);
}

/* One end takes the other with it. */
static void a_pair_goes_together(void **state)
{
	struct link_info l;
	struct err err = { 0 };

	assert_int_equal(link_delete("vb", &err), 0);
	assert_int_equal(link_get("va", &l, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(link_add_veth("va", "br-t", NULL, 0, &err), -1);
	assert_int_equal(err.sys, EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_link_is_changed, setup),
		cmocka_unit_test_setup(a_port_is_plugged_and_unplugged, setup),
		cmocka_unit_test_setup(absent_links_are_named, setup),
		cmocka_unit_test_setup(all_links_are_told_until_one_has_enough, setup),
		cmocka_unit_test_setup(a_pair_goes_together, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
