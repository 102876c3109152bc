/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/rotate.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/tls.h"
#include "base/net/x509.h"
#include "base/str.h"
#include "cluster/member/keeper.h"
#include "cluster/member/member.h"
#include "cluster/store/tx.h"

#define ROW "certificate"
#define COMMON_NAME "dunlin-cluster"
#define ASK_MS 2000
#define ASK_ALL_MS 8000
#define LOOK_MS 50
#define SETTLE_MS 3000

static void put_order(struct tx *t, int64_t seen)
{
	_json_ json_t *doc = json_pack("{s:b}", "ordered", 1);

	tx_put(t, ENT_CLUSTER, ROW, seen, doc);
}

void rotate_order(struct tx *t)
{
	put_order(t, REV_ANY);
}

/* What is to be shown: "" while it is only ordered. False when nothing was ever ordered. */
static bool wanted(struct cluster *c, struct row *ret, char fingerprint[SHA256_HEX_SIZE])
{
	struct err ignored;

	*fingerprint = '\0';
	if (store_get(c->store, ENT_CLUSTER, ROW, ret, &ignored) < 0)
		return false;
	str_copy(fingerprint, SHA256_HEX_SIZE, json_str(ret->doc, "fingerprint", ""));
	return true;
}

static bool shows(struct cluster *c, const char *fingerprint)
{
	return *fingerprint && str_eq(cluster_fingerprint(c), fingerprint);
}

int rotate_renew(struct cluster *c, struct err *err)
{
	char fingerprint[SHA256_HEX_SIZE];
	_row_ struct row row = { 0 };
	_tx_ struct tx *t = tx_new();

	if (cluster_is_island(c))
		return err_set(err, ERR_UNAVAILABLE, "no leader is heard");
	if (!cluster_is_leader(c) || (wanted(c, &row, fingerprint) && !shows(c, fingerprint)))
		return 0;
	put_order(t, row.rev);
	return store_commit(c->store, t, 0, NULL, err);
}

/* --- a new pair ------------------------------------------------------------------------------- */

/* Staged before it is committed: a pair that the row names is on disk somewhere. */
static int make(struct cluster *c, int64_t seen, struct err *err)
{
	_free_ char *cert = NULL, *key = NULL;
	char fingerprint[SHA256_HEX_SIZE];
	_json_ json_t *doc = NULL;
	_tx_ struct tx *t = tx_new();

	if (x509_make(COMMON_NAME, &cert, &key, err) < 0 ||
	    x509_fingerprint(cert, fingerprint, err) < 0 ||
	    creds_stage_cluster(c->dir, cert, key, err) < 0 ||
	    fault_point(rotate_after_stage, err) < 0)
		return -1;
	doc = json_pack("{s:s,s:s,s:s}", "certificate", cert, "fingerprint", fingerprint, "holder",
			cluster_member_name(c));
	tx_put(t, ENT_CLUSTER, ROW, seen, doc);
	if (store_commit(c->store, t, 0, NULL, err) < 0)
		return -1;
	return fault_point(rotate_after_commit, err);
}

/* --- a pair that others have ------------------------------------------------------------------ */

static int stage_fetched(struct cluster *c, const json_t *pair, const char *fingerprint,
			 struct err *err)
{
	const char *cert = json_str(pair, "certificate", "");
	const char *key = json_str(pair, "key", "");
	char shown[SHA256_HEX_SIZE];
	struct tls_ctx *fits;

	if (x509_fingerprint(cert, shown, err) < 0)
		return -1;
	if (!str_eq(shown, fingerprint))
		return err_set(err, ERR_UNAVAILABLE, "that member has another certificate");
	fits = tls_server_new(cert, key, err);
	if (!fits)
		return -1;
	tls_unref(fits);
	return creds_stage_cluster(c->dir, cert, key, err);
}

static int fetch_from(struct cluster *c, const char *member, const char *fingerprint,
		      int64_t deadline, struct err *err)
{
	int64_t soon = deadline_in(ASK_MS);
	char address[ADDRESS_SIZE];
	_json_ json_t *pair = NULL;

	if (cluster_member_address(c, member, address, sizeof(address), err) < 0)
		return -1;
	pair = cluster_call(c, address, "GET", "/internal/cluster/certificate", NULL,
			    soon < deadline ? soon : deadline, err);
	return pair ? stage_fetched(c, pair, fingerprint, err) : -1;
}

/* The holder first. ret_all: every member that is not offline was asked. */
static int fetch(struct cluster *c, const struct row *row, bool *ret_all, struct err *err)
{
	const char *fingerprint = json_str(row->doc, "fingerprint", "");
	const char *holder = json_str(row->doc, "holder", "");
	int64_t deadline = deadline_in(ASK_ALL_MS);
	_rows_ struct rows members = { 0 };

	*ret_all = false;
	if (!str_eq(holder, cluster_member_name(c)) &&
	    fetch_from(c, holder, fingerprint, deadline, err) == 0)
		return 0;
	if (store_list(c->store, ENT_MEMBER, NULL, &members, err) < 0)
		return -1;
	err_set(err, ERR_UNAVAILABLE, "no member that can be reached has it");
	for (size_t i = 0; i < members.n; i++) {
		const char *name = members.v[i].key;
		struct err ignored;

		if (cluster_stopping(c) || clock_ms() >= deadline)
			return -1;
		if (!str_eq(name, holder) && !str_eq(name, cluster_member_name(c)) &&
		    fetch_from(c, name, fingerprint, deadline, &ignored) == 0)
			return 0;
	}
	*ret_all = true;
	return -1;
}

