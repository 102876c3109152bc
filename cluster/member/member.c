/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/member/member.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/connect.h"
#include "base/str.h"
#include "cluster/feed/follow.h"
#include "cluster/member/keeper.h"
#include "cluster/self/calls.h"

/* --- identity --------------------------------------------------------------------------------- */

void cluster_self(struct cluster *c, struct identity *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = c->id;
	pthread_mutex_unlock(&c->lock);
}

/* Readers take no lock, and may still hold the old text. */
static void replace(struct cluster *c, char **field, const char *text)
{
	if (*field && str_eq(*field, text))
		return;
	if (*field) {
		c->retired = xrealloc(c->retired, (c->n_retired + 1) * sizeof(*c->retired));
		c->retired[c->n_retired++] = *field;
	}
	__atomic_store_n(field, xstrdup(text), __ATOMIC_RELEASE);
}

void member_show_identity(struct cluster *c)
{
	pthread_mutex_lock(&c->lock);
	replace(c, &c->name, c->id.name);
	replace(c, &c->address, c->id.address);
	replace(c, &c->cert, c->creds.cluster_cert);
	replace(c, &c->fingerprint, c->creds.cluster_fp);
	pthread_mutex_unlock(&c->lock);
}

int cluster_edit_identity(struct cluster *c, void (*edit)(struct identity *id, void *arg),
			  void *arg, struct err *err)
{
	struct identity id;
	int rc;

	pthread_mutex_lock(&c->id_lock);
	cluster_self(c, &id);
	edit(&id, arg);
	rc = identity_save(c->dir, &id, err);
	if (rc == 0) {
		pthread_mutex_lock(&c->lock);
		c->id = id;
		pthread_mutex_unlock(&c->lock);
		member_show_identity(c);
	}
	pthread_mutex_unlock(&c->id_lock);
	return rc;
}

int member_reload_creds(struct cluster *c, struct err *err)
{
	struct creds fresh = { 0 }, old;
	struct identity id;

	cluster_self(c, &id);
	if (creds_load(c->dir, &id, &fresh, err) < 0)
		return -1;
	pthread_mutex_lock(&c->lock);
	old = c->creds;
	c->creds = fresh;
	pthread_mutex_unlock(&c->lock);
	member_show_identity(c);
	if (!str_eq(old.server_fp, fresh.server_fp))
		calls_reset(c->calls);
	if (c->o.certificate_changed)
		c->o.certificate_changed(c->o.arg);
	creds_free(&old);
	return 0;
}

static void set_removed(struct identity *id, void *arg)
{
	id->removed = true;
}

int cluster_check_member(struct cluster *c, struct err *err)
{
	if (!cluster_is_removed(c))
		return 0;
	return err_set(
		err, ERR_FORBIDDEN,
		"this server was removed from its cluster: what is here stays as it is; join it "
		"again with \"dunlind init --join TOKEN\" (TOKEN: \"cluster add NAME\" on a "
		"member), or begin anew with an empty state folder");
}

bool cluster_is_removed(struct cluster *c)
{
	struct identity id;

	cluster_self(c, &id);
	return id.removed;
}

void cluster_set_removed(struct cluster *c)
{
	struct err err = { 0 };

	if (cluster_is_removed(c))
		return;
	if (cluster_edit_identity(c, set_removed, NULL, &err) < 0)
		log_err(LOG_ERROR, "leave the cluster", &err);
	cluster_node_stop(c);
	cluster_set_leader(c, "", "");
	cluster_check_member(c, &err);
	log_error("this member was removed from its cluster", "member", cluster_member_name(c),
		  "remedy", err.msg);
}

const char *cluster_member_name(struct cluster *c)
{
	return __atomic_load_n(&c->name, __ATOMIC_ACQUIRE);
}

const char *cluster_address(struct cluster *c)
{
	return __atomic_load_n(&c->address, __ATOMIC_ACQUIRE);
}

const char *cluster_cert_pem(struct cluster *c)
{
	return __atomic_load_n(&c->cert, __ATOMIC_ACQUIRE);
}

const char *cluster_fingerprint(struct cluster *c)
{
	return __atomic_load_n(&c->fingerprint, __ATOMIC_ACQUIRE);
}

bool cluster_enabled(struct cluster *c)
{
	struct identity id;

	cluster_self(c, &id);
	return id.enabled;
}

