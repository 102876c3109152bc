/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server/join.h"

#include <string.h>

#include "api/rest/localconf.h"
#include "api/rest/serverinfo.h"
#include "api/work/job.h"
#include "api/work/netsync.h"
#include "api/work/recover.h"
#include "api/work/state.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/str.h"
#include "cluster/model/keys.h"
#include "node/image/image.h"

/* Arguments of both jobs: {"name", "address"}, and "token" of a join. */
static const char *arg_of(const struct job *j, const char *key)
{
	return json_str(j->args, key, "");
}

static void tell(const struct api_env *env, const char *action, const char *url, const char *name)
{
	event_lifecycle(env->events,
			&(struct event_source){ .action = action, .url = url, .key = name });
}

/* --- the first member ------------------------------------------------------------------------ */

static int run_enable(struct job *j, struct err *err)
{
	const struct api_env *env = j->env;
	_free_ char *listening = localconf_get(env->state->conf, "core.https_address");

	if (str_empty(listening) && localconf_set_address(env, arg_of(j, "address"), err) < 0)
		return -1;
	if (cluster_enable(env->cluster, arg_of(j, "name"), arg_of(j, "address"), err) < 0)
		return -1;
	serverinfo_stale(env->state->info);
	facts_republish(env);
	netsync_all(env);
	tell(env, "cluster-enabled", "/1.0/cluster", arg_of(j, "name"));
	return 0;
}

static int check_name(const char *name, struct err *err)
{
	if (str_is_hostname(name))
		return 0;
	return err_set(
		err, ERR_INVALID,
		"cluster member: invalid name \"%.64s\" (letters, digits and hyphens, a letter "
		"first)",
		name);
}

/* An address others can reach, with a port. */
static char *reachable(const struct api_env *env, const char *address, struct err *err)
{
	_free_ char *conf = localconf_get(env->state->conf, "core.https_address");
	_free_ char *full = NULL;

	if (keys_read_value(&server_keys, "core.https_address", str_empty(address) ? conf : address,
			    &full, err) < 0)
		return NULL;
	if (!full)
		err_set(err, ERR_INVALID,
			"no address for the other members: set core.https_address first, such as "
			"\"config set core.https_address 10.0.0.5:8443\"");
	else if (address_text_is_any(full))
		err_set(err, ERR_INVALID,
			"core.https_address is \"%s\": a cluster needs one address that the other "
			"members can reach",
			full);
	else
		return take_ptr(full);
	return NULL;
}

static const struct job_kind enabling = {
	.description = "Enabling clustering",
	.on = ENT_MAX,
	.lock = "cluster",
	.run = run_enable,
	.state = INST_READY,
};

struct op *cluster_enable_start(const struct api_env *env, const json_t *body, struct err *err)
{
	const char *name = json_str(body, "server_name", "");
	_free_ char *address = NULL;

	if (cluster_enabled(env->cluster)) {
		err_set(err, ERR_CONFLICT, "This server is already clustered, as member \"%s\"",
			cluster_member_name(env->cluster));
		return NULL;
	}
	if (str_empty(name)) {
		err_set(err, ERR_INVALID,
			"server_name is missing: name the first member of a new cluster, or give a "
			"cluster_token to join one");
		return NULL;
	}
	if (check_name(name, err) < 0)
		return NULL;
	address = reachable(env, json_str(body, "server_address", ""), err);
	if (!address)
		return NULL;
	return job_start(env,
			 &(struct job_order){ .kind = &enabling,
					      .own_args = json_pack("{s:s, s:s}", "name", name,
								    "address", address) },
			 err);
}

/* --- a further member ------------------------------------------------------------------------ */

static int run_join(struct job *j, struct err *err)
{
	const struct api_env *env = j->env;
	_free_ char *before = localconf_get(env->state->conf, "core.https_address");

	json_put_str(j->args, "before", before);
	/* The other members call back while the join is under way. */
	if (localconf_set_address(env, arg_of(j, "address"), err) < 0)
		return -1;
	j->phase = JOB_MADE;
	if (image_disown_all(env->node, err) < 0 ||
	    cluster_join(env->cluster, arg_of(j, "name"), arg_of(j, "address"), arg_of(j, "token"),
			 err) < 0)
		return -1;
	serverinfo_stale(env->state->info);
	netsync_all(env);
	tell(env, "cluster-member-added", "/1.0/cluster/members", arg_of(j, "name"));
	return 0;
}

/* One that was admitted is called at the new address from now on. */
static int undo_join(struct job *j, enum job_phase phase, struct err *err)
{
	if (cluster_enabled(j->env->cluster))
		return 0;
	return localconf_set_address(j->env, arg_of(j, "before"), err);
}

static const struct job_kind joining = {
	.description = "Joining cluster",
	.on = ENT_MAX,
	.lock = "cluster",
	.run = run_join,
	.undo = undo_join,
	.state = INST_READY,
};

/* The name that the token was made for; the caller frees. */
static char *name_in_token(const char *token)
{
	_json_ json_t *j = NULL;
	_free_ char *text = NULL;
	struct err err;
	size_t len = 0;

	text = base64_decode(token, &len);
	j = text ? json_parse(text, len, "token", &err) : NULL;
	return xstrdup(json_is_object(j) ? json_str(j, "server_name", "") : "");
}

struct op *cluster_join_start(const struct api_env *env, const json_t *body, const char *token,
			      struct err *err)
{
	_free_ char *from_token = name_in_token(token);
	const char *name = json_str(body, "server_name", "");
	_free_ char *address = NULL;

	if (!*from_token) {
		err_set(err, ERR_INVALID,
			"Invalid cluster join token: copy all of what \"cluster add NAME\" printed "
			"on a member, or make another");
		return NULL;
	}
	if (str_empty(name))
		name = from_token;
	if (check_name(name, err) < 0)
		return NULL;
	address = reachable(env, json_str(body, "server_address", ""), err);
	if (!address)
		return NULL;
	return job_start(env,
			 &(struct job_order){ .kind = &joining,
					      .own_args = json_pack("{s:s, s:s, s:s}", "name", name,
								    "address", address, "token",
								    token) },
			 err);
}
