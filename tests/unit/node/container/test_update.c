/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a container that runs: what it has afterwards, and that one that fails leaves it as it
 * was. */
#include <net/if.h>

#include "node/container/steps.h"
#include "node/netlink/link.h"
#include "tests/unit/node/container/container_world.h"

#define NAME "u1"
#define LIMIT "268435456\n" /* make_spec()'s */

#define DISK(device, path, source, more)                                                 \
	"{\"type\":\"disk\",\"device\":\"" device "\",\"path\":\"" path "\",\"source\":" \
	"\"%s/" source "\"" more "}"
#define NIC(mtu)                                                                       \
	"{\"type\":\"nic\",\"device\":\"eth1\",\"name\":\"eth1\",\"hwaddr\":"          \
	"\"00:16:3e:00:00:07\",\"host_name\":\"dtest7\",\"mtu\":" mtu ",\"bridge\":\"" \
	"dbr7\",\"ipv4\":\"10.97.0.7/24\",\"ipv4_gateway\":\"10.97.0.1\"}"

static int set_up(void **state)
{
	static const char *const sources[] = { "one", "two" };
	struct world *w;
	struct err err;

	world_setup(state);
	w = *state;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		_free_ char *dir = xasprintf("%s/%s", w->dir, sources[i]);

		must(io_mkdirs(dir, 0755, &err), &err);
		write_file(dir, "what", sources[i], 0644);
	}
	write_file(w->dir, "file", "a file", 0644);
	return 0;
}

static int end(void **state)
{
	end_container(*state, NAME);
	return 0;
}

/* "%s" in it is the test's folder. */
static json_t *spec_with(struct world *w, const char *devices)
{
	json_t *spec = make_spec(w, NAME, "dir");
	_sbuf_ struct sbuf text = SBUF(8192);
	json_t *list;
	struct err err;

	for (const char *at = devices, *mark; *at; at = mark) {
		mark = strstr(at, "%s");
		sbuf_add(&text, at, mark ? (size_t)(mark - at) : strlen(at));
		if (!mark)
			break;
		sbuf_puts(&text, w->dir);
		mark += 2;
	}
	list = json_parse(text.data, text.len, "devices", &err);
	if (!list)
		fail_msg("%s: %s", text.data, err.msg);
	json_object_set_new(spec, "devices", list);
	return spec;
}

static void start(struct world *w, const char *devices)
{
	_json_ json_t *spec = spec_with(w, devices);
	struct err err;

	must(container_start(w->n, spec, &err), &err);
}

static int update(struct world *w, const char *devices, struct err *err)
{
	_json_ json_t *spec = spec_with(w, devices);

	return container_update(w->n, spec, err);
}

static char *memory_limit(struct world *w)
{
	_free_ char *dir = cgroup_path("memory", w->cg, NAME, "payload");
	_free_ char *path = xasprintf(
		"%s/%s", dir, cgroup_is_v1("memory") ? "memory.limit_in_bytes" : "memory.max");
	struct err err;

	return io_read_file(path, 64, NULL, &err);
}

static char *kept_spec(struct world *w)
{
	_free_ char *path = xasprintf("%s/containers/" NAME "/spec.json", w->dir);
	struct err err;

	return io_read_file(path, 1 << 16, NULL, &err);
}

/* Each step is a list of devices, and what the container sees then. */
static void disks_come_change_and_go(void **state)
{
	static const struct {
		const char *devices, *script, *output;
	} steps[] = {
		{ "[" DISK("a", "/data", "one", "") "]", "cat /data/what", "one" },
		/* the same again is no change: what is open stays so */
		{ "[" DISK("a", "/data", "one", "") "]", "cat /data/what", "one" },
		{ "[" DISK("a", "/data", "two", "") "]", "cat /data/what", "two" },
		{ "[" DISK("a", "/data", "two", "") "," DISK("b", "/more", "one", "") "]",
		  "cat /data/what /more/what", "twoone" },
		/* the places of two, exchanged */
		{ "[" DISK("a", "/data", "one", "") "," DISK("b", "/more", "two", "") "]",
		  "cat /data/what /more/what", "onetwo" },
		{ "[" DISK("a", "/etc/one-file", "file", "") "]",
		  "cat /etc/one-file; ls /data /more", "a file/data:\n\n/more:\n" },
		{ "[" DISK("a", "/data", "one", ",\"shift\":true") "]",
		  "echo new >/data/new && cat /data/new", "new\n" },
		{ "[" DISK("a", "/data", "one", ",\"shift\":true,\"readonly\":true") "]",
		  "(echo new >/data/new) 2>/dev/null || cat /data/what", "one" },
		/* not there, and not asked for */
		{ "[" DISK("a", "/data", "none", ",\"required\":false") "]", "ls /data", "" },
		{ "[]", "grep -c data /proc/self/mounts", "0\n" },
	};
	struct world *w = *state;
	struct err err;

	start(w, "[]");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_sbuf_ struct sbuf out = SBUF(4096);

		must(update(w, steps[i].devices, &err), &err);
		run(w, NAME, json_pack("[sss]", "sh", "-c", steps[i].script), &out);
		if (!str_eq(out.data, steps[i].output))
			fail_msg("step %zu: \"%s\"", i, out.data);
	}
}

