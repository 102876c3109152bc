/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/wait_remote.h - waiting for the end of an operation of another member.
 *
 * The end is taken from the operation's fact in this member's replica, not from its owner: it
 * arrives after the rows and facts that the operation changed, so who asks this member next sees
 * them.
 */
#pragma once
#include "api/http/req.h"
#include "migrate/migrate.h"

/* There is, or was a moment ago, a move under that operation: it may be waited for also when
 * nothing else is known of it. */
bool wait_is_for_move(const struct api_env *env, const char *operation_id);
/* Replies later: the operation object at its end or after timeout_s (-1: none), or an error when
 * its member went away with it. What became of a move is told all the same. */
void wait_remote(struct req *r, const char *operation_id, int64_t timeout_s);
/* An operation of another member, as it is known here. */
struct wait_view {
	bool known;   /* there is a fact of it */
	bool ended;   /* which says so */
	bool seen;    /* there was one before */
	bool overdue; /* one that is on its way would have come by now */
	bool late;    /* the caller waits no longer */
	bool cut_off; /* nothing is heard of other members */
	enum move_fate fate; /* of one that is gone */
};
enum wait_step {
	WAIT_ON,
	WAIT_ANSWER, /* as it is */
	WAIT_GONE,   /* how it ended is not known any more */
	WAIT_MADE,   /* a move that others have finished */
	WAIT_GIVEN_UP,
	WAIT_CUT_OFF,
};
enum wait_step wait_next(const struct wait_view *v);
/* The envelope around a waited-for operation. */
void wait_answer(struct late *own, const json_t *op);
