/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/store/verdict.h - what a leader's answer, or its silence, says of a transaction. */
#pragma once
#include "cluster/self/calls.h"

/* The kind of a call that has failed: ERR_UNAVAILABLE when it was never sent, its own when the
 * leader's server turned it away unread, else ERR_UNKNOWN: it may have been committed. */
enum err_kind verdict_of_call(enum call_stage stage, enum err_kind kind);
/* One of the leader's results: the revision, or the error; ERR_UNKNOWN when it is neither. */
int verdict_of_result(const json_t *result, int64_t *ret_rev, struct err *err);
