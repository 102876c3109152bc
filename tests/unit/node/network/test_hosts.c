/* SPDX-License-Identifier: Apache-2.0 */
/* What dnsmasq is told of containers, and what its files tell. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/network/dnsmasq_int.h"
#include "tests/unit/base/patience.h"

#define MAC1 "00:16:3e:00:00:01"
#define MAC2 "00:16:3e:00:00:02"

struct world {
	char dir[64];
	bool changed; /* what was told last */
};

static int setup(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/test-hosts-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static json_t *json_of(const char *text)
{
	struct err err = { 0 };
	json_t *j = json_parse(text, strlen(text), "test", &err);

	if (!j)
		fail_msg("%s", err.msg);
	return j;
}

static int tell(struct world *w, const char *config, const char *hosts, struct err *err)
{
	_json_ json_t *c = json_of(config), *h = json_of(hosts);
	struct net net = { .name = "br-t", .config = c };

	return dnsmasq_hosts(&net, w->dir, h, &w->changed, err);
}

static void put(struct world *w, const char *file, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, file);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static void assert_file(struct world *w, const char *file, const char *want)
{
	_free_ char *path = xasprintf("%s/%s", w->dir, file);
	struct err err;
	_free_ char *text = io_read_file(path, 65536, NULL, &err);

	if (!str_eq(text ? text : "", want))
		fail_msg("%s is \"%s\", not \"%s\"", file, text ? text : "(none)", want);
}

static void each_container_has_its_lines(void **state)
{
	static const struct {
		const char *config, *hosts, *leases, *names;
	} cases[] = {
		{ "{}", "[]", "", "" },
		{ "{}",
		  "[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"10.1.2.3\", \"hostname\": \"c1\"}]",
		  MAC1 ",10.1.2.3,c1\n", "10.1.2.3 c1.lxd c1\n" },
		{ "{\"dns.domain\": \"home\"}",
		  "[{\"hwaddr\": \"00:16:3E:00:00:01\", \"ipv4\": \"10.1.2.3\", "
		  "\"hostname\": \"c1\"}]",
		  MAC1 ",10.1.2.3,c1\n", "10.1.2.3 c1.home c1\n" },
		{ "{\"dns.mode\": \"none\"}",
		  "[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"10.1.2.3\", \"hostname\": \"c1\"}]",
		  MAC1 ",10.1.2.3,c1\n", "" },
		/* Of one without an address the name is given by DHCP. */
		{ "{}", "[{\"hwaddr\": \"" MAC1 "\", \"hostname\": \"c1\"}]", MAC1 ",c1\n", "" },
		{ "{}", "[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"10.1.2.3\"}]", MAC1 ",10.1.2.3\n",
		  "" },
	};
	struct world *w = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* Twice is once. */
		for (int again = 0; again < 2; again++) {
			if (tell(w, cases[i].config, cases[i].hosts, &err) < 0)
				fail_msg("%s", err.msg);
			assert_false(again && w->changed);
			assert_file(w, "dnsmasq.hosts", cases[i].leases);
			assert_file(w, "names/hosts", cases[i].names);
		}
	}
}

