/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/self/state.h - inside of struct cluster, for the rooms of this floor only.
 *
 * Threads: notify (watchers), leader (polls who leads; drains the writer while we do), hub (the
 * leader's side of the feed), follow (a member's side), keeper (own fact, copies on disk, database
 * roles). Lock order: `lock` is a leaf but for nothing; the replica's lock may be taken before it,
 * not after.
 */
#pragma once
#include <pthread.h>

#include "cluster/cluster.h"
#include "cluster/replica/replica.h"
#include "cluster/self/identity.h"
#include "cluster/self/peers.h"

#define NAME_SIZE 64
#define ADDRESS_SIZE 300

struct dqnode;
struct follow;
struct outbox;
struct hub;
struct keeper;
struct leader;
struct calls;
struct writer;

/* What the rooms above do for those below. leader_known is called under the lock. */
struct cluster_hooks {
	void (*leader_known)(struct cluster *c);
	void (*duties_due)(struct cluster *c); /* this member leads, or has found a leader */
	void (*removed)(struct cluster *c);
	void (*spread)(struct cluster *c, const char *event); /* to all members */
};

struct cluster {
	const struct cluster_hooks *hooks;
	struct cluster_opts o;
	char *dir;
	int dir_lock;

	struct notifier *notifier;
	struct replica *replica;
	struct store *store;
	struct peers *peers;
	struct calls *calls;
	struct outbox *outbox;
	struct writer *writer;
	struct leader *leader;
	struct hub *hub;
	struct follow *follow;
	struct keeper *keeper;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the fields below */
	struct identity id;
	struct creds creds;
	struct dqnode *node; /* NULL without a database role */
	bool leading, contact, stopping;
	bool switching; /* from one cluster to another: nobody is followed meanwhile */
	bool loaded; /* the replica has been current once */
	int64_t start_until; /* so long requests wait for the first word of a leader */
	int64_t heard_ms; /* while neither leading nor in contact: when a leader was last heard */
	char leader_name[NAME_SIZE], leader_address[ADDRESS_SIZE]; /* "" when unknown */
	char leader_fingerprint[SHA256_HEX_SIZE]; /* as another member said, or "" */
	/* Handed out; replaced ones are kept until the end. */
	char *name, *address, *cert, *fingerprint;
	char **retired;
	size_t n_retired;
	pthread_mutex_t id_lock; /* around edits of the identity; before `lock` */
	pthread_mutex_t change_lock; /* one membership change at a time here; the outermost */
};

/* Under no lock. */
/* The certificate of the one that leads, by the word of a member. */
void cluster_expect_leader(struct cluster *c, const char *fingerprint);
void cluster_set_leader(struct cluster *c, const char *name, const char *address);
void cluster_forget_leader(struct cluster *c, const char *address); /* when it is still this one */
void cluster_set_leading(struct cluster *c, bool on);
void cluster_set_contact(struct cluster *c);
void cluster_lose_contact(struct cluster *c, int64_t heard_ms); /* 0: there was none */
/* The cluster does not know this member any more: stops the database, says so, keeps everything. */
void cluster_set_removed(struct cluster *c);
/* Changes the identity: on disk, in memory, and what is shown to connections. */
int cluster_edit_identity(struct cluster *c, void (*edit)(struct identity *id, void *arg),
			  void *arg, struct err *err);
/* Waits for a change of who leads; false at the deadline. */
bool cluster_wait_leader(struct cluster *c, int64_t deadline);
void cluster_self(struct cluster *c, struct identity *ret); /* a copy */
/* Makes the texts that are handed out current. */
void cluster_show_identity(struct cluster *c);
/* Certificates anew from disk, and everything that shows them. */
int cluster_reload_creds(struct cluster *c, struct err *err);
bool cluster_stopping(struct cluster *c);
char *cluster_path(const struct cluster *c, const char *name); /* under dir */
