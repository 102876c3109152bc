/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/where.h"

#include "api/http/req_int.h"
#include "api/rest/query.h"
#include "api/work/env.h"
#include "base/clock.h"
#include "base/str.h"
#include "node/container/container.h"

#define LOOK_UP_MS 2000

static enum caller_kind identify(const struct api_env *env, const char *fingerprint,
				 char ret_name[64])
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (cluster_is_member_cert(env->cluster, fingerprint, ret_name))
		return CALLER_MEMBER;
	if (store_get(env->store, ENT_CERTIFICATE, fingerprint, &row, &ignored) < 0 ||
	    !str_eq(json_str(row.doc, "type", ""), "client"))
		return CALLER_NOBODY;
	str_copy(ret_name, 64, json_str(row.doc, "name", ""));
	return CALLER_CLIENT;
}

static uint64_t change_count(const struct api_env *env)
{
	return store_change_count(env->store);
}

static int at_member(struct req *r, const char *name, struct where *w)
{
	struct cluster *c = r->env->cluster;

	if (str_empty(name) || str_eq(name, cluster_member_name(c)))
		return 0;
	str_copy(w->member, sizeof(w->member), name);
	return cluster_member_address(c, name, w->address, sizeof(w->address), &r->err);
}

/* Without a row the handler here says that there is none. */
static int at_instance(struct req *r, struct where *w)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	if (store_get(r->env->store, ENT_INSTANCE, req_ref(r, 0), &row, &ignored) < 0)
		return 0;
	w->known = r->waited;
	return at_member(r, json_str(row.doc, "member", ""), w);
}

static int at_operation(struct req *r, struct where *w)
{
	char member[64] = "";
	_json_ json_t *fact = store_fact_get(r->env->store, FACT_OPERATION, r->params[0], member);

	/* It began by way of this member, which was asked by another one. */
	w->known = server_find_operation(r->env->server, r->params[0], w->member);
	if (!fact)
		str_copy(member, sizeof(member), w->member);
	w->member[0] = '\0';
	return at_member(r, member, w);
}

static int locate(struct req *r, struct where *w)
{
	const char *named;

	switch (r->route->target) {
	case T_HERE:
		return 0;
	case T_INSTANCE:
		return at_instance(r, w);
	case T_NAMED:
		named = req_query(r, "target");
		/* "@group" is for the scheduler, wherever it runs. */
		return named && *named != '@' ? at_member(r, named, w) : 0;
	case T_OPERATION:
		return at_operation(r, w);
	}
	return 0;
}

/* --- what has to be waited for first ---------------------------------------------------------- */

static int ask_leader(struct req *r)
{
	_row_ struct row row = { 0 };

	if (store_get_leaders(r->env->store, ENT_INSTANCE, req_ref(r, 0), &row,
			      deadline_in(LOOK_UP_MS), &r->err) < 0 &&
	    r->err.kind != ERR_NOT_FOUND)
		return err_wrap(&r->err, "whether there is an instance \"%.63s\" is not known here",
				r->params[0]);
	return 0;
}

static int await_move(struct req *r)
{
	return container_await_open(r->env->node, req_ref(r, 0), &r->err);
}

static int await_first_word(struct req *r)
{
	return cluster_await_started(r->env->cluster, &r->err);
}

static const struct first start_up = { POOL_SLOW, await_first_word };
static const struct first start_up_guest = { POOL_GUEST_SLOW, await_first_word };
static const struct first look_up = { POOL_FAST, ask_leader };
static const struct first wait_for_move = { POOL_SLOW, await_move };

static bool row_is_missing(struct req *r)
{
	_row_ struct row row = { 0 };
	struct err ignored;

	return r->route->target == T_INSTANCE && cluster_enabled(r->env->cluster) &&
	       store_get(r->env->store, ENT_INSTANCE, req_ref(r, 0), &row, &ignored) < 0;
}

/* What members ask of each other makes the first word possible. */
static bool needs_rows(const struct req *r)
{
	return r->route->role != ROLE_MEMBER && !(r->route->flags & (F_SHUTDOWN | F_INLINE));
}

/* The rows of a member that has just started may be those of before its absence: for a few seconds
 * it waits for a leader's word, then it answers as an island.
 *
 * What a client made through another member a moment ago may not have arrived: before it hears
 * that there is no such instance, the leader is asked; by this member, too, when another one that
 * knows the row sent the client's request here and this one has only just started. What goes into
 * a container that is leaving is answered where it is afterwards. */
static const struct first *first(struct req *r)
{
	if (needs_rows(r) && cluster_is_starting(r->env->cluster))
		return r->caller.kind == CALLER_NOBODY ? &start_up_guest : &start_up;
	if (!r->looked_up && row_is_missing(r)) {
		r->looked_up = true;
		return &look_up;
	}
	if ((r->route->flags & F_ENTERS) && !r->waited &&
	    container_is_closed(r->env->node, req_ref(r, 0))) {
		r->waited = true;
		return &wait_for_move;
	}
	return NULL;
}

const struct server_hooks api_hooks = { identify, change_count, query_check, locate, first };