/* A comma or a line end would be a line of somebody else's. */
static void what_would_break_the_files_is_refused(void **state)
{
	static const char *const cases[] = {
		"[{\"hwaddr\": \"\", \"ipv4\": \"10.1.2.3\"}]",
		"[{\"hwaddr\": \"" MAC1 ",x\", \"ipv4\": \"10.1.2.3\"}]",
		"[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"10.1.2\"}]",
		"[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"fd00::1\"}]",
		"[{\"hwaddr\": \"" MAC1 "\", \"ipv4\": \"10.1.2.3\\nx\"}]",
		"[{\"hwaddr\": \"" MAC1 "\", \"hostname\": \"a,b\"}]",
		"[{\"hwaddr\": \"" MAC1 "\", \"hostname\": \"a\\nb\"}]",
	};
	struct world *w = *state;
	struct err err = { 0 };

	assert_int_equal(tell(w, "{}", "[{\"hwaddr\": \"" MAC2 "\"}]", &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (tell(w, "{}", cases[i], &err) == 0)
			fail_msg("%s", cases[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_file(w, "dnsmasq.hosts", MAC2 "\n");
	}
}

static void leases_are_of_both_files(void **state)
{
	struct world *w = *state;
	_json_ json_t *list = json_array(), *none = json_array();
	_json_ json_t *map = NULL;

	dnsmasq_leases(w->dir, none);
	assert_int_equal(json_array_size(none), 0);
	put(w, "dnsmasq.hosts", MAC1 ",10.1.2.3,c1\n" MAC2 ",c2\nodd\n");
	put(w, "dnsmasq.leases",
	    "170 " MAC1 " 10.1.2.3 c1 *\n"
	    "170 " MAC2 " 10.1.2.9 * 01:02\n"
	    "170 12345 fd00::9 c3 00:01\n"
	    "duid 00:01\n");
	dnsmasq_leases(w->dir, list);
	assert_int_equal(json_array_size(list), 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const want[][4] = {
			{ "c1", MAC1, "10.1.2.3", "static" },
			{ "", MAC2, "10.1.2.9", "dynamic" },
			{ "c3", "", "fd00::9", "dynamic" },
		};
		const json_t *l = json_array_get(list, i);

		assert_string_equal(json_str(l, "hostname", "?"), want[i][0]);
		assert_string_equal(json_str(l, "hwaddr", "?"), want[i][1]);
		assert_string_equal(json_str(l, "address", "?"), want[i][2]);
		assert_string_equal(json_str(l, "type", "?"), want[i][3]);
	}
	map = dnsmasq_addresses(w->dir);
	assert_int_equal(json_object_size(map), 1);
	assert_string_equal(json_str(map, MAC1, ""), "10.1.2.3");
}

/* A lease of an address that is another container's by now would keep it from its owner. */
static void leases_of_former_owners_are_forgotten(void **state)
{
	static const struct {
		const char *leases, *kept;
	} cases[] = {
		{ "", "" },
		{ "170 " MAC1 " 10.1.2.3 c1 *\n", "170 " MAC1 " 10.1.2.3 c1 *\n" },
		{ "170 " MAC2 " 10.1.2.3 c2 *\n", "" },
		{ "170 " MAC2 " 10.1.2.9 c2 *\n170 " MAC2 " 10.1.2.3 c2 *\nduid 00:01\n",
		  "170 " MAC2 " 10.1.2.9 c2 *\nduid 00:01\n" },
	};
	struct world *w = *state;
	struct err err = { 0 };

	put(w, "dnsmasq.hosts", MAC1 ",10.1.2.3,c1\n");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put(w, "dnsmasq.leases", cases[i].leases);
		assert_int_equal(dnsmasq_has_former(w->dir),
				 !str_eq(cases[i].leases, cases[i].kept));
		assert_int_equal(dnsmasq_forget_former(w->dir, &err), 0);
		assert_file(w, "dnsmasq.leases", cases[i].kept);
		assert_false(dnsmasq_has_former(w->dir));
	}
}

/* dnsmasq writes into the file that it has, at its beginning and after emptying it. */
static void leases_that_are_being_written_are_taken_for_former_ones(void **state)
{
	struct world *w = *state;
	_free_ char *path = xasprintf("%s/dnsmasq.leases", w->dir);
	struct timespec former[2] = { { 0 }, { 0 } };
	int fd;

	put(w, "dnsmasq.hosts", MAC1 ",10.1.2.3,c1\n");
	put(w, "dnsmasq.leases", "");
	assert_false(dnsmasq_has_former(w->dir));
	/* The clock of files is a coarse one: it must have moved on. */
	for (int64_t deadline = PATIENCE; !dnsmasq_has_former(w->dir);) {
		assert_true(deadline_left(deadline) > 0);
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_int_equal(write(fd, "x\n", 2), 2);
		assert_false(dnsmasq_has_former(w->dir));
		assert_int_equal(ftruncate(fd, 0), 0);
		close(fd);
	}
	assert_int_equal(utimensat(AT_FDCWD, path, former, 0), 0);
	assert_false(dnsmasq_has_former(w->dir));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_container_has_its_lines),
		T(what_would_break_the_files_is_refused),
		T(leases_are_of_both_files),
		T(leases_of_former_owners_are_forgotten),
		T(leases_that_are_being_written_are_taken_for_former_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
