/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/cgroup.h"

#define CG "dunlin-test-cgroup"

static void test_parse(void **state)
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
		int rc = cgroup_limits_parse(config, &l, &err);

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

	assert_int_equal(cgroup_limits_parse(config, &l, &err), 0);
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

	assert_int_equal(cgroup_limits_parse(config, &l, &err), 0);
	assert_true(l.memory > total * 49 / 100 && l.memory <= total / 2);
}

static void base_is_where_process_1_is(void **state)
{
	static const char text[] = "9:name=systemd:/init.scope\n"
				   "5:memory:/kubepods/pod:1/abc\n"
				   "3:cpu,cpuacct:/slice/init.scope\n"
				   "2:pids:/\n"
				   "1:cpuset:relative\n"
				   "0::/outer\n";
	static const struct {
		const char *controller, *base;
	} cases[] = {
		{ "memory", "/kubepods/pod:1/abc" },
		{ "cpu", "/slice" },
		{ "cpuacct", "/slice" },
		{ "pids", "" },
		{ "cpuset", "" },
		{ "systemd", "" },
		{ "mem", "" },
		{ "freezer", "" },
		{ "", "/outer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *base = cgroup_base(text, cases[i].controller);

		assert_string_equal(base, cases[i].base);
	}
}

/* A tree as liblxc leaves it, in the hierarchies of this host. */
static void test_tree(void **state)
{
	_free_ char *payload = cgroup_path("freezer", CG, "c1", "payload/a/b");
	_free_ char *top = cgroup_path("freezer", CG, "c1", "");
	_free_ char *all = cgroup_path("freezer", CG, "", "");
	struct cgroup_usage u;
	struct err err;

	if (geteuid() != 0 || io_mkdirs(payload, 0755, &err) < 0)
		skip();
	assert_false(cgroup_is_frozen(CG, "c1"));
	assert_int_equal(cgroup_kill(CG, "c1", "payload"), 0);
	cgroup_usage(CG, "c1", &u);
	assert_int_equal(u.processes, 0);
	cgroup_remove(CG, "c1");
	assert_false(io_exists(top));
	assert_int_equal(rmdir(all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_cpu_count),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(base_is_where_process_1_is),
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
