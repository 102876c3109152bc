/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/self/identity.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/net/x509.h"
#include "base/str.h"
#include "cluster/replica/settings.h"

#define FILE_MAX_BYTES (64 << 10)

static const char *const states[] = {
	[DB_NONE] = "none",
	[DB_FRESH] = "fresh",
	[DB_READY] = "ready",
};

static int state_of(const char *name, enum db_state *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (!str_eq(states[i], name))
			continue;
		*ret = (enum db_state)i;
		return 0;
	}
	return -1;
}

static char *path_of(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static bool present(const char *dir, const char *name)
{
	_free_ char *path = path_of(dir, name);

	return io_exists(path);
}

static const char latency_key[] = "cluster.raft_latency_ms";

/* A single host: the first and only node of its database. */
static int identity_make(const char *dir, struct identity *id, struct err *err)
{
	*id = (struct identity){ .raft_id = 1,
				 .db = DB_FRESH,
				 .latency_ms = (unsigned)setting_of(latency_key, NULL) };
	rng_uuid(id->uuid);
	str_copy(id->name, sizeof(id->name), "none");
	return identity_save(dir, id, err);
}

/* The default when it is missing. */
static unsigned latency_of(const json_t *j)
{
	_free_ char *text = xasprintf("%lld", (long long)json_int(j, "raft_latency_ms", -1));

	return (unsigned)setting_of(latency_key, text);
}

/* Whatever is missing or odd is taken for damage: a guess could make this another member. */
static bool is_whole(const json_t *j)
{
	static const char *const texts[] = { "uuid", "name", "address", "raft_id", "database" };
	static const char *const flags[] = { "enabled", "removed" };
	bool whole = json_is_object(j);

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		whole = whole && json_is_string(json_object_get(j, texts[i]));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		whole = whole && json_is_boolean(json_object_get(j, flags[i]));
	return whole;
}

static int identity_parse(const char *path, const json_t *j, struct identity *id, struct err *err)
{
	uint64_t raft_id = 0;

	*id = (struct identity){ .enabled = json_bool(j, "enabled", false),
				 .removed = json_bool(j, "removed", false),
				 .joined = json_int(j, "joined", 0) };
	if (!is_whole(j) || state_of(json_str(j, "database", ""), &id->db) < 0 ||
	    !str_is_uuid(json_str(j, "uuid", "")) ||
	    !str_copy(id->uuid, sizeof(id->uuid), json_str(j, "uuid", "")) ||
	    !str_copy(id->name, sizeof(id->name), json_str(j, "name", "")) || !*id->name ||
	    !str_copy(id->address, sizeof(id->address), json_str(j, "address", "")) ||
	    !str_to_u64(json_str(j, "raft_id", ""), UINT64_MAX, &raft_id) ||
	    (raft_id == 0) != (id->db == DB_NONE))
		return err_set(err, ERR_INVALID, "%s: not a member's identity", path);
	id->raft_id = raft_id;
	id->latency_ms = latency_of(j);
	return 0;
}

/* What only a member has. */
static int check_new_folder(const char *dir, struct err *err)
{
	static const char *const folders[] = { "database", "containers", "storage-pools",
					       "images" };
	static const char *const files[] = { "cluster.crt", "cluster.key", "peers.json",
					     "replica.db" };
	_free_ char *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(folders) && !found; i++) {
		_free_ char *path = path_of(dir, folders[i]);
		int empty = io_is_empty(path, err);

		if (empty < 0)
			return -1;
		if (!empty)
			found = take_ptr(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files) && !found; i++) {
		if (present(dir, files[i]))
			found = path_of(dir, files[i]);
	}
	if (!found)
		return 0;
	return err_set(err, ERR_CONFLICT,
		       "%s/member.json, which says who this server is, is missing, but there is "
		       "%s: put it back from a backup, or move %s away to begin as a new server",
		       dir, found, dir);
}

static int read_identity(const char *dir, const char *path, struct identity *ret, struct err *err)
{
	_free_ char *text = NULL, *cause = NULL;
	_json_ json_t *j = NULL;
	size_t len;

	text = io_read_file(path, FILE_MAX_BYTES, &len, err);
	j = text ? json_parse(text, len, path, err) : NULL;
	if (j && identity_parse(path, j, ret, err) == 0)
		return 0;
	cause = xstrdup(err->msg);
	return err_set(err, err->kind,
		       "who this server is cannot be read (%s): put %s back from a backup, or move "
		       "%s away to begin as a new server",
		       cause, path, dir);
}

int identity_load(const char *dir, struct identity *ret, struct err *err)
{
	_free_ char *path = path_of(dir, "member.json");

	if (io_exists(path))
		return read_identity(dir, path, ret, err);
	return check_new_folder(dir, err) < 0 ? -1 : identity_make(dir, ret, err);
}

int identity_save(const char *dir, const struct identity *id, struct err *err)
{
	_free_ char *path = path_of(dir, "member.json");
	_json_ json_t *j = json_object();
	_free_ char *text = NULL;
	char raft_id[24];

	/* As text: JSON numbers of other readers lose the last digits. */
	snprintf(raft_id, sizeof(raft_id), "%llu", (unsigned long long)id->raft_id);
	json_put_str(j, "uuid", id->uuid);
	json_put_str(j, "name", id->name);
	json_put_str(j, "address", id->address);
	json_put_bool(j, "enabled", id->enabled);
	json_put_bool(j, "removed", id->removed);
	json_put_int(j, "joined", id->joined);
	json_put_str(j, "raft_id", raft_id);
	json_put_str(j, "database", states[id->db]);
	json_put_int(j, "raft_latency_ms", id->latency_ms);
	text = json_text(j);
	return io_write_file(path, text, strlen(text), 0600, err);
}

