/* SPDX-License-Identifier: Apache-2.0 */
/* cluster enable, add, list, remove, and the join tokens. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/kv.h"
#include "cli/form/term.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"
#include "cli/net/tokens.h"

static int need_cluster(struct client *cl, struct err *err)
{
	_json_ json_t *info = api_get(cl, "/1.0/cluster", err);

	if (!info)
		return -1;
	if (!json_bool(info, "enabled", false))
		return err_set(
			err, ERR_CONFLICT,
			"this server is not part of a cluster (\"dunlin cluster enable NAME\" "
			"starts one)");
	return 0;
}

int c_cluster_enable(struct cli *c, struct err *err)
{
	bool two = c->args.npos == 2;
	const char *name = args_pos(&c->args, 0);
	struct client *cl = two ? client_of_remote(c, name, err) : client_of(c, name, &name, err);
	_json_ json_t *body = json_object();

	if (!cl)
		return -1;
	name = two ? args_pos(&c->args, 1) : name;
	json_put_str(body, "server_name", name);
	json_put_bool(body, "enabled", true);
	if (api_do(cl, "PUT", "/1.0/cluster", body, err) < 0)
		return -1;
	cli_say(c, "Clustering enabled\n");
	return 0;
}

int c_cluster_add(struct cli *c, struct err *err)
{
	bool two = c->args.npos == 2;
	const char *name = args_pos(&c->args, 0);
	struct client *cl = two ? client_of_remote(c, name, err) : client_of(c, name, &name, err);
	struct api_call call = API_CALL("POST", "/1.0/cluster/members");
	_json_ json_t *body = json_object(), *op = NULL;
	_free_ char *token = NULL;

	if (!cl)
		return -1;
	name = two ? args_pos(&c->args, 1) : name;
	json_put_str(body, "server_name", name);
	call.json = body;
	op = api_begin(cl, &call, err);
	if (!op)
		return -1;
	token = token_text(json_obj(op, "metadata"), "server_name", name);
	cli_say(c, "Member %s join token:\n", name);
	puts(token);
	return 0;
}

json_t *member_items(struct cli *c, struct client *cl, const char *path, enum need need,
		     struct err *err)
{
	return need_cluster(cl, err) < 0 ? NULL : api_get(cl, path, err);
}

static bool may_force(const struct args *a, const char *name)
{
	_free_ char *question = xasprintf(
		"Removing %s by force loses what is only there, and it must not come back with its "
		"old state. Remove it?",
		name);

	return args_flag(a, "yes") || term_confirm(question);
}

/* What the removed one knew is worth nothing any more, to nobody. */
static void tell_consequences(struct cli *c, const json_t *done)
{
	const char *fingerprint = json_str(done, "certificate_fingerprint", "");
	int64_t tokens = json_int(done, "tokens_revoked", 0);

	if (tokens)
		cli_say(c,
			"%lld unused tokens were revoked with it: make new ones where they are "
			"needed\n",
			(long long)tokens);
	if (str_empty(fingerprint))
		cli_say(c, "The cluster's certificate is being replaced: \"dunlin info\" on a "
			   "member shows the new one\n");
	else
		cli_say(c, "The cluster's certificate was replaced, its fingerprint is %s\n",
			fingerprint);
	cli_say(c, "Clients elsewhere accept it with \"dunlin remote accept NAME\", or with "
		   "\"lxc remote remove NAME\" and \"lxc remote add NAME ADDRESS\"\n");
}

/* The new certificate was learned from a server that still proved itself by the old one. */
static int keep_trust(struct cli *c, const struct client *cl, const json_t *done, struct err *err)
{
	const char *fingerprint = json_str(done, "certificate_fingerprint", "");

	if (strcmp(client_remote(cl), REMOTE_LOCAL) == 0 || str_empty(fingerprint))
		return 0;
	conf_accept(c->conf, client_remote(cl), fingerprint);
	return conf_save(c->conf, err);
}

int c_cluster_remove(struct cli *c, struct err *err)
{
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);
	bool force = args_flag(&c->args, "force");
	struct api_call call = API_CALL("DELETE", NULL);
	_json_ json_t *done = NULL;
	_free_ char *path = NULL;

	if (!cl)
		return -1;
	if (force && !may_force(&c->args, name))
		return err_set(err, ERR_CANCELLED, "member \"%s\": not removed", name);
	path = api_query(api_path("cluster/members/%s", name), "force", force ? "1" : NULL);
	call.path = path;
	done = api_run(cl, &call, err);
	if (!done)
		return err_wrap_name(err, "cluster member", name);
	cli_say(c, "Member %s removed\n", name);
	tell_consequences(c, done);
	return keep_trust(c, cl, done, err);
}

static const struct token_kind join_tokens = {
	.name_of = token_join_name,
	.noun = "join token",
};

json_t *join_token_items(struct cli *c, struct client *cl, const char *path, enum need need,
			 struct err *err)
{
	return tokens_unused(cl, &join_tokens, err);
}

int c_cluster_revoke_token(struct cli *c, struct err *err)
{
	const char *name;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &name, err);

	return cl ? tokens_revoke(cl, &join_tokens, name, err) : -1;
}
