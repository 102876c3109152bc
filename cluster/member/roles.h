/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/roles.h - which members hold the database: the next single step towards it.
 *
 * Pure. The wish: the leader and as many others as make `voters` (one while there are less than
 * three members), then `standbys`, spread over failure domains, of those that are there.
 * Replacements come before removals, a voter that is absent for a short while stays, nobody who is
 * absent is promoted, and the leader hands over before it steps down. No step leaves
 * voters of which half or more are not there; the absent step down first, then those that
 * leave.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum raft_role { RAFT_NONE, RAFT_VOTER, RAFT_STANDBY, RAFT_SPARE };

struct role_member {
	const char *name, *domain;
	uint64_t raft_id;    /* in the Raft configuration; 0: not there */
	enum raft_role role; /* idem */
	bool leader;         /* this very member */
	bool online;         /* connected now */
	int64_t absent_ms;   /* 0 when online */
	bool leaving;        /* being removed, or no member any more */
	bool stray;          /* runs a node that is not in the configuration */
};

struct role_limits {
	size_t voters, standbys;
	int64_t absent_ms; /* beyond which a voter is replaced */
};

enum role_action {
	ROLE_SETTLED,
	ROLE_START,    /* start a node at the member and add it */
	ROLE_ASSIGN,   /* give it `role` */
	ROLE_REMOVE,   /* take it out of the configuration and stop its node */
	ROLE_TRANSFER, /* hand leadership to it */
	ROLE_STOP,     /* stop its stray node */
};

struct role_step {
	enum role_action action;
	size_t member; /* index */
	enum raft_role role;
};

struct role_step roles_next(const struct role_member *v, size_t n, const struct role_limits *l);
/* Whether the configuration shows that the step was taken. Otherwise the next look has to wait for
 * what the member reports: at once it would lead to the same step again. */
bool roles_shown_at_once(enum role_action a);
