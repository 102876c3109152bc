/* SPDX-License-Identifier: Apache-2.0 */
/* The life of real containers. */
#include "node/container/file.h"
#include "node/container/steps.h"
#include "node/daemon/host.h"
#include "tests/unit/node/container/container_world.h"
#include "tests/unit/base/patience.h"

#include <net/if.h>

static void test_life(void **state, const char *driver)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c1", driver);
	_json_ json_t *st = NULL;
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err;

	must(container_start(w->n, spec, &err), &err);
	assert_int_equal(container_status(w->n, "c1"), STATUS_RUNNING);
	assert_string_equal(w->told, "Running");
	assert_true(container_pid(w->n, "c1") > 1);
	assert_int_equal(container_start(w->n, spec, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	expect_run(w, "c1", "id -u; echo $GREETING $COLOUR; exit 7", 7, "0\nahoi blue sky\n");
	expect_run(w, "c1", "kill -9 $$", 137, "");
	expect_run(w, "c1", "echo x >/dev/stdout", 0, "x\n");
	expect_run(w, "c1", "cat /sys/class/net/*/operstate", 0, NULL);
	assert_int_equal(run(w, "c1", json_pack("[s]", "no-such-thing"), &out), 127);
	sbuf_reset(&out);
	assert_int_equal(run(w, "c1", json_pack("[s]", "/etc/passwd"), &out), 126);
	expect_run(w, "c1", "grep -c Seccomp:.2 /proc/self/status", 0, "1\n");
	st = container_state(w->n, "c1");
	assert_string_equal(json_str(st, "status", ""), "Running");
	assert_true(json_int(st, "processes", 0) >= 1);
	assert_true(json_int(json_obj(st, "cpu"), "usage", 0) > 0);
	assert_string_equal(json_str(json_obj(json_obj(st, "network"), "lo"), "state", ""), "up");
	must(container_stop(w->n, "c1", false, 10, &err), &err);
	assert_string_equal(w->told, "Stopped");
	assert_int_equal(container_pid(w->n, "c1"), 0);
	assert_int_equal(container_stop(w->n, "c1", false, 10, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	end_container(w, "c1");
}

static void test_life_dir(void **state)
{
	test_life(state, "dir");
}

static void test_life_overlay(void **state)
{
	struct world *w = *state;
	_free_ char *volume = xasprintf("%s/vol-c1", w->dir);
	struct err err;

	must(io_remove_tree(volume, &err), &err);
	test_life(state, "overlay");
}

static void test_freeze_and_force(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c3", "dir");
	struct err err;

	must(container_start(w->n, spec, &err), &err);
	must(container_freeze(w->n, "c3", true, &err), &err);
	assert_string_equal(w->told, "Frozen");
	assert_int_equal(container_freeze(w->n, "c3", true, &err), -1);
	must(container_stop(w->n, "c3", false, 30, &err), &err);
	assert_int_equal(container_status(w->n, "c3"), STATUS_STOPPED);
	must(container_start(w->n, spec, &err), &err);
	must(container_freeze(w->n, "c3", true, &err), &err);
	must(container_freeze(w->n, "c3", false, &err), &err);
	expect_run(w, "c3", "echo thawed", 0, "thawed\n");
	must(container_freeze(w->n, "c3", true, &err), &err);
	must(container_stop(w->n, "c3", true, 0, &err), &err);
	assert_int_equal(container_status(w->n, "c3"), STATUS_STOPPED);
	end_container(w, "c3");
}

static void test_ends_by_itself(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c4", "dir");
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err;

	must(container_start(w->n, spec, &err), &err);
	/* The command dies with its container, or just gets away. */
	run(w, "c4", json_pack("[sss]", "sh", "-c", "kill -PWR 1"), &out);
	assert_true(wait_told(w, "Stopped"));
	assert_int_equal(container_status(w->n, "c4"), STATUS_STOPPED);
	end_container(w, "c4");
}

/* True once it runs again with another init. */
static bool wait_new_init(struct world *w, const char *name, pid_t former)
{
	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 20)) {
		pid_t pid = container_pid(w->n, name);

		if (pid && pid != former && container_status(w->n, name) == STATUS_RUNNING)
			return true;
	}
	return false;
}

static void test_reboot(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c5", "dir");
	struct err err;
	pid_t first;

	must(container_start(w->n, spec, &err), &err);
	first = container_pid(w->n, "c5");
	w->tellings = 0;
	expect_run(w, "c5", "echo >/reboot-now", 0, "");
	assert_true(wait_new_init(w, "c5", first));
	expect_run(w, "c5", "until [ $(grep -c . /boots) = 2 ]; do sleep 0.05; done", 0, "");
	end_container(w, "c5");
}

/* Asked to stop for a move that was given up, it may end late; also while no daemon is there. */
static void test_keep(void **state)
{
	static const struct {
		bool old, stopped, daemon_gone; /* the mark; by somebody else; when it ends */
		bool again;
	} cases[] = {
		{ .again = true },   { .daemon_gone = true, .again = true },
		{ .old = true },     { .old = true, .daemon_gone = true },
		{ .stopped = true },
	};
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "e3", "dir"), *known = json_pack("{sb}", "e3", 1);
	_free_ char *mark = xasprintf("%s/containers/e3/reboot", node_dir(w->n));
	const struct timespec long_ago[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct err err;

	assert_false(container_keep(w->n, "e3"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pollfd init = { .events = POLLIN };
		pid_t first;

		must(container_start(w->n, spec, &err), &err);
		first = container_pid(w->n, "e3");
		init.fd = pids_open(first, &err);
		assert_true(container_keep(w->n, "e3"));
		if (cases[i].old)
			assert_int_equal(utimensat(AT_FDCWD, mark, long_ago, 0), 0);
		w->told[0] = '\0';
		if (cases[i].daemon_gone)
			node_free(w->n);
		if (cases[i].stopped)
			must(container_stop(w->n, "e3", true, 0, &err), &err);
		else
			assert_int_equal(kill(first, SIGKILL), 0);
		if (cases[i].daemon_gone) {
			assert_int_equal(poll(&init, 1, PATIENCE_MS), 1);
			open_node(w);
			must(node_recover(w->n, known, &err), &err);
		}
		if (cases[i].again)
			assert_true(wait_new_init(w, "e3", first));
		else if (!cases[i].daemon_gone)
			assert_true(wait_told(w, "Stopped"));
		if (!cases[i].again)
			assert_int_equal(container_status(w->n, "e3"), STATUS_STOPPED);
		end_container(w, "e3");
		assert_false(container_keep(w->n, "e3"));
		close(init.fd);
	}
}

static void test_monitor_killed(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c6", "dir");
	struct err err;

	must(container_start(w->n, spec, &err), &err);
	assert_int_equal(kill(pids_parent(container_pid(w->n, "c6")), SIGKILL), 0);
	assert_true(wait_told(w, "Stopped"));
	must(container_start(w->n, spec, &err), &err);
	expect_run(w, "c6", "echo again", 0, "again\n");
	end_container(w, "c6");
}

static void test_recover(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c7", "dir"), *other = make_spec(w, "c8", "overlay");
	_json_ json_t *known = json_pack("{sb}", "c7", 1);
	_json_ json_t *foreign = json_pack("{sbss}", "c7", 1, "c8", "m2");
	struct err err;
	pid_t pid;

	must(container_start(w->n, spec, &err), &err);
	must(container_start(w->n, other, &err), &err);
	pid = container_pid(w->n, "c7");
	node_free(w->n);
	w->n = NULL;
	open_node(w);
	assert_int_equal(container_status(w->n, "c7"), STATUS_STOPPED);
	must(node_recover(w->n, known, &err), &err);
	assert_int_equal(container_pid(w->n, "c7"), pid);
	assert_int_equal(container_status(w->n, "c7"), STATUS_RUNNING);
	/* Nobody says whose it is, so it is left alone until it is known to be another member's. */
	assert_true(container_pid(w->n, "c8") > 0);
	must(node_recover(w->n, foreign, &err), &err);
	assert_int_equal(container_pid(w->n, "c7"), pid);
	assert_int_equal(container_pid(w->n, "c8"), 0);
	expect_run(w, "c7", "echo here", 0, "here\n");
	must(container_stop(w->n, "c7", false, 10, &err), &err);
	end_container(w, "c7");
	end_container(w, "c8");
}

/* A helper that is killed at any moment of a start leaves nothing. */
static void test_helper_killed(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "c9", "overlay");
	_json_ json_t *request = container_request(w->n, "c9");
	struct err err;

	json_object_set(request, "spec", spec);
	for (int ms = 1; ms < 200; ms += 13) {
		_json_ json_t *done = NULL;

		must(container_prepare(w->n, spec, true, &err), &err);
		done = helper_run("helper-start", request, NULL, 0, deadline_in(ms), &err);
		container_abandon(w->n, "c9");
		assert_int_equal(pids_container_init(w->cg, "c9"), 0);
		assert_int_equal(cgroup_kill(w->cg, "c9", ""), 0);
	}
	must(container_start(w->n, spec, &err), &err);
	expect_run(w, "c9", "echo fine", 0, "fine\n");
	end_container(w, "c9");
}

static void test_limits(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d4", "dir");
	_free_ char *dir = cgroup_path("memory", w->cg, "d4", "payload");
	_free_ char *path = xasprintf(
		"%s/%s", dir, cgroup_is_v1("memory") ? "memory.limit_in_bytes" : "memory.max");
	struct err err;
	char *text;

	json_object_set_new(json_obj(spec, "config"), "limits.cpu", json_string("1"));
	must(container_start(w->n, spec, &err), &err);
	text = io_read_file(path, 64, NULL, &err);
	assert_string_equal(text, "268435456\n");
	free(text);
	expect_run(w, "d4", "nproc", 0, "1\n");
	json_object_set_new(json_obj(spec, "config"), "limits.memory", json_string("128MiB"));
	json_object_del(json_obj(spec, "config"), "limits.cpu");
	must(container_update(w->n, spec, &err), &err);
	text = io_read_file(path, 64, NULL, &err);
	assert_string_equal(text, "134217728\n");
	free(text);
	end_container(w, "d4");
}

static void test_fails_to_start(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d5", "dir");
	_free_ char *init = xasprintf("%s/vol-d5/rootfs/sbin/init", w->dir);
	struct err err;

	assert_int_equal(unlink(init), 0);
	assert_int_equal(container_start(w->n, spec, &err), -1);
	print_message("%s\n", err.msg);
	assert_int_equal(container_status(w->n, "d5"), STATUS_STOPPED);
	write_file(w->dir, "vol-d5/rootfs/sbin/init", init_script, 0755);
	must(container_start(w->n, spec, &err), &err);
	end_container(w, "d5");
}

static void test_hold(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d6", "dir");
	struct err err;
	int told;

	must(container_start(w->n, spec, &err), &err);
	must(container_hold(w->n, "d6", true, &err), &err);
	told = w->tellings;
	kill(container_pid(w->n, "d6"), SIGKILL);
	must(container_gone(w->n, "d6", PATIENCE, &err), &err);
	assert_int_equal(w->tellings, told);
	assert_int_equal(container_pid(w->n, "d6"), 0);
	{
		_free_ char *dir = node_path(w->n, "containers/d6");

		assert_false(io_exists(dir));
	}
}

static void test_privileged(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "d7", "overlay");
	struct file_info info;
	_json_ json_t *list = NULL;
	_free_ char *target = NULL;
	_close_ int fd = -1;
	struct err err;

	json_object_set_new(spec, "privileged", json_true());
	must(container_start(w->n, spec, &err), &err);
	expect_run(w, "d7", "cat /proc/self/uid_map | { read a b c; echo $a $b $c; }", 0,
		   "0 0 4294967295\n");
	must(file_get(w->n, spec, "/etc/passwd", &info, &fd, &list, &target, &err), &err);
	end_container(w, "d7");
}

