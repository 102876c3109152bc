/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/self/state.h"

char *cluster_path(const struct cluster *c, const char *name)
{
	return xasprintf("%s/%s", c->dir, name);
}

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

void cluster_show_identity(struct cluster *c)
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
		cluster_show_identity(c);
	}
	pthread_mutex_unlock(&c->id_lock);
	return rc;
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
	c->hooks->removed(c);
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

struct store *cluster_store(struct cluster *c)
{
	return c->store;
}
