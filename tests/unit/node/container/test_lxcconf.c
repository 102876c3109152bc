/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/container/lxcconf.h"

static json_t *make_spec(void)
{
	return json_pack("{ss,s{ss,ss,ss},sb,s{si,si},"
			 "s[{ss,ss,ss,ss,ss,ss,sb},{ss,ss,ss,ss,ss,sb},{ss,ss,ss,ss,sb,sb}]}",
			 "name", "c1", "config", "environment.TZ", "Europe/Berlin", "user.x", "y",
			 "limits.memory", "64MiB", "privileged", 0, "idmap", "base", 1000000,
			 "size", 65536, "devices", "type", "nic", "device", "eth0", "name", "eth0",
			 "host_name", "vethab", "ipv4", "10.1.2.3/24", "ipv4_gateway", "10.1.2.1",
			 "ipv4_dhcp", 0, "type", "nic", "device", "eth1", "name", "eth1",
			 "host_name", "vethcd", "ipv4", "10.1.3.3/24", "ipv4_dhcp", 1, "type",
			 "disk", "device", "data", "source", "/srv/my data", "path", "/mnt/my data",
			 "readonly", 1, "required", 1);
}

static struct lxcconf conf_of(const json_t *spec, enum device_use use)
{
	return (struct lxcconf){
		.spec = spec, .lxcpath = "/d/containers", .cgroup_name = "dunlin-x", .use = use
	};
}

static char *text_for(const json_t *spec, enum device_use use)
{
	struct lxcconf o = conf_of(spec, use);
	struct sbuf out = SBUF(65536);
	struct err err;

	if (lxcconf_text(&o, &out, &err) < 0)
		fail_msg("%s", err.msg);
	return sbuf_take(&out);
}

static char *text_of(const json_t *spec)
{
	return text_for(spec, DEVICE_RESTORE);
}

static bool has_line(const char *text, const char *line)
{
	_free_ char *want = xasprintf("\n%s\n", line);

	return strstr(text, want) != NULL;
}

static void test_lines(void **state)
{
	static const char *const lines[] = {
		"lxc.rootfs.path = dir:/d/containers/c1/stage/rootfs",
		"lxc.idmap = u 0 1000000 65536",
		"lxc.idmap = g 0 1000000 65536",
		"lxc.console.path = none",
		"lxc.tty.max = 0",
		"lxc.cgroup.dir.container = dunlin-x/c1/payload",
		"lxc.cgroup.dir.monitor = dunlin-x/c1/monitor",
		"lxc.cgroup.dir.monitor.pivot = dunlin-x/c1/pivot",
		"lxc.net.0.type = phys",
		"lxc.net.0.link = vethabp",
		"lxc.net.0.name = eth0",
		"lxc.net.0.ipv4.address = 10.1.2.3/24 10.1.2.255",
		"lxc.net.0.ipv4.gateway = 10.1.2.1",
		"lxc.net.1.link = vethcdp",
		("lxc.mount.entry = /d/containers/c1/stage/dev-data mnt/my\\040data none "
		 "bind,ro,create=dir 0 0"),
		"lxc.environment = TZ=Europe/Berlin",
		"lxc.cap.drop = mac_admin mac_override sys_module sys_rawio sys_time",
	};
	static const char *const absent[] = { "lxc.net.1.ipv4.address", "user.x", "devices",
					      "lxc.rootfs.options", "lxc.net.2" };
	_json_ json_t *spec = make_spec();
	_free_ char *text = text_of(spec);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!has_line(text, lines[i]))
			fail_msg("missing: %s\n%s", lines[i], text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		if (strstr(text, absent[i]))
			fail_msg("should not be there: %s\n%s", absent[i], text);
	}
	assert_true(strstr(text, "= 67108864\n") != NULL);
}

static void test_start(void **state)
{
	_json_ json_t *spec = make_spec();
	_free_ char *text = text_for(spec, DEVICE_START);

	/* liblxc makes the pairs; all else is as for a restore. */
	assert_true(has_line(text, "lxc.net.0.type = veth"));
	assert_true(has_line(text, "lxc.net.0.veth.pair = vethab"));
	assert_true(has_line(text, "lxc.net.0.name = eth0"));
	assert_true(has_line(text, "lxc.net.0.ipv4.gateway = 10.1.2.1"));
	assert_null(strstr(text, "phys"));
	assert_null(strstr(text, "vethabp"));
}

/* The profile is named before raw.lxc, which may name another. */
static void test_apparmor(void **state)
{
	_json_ json_t *spec = make_spec();
	struct lxcconf o = conf_of(spec, DEVICE_START);
	struct sbuf out = SBUF(65536);
	_free_ char *text = NULL, *without = text_of(spec);
	const char *named, *raw;
	struct err err;

	assert_null(strstr(without, "lxc.apparmor"));
	json_object_set_new(json_obj(spec, "config"), "raw.lxc",
			    json_string("lxc.apparmor.profile = mine"));
	o.apparmor = "dunlin-container";
	assert_int_equal(lxcconf_text(&o, &out, &err), 0);
	text = sbuf_take(&out);
	named = strstr(text, "\nlxc.apparmor.profile = dunlin-container\n");
	raw = strstr(text, "\nlxc.apparmor.profile = mine\n");
	assert_non_null(named);
	assert_non_null(raw);
	assert_true(named < raw);
}

static void test_privileged_and_bare(void **state)
{
	_json_ json_t *spec = make_spec();
	_free_ char *text = NULL;

	json_object_set_new(spec, "privileged", json_true());
	json_object_del(spec, "devices");
	text = text_of(spec);
	assert_null(strstr(text, "lxc.idmap"));
	assert_true(strstr(text, "lxc.cap.drop = ") != NULL);
	assert_true(strstr(text, "devices.deny = a\n") != NULL);
	/* Without any nic liblxc would share the host's network. */
	assert_true(has_line(text, "lxc.net.0.type = empty"));
}

