/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/cluster.h - this member's place in the cluster: identity, trust, leadership, roles,
 * joining.
 *
 * A single host is a cluster of one with a dqlite node of its own; enabling clustering gives it a
 * name and an address, and other members join by token. The leader assigns the database roles.
 * Identity is kept in $DUNLIN_DIR/member.json and the certificates beside it:
 *   server.crt/.key   this member's own, shown to other members on both ends of a connection
 *   cluster.crt/.key  common to all members, shown to clients
 */
#pragma once
#include "base/digest.h"
#include "base/net/httpc.h"
#include "base/pool.h"
#include "cluster/model/life.h"
#include "cluster/model/row.h"

struct cluster;
struct store;
struct stream;
struct tls_ctx;

struct cluster_opts {
	const char *dir; /* DUNLIN_DIR */
	struct pool *pool;
	/* This member's load for its FACT_MEMBER, asked now and then; new reference. */
	json_t *(*load)(void *arg);
	/* Called when what cluster_server_tls() gives changed. */
	void (*certificate_changed)(void *arg);
	void *arg;
};

/* Loads or makes the identity, starts the dqlite node when this member has a database role, the
 * replica and the feed. Returns with the replica loaded, or empty when no leader answered in
 * time (an island). */
struct cluster *cluster_new(const struct cluster_opts *o, struct err *err);
int cluster_start(struct cluster *c, struct err *err); /* after watches are registered */
/* Hands leadership over, then ends every thread and stream; watchers and callbacks are not
 * called any more, and what is asked afterwards is answered with ERR_UNAVAILABLE. To be called
 * before the server and whoever watches the store are freed. */
void cluster_stop(struct cluster *c);
/* After everyone who uses it has ended; stops it if need be. */
void cluster_free(struct cluster *c);

struct store *cluster_store(struct cluster *c);
const char *cluster_member_name(struct cluster *c); /* "none" before clustering, as LXD says */
const char *cluster_address(struct cluster *c);     /* host:port, "" before clustering */
bool cluster_enabled(struct cluster *c);
bool cluster_is_leader(struct cluster *c);
/* The cluster has said that it does not have this member any more: it writes nothing, and keeps
 * what it has until it joins again. */
bool cluster_is_removed(struct cluster *c);
int cluster_check_member(struct cluster *c, struct err *err); /* ERR_FORBIDDEN when removed */
/* True while no leader can be reached: answers may be old. */
bool cluster_is_island(struct cluster *c);
/* No leader has been heard since the start: for a few seconds, or for as long as there is no copy
 * of the rows either. */
bool cluster_is_starting(struct cluster *c);
/* Waits for those seconds; ERR_UNAVAILABLE when there are no rows then. */
int cluster_await_started(struct cluster *c, struct err *err);
/* For how long, 0 while a leader is heard. */
int64_t cluster_island_ms(struct cluster *c);
/* An island for longer than an election lasts, or than a member may be silent: there is no quorum,
 * or not for us. What needs one fails at once, with err saying what to do. */
bool cluster_is_cut_off(struct cluster *c);
bool cluster_explain_cut_off(struct cluster *c, struct err *err); /* false when it is not so */
/* host:port of the leader; false when unknown. */
bool cluster_leader_address(struct cluster *c, char *buf, size_t size);
const char *cluster_cert_pem(struct cluster *c); /* what connections are shown */
const char *cluster_fingerprint(struct cluster *c);
/* Waits while that is about to change, so that what it gives may be handed out. */
int cluster_settle_certificate(struct cluster *c, struct err *err);

/* `cluster.offline_threshold`: the silence after which a member counts as offline. */
int64_t cluster_offline_ms(struct cluster *c);
/* Whether a member is alive, as far as this one knows; everybody asks here. ret_since (may be
 * NULL): wall seconds of its last word, or 0. */
enum member_life cluster_member_life(struct cluster *c, const char *name, int64_t *ret_since);
/* host:port of a member by name; ERR_NOT_FOUND, or ERR_UNAVAILABLE when it is offline (with
 * since when). */
int cluster_member_address(struct cluster *c, const char *name, char *buf, size_t size,
			   struct err *err);
/* Is this the certificate of a present member? Its name goes to ret_name (64 bytes). */
bool cluster_is_member_cert(struct cluster *c, const char *fingerprint, char *ret_name);
/* What connections are shown: the cluster's certificate, and this member's own to those who ask
 * for the server name MEMBER_SNI, which members do. New references. */
#define MEMBER_SNI "member.dunlin"
struct tls_ctx *cluster_server_tls(struct cluster *c, struct err *err);
struct tls_ctx *cluster_client_tls(struct cluster *c); /* for members' certificates only */
/* The certificate that a member at this address must show; ERR_UNAVAILABLE when no known member has
 * it. */
