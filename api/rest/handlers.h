/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/handlers.h - the handlers that api/routes.def names, and the kinds of objects that
 * cluster/model/entity.def names. */
#pragma once
#include "api/http/req.h"
#include "api/work/env.h"

struct kind;

/* A handler may stand in several rows: repeated prototypes are the same. */
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	int handler(struct req *r);
#define KIND(id, ...) extern const struct kind kind_##id;
#include "api/routes.def"
#undef ROUTE
