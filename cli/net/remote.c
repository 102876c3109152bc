/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/remote.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/net/x509.h"
#include "base/sbuf.h"
#include "base/str.h"

#define CONF_SIZE_MAX (1 << 20)
#define TOKEN_ADDRESSES_MAX 64

static char *conf_dir(void)
{
	const char *own = getenv("DUNLIN_CONF"), *xdg = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (!str_empty(own))
		return xstrdup(own);
	if (!str_empty(xdg))
		return xasprintf("%s/dunlin", xdg);
	return xasprintf("%s/.config/dunlin", str_empty(home) ? "/root" : home);
}

static char *local_socket(const char *given)
{
	const char *dir = getenv("DUNLIN_DIR");

	if (!str_empty(given))
		return xstrdup(given);
	return xasprintf("%s/unix.socket", str_empty(dir) ? "/var/lib/dunlin" : dir);
}

static json_t *load_root(const char *path, struct err *err)
{
	_free_ char *text = NULL;
	size_t len;
	json_t *root;

	if (!io_exists(path))
		return json_object();
	text = io_read_file(path, CONF_SIZE_MAX, &len, err);
	if (!text)
		return NULL;
	root = json_parse(text, len, path, err);
	if (root && !json_is_object(root)) {
		json_decref(root);
		root = NULL;
		err_set(err, ERR_INVALID, "%s: must hold a JSON object", path);
	}
	return root;
}

struct conf *conf_load(const char *socket, struct err *err)
{
	struct conf *c = xnew(struct conf);
	_free_ char *path = NULL;

	c->dir = conf_dir();
	c->socket = local_socket(socket);
	path = xasprintf("%s/config.json", c->dir);
	c->root = load_root(path, err);
	if (!c->root) {
		conf_free(c);
		return NULL;
	}
	if (!json_obj(c->root, "remotes"))
		json_object_set_new(c->root, "remotes", json_object());
	return c;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	free(c->dir);
	free(c->socket);
	json_decref(c->root);
	free(c);
}

int conf_save(const struct conf *c, struct err *err)
{
	_free_ char *path = xasprintf("%s/config.json", c->dir);
	_free_ char *dump = json_dumps(c->root, JSON_INDENT(2));
	_free_ char *text = xasprintf("%s\n", dump);

	if (io_mkdirs(c->dir, 0700, err) < 0)
		return -1;
	return io_write_file(path, text, strlen(text), 0600, err);
}

const char *conf_default(const struct conf *c)
{
	const char *name = json_str(c->root, "default-remote", REMOTE_LOCAL);

	return c->force_local || str_empty(name) ? REMOTE_LOCAL : name;
}

int conf_remote(const struct conf *c, const char *name, const json_t **ret, struct err *err)
{
	*ret = NULL;
	if (strcmp(name, REMOTE_LOCAL) == 0)
		return 0;
	*ret = json_obj(json_obj(c->root, "remotes"), name);
	if (!*ret)
		return err_set(err, ERR_NOT_FOUND,
			       "no remote named \"%.80s\" (see dunlin remote list)", name);
	return 0;
}

int conf_may_add(const struct conf *c, const char *name, struct err *err)
{
	if (!str_is_name(name, 63) || strchr(name, ':'))
		return err_set(err, ERR_INVALID,
			       "remote name \"%.80s\": 1 to 63 characters, without ':' and '/'",
			       name);
	if (strcmp(name, REMOTE_LOCAL) == 0 || json_obj(json_obj(c->root, "remotes"), name))
		return err_set(err, ERR_CONFLICT, "remote \"%s\" exists already", name);
	return 0;
}

int conf_add(struct conf *c, const char *name, const char *addr, const char *fingerprint,
	     const char *project, struct err *err)
{
	json_t *r;

	if (conf_may_add(c, name, err) < 0)
		return -1;
	r = json_object();
	json_put_str(r, "addr", addr);
	json_put_str(r, "fingerprint", fingerprint);
	json_put_str(r, "project", project);
	json_object_set_new(json_obj(c->root, "remotes"), name, r);
	return 0;
}

int conf_may_change(const struct conf *c, const char *name, const json_t **ret, struct err *err)
{
	if (conf_remote(c, name, ret, err) < 0)
		return -1;
	if (!*ret)
		return err_set(err, ERR_INVALID, "remote \"%s\" is built in and stays", name);
	return 0;
}

void conf_accept(struct conf *c, const char *name, const char *fingerprint)
{
	json_put_str(json_obj(json_obj(c->root, "remotes"), name), "fingerprint", fingerprint);
}

int conf_remove(struct conf *c, const char *name, struct err *err)
{
	const json_t *r;

	if (conf_may_change(c, name, &r, err) < 0)
		return -1;
	if (strcmp(name, json_str(c->root, "default-remote", REMOTE_LOCAL)) == 0)
		return err_set(err, ERR_CONFLICT,
			       "remote \"%s\" is the default: choose another with \"dunlin remote "
			       "switch\" first",
			       name);
	json_object_del(json_obj(c->root, "remotes"), name);
	return 0;
}