int cluster_pin(struct cluster *c, const char *address, char ret[SHA256_HEX_SIZE], struct err *err);

/* A member that passes a request on vouches for who asks, `caller` in some text, towards the member
 * that shows the certificate `to`. The proof is made of the cluster's key: the certificate of a
 * member and its own key are not enough. While the key is exchanged the two may have different
 * ones: there is a proof with the previous key, too. */
#define VOUCH_SIZE (2 * SHA256_HEX_SIZE)
void cluster_vouch(struct cluster *c, const char *to, const char *caller,
		   char ret_proof[VOUCH_SIZE]);
/* Whether the member that shows the certificate `from` vouched so, towards this one. */
bool cluster_is_vouched(struct cluster *c, const char *from, const char *caller,
			const char *proof);

/* A call to a member, authenticated as this member, over a kept connection. The answer's
 * metadata, or NULL with the other side's error. address may name the leader or anyone. */
json_t *cluster_call(struct cluster *c, const char *address, const char *method, const char *path,
		     const json_t *body, int64_t deadline, struct err *err);
/* The same to whoever leads; retried over elections until the deadline. */
json_t *cluster_call_leader(struct cluster *c, const char *method, const char *path,
			    const json_t *body, int64_t deadline, struct err *err);
/* An upgraded stream to a member (feed, migration). */
struct stream *cluster_connect(struct cluster *c, const char *address, const char *path,
			       const char *protocol, int64_t deadline, struct err *err);
/* A file from a member: GET path into out_fd. */
int cluster_download(struct cluster *c, const char *address, const char *path, int out_fd,
		     int64_t deadline, struct err *err);

/* --- membership ------------------------------------------------------------------------------- */

/* Names this host and makes it the first member. address: host:port others reach it at. */
int cluster_enable(struct cluster *c, const char *name, const char *address, struct err *err);
/* A join token that is good for life_s seconds: its operation uuid, secret and expiry in a JSON
 * object (LXD's token metadata: serverName, secret, fingerprint, addresses[], expiresAt, id). The
 * secret is known to nobody else. ret_row: the row as committed; NULL: not wanted. Leader not
 * needed here: it commits. */
json_t *cluster_token_new(struct cluster *c, const char *name, int64_t life_s, struct row *ret_row,
			  struct err *err);
/* Joins by a token (base64 text). address: ours. Replaces our database by the cluster's; refused
 * when this host has instances or is clustered. */
int cluster_join(struct cluster *c, const char *name, const char *address, const char *token,
		 struct err *err);
/* Removes a member: refused while it has instances unless force. Its certificate and connections
 * die, and all tokens that were not used, and the cluster gets another certificate and key
 * (rotate.h): the members that are online show it when this returns, others when they are back. */
struct removal {
	int tokens; /* that were revoked */
	char fingerprint[SHA256_HEX_SIZE]; /* of the new certificate; "" while there is none yet */
};
int cluster_remove(struct cluster *c, const char *name, bool force, struct removal *ret,
		   struct err *err);
/* LXD's member object for the API (borrowed strings are copied): roles, status, message, ... */
json_t *cluster_member_json(struct cluster *c, const struct row *member);

/* --- served to other members; api/server/internal.c calls these
 * ------------------------------------ */

json_t *cluster_serve_join(struct cluster *c, const json_t *body, const char *peer_fingerprint,
			   struct err *err);                      /* POST /internal/cluster/join */
json_t *cluster_serve_leader(struct cluster *c, struct err *err); /* GET /internal/leader */
/* GET /internal/membership: whether the one who asks is a member, and as of which revision. */
json_t *cluster_serve_membership(struct cluster *c, const char *peer_fingerprint);
/* GET /internal/cluster/certificate: the cluster's pair for a member that has an older one. */
json_t *cluster_serve_certificate(struct cluster *c, struct err *err);
/* POST /internal/tx, /outcome, /row; /raft starts and stops the database node */
json_t *cluster_serve_tx(struct cluster *c, const json_t *body, struct err *err);
json_t *cluster_serve_outcome(struct cluster *c, const json_t *body, struct err *err);
json_t *cluster_serve_row(struct cluster *c, const json_t *body, struct err *err);
json_t *cluster_serve_raft(struct cluster *c, const json_t *body, struct err *err);
void cluster_serve_feed(struct cluster *c, struct stream *own_stream); /* upgrade dunlin-feed */
void cluster_serve_raft_stream(struct cluster *c, struct stream *own_stream); /* upgrade dqlite */
