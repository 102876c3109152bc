/* SPDX-License-Identifier: Apache-2.0 */
/* What only the host itself knows of an instance that is to live on it. */
#include "tests/unit/api/work/work_world.h"

#include <string.h>
#include <sys/utsname.h>

#include "api/work/hostcheck.h"

static struct work_world world;

static int open_world(void **state)
{
	work_world_open(&world);
	world_start(&world.w);
	return 0;
}

static int close_world(void **state)
{
	work_world_close(&world);
	return 0;
}

static void host_names_are_found(void **state)
{
	static const struct {
		const char *devices, *name;
		bool has;
	} cases[] = {
		{ "{'eth0': {'type': 'nic', 'parent': 'b', 'host_name': 'h0'}}", "h0", true },
		{ "{'eth0': {'type': 'nic', 'parent': 'b', 'host_name': 'h0'}}", "h", false },
		{ "{'eth0': {'type': 'nic', 'parent': 'b'}}", "eth0", false },
		{ "{'a': {'type': 'none'}, 'b': {'type': 'nic', 'network': 'n', 'host_name': "
		  "'h1'}}",
		  "h1", true },
		{ "{'a': {'type': 'disk', 'path': '/a', 'source': '/', 'host_name': 'h0'}}", "h0",
		  false },
		{ "{}", "h0", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *devices = quoted(cases[i].devices);

		if (devices_have_host_name(devices, cases[i].name) != cases[i].has)
			fail_msg("%s: %s", cases[i].devices, cases[i].name);
	}
	assert_false(devices_have_host_name(NULL, "h0"));
}

/* "" or what the error says. old: NULL for a new instance. */
static void assert_checked(const char *doc, const char *old, const char *words)
{
	_json_ json_t *now = quoted(doc), *before = old ? quoted(old) : NULL;
	struct expanded x = { .doc = now,
			      .config = json_object_get(now, "config"),
			      .devices = json_object_get(now, "devices") };
	struct expanded was = { .doc = before,
				.config = json_object_get(before, "config"),
				.devices = json_object_get(before, "devices") };
	struct err err = { 0 };
	int rc = instance_check_host(&world.env, &x, old ? &was : NULL, &err);

	assert_int_equal(rc, *words ? -1 : 0);
	if (rc < 0 && (err.kind != ERR_INVALID || !strstr(err.msg, words)))
		fail_msg("%s: %s, not %s", doc, err.msg, words);
}

#define LIMITS(cpus) "{'name': 'c1', 'config': {'limits.cpu': '" cpus "'}, 'devices': {}}"
#define DEVICE(options) "{'name': 'c1', 'config': {}, 'devices': {'d': {" options "}}}"
#define DISK(source) DEVICE("'type': 'disk', 'path': '/d', 'source': '" source "'")
#define NIC(name) DEVICE("'type': 'nic', 'network': 'n1', 'host_name': '" name "'")

static void what_the_host_lacks_is_told(void **state)
{
	static const struct {
		const char *doc, *words;
	} cases[] = {
		{ "{'name': 'c1', 'config': {}, 'devices': {}}", "" },
		{ LIMITS("1"), "" },
		{ LIMITS("0"), "instance \"c1\": " },
		{ LIMITS("0-4095"), "instance \"c1\": " },
		{ "{'name': 'c1', 'config': {'limits.memory': '64MiB'}, 'devices': {}}", "" },
		{ DISK("/tmp"), "" },
		{ DISK("/no/such/path"), "instance \"c1\": device \"d\": invalid value "
					 "\"/no/such/path\" for key \"source\"" },
		{ "{'name': 'c1', 'config': {}, 'devices': {'d': {'type': 'disk', 'path': '/d', "
		  "'source': '/no/such/path', 'required': 'false'}}}",
		  "" },
		{ NIC("free0"), "" },
		{ NIC("lo"), "has an interface \"lo\" already" },
		{ "{'name': 'c1', 'config': {}, 'devices': {'x': {'type': 'none'}}}", "" },
		{ "{'name': 'c1', 'config': {}, 'devices': {'x': {'type': 'unheard of'}}}", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_checked(cases[i].doc, NULL, cases[i].words);
}

/* A row that was good enough when it was made can still be changed in other things. */
static void only_what_changes_is_looked_at(void **state)
{
	assert_checked(LIMITS("0-4095"), LIMITS("0-4095"), "");
	assert_checked(LIMITS("0-4095"), LIMITS("1"), "instance \"c1\": ");
	assert_checked(DISK("/no/such/path"), DISK("/no/such/path"), "");
	assert_checked(DISK("/no/such/path"), DISK("/tmp"), "no such path on member \"none\"");
	assert_checked(NIC("lo"), NIC("lo"), "");
	/* Its own interface is there while it runs, whatever else of the device changes. */
	assert_checked(DEVICE("'type': 'nic', 'network': 'n1', 'host_name': 'lo', 'name': 'eth7'"),
		       NIC("lo"), "");
}

static void the_machine_must_run_it(void **state)
{
	static const struct {
		const char *machine, *wanted;
		bool runs;
	} cases[] = {
		{ "x86_64", "x86_64", true },   { "x86_64", "i686", true },
		{ "x86_64", "aarch64", false }, { "x86_64", "", true },
		{ "aarch64", "armv7l", true },  { "aarch64", "x86_64", false },
	};
	struct utsname u;

	assert_int_equal(uname(&u), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *doc = xasprintf(
			"{'name': 'c1', 'architecture': '%s', 'config': {}, 'devices': {}}",
			cases[i].wanted);

		if (!str_eq(u.machine, cases[i].machine))
			continue;
		assert_checked(doc, NULL, cases[i].runs ? "" : "key \"architecture\"");
		assert_checked(doc, doc, "");
	}
}

/* Those that a managed network has or will have. */
static void interfaces_of_networks_are_taken(void **state)
{
	world_put(&world.w, ENT_NETWORK, "br7",
		  quoted("{'type': 'bridge', 'config': {'ipv4.address': 'none'}}"));
	assert_checked(NIC("br7"), NULL, "has an interface \"br7\" already");
	assert_checked(NIC("br8"), NULL, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_names_are_found),
		cmocka_unit_test(what_the_host_lacks_is_told),
		cmocka_unit_test(only_what_changes_is_looked_at),
		cmocka_unit_test(the_machine_must_run_it),
		cmocka_unit_test(interfaces_of_networks_are_taken),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
