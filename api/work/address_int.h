/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/address_int.h - what the files of api/address share. */
#pragma once
#include "api/work/address.h"

bool net4_parse_ip(const char *text, uint32_t *ret);
/* ERR_INVALID for one that no nic of the network can have. */
int net4_check(const struct net4 *n, const char *network, uint32_t ip, struct err *err);

/* False when somebody else of this daemon has picked it and is about to commit. */
bool address_reserve(struct address_picks *p, const char *key);

struct pick_from {
	const char *network, *instance;
	const struct net4 *net;
	int attempt; /* how often the commit has lost a race */
};
struct pick {
	uint32_t ip;
	int64_t rev; /* of its row, for the transaction */
};
/* The address that was free the longest: the lowest of those that no row knows, else the one that
 * was freed first. After lost races one of the next, the same for the same instance and attempt.
 * tx forgets what was freed too long ago to matter. ERR_LIMIT when all are taken. */
int address_pick(struct store *s, const struct pick_from *from, struct address_picks *picks,
		 struct tx *tx, struct pick *ret, struct err *err);

/* A hardware address that no lease has. */
void mac_make(struct store *s, char ret[18]);
/* "NETWORK/MAC", the same for all ways to write it; the caller frees. */
char *mac_key(const char *network, const char *mac);
/* ERR_CONFLICT, naming the holder, when another instance has a lease with it on that
 * network. */
int mac_check(struct store *s, const char *network, const char *mac, const char *instance,
	      struct err *err);
