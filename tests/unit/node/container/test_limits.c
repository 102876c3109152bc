/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/container/limits.h"

static void test_read(void **state)
{
	static const struct {
		const char *key, *value;
		bool ok;
		int64_t memory, processes;
		const char *cpuset;
	} cases[] = {
		{ "limits.memory", "512MiB", true, 512 << 20, 0, "" },
		{ "limits.memory", "1GB", true, 1000000000, 0, "" },
		{ "limits.memory", "x", false, 0, 0, "" },
		{ "limits.memory", "0%", false, 0, 0, "" },
		{ "limits.cpu", "0-0", true, 0, 0, "0-0" },
		{ "limits.cpu", "0,0-0", true, 0, 0, "0,0-0" },
		{ "limits.cpu", "0-65535", false, 0, 0, "" },
		{ "limits.cpu", "60000", true, 0, 0, "" },
		{ "limits.cpu", "1,,3", false, 0, 0, "" },
		{ "limits.cpu", "3-", false, 0, 0, "" },
		{ "limits.cpu", "a", false, 0, 0, "" },
		{ "limits.cpu", ",", false, 0, 0, "" },
		{ "limits.processes", "500", true, 0, 500, "" },
		{ "limits.processes", "0", false, 0, 0, "" },
		{ "limits.other", "0", true, 0, 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *config = json_pack("{ss}", cases[i].key, cases[i].value);
		struct cgroup_limits l;
		struct err err = { 0 };
		int rc = limits_read(config, &l, &err);

		if ((rc == 0) != cases[i].ok)
			fail_msg("%s=%s: %s", cases[i].key, cases[i].value, err.msg);
		if (rc < 0) {
			assert_int_equal(err.kind, ERR_INVALID);
			continue;
		}
		assert_int_equal(l.memory, cases[i].memory);
		assert_int_equal(l.processes, cases[i].processes);
		assert_string_equal(l.cpuset, cases[i].cpuset);
	}
}

static void test_cpu_count(void **state)
{
	_json_ json_t *config = json_pack("{ss}", "limits.cpu", "1");
	struct cgroup_limits l;
	struct err err;
	uint64_t cpu;

	assert_int_equal(limits_read(config, &l, &err), 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1) {
		assert_string_equal(l.cpuset, "");
		return;
	}
	assert_true(str_to_u64(l.cpuset, (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpu));
}

static void test_percent(void **state)
{
	_json_ json_t *config = json_pack("{ss}", "limits.memory", "50%");
	int64_t total = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	struct cgroup_limits l;
	struct err err;

	assert_int_equal(limits_read(config, &l, &err), 0);
	assert_true(l.memory > total * 49 / 100 && l.memory <= total / 2);
}

static void test_cpus(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t count, last;
		const char *set;
	} cases[] = {
		{ "1", true, 1, 0, "" },      { "65535", true, 65535, 0, "" },
		{ "0-3", true, 4, 3, "0-3" }, { "7,0-1", true, 3, 7, "7,0-1" },
		{ "5-5", true, 1, 5, "5-5" }, { "0", false, 0, 0, "" },
		{ "65536", false, 0, 0, "" }, { "3-1", false, 0, 0, "" },
		{ "-1", false, 0, 0, "" },    { "1-2-3", false, 0, 0, "" },
		{ "0-", false, 0, 0, "" },    { "0,", false, 0, 0, "" },
		{ " 1", false, 0, 0, "" },    { "0-65536", false, 0, 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits_cpus c = { 0 };
		struct err err = { 0 };

		if ((limits_parse_cpus(cases[i].text, &c, &err) == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(limits_parse_cpus(cases[i].text, NULL, &err),
				 cases[i].ok ? 0 : -1);
		assert_int_equal(c.count, cases[i].count);
		assert_int_equal(c.last, cases[i].last);
		assert_string_equal(c.set, cases[i].set);
	}
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t bytes, percent;
	} cases[] = {
		{ "1MiB", true, 1 << 20, 0 }, { "1GB", true, 1000000000, 0 },
		{ "1%", true, 0, 1 },         { "100%", true, 0, 100 },
		{ "101%", false, 0, 0 },      { "0%", false, 0, 0 },
		{ "%", false, 0, 0 },         { "10%%", false, 0, 0 },
		{ "1", false, 0, 0 },         { "1048575", false, 0, 0 },
		{ "-1GiB", false, 0, 0 },     { "9999999999TiB", false, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct limits_memory m = { 0 };
		struct err err = { 0 };

		if ((limits_parse_memory(cases[i].text, &m, &err) == 0) != cases[i].ok)
			fail_msg("%s: %s", cases[i].text, err.msg);
		assert_int_equal(m.bytes, cases[i].bytes);
		assert_int_equal(m.percent, cases[i].percent);
	}
}

/* The scheduler counts what it can read; an odd value of an older version counts as no limit. */
static void test_requested(void **state)
{
	_json_ json_t *config = json_pack("{ss, ss}", "limits.cpu", "2", "limits.memory", "much");
	_json_ json_t *set = json_pack("{ss}", "limits.cpu", "0-3,6");
	struct limits_request r = limits_requested(config);

	assert_int_equal(r.cpus.count, 2);
	assert_int_equal(r.memory.bytes, 0);
	assert_int_equal(r.memory.percent, 0);
	assert_int_equal(limits_requested(set).cpus.count, 5);
	assert_int_equal(limits_requested(NULL).cpus.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),    cmocka_unit_test(test_cpu_count),
		cmocka_unit_test(test_percent), cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_memory),  cmocka_unit_test(test_requested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
