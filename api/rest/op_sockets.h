/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/op_sockets.h - operations whose clients connect by websocket: what op_data() points
 * to. */
#pragma once
#include "api/http/req.h"

struct op_sockets {
	/* Replies to GET /1.0/operations/ID/websocket?secret= ; ERR_FORBIDDEN for an unknown
	 * secret. */
	int (*attach)(struct op_sockets *s, struct req *r, const char *secret);
};