int conf_rename(struct conf *c, const char *name, const char *to, struct err *err)
{
	json_t *remotes = json_obj(c->root, "remotes");
	const json_t *r;

	if (conf_may_change(c, name, &r, err) < 0 || conf_may_add(c, to, err) < 0)
		return -1;
	json_object_set(remotes, to, json_object_get(remotes, name));
	json_object_del(remotes, name);
	if (strcmp(name, json_str(c->root, "default-remote", REMOTE_LOCAL)) == 0)
		json_put_str(c->root, "default-remote", to);
	return 0;
}

int conf_set_default(struct conf *c, const char *name, struct err *err)
{
	const json_t *r;

	if (conf_remote(c, name, &r, err) < 0)
		return -1;
	json_put_str(c->root, "default-remote", name);
	return 0;
}

int conf_identity(const struct conf *c, char **ret_cert_pem, char **ret_key_pem, struct err *err)
{
	_free_ char *cert = xasprintf("%s/client.crt", c->dir);
	_free_ char *key = xasprintf("%s/client.key", c->dir);
	_free_ char *cert_pem = NULL;
	char *key_pem;
	const char *user = getenv("USER");
	size_t len;

	assert(c->dir);
	if (io_mkdirs(c->dir, 0700, err) < 0 ||
	    x509_ensure(cert, key, str_empty(user) ? "dunlin" : user, err) < 0)
		return -1;
	cert_pem = io_read_file(cert, 1 << 16, &len, err);
	key_pem = cert_pem ? io_read_file(key, 1 << 16, &len, err) : NULL;
	if (!key_pem)
		return -1;
	*ret_cert_pem = take_ptr(cert_pem);
	*ret_key_pem = key_pem;
	return 0;
}

int conf_split(const struct conf *c, const char *arg, char **ret_remote, const char **ret_name,
	       struct err *err)
{
	size_t len = strcspn(arg, ":/");
	_free_ char *name = NULL;
	const json_t *r;

	if (arg[len] != ':') {
		*ret_remote = xstrdup(conf_default(c));
		*ret_name = arg;
		return 0;
	}
	name = xstrndup(arg, len);
	if (conf_remote(c, name, &r, err) < 0)
		return -1;
	*ret_remote = take_ptr(name);
	*ret_name = arg + len + 1;
	return 0;
}

bool conf_is_remote(const struct conf *c, const char *arg, char **ret_remote)
{
	size_t len = arg ? strcspn(arg, ":/") : 0;

	if (!arg || arg[len] != ':' || arg[len + 1]) {
		*ret_remote = xstrdup(conf_default(c));
		return false;
	}
	*ret_remote = xstrndup(arg, len);
	return true;
}

/* With its port; NULL when it is none. */
static char *host_and_port(const char *host)
{
	struct err ignored;
	struct address a;

	if (address_parse(host, &a, &ignored) < 0 || !*a.host || a.port == 0)
		return NULL;
	return address_text(&a);
}

char *remote_address(const char *text, struct err *err)
{
	const char *s = str_starts(text, "https://") ? text + 8 : text;
	_free_ char *host = xstrndup(s, strcspn(s, "/"));
	const char *rest = s + strlen(host);
	char *address = *rest && strcmp(rest, "/") != 0 ? NULL : host_and_port(host);

	if (!address)
		err_set(err, ERR_INVALID,
			"\"%.100s\" is no address: write HOST, HOST:PORT or a token", text);
	return address;
}

static char **token_addresses(const json_t *list)
{
	size_t n = json_array_size(list), used = 0;
	char **addresses;

	if (n > TOKEN_ADDRESSES_MAX)
		n = TOKEN_ADDRESSES_MAX;
	addresses = xcalloc(n + 1, sizeof(*addresses));
	for (size_t i = 0; i < n; i++) {
		const char *s = json_string_value(json_array_get(list, i));
		struct err err;
		char *a = s ? remote_address(s, &err) : NULL;

		if (a)
			addresses[used++] = a;
	}
	return addresses;
}

bool remote_token_parse(const char *text, struct remote_token *ret)
{
	size_t len;
	_free_ char *raw = base64_decode(text, &len);
	_json_ json_t *j = NULL;
	struct err err;
	const char *fingerprint;

	j = raw ? json_parse(raw, len, "token", &err) : NULL;
	fingerprint = json_str(j, "fingerprint", NULL);
	if (!json_is_object(j) || !json_str(j, "secret", NULL) || !fingerprint ||
	    !str_is_hex(fingerprint, 64) || !json_arr(j, "addresses"))
		return false;
	ret->name = xstrdup(json_str(j, "client_name", ""));
	ret->fingerprint = xstrdup(fingerprint);
	ret->addresses = token_addresses(json_arr(j, "addresses"));
	return true;
}

void remote_token_free(struct remote_token *t)
{
	free(t->name);
	free(t->fingerprint);
	for (char **a = t->addresses; a && *a; a++)
		free(*a);
	free(t->addresses);
	*t = (struct remote_token){ 0 };
}
