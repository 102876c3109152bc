/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/localconf.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "api/http/server.h"
#include "api/work/state.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"
#include "cluster/model/keys.h"

#define FILE_MAX (1 << 20)

struct localconf {
	pthread_mutex_t lock;
	char *path;
	json_t *values;
};

bool localconf_owns(const char *key)
{
	return str_eq(key, "core.https_address");
}

struct localconf *localconf_load(const char *dir, struct err *err)
{
	struct localconf *c = xnew(struct localconf);
	_free_ char *text = NULL;
	size_t len;

	c->path = xasprintf("%s/config.json", dir);
	pthread_mutex_init(&c->lock, NULL);
	if (!io_exists(c->path)) {
		c->values = json_object();
		return c;
	}
	text = io_read_file(c->path, FILE_MAX, &len, err);
	c->values = text ? json_parse(text, len, c->path, err) : NULL;
	if (!c->values) {
		localconf_free(c);
		return NULL;
	}
	return c;
}

void localconf_free(struct localconf *c)
{
	if (!c)
		return;
	json_decref(c->values);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
}

char *localconf_get(struct localconf *c, const char *key)
{
	char *v;

	pthread_mutex_lock(&c->lock);
	v = xstrdup(json_str(c->values, key, ""));
	pthread_mutex_unlock(&c->lock);
	return v;
}

int localconf_set(struct localconf *c, const char *key, const char *value, struct err *err)
{
	_free_ char *text = NULL;
	int rc;

	pthread_mutex_lock(&c->lock);
	if (str_empty(value))
		json_object_del(c->values, key);
	else
		json_put_str(c->values, key, value);
	text = json_text(c->values);
	rc = io_write_file(c->path, text, strlen(text), 0600, err);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* The other members must go on reaching this one. */
static int check_covers(const struct api_env *env, const char *address, struct err *err)
{
	const char *cluster = cluster_address(env->cluster);
	const char *port = strrchr(address, ':'), *cluster_port = strrchr(cluster, ':');

	if (!cluster_enabled(env->cluster) || str_eq(address, cluster) ||
	    (port && cluster_port && address_text_is_any(address) && str_eq(port, cluster_port)))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"core.https_address \"%s\": the other members reach this one at %s; use that, "
		"or all addresses with the same port",
		address, cluster);
}

int localconf_set_address(const struct api_env *env, const char *address, struct err *err)
{
	_free_ char *full = NULL;
	_free_ char *old = localconf_get(env->state->conf, "core.https_address");

	if (keys_read_value(&server_keys, "core.https_address", address, &full, err) < 0)
		return -1;
	if (!full)
		full = xstrdup("");
	if (str_eq(full, old))
		return 0;
	if (check_covers(env, full, err) < 0 || server_listen(env->server, full, err) < 0)
		return -1;
	return localconf_set(env->state->conf, "core.https_address", full, err);
}

int localconf_listen(const struct api_env *env, struct err *err)
{
	_free_ char *address = localconf_get(env->state->conf, "core.https_address");
	const char *at = *address ? address : cluster_address(env->cluster);

	return str_empty(at) ? 0 : server_listen(env->server, at, err);
}
