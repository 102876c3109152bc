/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of liblxc's log, and what liblxc takes. */
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
#include <lxc/lxccontainer.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/verb/lxc.h"
#include "node/helper/verbs.h"

#define HEAD "lxc c1 20260102030405.678 "
#define AT(function) " start - ../src/lxc/start.c:" function ":77 - "
#define NO_REASON "liblxc gives no reason"

static int set_up(void **state)
{
	char dir[] = "/tmp/dunlin-test-lxc-XXXXXX";
	_free_ char *folder = NULL;

	assert_non_null(mkdtemp(dir));
	folder = xasprintf("%s/c1", dir);
	assert_int_equal(mkdir(folder, 0700), 0);
	*state = xstrdup(dir);
	return 0;
}

static int tear_down(void **state)
{
	struct err err;

	assert_int_equal(io_remove_tree(*state, &err), 0);
	free(*state);
	return 0;
}

static void write_log(const char *dir, const char *text)
{
	_free_ char *path = xasprintf("%s/c1/lxc.log", dir);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

/* The first error is the cause; what follows reports it on its way up. */
static void finds_the_cause(void **state)
{
	static const struct {
		const char *log, *cause;
	} cases[] = {
		{ "", NO_REASON },
		{ HEAD "INFO " AT("f") "all is well\n", NO_REASON },
		{ HEAD "ERROR" AT("f") "no such root\n", "no such root" },
		{ HEAD "ERROR" AT("f") "no end of line", "no end of line" },
		{ HEAD "ERROR" AT("f") "first\n" HEAD "ERROR" AT("g") "second\n", "first" },
		{ HEAD "WARN " AT("f") "odd\n" HEAD "ERROR" AT("g") "bad - really\n",
		  "bad - really" },
		{ "c1 ERROR short - text\n", "text" },
		{ "c1 ERROR without a mark\n", NO_REASON },
		{ "ERRORS - are no level\n\n\n", NO_REASON },
	};
	_json_ json_t *request = json_pack("{ss,ss}", "name", "c1", "lxcpath", (char *)*state);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *cause = NULL;

		write_log(*state, cases[i].log);
		cause = helper_lxc_cause(request, 0);
		if (!str_eq(cause, cases[i].cause))
			fail_msg("%s: \"%s\"", cases[i].log, cause);
	}
}

/* Errors of an earlier start are not this one's. */
static void begins_where_the_log_was(void **state)
{
	static const char before[] = HEAD "ERROR" AT("f") "yesterday\n";
	_json_ json_t *request = json_pack("{ss,ss}", "name", "c1", "lxcpath", (char *)*state);
	_free_ char *none = NULL, *cause = NULL, *both = NULL, *missing = NULL;
	int64_t size;

	assert_int_equal(helper_lxc_log_size(request), 0);
	missing = helper_lxc_cause(request, 0);
	assert_string_equal(missing, NO_REASON);
	write_log(*state, before);
	size = helper_lxc_log_size(request);
	assert_int_equal(size, strlen(before));
	none = helper_lxc_cause(request, size);
	assert_string_equal(none, NO_REASON);
	both = xasprintf("%s" HEAD "ERROR" AT("f") "today\n", before);
	write_log(*state, both);
	cause = helper_lxc_cause(request, size);
	assert_string_equal(cause, "today");
}

/* Lines of raw.lxc, quotes and blanks around values included. */
static void asks_liblxc(void **state)
{
	static const struct {
		const char *raw, *says; /* says: NULL: taken */
	} cases[] = {
		{ "", NULL },
		{ "# nothing\n\n", NULL },
		{ "lxc.signal.halt = SIGTERM", NULL },
		{ "lxc.signal.halt = \"SIGTERM\"", NULL },
		{ "lxc.signal.halt = 'SIGTERM' \t", NULL },
		{ "lxc.signal.halt = \"SIGTERM'", "lxc.signal.halt = \"SIGTERM'" },
		{ "lxc.signal.halt = \"", "lxc.signal.halt = \"" },
		{ "lxc.signal.halt = SIGNONE", "lxc.signal.halt = SIGNONE" },
		{ "lxc.signal.halt = SIGTERM\nlxc.no.such.key = 1", "lxc.no.such.key = 1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *request = json_pack("{ss}", "raw", cases[i].raw);
		struct err err = { 0 };
		_json_ json_t *answer = helper_check(request, &err);

		if ((answer != NULL) != !cases[i].says)
			fail_msg("%s: %s", cases[i].raw, answer ? "taken" : err.msg);
		if (answer)
			continue;
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].raw, err.msg);
	}
}

/* liblxc looks for newuidmap, and for apparmor_parser, in PATH; only the second may be found. */
static void looks_where_administrators_do(void **state)
{
	_json_ json_t *request = json_pack("{ss,ss}", "name", "c1", "lxcpath", (char *)*state);
	struct err err;
	struct lxc_container *c = helper_lxc_open(request, &err);
	const char *path = getenv("PATH");

	assert_non_null(c);
	assert_non_null(strstr(path, "/usr/sbin"));
	for (const char *p = path; p; p = strchr(p, ':') ? strchr(p, ':') + 1 : NULL) {
		_free_ char *dir = xstrndup(p, strcspn(p, ":"));

		assert_true(str_ends(dir, "/sbin"));
	}
	lxc_container_put(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(finds_the_cause),
		T(begins_where_the_log_was),
		T(looks_where_administrators_do),
		cmocka_unit_test(asks_liblxc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
