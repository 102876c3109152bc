/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/server/metrics.h"
#include "base/mem.h"
#include "base/str.h"

static const char instances_text[] =
	"{\"c1\": {\"cpu\": {\"usage\": 2500000001}, \"processes\": 3, "
	"\"memory\": {\"total\": 1024}, \"disk\": {\"root\": {\"usage\": 77}}, "
	"\"network\": {\"eth0\": {\"counters\": {\"bytes_received\": 10}}, "
	"\"a\\\"b\\\\c\\nd\": {\"counters\": {\"bytes_received\": 0}}}}, "
	"\"web~c2\": {\"cpu\": {\"usage\": 0}, \"processes\": \"many\", \"network\": null}}";
static const char projects_text[] =
	"{\"default\": {\"instances\": 4}, \"web\": {\"instances\": 1}}";
static const char server_text[] =
	"{\"load\": 0.25, \"uptime\": 9000000000, \"memory\": {\"total\": 5}}";

/* What one metric says of the sources above. */
static char *written(const struct metric *m)
{
	_json_ json_t *instances = json_loads(instances_text, 0, NULL);
	_json_ json_t *projects = json_loads(projects_text, 0, NULL);
	_json_ json_t *server = json_loads(server_text, 0, NULL);
	struct metric_sources from = { instances, projects, server };
	_sbuf_ struct sbuf b = SBUF(1 << 16);

	assert_true(instances && projects && server);
	metric_write(&b, m, &from);
	return xstrdup(b.data ? b.data : "");
}

static void says_each_kind(void **state)
{
	static const struct {
		struct metric m;
		const char *text;
	} cases[] = {
		{ { "x_total", "counter", METRIC_INSTANCE, "cpu/usage", METRIC_NANOSECONDS, "h" },
		  "# HELP x_total h\n# TYPE x_total counter\n"
		  "x_total{name=\"c1\",project=\"default\",type=\"container\"} 2.500000001\n"
		  "x_total{name=\"c2\",project=\"web\",type=\"container\"} 0.000000000\n" },
		{ { "x", "gauge", METRIC_INSTANCE, "processes", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\n"
		  "x{name=\"c1\",project=\"default\",type=\"container\"} 3\n" },
		{ { "x", "gauge", METRIC_DISK, "usage", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\n"
		  "x{device=\"root\",name=\"c1\",project=\"default\",type=\"container\"} 77\n" },
		{ { "x", "counter", METRIC_NIC, "counters/bytes_received", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x counter\n"
		  "x{device=\"eth0\",name=\"c1\",project=\"default\",type=\"container\"} 10\n"
		  "x{device=\"a\\\"b\\\\c\\nd\",name=\"c1\",project=\"default\","
		  "type=\"container\"} 0\n" },
		{ { "x", "gauge", METRIC_PROJECT, "instances", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\n"
		  "x{project=\"default\",type=\"container\"} 4\n"
		  "x{project=\"web\",type=\"container\"} 1\n" },
		{ { "x", "gauge", METRIC_SERVER, "load", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\nx 0.25\n" },
		{ { "x", "gauge", METRIC_SERVER, "uptime", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\nx 9000000000\n" },
		{ { "x", "gauge", METRIC_SERVER, "memory/total", METRIC_PLAIN, "h" },
		  "# HELP x h\n# TYPE x gauge\nx 5\n" },
		{ { "x", "gauge", METRIC_SERVER, "memory", METRIC_PLAIN, "h" }, "" },
		{ { "x", "gauge", METRIC_SERVER, "none/at/all", METRIC_PLAIN, "h" }, "" },
		{ { "x", "gauge", METRIC_NIC, "counters/none", METRIC_PLAIN, "h" }, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = written(&cases[i].m);

		assert_string_equal(text, cases[i].text);
	}
}

static void says_nothing_without_sources(void **state)
{
	for (const struct metric *m = metrics; m->name; m++) {
		_sbuf_ struct sbuf b = SBUF(1 << 10);

		metric_write(&b, m, &(struct metric_sources){ NULL, NULL, NULL });
		assert_int_equal(b.len, 0);
	}
}

static bool is_metric_name(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* Each name once, and as Prometheus takes it. */
static void has_good_rows(void **state)
{
	for (const struct metric *m = metrics; m->name; m++) {
		assert_true(is_metric_name(m->name));
		assert_true(str_starts(m->name, "lxd_") || str_starts(m->name, "dunlin_"));
		assert_true(str_eq(m->type, "counter") || str_eq(m->type, "gauge"));
		assert_null(strpbrk(m->help, "\n\\"));
		assert_true(*m->help && *m->field);
		for (const struct metric *other = metrics; other != m; other++)
			assert_string_not_equal(other->name, m->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_each_kind),
		cmocka_unit_test(says_nothing_without_sources),
		cmocka_unit_test(has_good_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
