/* SPDX-License-Identifier: Apache-2.0 */
/* remote add, list, remove, rename, switch, get-default. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"

/* y, or the fingerprint itself. */
static bool user_accepts(const char *fingerprint)
{
	fprintf(stderr, "Certificate fingerprint: %s\n", fingerprint);
	for (;;) {
		_free_ char *answer = NULL;
		int yes;

		fputs("ok (y/n/[fingerprint])? ", stderr);
		answer = term_line();
		if (str_empty(answer))
			return false;
		yes = strcasecmp(answer, fingerprint) == 0 ? 1 : str_yes_no(answer);
		if (yes >= 0)
			return yes;
		fputs("Please answer y, n, or the fingerprint that the server shows.\n", stderr);
	}
}

static int present_token(struct client *cl, const char *token, struct err *err)
{
	struct api_call call = API_CALL("POST", "/1.0/certificates");
	_json_ json_t *body = json_object(), *done = NULL;

	json_put_str(body, "type", "client");
	json_put_str(body, "password", token);
	call.json = body;
	call.stranger = true;
	done = api_run(cl, &call, err);
	return done ? 0 : -1;
}

/* The server must know our certificate: by the token, or already. */
static int become_trusted(struct client *cl, const char *token, struct err *err)
{
	_json_ json_t *server = api_get(cl, "/1.0", err);
	_free_ char *asked = NULL;

	if (!server)
		return -1;
	if (strcmp(json_str(server, "auth", ""), "trusted") == 0)
		return 0;
	if (!token) {
		fputs("Trust token: ", stderr);
		asked = term_line();
		token = asked;
	}
	if (str_empty(token))
		return err_set(err, ERR_FORBIDDEN,
			       "the server does not trust this client: run \"dunlin config trust "
			       "add --name NAME\" there, and pass the token that it prints");
	if (present_token(cl, token, err) < 0)
		return err_wrap(err, "the server did not accept the token");
	return 0;
}

struct adding {
	const char *name;
	char *made_name, *address, *fingerprint;
};

/* After its host, when the user gave no name; before the server is asked for anything. */
static int name_remote(struct cli *c, struct adding *ad, struct err *err)
{
	if (!ad->name && *ad->address == '[')
		return err_set(err, ERR_INVALID,
			       "an IPv6 address cannot name a remote: dunlin remote add NAME %s",
			       ad->address);
	if (!ad->name)
		ad->name = ad->made_name = xstrndup(ad->address, strcspn(ad->address, ":"));
	return conf_may_add(c->conf, ad->name, err);
}

static int add_by_address(struct cli *c, struct adding *ad, const char *text, struct err *err)
{
	const char *token = args_value(&c->args, "token");
	struct client *cl;

	if (!token)
		token = args_value(&c->args, "password");
	ad->address = remote_address(text, err);
	if (!ad->address || name_remote(c, ad, err) < 0)
		return -1;
	cl = client_open_address(c, ad->address, NULL, err);
	if (!cl)
		return -1;
	if (!args_flag(&c->args, "accept-certificate") && !user_accepts(client_peer(cl)))
		return err_set(err, ERR_CANCELLED, "the server's certificate was not accepted");
	ad->fingerprint = xstrdup(client_peer(cl));
	return become_trusted(cl, token, err);
}

/* The token tells which certificate to expect, so nobody needs to be asked. */
static int add_by_token(struct cli *c, struct adding *ad, const char *text,
			const struct remote_token *t, struct err *err)
{
	struct client *cl = NULL;

	err_set(err, ERR_INVALID, "the token names no address");
	for (char **a = t->addresses; *a && !cl; a++) {
		cl = client_open_address(c, *a, t->fingerprint, err);
		if (cl)
			ad->address = xstrdup(*a);
	}
	if (!cl || name_remote(c, ad, err) < 0)
		return -1;
	ad->fingerprint = xstrdup(t->fingerprint);
	return become_trusted(cl, text, err);
}

static int finish(struct cli *c, const struct adding *ad, struct err *err)
{
	if (conf_add(c->conf, ad->name, ad->address, ad->fingerprint,
		     args_value(&c->args, "project"), err) < 0)
		return -1;
	return conf_save(c->conf, err);
}

