/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/http/route.h"
#include "base/mem.h"

static int answer(struct req *r)
{
	return 0;
}

#define ROW(m, p) { .method = m, .path = p, .handler = answer }
#define NO_ROW(m, p) { .method = m, .path = p }

static const struct route table[] = {
	ROW("GET", "/"),
	ROW("GET", "/1.0"),
	ROW("GET", "/1.0/images/{fingerprint}"),
	ROW("DELETE", "/1.0/images/{fingerprint}"),
	ROW("GET", "/1.0/images/aliases"),
	ROW("GET", "/1.0/images/{fingerprint}/export"),
	ROW("GET", "/1.0/images/aliases/{name}"),
	ROW("GET", "/1.0/instances"),
	ROW("POST", "/1.0/instances"),
	ROW("GET", "/1.0/instances/{name}"),
	NO_ROW("PATCH", "/1.0/instances/{name}"),
	NO_ROW("GET", "/1.0/zones"),
	ROW("GET", "/1.0/instances/{name}/files"),
	ROW("HEAD", "/1.0/instances/{name}/files"),
	ROW("PUT", "/1.0/instances/{name}/state"),
	ROW("GET", "/1.0/instances/{name}/logs/{file}"),
	{ 0 },
};

static void finds(void **state)
{
	static const struct {
		const char *method, *path, *row, *p0, *p1;
	} cases[] = {
		{ "GET", "/", "/", NULL, NULL },
		{ "GET", "/1.0", "/1.0", NULL, NULL },
		{ "GET", "/1.0/", "/1.0", NULL, NULL },
		{ "HEAD", "/1.0", "/1.0", NULL, NULL },
		{ "GET", "/1.0/images/abc", "/1.0/images/{fingerprint}", "abc", NULL },
		{ "GET", "/1.0/images/aliases", "/1.0/images/aliases", NULL, NULL },
		{ "GET", "/1.0/images/aliases/export", "/1.0/images/aliases/{name}", "export",
		  NULL },
		{ "GET", "/1.0/images/abc/export", "/1.0/images/{fingerprint}/export", "abc",
		  NULL },
		{ "GET", "/1.0/images/aliases/a%2Fb%20c", "/1.0/images/aliases/{name}", "a/b c",
		  NULL },
		{ "GET", "/1.0/images/aliases/a+b", "/1.0/images/aliases/{name}", "a+b", NULL },
		{ "GET", "/1.0/containers", "/1.0/instances", NULL, NULL },
		{ "PUT", "/1.0/containers/c1/state", "/1.0/instances/{name}/state", "c1", NULL },
		{ "PUT", "/1%2E0/instances/c1/st%61te", "/1.0/instances/{name}/state", "c1", NULL },
		{ "GET", "/1.0/instances/c1/logs/lxc.log", "/1.0/instances/{name}/logs/{file}",
		  "c1", "lxc.log" },
		{ "HEAD", "/1.0/instances/c1/files", "/1.0/instances/{name}/files", "c1", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *path = xstrdup(cases[i].path);
		char *params[ROUTE_PARAMS_MAX];
		struct err err = { 0 };
		const struct route *r = route_match(table, cases[i].method, path, params, &err);

		if (!r)
			fail_msg("%s %s: %s", cases[i].method, cases[i].path, err.msg);
		assert_string_equal(r->path, cases[i].row);
		if (cases[i].p0)
			assert_string_equal(params[0], cases[i].p0);
		else
			assert_null(params[0]);
		if (cases[i].p1)
			assert_string_equal(params[1], cases[i].p1);
	}
}

static void a_method_of_its_own_wins(void **state)
{
	char path[] = "/1.0/instances/c1/files";
	char *params[ROUTE_PARAMS_MAX];
	struct err err;

	assert_string_equal(route_match(table, "HEAD", path, params, &err)->method, "HEAD");
}

static void refuses(void **state)
{
	static const struct {
		const char *method, *path;
		enum err_kind kind;
	} cases[] = {
		{ "GET", "/nope", ERR_NOT_FOUND },
		{ "GET", "", ERR_NOT_FOUND },
		{ "GET", "//1.0", ERR_NOT_FOUND },
		{ "GET", "/1.0//instances", ERR_NOT_FOUND },
		{ "GET", "/1.0/instances//state", ERR_NOT_FOUND },
		{ "GET", "/1.0/instancesx", ERR_NOT_FOUND },
		{ "GET", "/1.0/instance", ERR_NOT_FOUND },
		{ "GET", "/1.0/images/%zz", ERR_NOT_FOUND },
		{ "GET", "/1.0/images/%00", ERR_NOT_FOUND },
		{ "GET", "/1.0/images/a%", ERR_NOT_FOUND },
		{ "GET", "/1/2/3/4/5/6/7/8/9/10/11/12/13", ERR_NOT_FOUND },
		{ "DELETE", "/1.0", ERR_METHOD },
		{ "get", "/1.0", ERR_METHOD },
		{ "POST", "/1.0/instances/c1/state", ERR_METHOD },
		/* not the image of that name */
		{ "DELETE", "/1.0/images/aliases", ERR_METHOD },
		/* rows without a handler are as if they were not there */
		{ "PATCH", "/1.0/instances/c1", ERR_METHOD },
		{ "GET", "/1.0/zones", ERR_NOT_FOUND },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *path = xstrdup(cases[i].path);
		char *params[ROUTE_PARAMS_MAX];
		struct err err = { 0 };

		assert_null(route_match(table, cases[i].method, path, params, &err));
		assert_int_equal(err.kind, cases[i].kind);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(a_method_of_its_own_wins),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
