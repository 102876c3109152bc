/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own verbs, and what members ask of each other, at a server that is not clustered. */
#include "tests/unit/api/api_world.h"

#define NO_IMAGE "0123456789012345678901234567890123456789012345678901234567890123"

static void note_shutdown(void *arg)
{
	++*(int *)arg;
}

static void stops_when_it_is_asked_well(void **state)
{
	static const struct {
		const char *body;
		int status, stops;
	} cases[] = {
		{ "{\"instances\": \"yes\"}", 400, 0 },
		{ "[]", 400, 0 },
		{ "", 200, 1 },
		{ "{}", 200, 1 },
		{ "{\"instances\": false}", 200, 1 },
		{ "{\"instances\": true}", 200, 1 },
	};
	struct api_world *t = *state;
	static int stops;

	t->env.shutdown = note_shutdown;
	t->env.shutdown_arg = &stops;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		stops = 0;
		api_expect(t, "PUT /internal/shutdown", cases[i].body, cases[i].status);
		assert_int_equal(stops, cases[i].stops);
	}
}

static void says_that_it_is_ready(void **state)
{
	api_expect(*state, "GET /internal/ready", NULL, 200);
}

static void gives_only_images_that_are_here(void **state)
{
	static const struct api_case cases[] = {
		{ "GET /internal/images/" NO_IMAGE "/export", NULL, 404, "mage" },
		{ "GET /internal/images/" NO_IMAGE "/rootfs", NULL, 404, "mage" },
	};
	struct api_world *t = *state;

	t->caller = (struct caller){ .kind = CALLER_MEMBER, .name = "m2", .fingerprint = "f" };
	api_cases(t, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_when_it_is_asked_well),
		cmocka_unit_test(says_that_it_is_ready),
		cmocka_unit_test(gives_only_images_that_are_here),
	};

	return cmocka_run_group_tests(tests, api_world_open, api_world_close);
}
