/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/join.h - what a newcomer makes of what it is told, for join.c and its tests. */
#pragma once
#include "cluster/member/token.h"

/* What the members said in a round of asking; for how long it is asked again depends on it. */
enum join_round {
	ROUND_UNREACHED, /* nothing: none was reached */
	ROUND_BUSY,	 /* not now, or nobody knows: the next one may answer */
	ROUND_REFUSED,	 /* that may not have heard of the token yet */
	ROUND_OVER,	 /* once for all, yes or no */
};
enum join_round join_round_of(enum err_kind kind);
/* The answer is of the cluster that the token is of, and whole. */
int join_check_answer(const json_t *answer, const struct join_token *token, struct err *err);