/* A network device: addresses at the start, anew after a reboot, nothing left after a stop. */
static void test_nic(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "e1", "dir");
	json_t *nic = json_pack("{ss,ss,ss,ss,ss,si,ss,ss,ss,sb}", "type", "nic", "device", "eth0",
				"name", "eth0", "hwaddr", "00:16:3e:00:00:01", "host_name",
				"dtest0", "mtu", 1400, "bridge", "", "ipv4", "10.99.0.5/24",
				"ipv4_gateway", "10.99.0.1", "ipv4_dhcp", 0);
	_json_ json_t *st = NULL;
	const json_t *eth0;
	struct err err;
	pid_t first;

	json_array_append_new(json_arr(spec, "devices"), nic);
	must(container_start(w->n, spec, &err), &err);
	assert_true(if_nametoindex("dtest0") > 0);
	assert_int_equal(if_nametoindex("dtest0p"), 0);
	st = container_state(w->n, "e1");
	eth0 = json_obj(json_obj(st, "network"), "eth0");
	assert_string_equal(json_str(eth0, "hwaddr", ""), "00:16:3e:00:00:01");
	assert_string_equal(json_str(eth0, "host_name", ""), "dtest0");
	assert_string_equal(json_str(json_obj(json_obj(st, "network"), "lo"), "state", ""), "up");
	assert_int_equal(json_int(eth0, "mtu", 0), 1400);
	assert_string_equal(json_str(json_array_get(json_arr(eth0, "addresses"), 0), "address", ""),
			    "10.99.0.5");
	first = container_pid(w->n, "e1");
	expect_run(w, "e1", "echo >/reboot-now", 0, "");
	assert_true(wait_new_init(w, "e1", first));
	expect_run(w, "e1", "ip -4 addr show eth0 | grep -c 10.99.0.5/24", 0, "1\n");
	must(container_stop(w->n, "e1", true, 0, &err), &err);
	assert_int_equal(if_nametoindex("dtest0"), 0);
	end_container(w, "e1");
}