static void set_config(json_t *spec, const char *key, const char *value)
{
	json_object_set_new(json_obj(spec, "config"), key, json_string(value));
}

static void test_refused(void **state)
{
	static const struct {
		const char *key, *value, *mentions;
	} cases[] = {
		{ "environment.A", "x\nlxc.include = /etc/passwd", "line break" },
		{ "environment.A\nlxc.x", "y", "line break" },
		{ "raw.lxc", "lxc.include = /etc/passwd", "lxc.include" },
		{ "raw.lxc", "  lxc.include=/x", "lxc.include" },
		{ "raw.lxc", "# fine\nlxc.rootfs.path = /", "lxc.rootfs.path" },
		{ "raw.lxc", "lxc.idmap = u 0 0 1", "lxc.idmap" },
		{ "raw.lxc", "lxc.cgroup.dir = x", "lxc.cgroup.dir" },
		{ "raw.lxc", "lxc.net.0.type = none", "lxc.net" },
		{ "raw.lxc", "nonsense", "nonsense" },
		{ "raw.lxc", "lxc.init.cmd = a\rb", "control" },
		{ "limits.memory", "lots", "limits.memory" },
		{ "limits.memory", "0", "limits.memory" },
		{ "limits.memory", "101%", "limits.memory" },
		{ "limits.cpu", "0", "limits.cpu" },
		{ "limits.cpu", "-1", "limits.cpu" },
		{ "limits.cpu", "2-1", "limits.cpu" },
		{ "limits.cpu", "0-1\nx", "limits.cpu" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *spec = make_spec();
		struct lxcconf o = conf_of(spec, DEVICE_RESTORE);
		_sbuf_ struct sbuf out = SBUF(65536);
		struct err err = { 0 };

		set_config(spec, cases[i].key, cases[i].value);
		if (lxcconf_text(&o, &out, &err) == 0)
			fail_msg("accepted: %s=%s", cases[i].key, cases[i].value);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].mentions))
			fail_msg("\"%s\" does not mention %s", err.msg, cases[i].mentions);
	}
}

static void test_bad_names(void **state)
{
	static const char *const names[] = { "", "..", "a/b", "a b", "-a", "a\nb", "~c1" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_json_ json_t *spec = make_spec();
		struct lxcconf o = conf_of(spec, DEVICE_RESTORE);
		_sbuf_ struct sbuf out = SBUF(65536);
		struct err err;

		json_object_set_new(spec, "name", json_string(names[i]));
		assert_int_equal(lxcconf_text(&o, &out, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

/* Of one name inside, and two on the host. */
static void test_two_projects(void **state)
{
	static const char *const lines[] = {
		"lxc.rootfs.path = dir:/d/containers/web~c1/stage/rootfs",
		"lxc.cgroup.dir.container = dunlin-x/web~c1/payload",
		"lxc.cgroup.dir.monitor = dunlin-x/web~c1/monitor",
		"lxc.cgroup.dir.monitor.pivot = dunlin-x/web~c1/pivot",
	};
	_json_ json_t *spec = make_spec(), *plain = make_spec();
	_free_ char *text = NULL, *other = text_of(plain);

	json_object_set_new(spec, "name", json_string("web~c1"));
	json_object_set_new(spec, "hostname", json_string("c1"));
	text = text_of(spec);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!has_line(text, lines[i]))
			fail_msg("missing: %s\n%s", lines[i], text);
		if (has_line(other, lines[i]))
			fail_msg("shared: %s", lines[i]);
	}
	assert_non_null(strstr(text, "lxc.uts.name = c1\n"));
	assert_non_null(strstr(other, "lxc.uts.name = c1\n"));
}

static void test_raw_is_last(void **state)
{
	_json_ json_t *spec = make_spec();
	_free_ char *text = NULL;

	set_config(spec, "raw.lxc", "lxc.init.cmd = /bin/my init\nlxc.signal.halt = SIGTERM");
	text = text_of(spec);
	assert_true(str_ends(text, "\nlxc.init.cmd = /bin/my init\nlxc.signal.halt = SIGTERM\n"));
}

static void test_halt_signal(void **state)
{
	static const struct {
		const char *raw;
		int sig;
	} cases[] = {
		{ "", 0 },
		{ "lxc.init.cmd = x", 0 },
		{ "lxc.signal.halt = SIGTERM", SIGTERM },
		{ "# a\n lxc.signal.halt=SIGUSR1\n\n", SIGUSR1 },
		{ "lxc.signal.halt = SIGTERM\nlxc.signal.halt = 12", 12 },
		{ "lxc.signal.halt = SIGBOGUS", 0 },
		{ "#lxc.signal.halt = SIGTERM", 0 },
	};

	struct err err;
	int sig = -1;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(lxcconf_parse_raw(cases[i].raw, &sig, &err), 0);
		assert_int_equal(sig, cases[i].sig);
	}
	assert_int_equal(lxcconf_parse_raw("lxc.signal.halt = SIGRTMIN+3", &sig, &err), 0);
	assert_int_equal(sig, SIGRTMIN + 3);
	assert_int_equal(lxcconf_parse_raw("lxc.signal.halt = 12\nnonsense", &sig, &err), -1);
	assert_int_equal(sig, SIGRTMIN + 3);
	assert_non_null(strstr(err.msg, "line 2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_privileged_and_bare),
		cmocka_unit_test(test_apparmor),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_two_projects),
		cmocka_unit_test(test_raw_is_last),
		cmocka_unit_test(test_halt_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
