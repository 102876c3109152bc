/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a member: first its database role goes, then its rows and with them all trust. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/member/keeper.h"
#include "cluster/member/rotate.h"
#include "cluster/self/state.h"
#include "cluster/store/lease.h"

#define ROLE_MS 60000
#define ROTATE_MS 10000

static int check(struct cluster *c, const char *name, bool force, struct err *err)
{
	int64_t n = store_count(c->store, ENT_INSTANCE, name);

	if (!cluster_enabled(c))
		return err_set(err, ERR_INVALID, "This server is not clustered");
	if (store_count(c->store, ENT_MEMBER, NULL) == 1)
		return err_set(err, ERR_CONFLICT,
			       "cluster member \"%s\" is the last one and cannot be removed", name);
	if (n && !force)
		return err_set(
			err, ERR_CONFLICT,
			"cluster member \"%s\" still has %lld instances: move or delete them, "
			"or use force to forget them",
			name, (long long)n);
	return 0;
}

static int set_removing(struct cluster *c, const char *name, bool on, struct err *err)
{
	_row_ struct row row = { 0 };
	_tx_ struct tx *t = tx_new();

	if (store_get(c->store, ENT_MEMBER, name, &row, err) < 0)
		return -1;
	if (json_bool(row.doc, "removing", false) == on)
		return 0;
	json_put_bool(row.doc, "removing", on);
	tx_put(t, ENT_MEMBER, name, row.rev, row.doc);
	return store_commit(c->store, t, 0, NULL, err);
}

static bool has_role(struct cluster *c, const char *name)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return store_get(c->store, ENT_MEMBER, name, &row, &ignored) == 0 &&
	       json_int(row.doc, "raft_id", 0) != 0;
}

/* The leader takes the steps; its record in the row is waited for. */
static int wait_without_role(struct cluster *c, const char *name, struct err *err)
{
	int64_t deadline = deadline_in(ROLE_MS);

	keeper_wake(c->keeper);
	while (has_role(c, name)) {
		if (!replica_wait(c->replica, store_revision(c->store) + 1, deadline_in(1000)) &&
		    clock_ms() > deadline)
			return err_set(
				err, ERR_TIMEOUT,
				"cluster member \"%s\" still holds the database: too few others "
				"can take it over",
				name);
	}
	return 0;
}

static int forget_instance(struct cluster *c, struct tx *t, const struct row *row, struct err *err)
{
	_rows_ struct rows leases = { 0 }, snapshots = { 0 };

	tx_delete(t, ENT_INSTANCE, row->key, row->rev);
	if (store_list(c->store, ENT_ADDRESS, row->key, &leases, err) < 0 ||
	    store_list(c->store, ENT_SNAPSHOT, row->key, &snapshots, err) < 0)
		return -1;
	for (size_t k = 0; k < leases.n; k++)
		lease_free(t, &leases.v[k]);
	for (size_t k = 0; k < snapshots.n; k++)
		tx_delete(t, ENT_SNAPSHOT, snapshots.v[k].key, snapshots.v[k].rev);
	return 0;
}

static int forget_instances(struct cluster *c, struct tx *t, const char *name, struct err *err)
{
	_rows_ struct rows instances = { 0 };

	if (store_list(c->store, ENT_INSTANCE, name, &instances, err) < 0)
		return -1;
	for (size_t i = 0; i < instances.n; i++) {
		if (forget_instance(c, t, &instances.v[i], err) < 0)
			return -1;
	}
	return 0;
}

/* It may have heard of any of them. */
static int drop_tokens(struct cluster *c, struct tx *t, int *ret_n, struct err *err)
{
	_rows_ struct rows tokens = { 0 };

	if (store_list(c->store, ENT_TOKEN, NULL, &tokens, err) < 0)
		return -1;
	for (size_t i = 0; i < tokens.n; i++)
		tx_delete(t, ENT_TOKEN, tokens.v[i].key, REV_ANY);
	*ret_n = (int)tokens.n;
	return 0;
}

static int delete_rows(struct cluster *c, const char *name, bool force, int *ret_tokens,
		       struct err *err)
{
	_row_ struct row row = { 0 };
	_tx_ struct tx *t = tx_new();

	if (store_get(c->store, ENT_MEMBER, name, &row, err) < 0)
		return -1;
	if ((force && forget_instances(c, t, name, err) < 0) ||
	    drop_tokens(c, t, ret_tokens, err) < 0)
		return -1;
	tx_delete(t, ENT_MEMBER, name, row.rev);
	tx_delete(t, ENT_CERTIFICATE, json_str(row.doc, "fingerprint", ""), REV_ANY);
	rotate_order(t);
	return store_commit(c->store, t, 0, NULL, err);
}

int cluster_remove(struct cluster *c, const char *name, bool force, struct removal *ret,
		   struct err *err)
{
	struct err ignored;

	if (check(c, name, force, err) < 0 || set_removing(c, name, true, err) < 0)
		return -1;
	/* Giving the role away takes its time: instances may have been made there meanwhile. */
	if (wait_without_role(c, name, err) < 0 || check(c, name, force, err) < 0) {
		set_removing(c, name, false, &ignored);
		return -1;
	}
	if (delete_rows(c, name, force, &ret->tokens, err) < 0)
		return -1;
	log_info("member removed", "member", name);
	/* Who removed itself is told nothing more. */
	if (!str_eq(name, cluster_member_name(c)))
		rotate_wait(c, deadline_in(ROTATE_MS), ret->fingerprint);
	return 0;
}
