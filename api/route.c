/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

#include "api/handlers.h"
#include "base/mem.h"

/* clang-format off */
static const struct route table[] = {
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	{ #method, path, handler, role, target, body, max, flags, query, doc },
#include "api/routes.def"
#undef ROUTE
	{ NULL, NULL, NULL, ROLE_ADMIN, T_HERE, BODY_NONE, 0, 0, 0, NULL },
};
/* clang-format on */

const struct route *route_table(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(table) - 1;
	return table;
}

const struct route *route_find(const char *method, char *path, char *params[ROUTE_PARAMS_MAX],
			       struct err *err)
{
	return route_match(table, method, path, params, err);
}