int c_remote_add(struct cli *c, struct err *err)
{
	bool named = c->args.npos == 2;
	const char *text = args_pos(&c->args, named ? 1 : 0);
	const char *protocol = args_value(&c->args, "protocol");
	struct remote_token token = { 0 };
	struct adding ad = { .name = named ? args_pos(&c->args, 0) : NULL };
	int r;

	if (protocol && strcmp(protocol, "lxd") != 0)
		return err_set(err, ERR_UNSUPPORTED, "--protocol \"%.40s\": only lxd", protocol);
	if (remote_token_parse(text, &token))
		r = add_by_token(c, &ad, text, &token, err);
	else
		r = add_by_address(c, &ad, text, err);
	if (r == 0)
		r = finish(c, &ad, err);
	remote_token_free(&token);
	free(ad.made_name);
	free(ad.address);
	free(ad.fingerprint);
	return r;
}

/* What the server shows now is trusted from here on. */
int c_remote_accept(struct cli *c, struct err *err)
{
	const char *name = args_pos(&c->args, 0), *was, *is;
	_free_ char *address = NULL;
	const json_t *remote;
	struct client *cl;

	if (conf_may_change(c->conf, name, &remote, err) < 0)
		return -1;
	address = remote_address(json_str(remote, "addr", ""), err);
	cl = address ? client_open_address(c, address, NULL, err) : NULL;
	if (!cl)
		return -1;
	was = json_str(remote, "fingerprint", "");
	is = client_peer(cl);
	if (strcmp(was, is) == 0) {
		cli_say(c, "Remote %s shows the certificate that is known: %s\n", name, is);
		return 0;
	}
	fprintf(stderr, "Remote %s was known by the certificate %s\n", name, was);
	if (!args_flag(&c->args, "accept-certificate") && !user_accepts(is))
		return err_set(err, ERR_CANCELLED, "the server's certificate was not accepted");
	conf_accept(c->conf, name, is);
	if (conf_save(c->conf, err) < 0)
		return -1;
	cli_say(c, "Remote %s is known by the certificate %s now\n", name, is);
	return 0;
}

static json_t *remote_item(const struct conf *conf, const char *name, const json_t *entry,
			   const char *scheme)
{
	bool chosen = strcmp(name, conf_default(conf)) == 0;
	bool local = strcmp(name, REMOTE_LOCAL) == 0;
	_free_ char *shown = xasprintf("%s%s", name, chosen ? " (current)" : "");
	_free_ char *url = xasprintf("%s%s", scheme, json_str(entry, "addr", ""));
	json_t *item = json_object();

	json_put_str(item, "name", shown);
	json_put_str(item, "url", url);
	json_put_str(item, "protocol", "lxd");
	json_put_str(item, "auth", local ? "file access" : "tls");
	json_put_bool(item, "static", local);
	json_put_str(item, "key", name);
	json_object_set(item, "entry", (json_t *)entry);
	return item;
}

json_t *remote_items(struct cli *c, struct client *cl, const char *path, enum need need,
		     struct err *err)
{
	_free_ char *socket = xasprintf("unix://%s", c->conf->socket);
	_json_ json_t *local = json_object();
	json_t *items = json_array(), *r;
	const char *name;

	json_put_str(local, "addr", socket);
	json_array_append_new(items, remote_item(c->conf, REMOTE_LOCAL, local, ""));
	json_object_foreach(json_obj(c->conf->root, "remotes"), name, r)
		json_array_append_new(items, remote_item(c->conf, name, r, "https://"));
	return items;
}

json_t *remote_printed(const json_t *items)
{
	json_t *out = json_object(), *item;
	size_t i;

	json_array_foreach(items, i, item)
		json_object_set(out, json_str(item, "key", ""), json_obj(item, "entry"));
	return out;
}

int c_remote_remove(struct cli *c, struct err *err)
{
	return conf_remove(c->conf, args_pos(&c->args, 0), err) < 0 ? -1 : conf_save(c->conf, err);
}

int c_remote_rename(struct cli *c, struct err *err)
{
	if (conf_rename(c->conf, args_pos(&c->args, 0), args_pos(&c->args, 1), err) < 0)
		return -1;
	return conf_save(c->conf, err);
}

int c_remote_switch(struct cli *c, struct err *err)
{
	if (conf_set_default(c->conf, args_pos(&c->args, 0), err) < 0)
		return -1;
	return conf_save(c->conf, err);
}

int c_remote_get_default(struct cli *c, struct err *err)
{
	puts(conf_default(c->conf));
	return 0;
}
