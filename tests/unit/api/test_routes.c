/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of api/routes.def are consistent, and so are the kinds of objects that they name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"
#include "api/rest/object.h"
#include "base/mem.h"
#include "base/str.h"

static void check_row(const struct route *r)
{
	bool internal = str_starts(r->path, "/internal");

	if ((!r->handler && !r->kind) || r->path[0] != '/' || str_empty(r->doc))
		fail_msg("%s %s: handler, path or doc", r->method, r->path);
	if ((r->body == BODY_NONE) != (r->body_max == 0) || r->body_max < 0)
		fail_msg("%s %s: body and its limit do not fit", r->method, r->path);
	if (r->body == BODY_MEM && r->body_max > 64 << 20)
		fail_msg("%s %s: too much for memory", r->method, r->path);
	if (internal && r->role == ROLE_TRUSTED)
		fail_msg("%s %s: clients have no business there", r->method, r->path);
	if ((r->target == T_INSTANCE || r->target == T_OPERATION) && !strchr(r->path, '{'))
		fail_msg("%s %s: nothing in the path tells the member", r->method, r->path);
}

static void rows_are_sound(void **state)
{
	assert_non_null(api_routes[0].method);
	for (const struct route *r = api_routes; r->method; r++)
		check_row(r);
}

/* Each row finds itself, so no row hides another; one that is not offered is not found. */
static void rows_are_reachable(void **state)
{
	for (const struct route *r = api_routes; r->method; r++) {
		_free_ char *path = xstrdup(r->path);
		char *params[ROUTE_PARAMS_MAX];
		struct err err;
		const struct route *found =
			route_match(api_routes, r->method, path, params, &err);

		if ((found == r) != (r->handler != NULL))
			fail_msg("%s %s is hidden, or stands there twice", r->method, r->path);
	}
}

static const struct route *row_of(const struct kind *k, const char *method, bool of_object)
{
	const struct route *r = api_routes;

	while (r->method && (r->kind != k || !str_eq(r->method, method) ||
			     (strchr(r->path, '{') != NULL) != of_object))
		r++;
	assert_non_null(r->method);
	return r;
}

/* One KIND row gives seven routes, each with its method and body. */
static void a_kind_has_its_routes(void **state)
{
	static const struct {
		const char *method;
		bool of_object;
		int (*handler)(struct req *r);
		enum body_kind body;
	} rows[] = {
		{ "GET", false, object_list, BODY_NONE },
		{ "GET", true, object_get, BODY_NONE },
		{ "POST", false, object_create, BODY_MEM },
		{ "PUT", true, object_change, BODY_MEM },
		{ "PATCH", true, object_change, BODY_MEM },
		{ "POST", true, object_rename, BODY_MEM },
		{ "DELETE", true, object_delete, BODY_NONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct route *r = row_of(&kind_profile, rows[i].method, rows[i].of_object);

		assert_ptr_equal(r->handler, rows[i].handler);
		assert_int_equal(r->body, rows[i].body);
		assert_int_equal(r->role, ROLE_TRUSTED);
	}
}

/* Who makes objects needs a name for them, and the words for a wrong one. */
static void kinds_are_sound(void **state)
{
	for (const struct route *r = api_routes; r->method; r++) {
		bool makes = r->handler == object_create || r->handler == object_rename;
		const struct kind *k = r->kind;
		int names = 0;

		for (const struct field *f = k ? k->fields : NULL; f && f->key; f++)
			names += f->use == FIELD_NAME;
		if (k && names != 1)
			fail_msg("%s has %d names", r->path, names);
		if (makes && !k->name_max && !k->make && !k->no_rename &&
		    (!k->is_name || str_empty(k->name_rule) || k->is_name("")))
			fail_msg("%s: what is a name?", r->path);
		if (k && k->keep && str_empty(k->keep_text))
			fail_msg("%s: what is \"%s\"?", r->path, k->keep);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(rows_are_reachable),
		cmocka_unit_test(a_kind_has_its_routes),
		cmocka_unit_test(kinds_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
