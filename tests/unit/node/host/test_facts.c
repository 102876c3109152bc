/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/host/facts.h"
#include "node/host/lxc_query.h"
#include "node/node_int.h"

static char top[] = "/tmp";
static struct node node = { .dir = top };

/* What the checks before a move compare is there, and is this host's. */
static void of_this_host(void **state)
{
	_json_ json_t *facts = node_facts(&node);
	struct utsname u;

	uname(&u);
	assert_string_equal(json_str(facts, "kernel_version", ""), u.release);
	assert_string_equal(json_str(facts, "kernel_architecture", ""), u.machine);
	assert_string_equal(json_str(facts, "hostname", ""), u.nodename);
	assert_string_equal(json_str(facts, "driver_version", ""), lxc_query_version());
	assert_true(json_array_size(json_arr(facts, "cpu_flags")) > 0);
	assert_true(json_is_boolean(json_object_get(facts, "idmapped_mounts")));
	assert_true(json_is_boolean(json_object_get(facts, "cgroup2")));
	assert_true(json_is_boolean(json_object_get(facts, "apparmor")));
	assert_true(json_is_boolean(json_object_get(facts, "seccomp")));
	/* A program without a version could not be run. */
	if (*json_str(facts, "criu", ""))
		assert_true(strchr(json_str(facts, "criu_version", ""), '.') != NULL);
	else
		assert_string_equal(json_str(facts, "criu_version", "?"), "");
}

static void load_of_this_host(void **state)
{
	_json_ json_t *load = node_load(&node);
	const json_t *memory = json_obj(load, "memory");

	assert_int_equal(json_array_size(json_arr(load, "load")), 3);
	assert_int_equal(json_int(load, "cpus", 0), sysconf(_SC_NPROCESSORS_ONLN));
	assert_in_range(json_int(memory, "free", -1), 1, json_int(memory, "total", 0));
	assert_true(json_int(memory, "swap_total", -1) >= json_int(memory, "swap_free", 0));
	assert_true(json_int(json_obj(load, "disk"), "free", 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_this_host),
		cmocka_unit_test(load_of_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
