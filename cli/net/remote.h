/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/remote.h - the servers that this user knows, kept in config.json.
 *
 * The folder is $DUNLIN_CONF, or dunlin below $XDG_CONFIG_HOME or ~/.config; it also holds
 * client.crt and client.key, made when a remote server is first needed. "local" is always there:
 * the unix socket. Another server is trusted by the fingerprint of its certificate, fixed when
 * it was added.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

#define REMOTE_LOCAL "local"

struct conf {
	char *dir;
	char *socket;     /* of the local daemon */
	json_t *root;     /* {"default-remote", "remotes": {NAME: {addr, fingerprint, project}}} */
	bool force_local; /* for this run */
	const char *project; /* for this run, or NULL */
};

struct conf *conf_load(const char *socket, struct err *err);
int conf_save(const struct conf *c, struct err *err);
void conf_free(struct conf *c);

const char *conf_default(const struct conf *c);
/* NULL for the local one; ERR_NOT_FOUND when unknown. Borrowed. */
int conf_remote(const struct conf *c, const char *name, const json_t **ret, struct err *err);
/* The name is free, and one that a remote can have. */
int conf_may_add(const struct conf *c, const char *name, struct err *err);
int conf_add(struct conf *c, const char *name, const char *addr, const char *fingerprint,
	     const char *project, struct err *err);
/* A remote that is not built in. Borrowed. */
int conf_may_change(const struct conf *c, const char *name, const json_t **ret, struct err *err);
/* The remote, which there is, is known by another certificate from here on. */
void conf_accept(struct conf *c, const char *name, const char *fingerprint);
int conf_remove(struct conf *c, const char *name, struct err *err);
int conf_rename(struct conf *c, const char *name, const char *to, struct err *err);
int conf_set_default(struct conf *c, const char *name, struct err *err);
/* Makes the client's pair on first need; the caller frees both. */
int conf_identity(const struct conf *c, char **ret_cert_pem, char **ret_key_pem, struct err *err);

/* "n1:web" is remote n1, object web; "web" is an object of the default remote; "n1:" has an
 * empty object. A colon after a slash belongs to the object. The caller frees *ret_remote;
 * *ret_name points into `arg`. */
int conf_split(const struct conf *c, const char *arg, char **ret_remote, const char **ret_name,
	       struct err *err);
/* Only "n1:" names a remote alone; anything else leaves *ret_remote the default and is false. */
bool conf_is_remote(const struct conf *c, const char *arg, char **ret_remote);

/* "host", "host:port", "https://host:port/", "[v6]:port" to "host:port"; the port defaults to
 * 8443. The caller frees. */
char *remote_address(const char *text, struct err *err);

struct remote_token {
	char *name, *fingerprint;
	char **addresses; /* NULL-terminated, as remote_address() gives them */
};
/* False when the text is no trust token. */
bool remote_token_parse(const char *text, struct remote_token *ret);
void remote_token_free(struct remote_token *t);