/* --- checks ----------------------------------------------------------------------------------- */

int member_check_name(const char *name, struct err *err)
{
	if (str_is_hostname(name) && !str_eq(name, "none"))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"member name \"%.70s\": 1 to 63 letters, digits and hyphens are needed, a letter "
		"first",
		name ? name : "");
}

int member_check_address(const char *address, struct err *err)
{
	static const char *const anywhere[] = { "", "0.0.0.0", "::", "*" };
	char host[ADDRESS_SIZE], port[8];

	if (address_split(address ? address : "", host, sizeof(host), port, err) < 0)
		return err_wrap(err, "cluster address: HOST:PORT is needed");
	if (str_eq(port, "0") || strlen(address) >= ADDRESS_SIZE)
		return err_set(err, ERR_INVALID, "cluster address \"%.100s\": HOST:PORT is needed",
			       address);
	for (size_t i = 0; i < ARRAY_SIZE(anywhere); i++) {
		if (str_eq(host, anywhere[i]))
			return err_set(
				err, ERR_INVALID,
				"cluster address \"%s\": other members cannot reach a wildcard; "
				"name one address of this host",
				address);
	}
	return 0;
}

const char *member_architecture(void)
{
	static const char *const known[] = { "x86_64",  "aarch64", "i686", "armv7l",
					     "ppc64le", "riscv64", "s390x" };
	struct utsname u;

	uname(&u);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (str_eq(u.machine, known[i]))
			return known[i];
	}
	return "unknown";
}

/* --- rows ------------------------------------------------------------------------------------- */

json_t *member_doc(const struct member_facts *m)
{
	char now[CLOCK_TEXT_SIZE];

	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:{},s:[s],s:s,s:i,s:s}", "uuid", m->uuid,
			 "name", m->name, "address", m->address, "fingerprint", m->fingerprint,
			 "architecture", m->architecture, "failure_domain", "default",
			 "description", "", "config", "groups", "default", "created_at",
			 clock_now_text(now), "raft_id", 0, "role", "none");
}

json_t *member_certificate_doc(const char *name, const char *cert_pem, const char *fingerprint)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:b,s:[]}", "name", name, "type", "server",
			 "certificate", cert_pem, "fingerprint", fingerprint, "restricted", 0,
			 "projects");
}

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

int cluster_member_address(struct cluster *c, const char *name, char *buf, size_t size,
			   struct err *err)
{
	_row_ struct row row = { 0 };
	char text[CLOCK_TEXT_SIZE];
	int64_t since;

	if (store_get(c->store, ENT_MEMBER, name, &row, err) < 0)
		return -1;
	if (cluster_member_life(c, name, &since) == LIFE_OFFLINE) {
		if (cluster_explain_cut_off(c, err))
			return err_wrap(err, "cluster member \"%s\" is not heard", name);
		return err_set(err, ERR_UNAVAILABLE, "cluster member \"%s\" is offline since %s",
			       name, clock_text(since * 1000000000LL, text));
	}
	if (!str_copy(buf, size, json_str(row.doc, "address", "")) || !*buf)
		return err_set(err, ERR_UNAVAILABLE, "cluster member \"%s\" has no address", name);
	return 0;
}

static bool certificate_row(struct cluster *c, const char *fingerprint, char *ret_name)
{
	int64_t rev;
	struct err ignored;
	_free_ char *text = replica_text(c->replica, ENT_CERTIFICATE, fingerprint, &rev);
	_json_ json_t *doc = text ? json_parse(text, strlen(text), "certificate", &ignored) : NULL;

	if (!str_eq(json_str(doc, "type", ""), "server"))
		return false;
	return str_copy(ret_name, NAME_SIZE, json_str(doc, "name", ""));
}

bool cluster_is_member_cert(struct cluster *c, const char *fingerprint, char *ret_name)
{
	struct peer_info p;
	bool loaded;

	if (str_empty(fingerprint))
		return false;
	if (certificate_row(c, fingerprint, ret_name))
		return true;
	pthread_mutex_lock(&c->lock);
	loaded = c->loaded;
	pthread_mutex_unlock(&c->lock);
	/* Before the leader has been reached the list on disk has to do. */
	if (loaded || !peers_by_fingerprint(c->peers, fingerprint, &p))
		return false;
	return str_copy(ret_name, NAME_SIZE, p.name);
}
