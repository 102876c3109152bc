/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/self/peers.h"

#include <pthread.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define FILE_MAX_BYTES (8 << 20)
#define PEERS_MAX 4096

struct peers {
	pthread_mutex_t file_lock; /* around changes of the list and the file together */
	pthread_mutex_t lock;      /* the list */
	char *path, *text;         /* text: as last written */
	struct peer_info *v;
	size_t n;
};

struct peers *peers_new(const char *path)
{
	struct peers *p = xnew(struct peers);

	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->file_lock, NULL);
	p->path = xstrdup(path);
	return p;
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->file_lock);
	free(p->path);
	free(p->text);
	free(p->v);
	free(p);
}

static bool parse_one(const json_t *j, struct peer_info *ret)
{
	*ret = (struct peer_info){ .database = json_bool(j, "database", false) };
	return str_copy(ret->name, sizeof(ret->name), json_str(j, "name", "")) &&
	       str_copy(ret->uuid, sizeof(ret->uuid), json_str(j, "uuid", "")) &&
	       str_copy(ret->address, sizeof(ret->address), json_str(j, "address", "")) &&
	       str_copy(ret->fingerprint, sizeof(ret->fingerprint),
			json_str(j, "fingerprint", "")) &&
	       *ret->name && *ret->uuid;
}

static int take_list(struct peers *p, const json_t *list, struct err *err)
{
	struct peer_info *v;
	json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > PEERS_MAX)
		return err_set(err, ERR_INVALID, "%s: a list of members is needed", p->path);
	v = xcalloc(json_array_size(list) + 1, sizeof(*v));
	json_array_foreach(list, i, item) {
		if (!parse_one(item, &v[i])) {
			free(v);
			return err_set(err, ERR_INVALID, "%s: member %zu is malformed", p->path, i);
		}
	}
	pthread_mutex_lock(&p->lock);
	free(p->v);
	p->v = v;
	p->n = json_array_size(list);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int peers_load(struct peers *p, struct err *err)
{
	_json_ json_t *list = NULL;
	size_t len;

	if (!io_exists(p->path))
		return 0;
	free(p->text);
	p->text = io_read_file(p->path, FILE_MAX_BYTES, &len, err);
	list = p->text ? json_parse(p->text, len, p->path, err) : NULL;
	return list ? take_list(p, list, err) : -1;
}

static int set_list(struct peers *p, const json_t *list, struct err *err)
{
	_free_ char *text = json_text(list);

	if (take_list(p, list, err) < 0)
		return -1;
	if (str_eq(text, p->text))
		return 0;
	free(p->text);
	p->text = take_ptr(text);
	return io_write_file(p->path, p->text, strlen(p->text), 0600, err);
}

int peers_set(struct peers *p, const json_t *list, struct err *err)
{
	int rc;

	pthread_mutex_lock(&p->file_lock);
	rc = set_list(p, list, err);
	pthread_mutex_unlock(&p->file_lock);
	return rc;
}

static void add_member(void *arg, const char *key, int64_t rev, const char *text)
{
	struct err ignored;
	_json_ json_t *doc = json_parse(text, strlen(text), "member", &ignored);
	json_t *j = json_object();
	const char *role = json_str(doc, "role", "");

	json_put_str(j, "name", key);
	json_put_str(j, "uuid", json_str(doc, "uuid", ""));
	json_put_str(j, "address", json_str(doc, "address", ""));
	json_put_str(j, "fingerprint", json_str(doc, "fingerprint", ""));
	json_put_bool(j, "database", str_eq(role, "voter") || str_eq(role, "standby"));
	json_array_append_new(arg, j);
}

int peers_refresh(struct peers *p, struct replica *r, struct err *err)
{
	_json_ json_t *list = json_array();
	int rc = 0;

	pthread_mutex_lock(&p->file_lock);
	replica_each(r, ENT_MEMBER, NULL, add_member, list);
	if (json_array_size(list))
		rc = set_list(p, list, err);
	pthread_mutex_unlock(&p->file_lock);
	return rc;
}

json_t *peers_json(struct peers *p)
{
	json_t *list = json_array();

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n; i++) {
		const struct peer_info *m = &p->v[i];

		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s,s:s,s:b}", "name", m->name, "uuid",
						m->uuid, "address", m->address, "fingerprint",
						m->fingerprint, "database", m->database));
	}
	pthread_mutex_unlock(&p->lock);
	return list;
}

static bool find(struct peers *p, size_t field, const char *value, struct peer_info *ret)
{
	bool found = false;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->n && !found; i++) {
		found = *value && strcmp((const char *)&p->v[i] + field, value) == 0;
		if (found)
			*ret = p->v[i];
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

bool peers_by_uuid(struct peers *p, const char *uuid, struct peer_info *ret)
{
	return find(p, offsetof(struct peer_info, uuid), uuid, ret);
}

bool peers_by_address(struct peers *p, const char *address, struct peer_info *ret)
{
	return find(p, offsetof(struct peer_info, address), address, ret);
}

bool peers_by_fingerprint(struct peers *p, const char *fingerprint, struct peer_info *ret)
{
	return find(p, offsetof(struct peer_info, fingerprint), fingerprint, ret);
}

/* The k-th of those that are database members, or of those that are not. */
static bool nth(const struct peers *p, bool database, size_t k, struct peer_info *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].database != database || k-- > 0)
			continue;
		*ret = p->v[i];
		return true;
	}
	return false;
}

bool peers_ask(struct peers *p, unsigned i, struct peer_info *ret)
{
	size_t n_db = 0, n_others, round, at;
	bool found = false;

	pthread_mutex_lock(&p->lock);
	for (size_t k = 0; k < p->n; k++)
		n_db += p->v[k].database;
	n_others = p->n - n_db;
	if (p->n) {
		/* Twice the few that surely know, then one of the others, each time another. */
		round = i / (2 * n_db + 1);
		at = i % (2 * n_db + 1);
		found = at < 2 * n_db ? nth(p, true, at % n_db, ret)
				      : n_others && nth(p, false, round % n_others, ret);
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}
