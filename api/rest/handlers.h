/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/handlers.h - prototypes of the handlers that api/routes.def names. */
#pragma once
#include "api/http/req.h"

/* A handler may stand in several rows: repeated prototypes are the same. */
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	int handler(struct req *r);
#include "api/routes.def"
#undef ROUTE
