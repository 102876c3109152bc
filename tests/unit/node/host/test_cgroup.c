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
		cmocka_unit_test(base_is_where_process_1_is),
		cmocka_unit_test(test_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
