/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/base/key_rows.h"

#include "node/container/keys.h"

#define A32 "0123456789abcdef0123456789abcdef"

static const struct key_value values[] = {
	{ &instance_keys, "volatile.uuid", "6f1b9a64-1c70-4a2e-9d0f-3b1f8f0f1b11", true },
	{ &instance_keys, "volatile.uuid", "6f1b9a64-1c70-4a2e-9d0f-3b1f8f0f1b1", false },
	{ &instance_keys, "volatile.base_image", A32 A32, true },
	{ &instance_keys, "volatile.base_image", A32, false },
	{ &instance_keys, "volatile.eth0.hwaddr", "00:16:3e:01:02:03", true },
	{ &instance_keys, "volatile.eth0.hwaddr", "00-16-3e-01-02-03", false },
	{ &instance_keys, "limits.cpu", "1", true },
	{ &instance_keys, "limits.cpu", "0-3,7", true },
	{ &instance_keys, "limits.cpu", "3-1", false },
	{ &instance_keys, "limits.cpu", "0", false },
	{ &instance_keys, "limits.cpu", "-1", false },
	{ &instance_keys, "limits.cpu", "two", false },
	{ &instance_keys, "limits.memory", "512MiB", true },
	{ &instance_keys, "limits.memory", "10%", true },
	{ &instance_keys, "limits.memory", "0%", false },
	{ &instance_keys, "limits.memory", "101%", false },
	{ &instance_keys, "limits.memory", "much", false },
	{ &instance_keys, "limits.memroy", "1GiB", false },
	{ &instance_keys, "snapshots.expiry", "1d 2H", true },
	{ &instance_keys, "snapshots.expiry", "soon", false },
	{ &instance_keys, "snapshots.pattern", "daily-%d", true },
	{ &instance_keys, "snapshots.pattern", "a/b", false },
	{ &instance_keys, "boot.autostart", "TRUE", true },
	{ &instance_keys, "boot.autostart", "maybe", false },
	{ &instance_keys, "environment.A", "b", true },
	{ &instance_keys, "environment.", "b", false },
	{ &instance_keys, "environment", "b", false },
	{ &instance_keys, "user.anything.at.all", "b", true },
	{ &instance_keys, "raw.lxc", "lxc.cap.drop = sys_time\n# note\n", true },
	{ &instance_keys, "raw.lxc", "lxc.rootfs.path = /etc", false },
	{ &instance_keys, "raw.lxc", "lxc.hook.start = /bin/sh", false },
	{ &instance_keys, "raw.lxc", "lxc.include = /etc/passwd", false },
	{ &instance_keys, "raw.lxc", "nonsense", false },
	{ &instance_keys, "raw.lxc", "lxc.idmap = u 0 0 1", false },
	{ &instance_keys, "raw.lxc", "lxc.namespace.clone = net", false },
	{ &instance_keys, "raw.lxc", "lxc.execute.cmd = /bin/sh", false },
	{ &instance_keys, "raw.lxc", "lxc.monitor.unshare = 1", false },
	{ &instance_keys, "raw.lxc", "lxc.cgroup.relative = 1", false },
	{ &instance_keys, "raw.lxc", "lxc.cgroup2.memory.high = 9000000", true },
	{ &instance_keys, "limits.memory", "1", false },
	{ &instance_keys, "environment.A=B", "b", false },
	{ &instance_keys, "environment.A B", "b", false },
	{ &instance_keys, "user.a\nb", "b", false },
	{ &instance_keys, "volatile.nonsense", "b", false },
	{ &instance_keys, "volatile.eth0.speed", "b", false },
	{ &instance_keys, "volatile.last_state.power", "RUNNING", true },
	{ &instance_keys, "cluster.evacuate", "stop", false },
};

static void test_values(void **state)
{
	keys_take(values, ARRAY_SIZE(values));
}

static void test_rows(void **state)
{
	keys_rows_hold(&instance_keys, values, ARRAY_SIZE(values));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
