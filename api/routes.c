/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/route.h"

#include "api/api.h"
#include "api/rest/object.h"

/* clang-format off */
const struct route api_routes[] = {
#define ROUTE(method, path, handler, role, target, body, max, flags, query, doc) \
	{ #method, path, handler, role, target, body, max, flags, query, doc, NULL },
#define IF(verbs, verb, handler) ((verbs) & (verb) ? (handler) : NULL)
#define READ(id, path, handler, readers, target, query, doc) \
	{ "GET", path, handler, readers, target, BODY_NONE, 0, 0, query, doc, &kind_##id },
#define SEND(id, method, path, handler, flags, query, doc) \
	{ method, path, handler, ROLE_TRUSTED, T_HERE, BODY_MEM, JSON_MAX, flags, query, doc, \
	  &kind_##id },
#define KIND(id, entity, table, index, scope, noun, path, part, verbs, readers, target, flags, \
	     query, doc) \
	READ(id, path, IF(verbs, CAN_LIST, object_list), readers, T_HERE, Q_LIST, doc) \
	READ(id, path part, IF(verbs, CAN_GET, object_get), readers, target, 0, "one of: " doc) \
	SEND(id, "POST", path, IF(verbs, CAN_CREATE, object_create), flags, query, "make " doc) \
	SEND(id, "PUT", path part, IF(verbs, CAN_CHANGE, object_change), flags, query, \
	     "replace one of: " doc) \
	SEND(id, "PATCH", path part, IF(verbs, CAN_CHANGE, object_change), flags, query, \
	     "change some of one of: " doc) \
	SEND(id, "POST", path part, IF(verbs, CAN_RENAME, object_rename), flags, 0, \
	     "rename one of: " doc) \
	{ "DELETE", path part, IF(verbs, CAN_DELETE, object_delete), ROLE_TRUSTED, T_HERE, \
	  BODY_NONE, 0, flags, 0, "delete one of: " doc, &kind_##id },
#include "api/routes.def"
#undef ROUTE
#undef IF
#undef READ
#undef SEND
	{ NULL, NULL, NULL, ROLE_ADMIN, T_HERE, BODY_NONE, 0, 0, 0, NULL, NULL },
};
/* clang-format on */
