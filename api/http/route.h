/* SPDX-License-Identifier: Apache-2.0 */
/* api/http/route.h - the table of endpoints (api/routes.def) and how a request finds its row. */
#pragma once
#include "api/http/req.h"

enum role { ROLE_ANY, ROLE_TRUSTED, ROLE_MEMBER, ROLE_ADMIN };
/* Who must answer: this member; the instance's ({0}); the one named by ?target= (else this one);
 * the member of the operation {0}. */
enum target { T_HERE, T_INSTANCE, T_NAMED, T_OPERATION };
enum body_kind { BODY_NONE, BODY_MEM, BODY_FILE };
enum route_flags {
	F_INLINE = 1,  /* handler never blocks: runs on the loop */
	F_UPGRADE = 2, /* may become a websocket or another protocol */
	F_SHUTDOWN = 4, /* answered during shutdown too */
	/* May wait for another member, a container, a disk or a large file: everything else waits
	 * for a commit at most. Runs where nobody waits for it (lane_of() in dispatch.c). */
	F_SLOW = 8,
	/* Goes into the container {0}: waits while a move keeps it standing still. */
	F_ENTERS = 16,
};

/* The query parameters (api/http/queries.def) and the bits by which rows name them. */
enum query {
#define QUERY(id, name, check, doc) QUERY_##id,
#define COMMON(id, name, check, doc) QUERY_##id,
#include "api/http/queries.def"
#undef QUERY
#undef COMMON
	QUERY_COUNT,
};
enum query_bits {
#define QUERY(id, name, check, doc) Q_##id = 1 << QUERY_##id,
#define COMMON(id, name, check, doc) Q_##id = 1 << QUERY_##id,
#include "api/http/queries.def"
#undef QUERY
#undef COMMON
};

struct kind;

struct route {
	const char *method, *path;
	int (*handler)(struct req *r); /* NULL: as if the row were not there */
	enum role role;
	enum target target;
	enum body_kind body;
	int64_t body_max;
	unsigned flags;
	unsigned query; /* enum query_bits that it takes beside the common ones */
	const char *doc;
	const struct kind *kind; /* of object, for a handler of api/rest/object.h; or NULL */
};

#define ROUTE_PARAMS_MAX 4
/* The row of a table, which ends with a row without a method, and the decoded {parts}, which are
 * written into path's memory. NULL: ERR_NOT_FOUND or ERR_METHOD. "/1.0/containers" is matched as
 * "/1.0/instances". */
const struct route *route_match(const struct route *table, const char *method, char *path,
				char *params[ROUTE_PARAMS_MAX], struct err *err);
