/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/calls.h - kept connections to other members. */
#pragma once
#include "cluster/self/state.h"

struct calls *calls_new(void);
void calls_free(struct calls *k);
/* Drops all connections: our certificate or the cluster's changed. */
void calls_reset(struct calls *k);
void calls_expire(struct calls *k);

struct member_call {
	const char *address, *method, *path;
	const char *body; /* JSON text or NULL */
	size_t body_len;
	int64_t deadline;
};
/* How far a call came. After CALL_SENT the member may have acted on it, and so it may have when
 * its answer cannot be read. */
enum call_stage { CALL_UNSENT, CALL_SENT, CALL_REFUSED, CALL_ANSWERED };
json_t *calls_do(struct cluster *c, const struct member_call *m, enum call_stage *ret_stage,
		 struct err *err);
