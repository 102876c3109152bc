/* SPDX-License-Identifier: Apache-2.0 */
/* GET /1.0/metrics: what the numbers are of. */
#include "tests/unit/api/instance/instance_world.h"

#include "api/server/metrics.h"

static const char *metrics_of(struct api_world *t, const char *line)
{
	api_expect(t, line, NULL, 200);
	return t->r->reply.body.data;
}

static void assert_says(const char *text, const char *line, bool yes)
{
	_free_ char *whole = xasprintf("\n%s\n", line);

	if (!!strstr(text, whole) != yes)
		fail_msg("%s: %s", line, text);
}

static void counts_instances_by_project(void **state)
{
	static const char dflt[] = "lxd_instances{project=\"default\",type=\"container\"} 2";
	static const char web[] = "lxd_instances{project=\"web\",type=\"container\"} 1";
	struct api_world *t = *state;
	const char *text = metrics_of(t, "GET /1.0/metrics");

	assert_says(text, dflt, true);
	assert_says(text, web, true);
	assert_true(str_ends(text, "\n# EOF\n"));
	text = metrics_of(t, "GET /1.0/metrics?project=default");
	assert_says(text, dflt, true);
	assert_says(text, web, false);
}

static void tells_of_the_server_what_it_reports(void **state)
{
	static const char *const lines[] = {
		"lxd_warnings_total 0",
		"lxd_operations_total 1",
		"dunlin_member_load1 0.25",
		"dunlin_member_cpus 4",
		"dunlin_member_memory_total_bytes 1024",
		"dunlin_member_memory_available_bytes 512",
		"dunlin_member_disk_free_bytes 77",
	};
	struct api_world *t = *state;
	_json_ json_t *fact = json_pack("{s:[f,f,f], s:{s:i,s:i}, s:i, s:{s:i}}", "load", 0.25, 1.5,
					2.5, "memory", "total", 1024, "free", 512, "cpus", 4,
					"disk", "free", 77);
	_json_ json_t *op = json_pack("{s:s}", "id", "an-operation");
	const char *text;

	store_fact_put(t->w.store, FACT_MEMBER, "none", fact);
	store_fact_put(t->w.store, FACT_OPERATION, "an-operation", op);
	text = metrics_of(t, "GET /1.0/metrics");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_says(text, lines[i], true);
	assert_non_null(strstr(text, "\nlxd_uptime_seconds "));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_instances_by_project, instance_world_open,
						api_world_close),
		cmocka_unit_test_setup_teardown(tells_of_the_server_what_it_reports,
						instance_world_open, api_world_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
