/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/handlers.h - the handlers and kinds of objects that api/routes.def names. */
#pragma once
#include "api/http/req.h"

struct kind;

/* A handler may stand in several rows: repeated prototypes are the same. */
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	int handler(struct req *r);
#define KIND(id, path, part, verbs, readers, target, flags, query, doc) \
	extern const struct kind kind_##id;
#include "api/routes.def"
#undef ROUTE
#undef KIND