static void a_nic_comes_changes_and_goes(void **state)
{
	static const char *const bridge[] = { "ip", "link", "add", "dbr7", "type", "bridge", NULL };
	struct world *w = *state;
	struct link_info link;
	struct err err;

	must(proc_run(bridge, NULL, PATIENCE, &err), &err);
	start(w, "[]");
	must(update(w, "[" NIC("1400") "]", &err), &err);
	must(link_get("dtest7", &link, &err), &err);
	assert_int_equal(link.master, if_nametoindex("dbr7"));
	assert_int_equal(if_nametoindex("dtest7p"), 0);
	expect_run(w, NAME, "ip -4 addr show eth1 | grep -o 10.97.0.7/24", 0, "10.97.0.7/24\n");
	expect_run(w, NAME, "ip route | grep -o 'default via 10.97.0.1'", 0,
		   "default via 10.97.0.1\n");
	expect_run(w, NAME, "ip link show eth1 | grep -o 'mtu 1400'", 0, "mtu 1400\n");
	must(update(w, "[" NIC("1300") "]", &err), &err);
	expect_run(w, NAME, "ip link show eth1 | grep -o 'mtu 1300'", 0, "mtu 1300\n");
	must(update(w, "[]", &err), &err);
	assert_int_equal(if_nametoindex("dtest7"), 0);
	expect_run(w, NAME, "grep -c eth1 /proc/net/dev", 1, "0\n");
}

/* A later device fails: those before it are back, and so is all that is written down. */
static void a_change_that_fails_is_taken_back(void **state)
{
	static const struct {
		const char *devices, *wrong;
		enum err_kind kind;
	} cases[] = {
		{ "[" DISK("b", "/more", "none", "") "]",
		  "instance " NAME ": device b: disk source", ERR_NOT_FOUND },
		/* a file is mounted on no folder, which only the container's side finds out */
		{ "[" DISK("b", "/more", "two", "") "," DISK("c", "/etc", "file", "") "]",
		  "instance " NAME ": device c: ", ERR_NONE },
		{ "[" DISK("a", "/data", "one",
			   "") ",{\"type\":\"nic\",\"device\":\"eth1\","
			       "\"name\":\"eth1\",\"host_name\":\"dtest8\",\"hwaddr\":\"no\"}]",
		  "instance " NAME ": device eth1: hwaddr \"no\" is not valid", ERR_INVALID },
	};
	struct world *w = *state;

	start(w, "[" DISK("a", "/data", "one", "") "]");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *before = kept_spec(w), *after = NULL, *limit = NULL;
		struct err err = { 0 };

		assert_int_equal(update(w, cases[i].devices, &err), -1);
		if (!str_starts(err.msg, cases[i].wrong) ||
		    (cases[i].kind && err.kind != cases[i].kind))
			fail_msg("case %zu: %s: %s", i, err_name(err.kind), err.msg);
		expect_run(w, NAME, "cat /data/what; grep -c more /proc/self/mounts", 1, "one0\n");
		after = kept_spec(w);
		assert_string_equal(before, after);
		limit = memory_limit(w);
		assert_string_equal(limit, LIMIT);
	}
}

static void limits_that_are_none_change_nothing(void **state)
{
	struct world *w = *state;
	_json_ json_t *spec = make_spec(w, NAME, "dir");
	_free_ char *limit = NULL;
	struct err err = { 0 };

	must(container_start(w->n, spec, &err), &err);
	json_object_set_new(json_obj(spec, "config"), "limits.memory", json_string("much"));
	assert_int_equal(container_update(w->n, spec, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	limit = memory_limit(w);
	assert_string_equal(limit, LIMIT);
}

/* A reboot from inside starts it with what it has by then. */
static void what_came_is_there_after_a_reboot(void **state)
{
	struct world *w = *state;
	int64_t deadline = PATIENCE;
	struct err err;
	pid_t first;

	start(w, "[]");
	must(update(w, "[" DISK("a", "/data", "one", "") "]", &err), &err);
	first = container_pid(w->n, NAME);
	expect_run(w, NAME, "echo >/reboot-now", 0, "");
	while ((container_pid(w->n, NAME) == first || !container_pid(w->n, NAME)) &&
	       clock_ms() < deadline)
		poll(NULL, 0, 10);
	assert_int_not_equal(container_pid(w->n, NAME), first);
	expect_run(w, NAME, "cat /data/what", 0, "one");
}

/* Nothing is put anywhere for one that does not run; one on the move is left as it is. */
static void only_what_runs_here_is_changed(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_int_equal(update(w, "[" DISK("a", "/data", "none", "") "]", &err), 0);
	assert_null(kept_spec(w));
	start(w, "[]");
	must(container_hold(w->n, NAME, true, &err), &err);
	assert_int_equal(update(w, "[" DISK("a", "/data", "one", "") "]", &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_string_equal(err.msg, "instance " NAME " is being moved");
	must(container_hold(w->n, NAME, false, &err), &err);
	must(update(w, "[" DISK("a", "/data", "one", "") "]", &err), &err);
	expect_run(w, NAME, "cat /data/what", 0, "one");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_teardown(f, end)
		T(disks_come_change_and_go),          T(a_nic_comes_changes_and_goes),
		T(a_change_that_fails_is_taken_back), T(limits_that_are_none_change_nothing),
		T(what_came_is_there_after_a_reboot), T(only_what_runs_here_is_changed),
	};

	return container_world_main(argc, argv, tests, set_up, world_teardown);
}
