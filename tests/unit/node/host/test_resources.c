/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "node/host/facts.h"
#include "node/node_int.h"

/* What every host has, and the lists that clients walk through without asking. */
static void describes_this_host(void **state)
{
	static const char *const lists[][2] = { { "gpu", "cards" },     { "network", "cards" },
						{ "storage", "disks" }, { "usb", "devices" },
						{ "pci", "devices" },   { "cpu", "sockets" },
						{ "memory", "nodes" } };
	struct node n = { 0 };
	_json_ json_t *r = node_resources(&n);
	json_t *cpu = json_obj(r, "cpu"), *memory = json_obj(r, "memory"), *socket, *core;
	size_t i, k, threads = 0;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		assert_non_null(json_arr(json_obj(r, lists[i][0]), lists[i][1]));
	assert_int_equal(json_int(cpu, "total", 0), sysconf(_SC_NPROCESSORS_CONF));
	json_array_foreach(json_arr(cpu, "sockets"), i, socket) {
		json_array_foreach(json_arr(socket, "cores"), k, core)
			threads += json_array_size(json_arr(core, "threads"));
	}
	assert_int_equal(threads, json_int(cpu, "total", 0));
	assert_true(json_int(memory, "total", 0) > json_int(memory, "used", 0));
	assert_true(json_int(memory, "used", 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(describes_this_host) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
