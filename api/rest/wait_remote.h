/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/wait_remote.h - waiting for the end of an operation of another member.
 *
 * The end is taken from the operation's fact in this member's replica, not from its owner: it
 * arrives after the rows and facts that the operation changed, so who asks this member next sees
 * them.
 */
#pragma once
#include "api/http/req.h"

/* Replies later: the operation object at its end or after timeout_s (-1: none), or an error when
 * its member went away with it. */
void wait_remote(struct req *r, const char *operation_id, int64_t timeout_s);
/* The envelope around a waited-for operation. */
void wait_answer(struct late *own, const json_t *op);
