/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/identity.h - who this member is: member.json and the certificates beside it.
 *
 * member.json is the commit point of every change of identity: it is replaced atomically, after
 * everything it speaks of is in place.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/rng.h"

enum db_state {
	DB_NONE,  /* no database role: the folder is of no use */
	DB_FRESH, /* a role was given, nothing in the folder is relied on yet */
	DB_READY  /* the folder must have content */
};

struct identity {
	char uuid[UUID_SIZE];
	char name[64];
	char address[300]; /* "" before clustering */
	bool enabled;
	bool removed;	/* from the cluster, which said so; everything else stays as it was */
	int64_t joined; /* the revision at which the cluster had this member */
	uint64_t raft_id; /* 0 without a database role */
	enum db_state db;
	unsigned latency_ms;
};

/* Makes one in a new state folder. Where there is none although the folder holds what a member
 * left, or what is there cannot be read, nothing is made: ERR_CONFLICT or the cause, with what to
 * do. */
int identity_load(const char *dir, struct identity *ret, struct err *err);
int identity_save(const char *dir, const struct identity *id, struct err *err);

/* PEM texts and fingerprints. */
struct creds {
	char *server_cert, *server_key;	  /* this member's own */
	char *cluster_cert, *cluster_key; /* what connections are shown; before: the server's */
	char *previous_key; /* of the cluster, before the last exchange; NULL: there was none */
	char server_fp[SHA256_HEX_SIZE], cluster_fp[SHA256_HEX_SIZE];
};
/* Makes the server's pair when there is none; finishes an exchange that was cut off. */
int creds_load(const char *dir, const struct identity *id, struct creds *ret, struct err *err);
void creds_free(struct creds *c);

/* A new pair for the time after clustering: staged under another name until creds_promote(). */
int creds_stage(const char *dir, const char *cn, char **ret_cert, struct err *err);
int creds_promote(const char *dir, struct err *err);
void creds_unstage(const char *dir);
/* The cluster's pair. A staged one is whole, and has no effect until it is promoted; a promotion
 * that was cut off is finished by creds_load(). */
int creds_stage_cluster(const char *dir, const char *cert, const char *key, struct err *err);
bool creds_staged_cluster(const char *dir, const char *fingerprint); /* is it this one? */
int creds_promote_cluster(const char *dir, struct err *err);
void creds_unstage_cluster(const char *dir);
/* Of another cluster than before. */
int creds_write_cluster(const char *dir, const char *cert, const char *key, struct err *err);
