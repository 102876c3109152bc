/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/member/rotate.h - the exchange of the cluster's certificate and key.
 *
 * Whoever was a member knows the cluster's key. So the transaction that removes one puts the row
 * "certificate" without a certificate, which obliges the leader to make a new pair: it stages the
 * pair, commits {certificate, fingerprint, holder} and promotes the pair. Each other member fetches
 * the pair from the holder, or from whoever has it. The key stands in no row.
 */
#pragma once
#include "cluster/self/state.h"
#include "cluster/store/store.h"

/* Adds the obligation to a removal. */
void rotate_order(struct tx *t);
/* The leader orders another certificate for one that runs out, unless one is ordered already; for
 * the others ERR_UNAVAILABLE while nobody leads. The caller holds the change lock. */
int rotate_renew(struct cluster *c, struct err *err);
/* Does what the row asks of this member, if anything. told: the revision of the row that a failure
 * was logged for. For the keeper's thread. */
void rotate_run(struct cluster *c, int64_t *told);
/* Until all members that are online show the certificate that was ordered; gives its fingerprint,
 * "" when there is none at the deadline. */
void rotate_wait(struct cluster *c, int64_t deadline, char ret[SHA256_HEX_SIZE]);