/* --- certificates ----------------------------------------------------------------------------- */

static int read_pem(const char *dir, const char *name, char **ret, struct err *err)
{
	_free_ char *path = path_of(dir, name);

	*ret = io_read_file(path, FILE_MAX_BYTES, NULL, err);
	return *ret ? 0 : -1;
}

static int write_pem(const char *dir, const char *name, const char *text, mode_t mode,
		     struct err *err)
{
	_free_ char *path = path_of(dir, name);

	return io_write_file(path, text, strlen(text), mode, err);
}

static int move(const char *dir, const char *from, const char *to, struct err *err)
{
	_free_ char *a = path_of(dir, from), *b = path_of(dir, to);

	return rename(a, b) < 0 ? err_sys(err, "rename %s to %s", a, b) : 0;
}

int creds_stage(const char *dir, const char *cn, char **ret_cert, struct err *err)
{
	_free_ char *cert = NULL, *key = NULL;

	if (x509_make(cn, &cert, &key, err) < 0)
		return -1;
	/* The key first: a staged certificate means that the pair is whole. */
	if (write_pem(dir, "server.next.key", key, 0600, err) < 0 ||
	    write_pem(dir, "server.next.crt", cert, 0644, err) < 0)
		return -1;
	*ret_cert = take_ptr(cert);
	return 0;
}

int creds_promote(const char *dir, struct err *err)
{
	/* The certificate last: its staged name says that this has to be repeated. */
	if (present(dir, "server.next.key") && move(dir, "server.next.key", "server.key", err) < 0)
		return -1;
	return move(dir, "server.next.crt", "server.crt", err);
}

static void drop(const char *dir, const char *name)
{
	_free_ char *path = path_of(dir, name);

	unlink(path);
}

void creds_unstage(const char *dir)
{
	drop(dir, "server.next.crt");
	drop(dir, "server.next.key");
}

/* A certificate without its key is one whose promotion was cut off: it comes last, and goes
 * first. */
void creds_unstage_cluster(const char *dir)
{
	drop(dir, "cluster.next.crt");
	drop(dir, "cluster.next.key");
}

int creds_stage_cluster(const char *dir, const char *cert, const char *key, struct err *err)
{
	creds_unstage_cluster(dir);
	if (write_pem(dir, "cluster.next.key", key, 0600, err) < 0)
		return -1;
	return write_pem(dir, "cluster.next.crt", cert, 0644, err);
}

bool creds_staged_cluster(const char *dir, const char *fingerprint)
{
	_free_ char *cert = NULL;
	char staged[SHA256_HEX_SIZE];
	struct err ignored;

	return present(dir, "cluster.next.crt") &&
	       read_pem(dir, "cluster.next.crt", &cert, &ignored) == 0 &&
	       x509_fingerprint(cert, staged, &ignored) == 0 && str_eq(staged, fingerprint);
}

int creds_promote_cluster(const char *dir, struct err *err)
{
	_free_ char *old = NULL;

	if (present(dir, "cluster.next.key")) {
		if (present(dir, "cluster.key") &&
		    (read_pem(dir, "cluster.key", &old, err) < 0 ||
		     write_pem(dir, "cluster.previous.key", old, 0600, err) < 0))
			return -1;
		if (move(dir, "cluster.next.key", "cluster.key", err) < 0)
			return -1;
	}
	return move(dir, "cluster.next.crt", "cluster.crt", err);
}

int creds_write_cluster(const char *dir, const char *cert, const char *key, struct err *err)
{
	if (creds_stage_cluster(dir, cert, key, err) < 0 || creds_promote_cluster(dir, err) < 0)
		return -1;
	drop(dir, "cluster.previous.key");
	return 0;
}

static int finish_promotion(const char *dir, const struct identity *id, struct err *err)
{
	/* A pair that is whole is a single host's on the way into a cluster: the rows say whether
	 * it came there. */
	if (present(dir, "server.next.crt") && (id->enabled || !present(dir, "server.next.key")) &&
	    creds_promote(dir, err) < 0)
		return -1;
	if (present(dir, "cluster.next.crt") && !present(dir, "cluster.next.key"))
		return creds_promote_cluster(dir, err);
	return 0;
}

static int load_cluster(const char *dir, const struct identity *id, struct creds *c,
			struct err *err)
{
	const char *cert = id->enabled ? "cluster.crt" : "server.crt";
	const char *key = id->enabled ? "cluster.key" : "server.key";

	if (read_pem(dir, cert, &c->cluster_cert, err) < 0 ||
	    read_pem(dir, key, &c->cluster_key, err) < 0)
		return -1;
	if (id->enabled && present(dir, "cluster.previous.key") &&
	    read_pem(dir, "cluster.previous.key", &c->previous_key, err) < 0)
		return -1;
	return x509_fingerprint(c->cluster_cert, c->cluster_fp, err);
}

int creds_load(const char *dir, const struct identity *id, struct creds *ret, struct err *err)
{
	_free_ char *cert = path_of(dir, "server.crt"), *key = path_of(dir, "server.key");
	struct creds c = { 0 };

	if (finish_promotion(dir, id, err) < 0)
		return -1;
	if (x509_ensure(cert, key, id->uuid, err) < 0)
		return -1;
	if (read_pem(dir, "server.crt", &c.server_cert, err) < 0 ||
	    read_pem(dir, "server.key", &c.server_key, err) < 0 ||
	    x509_fingerprint(c.server_cert, c.server_fp, err) < 0 ||
	    load_cluster(dir, id, &c, err) < 0) {
		creds_free(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

void creds_free(struct creds *c)
{
	free(c->server_cert);
	free(c->server_key);
	free(c->cluster_cert);
	free(c->cluster_key);
	free(c->previous_key);
	*c = (struct creds){ 0 };
}
