/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of api/routes.def are consistent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/api.h"
#include "api/http/route.h"
#include "base/mem.h"
#include "base/str.h"

static void check_row(const struct route *r)
{
	bool internal = str_starts(r->path, "/internal");

	if (!r->handler || r->path[0] != '/' || str_empty(r->doc))
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

/* Each row finds itself, so no row hides another. */
static void rows_are_reachable(void **state)
{
	for (const struct route *r = api_routes; r->method; r++) {
		_free_ char *path = xstrdup(r->path);
		char *params[ROUTE_PARAMS_MAX];
		struct err err;
		const struct route *found =
			route_match(api_routes, r->method, path, params, &err);

		if (found != r)
			fail_msg("%s %s is hidden", r->method, r->path);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(rows_are_reachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
