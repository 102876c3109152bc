/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of where an object is that every member has. */
#include "tests/unit/api/rest/object_world.h"

#include "api/rest/locations.h"

/* A single host has a row of its own, under a name that nobody gave it. */
static void a_single_host_has_no_name(void **state)
{
	struct object_world *t = *state;
	_json_ json_t *shown = json_pack("{s:s}", "name", "net");

	world_put(&t->w, ENT_MEMBER, "m1", json_object());
	put_locations(&t->env, shown);
	assert_json(shown, "{\"name\":\"net\", \"status\":\"Created\", \"locations\":[\"none\"]}");
}

static int setup(void **state)
{
	struct object_world *t = xnew(struct object_world);

	object_world_open(t, NULL);
	*state = t;
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_single_host_has_no_name, setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
