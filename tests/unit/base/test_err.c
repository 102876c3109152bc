/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"

static void every_kind_has_a_status_and_a_sentence(void **state)
{
	for (int k = 1; k < ERR_MAX; k++) {
		assert_in_range(err_http(k), 400, 599);
		assert_true(strlen(err_sentence(k)) > 5);
		assert_int_equal(strncmp(err_name(k), "ERR_", 4), 0);
		assert_int_equal(err_from_name(err_name(k)), k);
	}
	assert_int_equal(err_http(ERR_NONE), 200);
}

static void kinds_have_names_of_their_own(void **state)
{
	for (int a = 1; a < ERR_MAX; a++) {
		for (int b = a + 1; b < ERR_MAX; b++) {
			assert_string_not_equal(err_name(a), err_name(b));
			assert_string_not_equal(err_sentence(a), err_sentence(b));
		}
	}
}

static void unknown_names_are_internal(void **state)
{
	static const char *const names[] = {
		NULL, "", "nonsense", "ERR_NONE", "err_invalid", "ERR_INVALID ", "ERR_"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(err_from_name(names[i]), ERR_INTERNAL);
}

/* A status that several kinds share gives the first of the table, which is the plain one. */
static void a_status_gives_the_kind_that_fits_best(void **state)
{
	static const struct {
		int status;
		enum err_kind kind;
	} cases[] = {
		{ 400, ERR_INVALID },     { 403, ERR_FORBIDDEN },   { 404, ERR_NOT_FOUND },
		{ 405, ERR_METHOD },      { 409, ERR_CONFLICT },    { 412, ERR_PRECONDITION },
		{ 413, ERR_TOO_LARGE },   { 415, ERR_MEDIA_TYPE },  { 418, ERR_INVALID },
		{ 423, ERR_BUSY },        { 429, ERR_LIMIT },       { 499, ERR_CANCELLED },
		{ 500, ERR_INTERNAL },    { 501, ERR_UNSUPPORTED }, { 502, ERR_INTERNAL },
		{ 503, ERR_UNAVAILABLE }, { 504, ERR_TIMEOUT },     { 507, ERR_NO_SPACE },
		{ 302, ERR_INVALID },     { 599, ERR_INTERNAL },    { 0, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(err_from_http(cases[i].status), cases[i].kind);
}

/* What a server sends as a status comes back as a kind with the same status. */
static void a_status_survives_the_way_there_and_back(void **state)
{
	for (int k = 1; k < ERR_MAX; k++)
		assert_int_equal(err_http(err_from_http(err_http(k))), err_http(k));
}

static void setting_forgets_what_was_before(void **state)
{
	struct err err = { .kind = ERR_BUSY, .sys = EIO, .msg = "old" };

	assert_int_equal(err_set(&err, ERR_CONFLICT, "no %d of %s", 7, "x"), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.msg, "no 7 of x");
}

static void wrapping_adds_only_words(void **state)
{
	struct err err = { 0 };

	errno = ENOSPC;
	assert_int_equal(err_sys(&err, "write"), -1);
	assert_int_equal(err_wrap(&err, "start %s", "c1"), -1);
	assert_int_equal(err_wrap(&err, "n1"), -1);
	assert_string_equal(err.msg, "n1: start c1: write: No space left on device");
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_int_equal(err.sys, ENOSPC);
}

static void errno_decides_the_kind(void **state)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} cases[] = {
		{ ENOENT, ERR_NOT_FOUND },
		{ EEXIST, ERR_CONFLICT },
		{ ENOSPC, ERR_NO_SPACE },
		{ EDQUOT, ERR_NO_SPACE },
		{ ETIMEDOUT, ERR_TIMEOUT },
		{ ECONNREFUSED, ERR_UNAVAILABLE },
		{ ECONNRESET, ERR_UNAVAILABLE },
		{ EHOSTUNREACH, ERR_UNAVAILABLE },
		{ ENETUNREACH, ERR_UNAVAILABLE },
		{ EPIPE, ERR_UNAVAILABLE },
		{ EIO, ERR_INTERNAL },
		{ EACCES, ERR_INTERNAL },
		{ EINVAL, ERR_INTERNAL },
		{ 0, ERR_INTERNAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		errno = cases[i].sys;
		assert_int_equal(err_sys(&err, "open %s", "/x"), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_int_equal(err.sys, cases[i].sys);
		assert_int_equal(strncmp(err.msg, "open /x: ", 9), 0);
		assert_string_equal(err.msg + 9, strerror(cases[i].sys));
	}
}

/* Each of the three cuts what is too long and ends the text. */
static void long_texts_are_cut(void **state)
{
	char text[2000];
	struct err err;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_INVALID, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	err_wrap(&err, "outer");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(strncmp(err.msg, "outer: aaa", 10), 0);
	err_wrap(&err, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_null(strchr(err.msg, ':'));
	errno = EIO;
	err_sys(&err, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(err.sys, EIO);
}

static void an_object_is_named_once(void **state)
{
	static const struct {
		const char *said, *name, *msg;
	} cases[] = {
		{ "Not Found", "web", "profile \"web\": Not Found" },
		{ "no profile \"web\"", "web", "no profile \"web\"" },
		{ "no profile \"web\"", "db", "profile \"db\": no profile \"web\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err;

		err_set(&err, ERR_NOT_FOUND, "%s", cases[i].said);
		for (int times = 0; times < 2; times++)
			assert_int_equal(err_wrap_name(&err, "profile", cases[i].name), -1);
		assert_string_equal(err.msg, cases[i].msg);
		assert_int_equal(err.kind, ERR_NOT_FOUND);
	}
}

/* What is wrong with a path that somebody named; a disk that fails is still ours. */
static void a_path_is_blamed_on_who_named_it(void **state)
{
	static const struct {
		int sys;
		enum err_kind kind;
	} cases[] = {
		{ ENOTDIR, ERR_INVALID }, { ELOOP, ERR_INVALID },    { EROFS, ERR_CONFLICT },
		{ EBUSY, ERR_CONFLICT },  { ENOENT, ERR_NOT_FOUND }, { ENOSPC, ERR_NO_SPACE },
		{ EIO, ERR_INTERNAL },    { EMFILE, ERR_INTERNAL },
	};
	struct err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		errno = cases[i].sys;
		err_sys(&err, "/a/b");
		assert_int_equal(err_blame_path(&err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_int_equal(err.sys, cases[i].sys);
	}
	err_set(&err, ERR_INTERNAL, "no errno");
	err_blame_path(&err);
	assert_int_equal(err.kind, ERR_INTERNAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_a_status_and_a_sentence),
		cmocka_unit_test(kinds_have_names_of_their_own),
		cmocka_unit_test(unknown_names_are_internal),
		cmocka_unit_test(a_status_gives_the_kind_that_fits_best),
		cmocka_unit_test(a_status_survives_the_way_there_and_back),
		cmocka_unit_test(setting_forgets_what_was_before),
		cmocka_unit_test(wrapping_adds_only_words),
		cmocka_unit_test(errno_decides_the_kind),
		cmocka_unit_test(long_texts_are_cut),
		cmocka_unit_test(an_object_is_named_once),
		cmocka_unit_test(a_path_is_blamed_on_who_named_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