/* The lower layer's inodes are others than those of the first start. */
static void test_image_unpacked_anew(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, "e2", "overlay");
	_free_ char *image = xasprintf("%s/image-e2", w->dir);
	_free_ char *old = xasprintf("%s/image-old", w->dir);
	struct err err;

	must(container_start(w->n, spec, &err), &err);
	expect_run(w, "e2", "echo kept >/kept; echo more >>/etc/passwd; rm /root/.x 2>&-; true", 0,
		   "");
	must(container_stop(w->n, "e2", true, 0, &err), &err);
	assert_int_equal(rename(image, old), 0);
	make_root(image);
	must(container_start(w->n, spec, &err), &err);
	expect_run(w, "e2", "cat /kept /etc/passwd", 0,
		   "kept\nroot::0:0:root:/root:/bin/sh\nmore\n");
	end_container(w, "e2");
}

/* One name inside, two containers on the host, also after the next start of the daemon. */
static void test_two_projects(void **state)
{
	struct world *w = *state;
	static const char *const names[] = { "p1", "web~p1", "dev~p1" };
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_json_ json_t *spec = make_spec(w, names[i], "overlay");

		json_object_set_new(spec, "hostname", json_string("p1"));
		must(container_start(w->n, spec, &err), &err);
	}
	expect_run(w, "web~p1", "echo web >/who; cat /proc/sys/kernel/hostname", 0, "p1\n");
	expect_run(w, "p1", "[ -e /who ] && echo shared; cat /proc/sys/kernel/hostname", 0, "p1\n");
	assert_int_not_equal(container_pid(w->n, "web~p1"), container_pid(w->n, "p1"));
	node_free(w->n);
	open_node(w);
	must(node_recover(w->n, NULL, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(container_status(w->n, names[i]), STATUS_RUNNING);
		end_container(w, names[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_dir),
		cmocka_unit_test(test_life_overlay),
		cmocka_unit_test(test_freeze_and_force),
		cmocka_unit_test(test_ends_by_itself),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_monitor_killed),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_helper_killed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_fails_to_start),
		cmocka_unit_test(test_nic),
		cmocka_unit_test(test_image_unpacked_anew),
		cmocka_unit_test(test_two_projects),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_privileged),
	};

	return container_world_main(argc, argv, tests, world_setup, world_teardown);
}
