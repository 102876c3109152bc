/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/query.h - the table of query parameters (api/http/queries.def) applied to a request. */
#pragma once
#include "api/http/req.h"

/* Does each parameter belong to the request's row, once, with a value that means something? -1 with
 * ERR_INVALID, or ERR_ELSEWHERE for a project, member or group that is not there. The request has
 * its route and its caller. */
int query_check(struct req *r);