/* The one that had it is away for good, or lost it. */
static bool is_lost(struct cluster *c, const struct row *row)
{
	const char *holder = json_str(row->doc, "holder", "");
	_row_ struct row member = { 0 };
	struct err err;

	if (!cluster_is_leader(c))
		return false;
	if (str_eq(holder, cluster_member_name(c)))
		return true;
	if (store_get(c->store, ENT_MEMBER, holder, &member, &err) < 0)
		return err.kind == ERR_NOT_FOUND;
	return cluster_member_life(c, holder, NULL) == LIFE_OFFLINE;
}

/* --- showing it ------------------------------------------------------------------------------- */

/* What is on disk of the rows is made current first: after a restart a member with the new key must
 * not take the one that was removed for a member. */
static int promote(struct cluster *c, struct err *err)
{
	_free_ char *copy = cluster_path(c, "replica.db");

	if (replica_save(c->replica, copy, err) < 0 ||
	    peers_refresh(c->peers, c->replica, err) < 0 ||
	    creds_promote_cluster(c->dir, err) < 0 || cluster_reload_creds(c, err) < 0)
		return -1;
	member_report(c);
	log_info("the cluster's certificate has changed", "fingerprint", cluster_fingerprint(c));
	return 0;
}

static int obey(struct cluster *c, const struct row *row, const char *fingerprint, struct err *err)
{
	bool asked_all;

	if (!*fingerprint)
		return cluster_is_leader(c) ? make(c, row->rev, err) : 0;
	if (creds_staged_cluster(c->dir, fingerprint) ||
	    fetch(c, row, &asked_all, err) == 0)
		return promote(c, err);
	return asked_all && is_lost(c, row) ? make(c, row->rev, err) : -1;
}

static void run(struct cluster *c, int64_t *told)
{
	char fingerprint[SHA256_HEX_SIZE];
	/* Made, then promoted. */
	for (int i = 0; i < 2; i++) {
		_row_ struct row row = { 0 };
		struct err err = { 0 };

		if (!wanted(c, &row, fingerprint))
			return;
		if (shows(c, fingerprint)) {
			creds_unstage_cluster(c->dir);
			return;
		}
		if (obey(c, &row, fingerprint, &err) < 0) {
			if (*told != row.rev)
				log_err(LOG_WARN, "the cluster's new certificate", &err);
			*told = row.rev;
			return;
		}
	}
}

void rotate_run(struct cluster *c, int64_t *told)
{
	/* Joining and enabling write the same files. */
	if (pthread_mutex_trylock(&c->change_lock) != 0)
		return;
	if (cluster_enabled(c) && !cluster_is_removed(c) && !cluster_stopping(c))
		run(c, told);
	pthread_mutex_unlock(&c->change_lock);
}

json_t *cluster_serve_certificate(struct cluster *c, struct err *err)
{
	char fingerprint[SHA256_HEX_SIZE];
	_row_ struct row row = { 0 };
	json_t *j;

	/* Who knows the row knows as well who is a member no more. */
	if (!wanted(c, &row, fingerprint) || !shows(c, fingerprint)) {
		err_set(err, ERR_UNAVAILABLE, "this member has not got it itself");
		return NULL;
	}
	pthread_mutex_lock(&c->lock);
	j = json_pack("{s:s,s:s}", "certificate", c->creds.cluster_cert, "key",
		      c->creds.cluster_key);
	pthread_mutex_unlock(&c->lock);
	return j;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static bool is_shown_by(struct cluster *c, const char *member, const char *fingerprint)
{
	_json_ json_t *fact = NULL;

	if (str_eq(member, cluster_member_name(c)))
		return shows(c, fingerprint);
	if (cluster_member_life(c, member, NULL) != LIFE_ONLINE)
		return true;
	fact = store_fact_get(c->store, FACT_MEMBER, member, NULL);
	return str_eq(json_str(fact, "certificate", ""), fingerprint);
}

static bool is_shown_by_all(struct cluster *c, const char *fingerprint)
{
	_rows_ struct rows members = { 0 };
	struct err ignored;

	if (!*fingerprint || store_list(c->store, ENT_MEMBER, NULL, &members, &ignored) < 0)
		return false;
	for (size_t i = 0; i < members.n; i++) {
		if (!is_shown_by(c, members.v[i].key, fingerprint))
			return false;
	}
	return true;
}

static void look_again(struct cluster *c)
{
	replica_wait(c->replica, store_revision(c->store) + 1, deadline_in(LOOK_MS));
}

void rotate_wait(struct cluster *c, int64_t deadline, char ret[SHA256_HEX_SIZE])
{
	for (;;) {
		_row_ struct row row = { 0 };

		wanted(c, &row, ret);
		if (is_shown_by_all(c, ret) || clock_ms() >= deadline || cluster_stopping(c))
			return;
		look_again(c);
	}
}

int cluster_settle_certificate(struct cluster *c, struct err *err)
{
	int64_t deadline = deadline_in(SETTLE_MS);
	char fingerprint[SHA256_HEX_SIZE];

	for (;;) {
		_row_ struct row row = { 0 };

		if (!wanted(c, &row, fingerprint) || shows(c, fingerprint))
			return 0;
		if (clock_ms() >= deadline || cluster_stopping(c))
			return err_set(err, ERR_UNAVAILABLE,
				       "a member was removed, and this one has not got the "
				       "cluster's new certificate yet: try again in a moment");
		look_again(c);
	}
}
