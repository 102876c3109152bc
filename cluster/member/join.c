/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a cluster by token: the newcomer's side. */
#include "cluster/member/join.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/feed/follow.h"
#include "cluster/member/dbnode.h"
#include "cluster/member/keeper.h"
#include "cluster/member/member.h"
#include "cluster/store/store.h"

#define JOIN_MS 60000
#define REACH_MS 10000  /* for anybody to be reached at all */
#define REFUSED_MS 2000 /* a member that is asked may not have the token yet */
#define ROUND_MS 200
#define LEAVE_MS 15000
#define LOAD_MS 120000
#define REPLY_MAX (16u << 20)
#define FEED_VERSION 1

static int may_join(struct cluster *c, struct err *err)
{
	int64_t instances = store_count(c->store, ENT_INSTANCE, NULL);
	struct identity id;

	cluster_self(c, &id);
	/* Its rows are a cluster's, which has others now. */
	if (id.removed)
		return 0;
	if (id.enabled)
		return err_set(err, ERR_CONFLICT, "This server is already clustered");
	if (instances)
		return err_set(err, ERR_CONFLICT,
			       "This server has %lld instances: joining replaces its database, "
			       "delete or move them first",
			       (long long)instances);
	return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static json_t *exchange(struct stream *own_stream, const char *address, const char *body,
			int64_t deadline, struct err *err)
{
	struct http_call call = HTTP_CALL("POST", "/internal/cluster/join");
	struct httpc *http = httpc_new(own_stream, address);
	struct http_reply reply;
	json_t *metadata = NULL;

	assert(own_stream);
	call.body = body;
	call.body_len = strlen(body);
	call.deadline = deadline;
	if (httpc_do(http, &call, REPLY_MAX, &reply, err) == 0) {
		metadata = http_reply_metadata(&reply, err);
		http_reply_free(&reply);
	}
	httpc_free(http);
	return metadata;
}

/* A newcomer knows the cluster's certificate only, from its token. */
static struct tls_ctx *own_tls(struct cluster *c, struct err *err)
{
	struct tls_ctx *tls;

	pthread_mutex_lock(&c->lock);
	tls = tls_client_new(c->creds.server_cert, c->creds.server_key, err);
	pthread_mutex_unlock(&c->lock);
	return tls;
}

enum join_round join_round_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_UNAVAILABLE:
	case ERR_TIMEOUT:
	case ERR_UNKNOWN:
	case ERR_LIMIT:
	case ERR_BUSY:
		return ROUND_BUSY;
	case ERR_FORBIDDEN:
		return ROUND_REFUSED;
	default:
		return ROUND_OVER;
	}
}

/* One after the other until one answers. The secret is sent only to who holds the cluster's key:
 * the connection is pinned. */
static json_t *ask_each(struct tls_ctx *tls, const struct join_token *token, const char *body,
			int64_t deadline, enum join_round *ret, struct err *err)
{
	json_t *answer = NULL;

	*ret = ROUND_UNREACHED;
	for (size_t i = 0; i < token->n && !answer && *ret <= ROUND_BUSY; i++) {
		struct stream *s = stream_connect_tls(tls, token->addresses[i], token->fingerprint,
						      deadline_in(3000), err);

		if (!s)
			continue;
		answer = exchange(s, token->addresses[i], body, deadline, err);
		*ret = answer ? ROUND_OVER : join_round_of(err->kind);
	}
	return answer;
}

/* Asked again while that can help: whoever was admitted and did not hear of it is told once
 * more. */
static json_t *ask(struct cluster *c, const struct join_token *token, const char *body,
		   struct err *err)
{
	static const int limits[] = { [ROUND_UNREACHED] = REACH_MS,
				      [ROUND_BUSY] = JOIN_MS,
				      [ROUND_REFUSED] = REFUSED_MS,
				      [ROUND_OVER] = 0 };
	struct tls_ctx *tls = own_tls(c, err);
	int64_t start = clock_ms(), until;
	json_t *answer;
	enum join_round round;

	if (!tls)
		return NULL;
	err_set(err, ERR_UNAVAILABLE, "no member of the cluster can be reached");
	for (;;) {
		answer = ask_each(tls, token, body, start + JOIN_MS, &round, err);
		if (answer || clock_ms() - start >= limits[round] || cluster_stopping(c))
			break;
		until = deadline_in(ROUND_MS);
		while (!cluster_stopping(c) && cluster_wait_leader(c, until))
			;
	}
	tls_unref(tls);
	return answer;
}

static char *request(struct cluster *c, const char *name, const char *address,
		     const struct join_token *token)
{
	_json_ json_t *j = NULL;
	char *text;

	pthread_mutex_lock(&c->lock);
	j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "name", name, "address", address, "secret",
		      token->secret, "certificate", c->creds.server_cert, "uuid", c->id.uuid,
		      "architecture", member_architecture(), "protocol", FEED_VERSION);
	pthread_mutex_unlock(&c->lock);
	text = json_text(j);
	return text;
}

/* --- switching over --------------------------------------------------------------------------- */

