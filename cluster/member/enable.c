/* SPDX-License-Identifier: Apache-2.0 */
/* A single host becomes the first member of a cluster. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/feed/follow.h"
#include "cluster/member/dbnode.h"
#include "cluster/member/keeper.h"
#include "cluster/member/member.h"
#include "cluster/store/tx.h"

/* --- rows that speak of this host by its old name --------------------------------------------- */

static bool rename_in_list(json_t *list, const char *from, const char *to)
{
	bool any = false;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		if (!str_eq(json_string_value(item), from))
			continue;
		json_array_set_new(list, i, json_string(to));
		any = true;
	}
	return any;
}

static bool rename_key(json_t *obj, const char *from, const char *to)
{
	json_t *v = json_object_get(obj, from);

	if (!v)
		return false;
	json_object_set(obj, to, v);
	json_object_del(obj, from);
	return true;
}

/* The forms in which rows name members: "member" and "location", and "members" as a list or by
 * name. */
static bool rename_member(json_t *doc, const char *from, const char *to)
{
	static const char *const fields[] = { "member", "location" };
	json_t *members = json_object_get(doc, "members");
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!str_eq(json_str(doc, fields[i], NULL), from))
			continue;
		json_put_str(doc, fields[i], to);
		any = true;
	}
	if (json_is_array(members))
		any |= rename_in_list(members, from, to);
	else if (json_is_object(members))
		any |= rename_key(members, from, to);
	return any;
}

static int rename_rows(struct cluster *c, struct tx *t, const char *from, const char *to,
		       struct err *err)
{
	for (int e = 0; e < ENT_MAX; e++) {
		_rows_ struct rows rows = { 0 };

		if (e == ENT_MEMBER)
			continue;
		if (store_list(c->store, (enum entity)e, NULL, &rows, err) < 0)
			return -1;
		for (size_t i = 0; i < rows.n; i++) {
			if (rename_member(rows.v[i].doc, from, to))
				tx_put(t, (enum entity)e, rows.v[i].key, rows.v[i].rev,
				       rows.v[i].doc);
		}
	}
	return 0;
}

static int rename_self(struct cluster *c, struct tx *t, const char *name, const char *address,
		       const char *fingerprint, struct err *err)
{
	const char *was = cluster_member_name(c);
	_row_ struct row self = { 0 };

	if (store_get(c->store, ENT_MEMBER, was, &self, err) < 0)
		return -1;
	json_put_str(self.doc, "name", name);
	json_put_str(self.doc, "address", address);
	json_put_str(self.doc, "fingerprint", fingerprint);
	tx_delete(t, ENT_MEMBER, was, self.rev);
	tx_put(t, ENT_MEMBER, name, REV_NONE, self.doc);
	return 0;
}

static int commit_rows(struct cluster *c, const char *name, const char *address, const char *cert,
		       struct err *err)
{
	char fingerprint[SHA256_HEX_SIZE];
	_json_ json_t *doc = NULL;
	_tx_ struct tx *t = tx_new();

	if (x509_fingerprint(cert, fingerprint, err) < 0)
		return -1;
	doc = member_certificate_doc(name, cert, fingerprint);
	tx_put(t, ENT_CERTIFICATE, fingerprint, REV_NONE, doc);
	if (rename_self(c, t, name, address, fingerprint, err) < 0 ||
	    rename_rows(c, t, cluster_member_name(c), name, err) < 0)
		return -1;
	return store_commit(c->store, t, 0, NULL, err);
}

/* --- the rest, repeated at start when it was cut off ------------------------------------------ */

struct new_self {
	const char *name, *address;
};

static void become_member(struct identity *id, void *arg)
{
	const struct new_self *n = arg;

	str_copy(id->name, sizeof(id->name), n->name);
	str_copy(id->address, sizeof(id->address), n->address);
	id->enabled = true;
	id->db = DB_READY;
}

int enable_finish(struct cluster *c, const char *name, const char *address, struct err *err)
{
	struct new_self self = { name, address };
	char was[NAME_SIZE];

	str_copy(was, sizeof(was), cluster_member_name(c));
	/* Clients keep trusting the certificate that they know: it is the cluster's from here
	 * on. */
	if (creds_write_cluster(c->dir, c->creds.server_cert, c->creds.server_key, err) < 0 ||
	    peers_refresh(c->peers, c->replica, err) < 0)
		return -1;
	store_fact_put(c->store, FACT_MEMBER, was, NULL);
	if (cluster_edit_identity(c, become_member, &self, err) < 0)
		return -1;
	replica_facts_rename(c->replica, was, name);
	if (cluster_reload_creds(c, err) < 0)
		return -1;
	cluster_set_leading(c, cluster_is_leader(c));
	log_info("clustering enabled", "member", name, "address", address);
	return 0;
}

static int enable(struct cluster *c, const char *name, const char *address, struct err *err)
{
	_free_ char *cert = NULL;

	if (creds_stage(c->dir, name, &cert, err) < 0)
		return -1;
	if (commit_rows(c, name, address, cert, err) < 0) {
		/* Unknown: the next start looks at the rows. */
		if (err->kind != ERR_UNKNOWN)
			creds_unstage(c->dir);
		return -1;
	}
	if (enable_finish(c, name, address, err) < 0)
		return -1;
	follow_wake(c->follow);
	member_report(c);
	keeper_wake(c->keeper);
	return 0;
}

int cluster_enable(struct cluster *c, const char *name, const char *address, struct err *err)
{
	int rc = -1;

	if (member_check_name(name, err) < 0 || member_check_address(address, err) < 0)
		return -1;
	pthread_mutex_lock(&c->change_lock);
	if (cluster_enabled(c))
		err_set(err, ERR_CONFLICT, "This server is already clustered");
	else
		rc = enable(c, name, address, err);
	pthread_mutex_unlock(&c->change_lock);
	return rc;
}

/* --- a single host -------------------------------------------------------------------------- */

struct own_row {
	const char *uuid;
	char name[NAME_SIZE];
	char address[ADDRESS_SIZE];
};

static void find_own(void *arg, const char *key, int64_t rev, const char *text)
{
	struct own_row *o = arg;
	struct err ignored;
	_json_ json_t *doc = json_parse(text, strlen(text), "member", &ignored);

	str_copy(o->name, sizeof(o->name), key);
	str_copy(o->address, sizeof(o->address), json_str(doc, "address", ""));
}

static int put_single(struct cluster *c, const struct identity *id, struct err *err)
{
	struct member_facts m = { id->uuid, id->name, "", c->creds.server_fp,
				  member_architecture() };
	_json_ json_t *doc = member_doc(&m);
	_tx_ struct tx *t = tx_new();

	json_put_str(doc, "role", "voter");
	json_put_int(doc, "raft_id", (int64_t)id->raft_id);
	tx_put(t, ENT_MEMBER, id->name, REV_NONE, doc);
	return store_commit(c->store, t, 0, NULL, err);
}

int member_ensure_single(struct cluster *c, struct err *err)
{
	struct own_row own = { 0 };
	struct identity id;

	cluster_self(c, &id);
	replica_each(c->replica, ENT_MEMBER, id.uuid, find_own, &own);
	if (*own.name && !str_eq(own.name, id.name))
		return enable_finish(c, own.name, own.address, err);
	creds_unstage(c->dir);
	if (!*own.name && put_single(c, &id, err) < 0)
		return -1;
	return id.db == DB_FRESH ? cluster_node_ready(c, err) : 0;
}
