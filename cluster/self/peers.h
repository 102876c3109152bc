/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/peers.h - the members that this one knows, kept on disk.
 *
 * What a member needs before it has reached the leader: whom to ask, whom to dial for Raft, whose
 * certificates to trust. Refreshed from the members' and certificates' rows whenever they change.
 */
#pragma once
#include "base/digest.h"
#include "base/json.h"
#include "cluster/replica/replica.h"

struct peers;

struct peer_info {
	char name[64], uuid[40], address[300], fingerprint[SHA256_HEX_SIZE];
	bool database; /* takes part in Raft: asked first who leads */
};

struct peers *peers_new(const char *path);
void peers_free(struct peers *p);
int peers_load(struct peers *p, struct err *err);
/* From the rows; written to disk when it differs. */
int peers_refresh(struct peers *p, struct replica *r, struct err *err);
/* From a list as peers.json has it (a join's answer). */
int peers_set(struct peers *p, const json_t *list, struct err *err);
json_t *peers_json(struct peers *p);

bool peers_by_uuid(struct peers *p, const char *uuid, struct peer_info *ret);
bool peers_by_address(struct peers *p, const char *address, struct peer_info *ret);
bool peers_by_fingerprint(struct peers *p, const char *fingerprint, struct peer_info *ret);
/* The i-th to ask who leads: the database members twice each, then one of the others, and so on.
 * False when there is none in that place. */
bool peers_ask(struct peers *p, unsigned i, struct peer_info *ret);
