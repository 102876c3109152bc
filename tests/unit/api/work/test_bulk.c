/* SPDX-License-Identifier: Apache-2.0 */
/* The same for all instances of a project: whom it means something to, and what is told of those
 * that fail. */
#include "node/helper/verbs.h"
#include "tests/unit/api/instance/instance_world.h"

static void is_for_whom_it_means_something(void **state)
{
	static const struct {
		const char *action;
		const char *failed; /* JSON: the names; NULL: it ends well */
	} cases[] = {
		/* none runs */
		{ "stop", NULL },
		{ "restart", NULL },
		{ "freeze", NULL },
		{ "unfreeze", NULL },
		/* they have no volume; the one of another project is not asked */
		{ "start", "['c1','c2']" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *body = xasprintf("{\"state\":{\"action\":\"%s\"}}", cases[i].action);
		_json_ json_t *ended = NULL, *want = NULL;
		const json_t *failed;
		json_t *name;
		size_t k;

		api_expect(t, "PUT /1.0/instances", body, 202);
		ended = api_ended_op(t);
		failed = json_obj(json_obj(ended, "metadata"), "failed");
		want = cases[i].failed ? quoted(cases[i].failed) : json_array();
		if (json_object_size(failed) != json_array_size(want))
			fail_msg("%s: %s", cases[i].action, json_str(ended, "err", ""));
		json_array_foreach(want, k, name)
			assert_non_null(json_object_get(failed, json_string_value(name)));
		assert_string_equal(json_str(ended, "status", ""),
				    cases[i].failed ? "Failure" : "Success");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, instance_world_open, api_world_close)
		T(is_for_whom_it_means_something),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
