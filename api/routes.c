/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/route.h"

#include "api/api.h"
#include "api/rest/handlers.h"

/* clang-format off */
const struct route api_routes[] = {
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	{ #method, path, handler, role, target, body, max, flags, query, doc },
#include "api/routes.def"
#undef ROUTE
	{ NULL, NULL, NULL, ROLE_ADMIN, T_HERE, BODY_NONE, 0, 0, 0, NULL },
};
/* clang-format on */
