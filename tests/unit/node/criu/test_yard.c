/* SPDX-License-Identifier: Apache-2.0 */
/* The hierarchies of this host, whatever they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/yard.h"
#include "node/host/cgroup.h"

static bool same_folder(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void a_yard_leads_to_all_hierarchies(void **state)
{
	_json_ json_t *all = cgroup_hierarchies();
	char top[] = "/tmp/test-yard-XXXXXX";
	struct err err;
	json_t *v;
	size_t i;

	assert_non_null(mkdtemp(top));
	_free_ char *dir = xasprintf("%s/yard", top);
	assert_true(criu_yard_make(dir));
	json_array_foreach(all, i, v) {
		const char *name = json_string_value(v);
		_free_ char *there = xasprintf(CGROUP_ROOT "/%s", name);
		_free_ char *here = xasprintf("%s/%s", dir, str_eq(name, ".") ? "unified" : name);

		if (!same_folder(here, there))
			fail_msg("%s is not %s", here, there);
	}
	/* Another dump finds it. */
	assert_true(criu_yard_make(dir));
	io_remove_tree(top, &err);
}

static void without_a_place_there_is_none(void **state)
{
	assert_false(criu_yard_make("/proc/no-such/yard"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_yard_leads_to_all_hierarchies),
		cmocka_unit_test(without_a_place_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
