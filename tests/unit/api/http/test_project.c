/* SPDX-License-Identifier: Apache-2.0 */
/* Which project a request is about, and what the names in it mean then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api/http/req_int.h"
#include "api/http/server_int.h"
#include "api/rest/query.h"
#include "base/mem.h"
#include "base/str.h"

static int nothing(struct req *r)
{
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/1.0/things", nothing, .role = ROLE_TRUSTED, .query = Q_ALL_PROJECTS },
	{ "GET", "/1.0/things/{name}", nothing, .role = ROLE_TRUSTED },
	{ "PUT", "/internal/things/{name}", nothing, .role = ROLE_MEMBER },
	{ "POST", "/internal/things", nothing, .role = ROLE_MEMBER, .query = Q_PROJECT },
	{ 0 },
};

struct asked {
	struct server server;
	struct req r;
};

static struct asked *ask(const char *method, const char *target)
{
	struct asked *a = xnew(struct asked);

	a->server.routes = routes;
	a->r.server = &a->server;
	a->r.project = PROJECT_DEFAULT;
	a->r.head.method = method;
	a->r.head.target = target;
	if (req_route(&a->r) < 0)
		fail_msg("%s: %s", target, a->r.err.msg);
	return a;
}

static void asked_free(struct asked *a)
{
	free(a->r.path);
	free(a->r.query);
	for (int i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(a->r.refs[i]);
	free(a);
}

static void a_path_names_an_object_of_the_project(void **state)
{
	static const struct {
		const char *method, *target, *project, *ref;
	} t[] = {
		{ "GET", "/1.0/things/a", PROJECT_DEFAULT, "a" },
		{ "GET", "/1.0/things/a?project=", PROJECT_DEFAULT, "a" },
		{ "GET", "/1.0/things/a?project=default", PROJECT_DEFAULT, "a" },
		{ "GET", "/1.0/things/a?project=web", "web", "web~a" },
		{ "GET", "/1.0/things/a%20b?project=w%65b", "web", "web~a b" },
		/* No way round the project. */
		{ "GET", "/1.0/things/web~a", PROJECT_DEFAULT, "default~web~a" },
		{ "GET", "/1.0/things/web%7Ea", PROJECT_DEFAULT, "default~web~a" },
		{ "GET", "/1.0/things/x~a?project=web", "web", "web~x~a" },
		/* Members speak of text forms. */
		{ "PUT", "/internal/things/web~a", PROJECT_DEFAULT, "web~a" },
		{ "PUT", "/internal/things/a", PROJECT_DEFAULT, "a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct asked *a = ask(t[i].method, t[i].target);
		const char *ref = req_ref(&a->r, 0);

		assert_string_equal(req_project(&a->r), t[i].project);
		assert_string_equal(ref, t[i].ref);
		assert_ptr_equal(req_ref(&a->r, 0), ref);
		asked_free(a);
	}
}

static void a_body_names_rows_by_their_kind(void **state)
{
	struct asked *a = ask("POST", "/internal/things?project=web");
	_free_ char *instance = req_key(&a->r, ENT_INSTANCE, "a");
	_free_ char *pool = req_key(&a->r, ENT_POOL, "a");

	assert_string_equal(instance, "web~a");
	assert_string_equal(pool, "a");
	asked_free(a);
}

static void a_list_has_one_project_or_all(void **state)
{
	static const struct {
		const char *target;
		bool here, other;
	} t[] = {
		{ "/1.0/things", true, false },
		{ "/1.0/things?project=web", false, true },
		{ "/1.0/things?project=we", false, false },
		{ "/1.0/things?all-projects=true", true, true },
		{ "/1.0/things?all-projects=false", true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct asked *a = ask("GET", t[i].target);

		assert_int_equal(req_lists(&a->r, ENT_INSTANCE, "a"), t[i].here);
		assert_int_equal(req_lists(&a->r, ENT_INSTANCE, "web~a"), t[i].other);
		assert_true(req_lists(&a->r, ENT_POOL, "a"));
		assert_int_equal(req_lists_of(&a->r) == NULL, t[i].here && t[i].other);
		asked_free(a);
	}
}

static void a_project_that_is_not_there_is_refused(void **state)
{
	static const struct {
		const char *target;
		enum err_kind kind;
	} t[] = {
		{ "/1.0/things/a", ERR_NONE },
		{ "/1.0/things/a?project=default", ERR_NONE },
		{ "/1.0/things/a?project=web", ERR_ELSEWHERE },
		{ "/1.0/things/a?project=web~x", ERR_ELSEWHERE },
		{ "/1.0/things/a?project=default&project=default", ERR_INVALID },
		{ "/1.0/things/a?all-projects=true", ERR_INVALID },
		{ "/1.0/things?all-projects=true&project=default", ERR_INVALID },
		{ "/1.0/things?all-projects=maybe", ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct asked *a = ask("GET", t[i].target);

		query_check(&a->r);
		if (a->r.err.kind != t[i].kind)
			fail_msg("%s: %s", t[i].target, a->r.err.msg);
		asked_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_names_an_object_of_the_project),
		cmocka_unit_test(a_body_names_rows_by_their_kind),
		cmocka_unit_test(a_list_has_one_project_or_all),
		cmocka_unit_test(a_project_that_is_not_there_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