int join_check_answer(const json_t *answer, const struct join_token *token, struct err *err)
{
	char fingerprint[SHA256_HEX_SIZE];

	if (x509_fingerprint(json_str(answer, "cluster_certificate", ""), fingerprint, err) < 0 ||
	    !str_eq(fingerprint, token->fingerprint) || !json_arr(answer, "members") ||
	    !json_str(answer, "cluster_key", NULL))
		return err_set(err, ERR_INVALID, "the cluster's answer does not fit the token");
	return 0;
}

struct new_self {
	const char *name, *address;
	int64_t joined;
};

static void become_member(struct identity *id, void *arg)
{
	const struct new_self *n = arg;

	str_copy(id->name, sizeof(id->name), n->name);
	str_copy(id->address, sizeof(id->address), n->address);
	id->enabled = true;
	id->removed = false;
	id->joined = n->joined;
	id->raft_id = 0;
	id->db = DB_NONE;
}

/* Everything the new identity needs is on disk before the identity is, and the copy of the old rows
 * is not any more: a member that starts with it would ask only for what is newer than they are. */
static int switch_over(struct cluster *c, const json_t *answer, const struct new_self *self,
		       struct err *err)
{
	_free_ char *copy = cluster_path(c, "replica.db");

	if (unlink(copy) < 0 && errno != ENOENT)
		return err_sys(err, "remove %s", copy);
	if (creds_write_cluster(c->dir, json_str(answer, "cluster_certificate", ""),
				json_str(answer, "cluster_key", ""), err) < 0 ||
	    peers_set(c->peers, json_arr(answer, "members"), err) < 0)
		return -1;
	return cluster_edit_identity(c, become_member, (void *)self, err);
}

/* What belongs to the single host's database goes; the feed brings the cluster's. */
static int forget_single(struct cluster *c, const char *was, struct err *err)
{
	cluster_node_stop(c);
	store_fact_put(c->store, FACT_MEMBER, was, NULL);
	replica_facts_rename(c->replica, was, cluster_member_name(c));
	if (fault_point(join_forgetting, err) < 0 || cluster_node_set_aside(c, err) < 0)
		return -1;
	return cluster_reload_creds(c, err);
}

/* The leader thread lets go of the stopped node on its own time. */
static int wait_until(struct cluster *c, bool leading, bool contact, int64_t deadline)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	while (!(ok = c->leading == leading && c->contact == contact)) {
		if (!cond_wait_until(&c->changed, &c->lock, deadline) && clock_ms() >= deadline)
			break;
	}
	pthread_mutex_unlock(&c->lock);
	return ok ? 0 : -1;
}

/* A revision of the old database means nothing to the new leader, so nobody is followed before it
 * is forgotten. */
static void set_switching(struct cluster *c, bool on)
{
	pthread_mutex_lock(&c->lock);
	c->switching = on;
	pthread_mutex_unlock(&c->lock);
	if (!on)
		follow_wake(c->follow);
}

static int take_over(struct cluster *c, const json_t *answer, const char *was, struct err *err)
{
	if (fault_point(join_before_forget, err) < 0 || forget_single(c, was, err) < 0)
		return -1;
	wait_until(c, false, false, deadline_in(LEAVE_MS));
	replica_forget(c->replica);
	cluster_set_leader(c, json_str(answer, "leader_name", ""), json_str(answer, "leader", ""));
	return 0;
}

static int await_feed(struct cluster *c, struct err *err)
{
	if (wait_until(c, false, true, deadline_in(LOAD_MS)) < 0)
		return err_set(
			err, ERR_TIMEOUT,
			"This server is a member now, but has not heard from the leader for %d s: "
			"check that it reaches the other members at their addresses; it goes on "
			"trying",
			LOAD_MS / 1000);
	member_report(c);
	return 0;
}

static int join(struct cluster *c, const struct new_self *self, const struct join_token *token,
		struct err *err)
{
	_free_ char *body = request(c, self->name, self->address, token);
	_json_ json_t *answer = ask(c, token, body, err);
	struct new_self as_joined = *self;
	char was[NAME_SIZE];
	int rc;

	if (!answer || join_check_answer(answer, token, err) < 0)
		return -1;
	str_copy(was, sizeof(was), cluster_member_name(c));
	as_joined.joined = json_int(answer, "revision", 0);
	set_switching(c, true);
	rc = switch_over(c, answer, &as_joined, err);
	if (rc == 0) {
		log_info("joined the cluster", "member", self->name, "address", self->address);
		rc = take_over(c, answer, was, err);
	}
	set_switching(c, false);
	return rc < 0 ? -1 : await_feed(c, err);
}

int cluster_join(struct cluster *c, const char *name, const char *address, const char *token,
		 struct err *err)
{
	struct new_self self = { name, address, 0 };
	struct join_token t;
	int rc;

	if (token_decode(token, &t, err) < 0 || member_check_name(name, err) < 0 ||
	    member_check_address(address, err) < 0)
		return -1;
	pthread_mutex_lock(&c->change_lock);
	rc = may_join(c, err);
	if (rc == 0)
		rc = join(c, &self, &t, err);
	pthread_mutex_unlock(&c->change_lock);
	return rc;
}
