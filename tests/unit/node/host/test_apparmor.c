/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/host/apparmor.h"

#define LIBLXC "lxc-container-default-cgns"

/* The top of a /sys and of a /proc. */
static char top[] = "/tmp/dunlin-test-apparmor-XXXXXX";

static void put(const char *dir, const char *file, const char *text)
{
	_free_ char *folder = xasprintf("%s/%s", top, dir);
	_free_ char *path = xasprintf("%s/%s", folder, file);
	struct err err;

	for (char *p = folder + strlen(top) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(folder, 0700);
		*p = '/';
	}
	mkdir(folder, 0700);
	if (io_write_file(path, text, strlen(text), 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

static void kernel(const char *enabled, const char *profiles)
{
	put("module/apparmor/parameters", "enabled", enabled);
	put("kernel/security/apparmor", "profiles", profiles);
}

static int set_up(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err;

	return io_remove_tree(top, &err);
}

static void a_container_gets_its_profile(void **state)
{
	static const struct {
		const char *enabled, *profiles;
		bool privileged;
		const char *want, *get; /* NULL: no AppArmor */
	} cases[] = {
		{ "N\n", APPARMOR_PROFILE " (enforce)\n", false, NULL, NULL },
		{ "Y\n", APPARMOR_PROFILE " (enforce)\n", false, APPARMOR_PROFILE,
		  APPARMOR_PROFILE },
		{ "Y\n", "a b (complain)\n" APPARMOR_PROFILE " (complain)\n" LIBLXC " (enforce)\n",
		  true, LIBLXC, LIBLXC },
		/* No other profile is taken for it. */
		{ "Y\n", APPARMOR_PROFILE " (enforce)\n", true, LIBLXC, APPARMOR_UNCONFINED },
		{ "Y\n", APPARMOR_PROFILE "-more (enforce)\nmy-" APPARMOR_PROFILE " (enforce)\n",
		  false, APPARMOR_PROFILE, APPARMOR_UNCONFINED },
		{ "Y\n", "", false, APPARMOR_PROFILE, APPARMOR_UNCONFINED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *wanted = NULL, *got;

		kernel(cases[i].enabled, cases[i].profiles);
		got = apparmor_profile(top, cases[i].privileged, &wanted);
		if (!cases[i].get) {
			assert_null(got);
			continue;
		}
		assert_non_null(got);
		assert_string_equal(got, cases[i].get);
		assert_string_equal(wanted, cases[i].want);
	}
}

static void facts_are_the_kernels(void **state)
{
	_json_ json_t *facts = NULL, *without = NULL, *nowhere = apparmor_facts("/nonexistent");
	const json_t *names;

	kernel("Y\n", "/usr/bin/man (enforce)\nodd (name) (complain)\n");
	facts = apparmor_facts(top);
	names = json_arr(facts, "profiles");
	assert_int_equal(json_array_size(names), 2);
	assert_string_equal(json_string_value(json_array_get(names, 0)), "/usr/bin/man");
	assert_string_equal(json_string_value(json_array_get(names, 1)), "odd (name)");
	assert_non_null(json_str(facts, "version", NULL));
	kernel("N\n", "left (enforce)\n");
	without = apparmor_facts(top);
	assert_int_equal(json_object_size(without), 0);
	assert_int_equal(json_object_size(nowhere), 0);
}

static void a_process_has_a_label(void **state)
{
	static const struct {
		const char *text, *label;
	} cases[] = {
		{ APPARMOR_PROFILE " (enforce)\n", APPARMOR_PROFILE },
		{ "a//&:ns:b (enforce)\n", "a//&:ns:b" },
		{ "selinux_u:r:t\n", "selinux_u:r:t" },
		{ "unconfined\n", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_free_ char *label = NULL;

		put("7/attr", "current", cases[i].text);
		label = apparmor_label(top, 7);
		if (!cases[i].label) {
			assert_null(label);
			continue;
		}
		assert_non_null(label);
		assert_string_equal(label, cases[i].label);
	}
	assert_null(apparmor_label(top, 8)); /* no such process */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_gets_its_profile),
		cmocka_unit_test(facts_are_the_kernels),
		cmocka_unit_test(a_process_has_a_label),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
