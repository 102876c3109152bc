/* SPDX-License-Identifier: Apache-2.0 */
/* A server that is freed without having run: what was asked of it before does not keep it. */
#include "tests/unit/api/api_world.h"

static void an_address_that_nobody_listens_on_yet(void **state)
{
	struct api_world *t = *state;
	_free_ char *address = xasprintf("127.0.0.1:%d", api_free_port());
	struct err err = { 0 };

	assert_int_equal(server_listen(t->env.server, address, &err), 0);
	/* it is taken from here on, and the end of the server gives it back */
	assert_int_equal(server_listen(t->env.server, address, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
}

static void addresses_that_are_none(void **state)
{
	static const char *const bad[] = { "127.0.0.1",
					   "127.0.0.1:",
					   "127.0.0.1:http",
					   "[::1:80",
					   "no.such.host.invalid:80",
					   "127.0.0.1:70000" };
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };

		if (server_listen(t->env.server, bad[i], &err) == 0)
			fail_msg("listens on %s", bad[i]);
		assert_true(err.msg[0]);
	}
}

static void operations_of_other_members_are_remembered(void **state)
{
	static const char id[] = "00000000-0000-4000-8000-000000000001";
	struct api_world *t = *state;
	char member[64] = "";

	assert_false(server_find_operation(t->env.server, id, member));
	assert_false(server_find_operation(t->env.server, "", member));
	server_note_operation(t->env.server, "no-id", "m1");
	assert_false(server_find_operation(t->env.server, "no-id", member));
	server_note_operation(t->env.server, id, "m2");
	assert_true(server_find_operation(t->env.server, id, member));
	assert_string_equal(member, "m2");
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(an_address_that_nobody_listens_on_yet),
		T(addresses_that_are_none),
		T(operations_of_other_members_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
