/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rest/query.h"

#include <string.h>

#include "api/http/req_int.h"
#include "api/work/project.h"
#include "base/mem.h"
#include "base/str.h"

#define TAKEN_TEXT_MAX 400

struct query_row {
	const char *name;
	int (*check)(struct req *r, const char *value);
};

static int check_nothing(struct req *r, const char *value)
{
	return 0;
}

static int check_words(struct req *r, const char *name, const char *value, const char *words)
{
	_free_ char *copy = xstrdup(words);
	char *known[8];
	size_t n = str_split(copy, ' ', known, ARRAY_SIZE(known));

	for (size_t i = 0; i < n && i < ARRAY_SIZE(known); i++) {
		if (str_eq(known[i], value))
			return 0;
	}
	return err_set(&r->err, ERR_INVALID, "query parameter \"%s\": \"%.40s\" must be one of: %s",
		       name, value, words);
}

static int check_recursion(struct req *r, const char *value)
{
	return check_words(r, "recursion", value, "0 1 2");
}

static int check_type(struct req *r, const char *value)
{
	return check_words(r, "instance-type", value, "container virtual-machine");
}

static int check_usage(struct req *r, const char *value)
{
	return check_words(r, "usage", value, "true false disk");
}

static int check_bool(struct req *r, const char *value)
{
	bool b;

	if (str_to_bool(value, &b))
		return 0;
	return err_set(&r->err, ERR_INVALID, "query parameter: \"%.40s\" is not true or false",
		       value);
}

static int check_project(struct req *r, const char *value)
{
	return project_check(r->env, value, &r->err);
}

static int check_all_projects(struct req *r, const char *value)
{
	bool all;

	if (!str_to_bool(value, &all))
		return err_set(&r->err, ERR_INVALID,
			       "query parameter \"all-projects\": \"%.40s\" is not true or false",
			       value);
	if (all && !str_empty(req_query(r, "project")))
		return err_set(&r->err, ERR_INVALID,
			       "query parameters: either a project or all-projects");
	return 0;
}

static int check_group(struct req *r, const char *group)
{
	const struct route *route = r->route;
	_row_ struct row row = { 0 };

	if (!cluster_enabled(r->env->cluster) ||
	    store_get(r->env->store, ENT_GROUP, group, &row, &r->err) < 0)
		return err_set(&r->err, ERR_ELSEWHERE, "Cluster group not found: \"%.63s\"", group);
	if (route->target == T_NAMED && !(route->query & Q_TARGET))
		return err_set(&r->err, ERR_INVALID,
			       "query parameter \"target\": \"@%.63s\" is a group: name a member",
			       group);
	return 0;
}

/* An instance is where it is: only what moves it may name another member. */
static int check_place(struct req *r, const char *member)
{
	_row_ struct row row = { 0 };
	struct err ignored;
	const char *is;

	if (r->route->target != T_INSTANCE || (r->route->query & Q_TARGET) || r->forwarded ||
	    str_eq(r->route->method, "GET") ||
	    store_get(r->env->store, ENT_INSTANCE, req_ref(r, 0), &row, &ignored) < 0)
		return 0;
	is = json_str(row.doc, "member", member);
	if (str_eq(is, member))
		return 0;
	return err_set(&r->err, ERR_INVALID,
		       "instance \"%.63s\" is on member \"%.63s\", not on the target \"%.63s\"",
		       r->params[0], is, member);
}

static int check_target(struct req *r, const char *value)
{
	_row_ struct row row = { 0 };

	if (value[0] == '@')
		return check_group(r, value + 1);
	if (!str_eq(value, cluster_member_name(r->env->cluster)) &&
	    store_get(r->env->store, ENT_MEMBER, value, &row, &r->err) < 0)
		return err_set(&r->err, ERR_ELSEWHERE, "Cluster member not found: \"%.63s\"",
			       value);
	return check_place(r, value);
}

static const struct query_row rows[] = {
#define QUERY(id, name, check, doc) { name, check },
#define COMMON(id, name, check, doc) { name, check },
#include "api/http/queries.def"
#undef QUERY
#undef COMMON
};

static bool takes(const struct route *route, enum query q)
{
	if (route->query & (1U << q))
		return true;
	if (!str_starts(route->path, "/1.0"))
		return false;
	if (q == QUERY_TARGET)
		return route->target != T_HERE || str_eq(route->method, "GET");
	return q == QUERY_PROJECT;
}

static int refuse(struct req *r, const char *name)
{
	_sbuf_ struct sbuf taken = SBUF(TAKEN_TEXT_MAX);

	for (enum query q = 0; q < QUERY_COUNT; q++) {
		if (takes(r->route, q))
			sbuf_printf(&taken, "%s%s", taken.len ? ", " : "", rows[q].name);
	}
	return err_set(&r->err, ERR_INVALID,
		       "%s %s: there is no query parameter \"%.40s\" (there are: %s)",
		       r->route->method, r->route->path, name, taken.len ? taken.data : "none");
}

static enum query query_of(const char *name)
{
	enum query q = 0;

	while (q < QUERY_COUNT && !str_eq(rows[q].name, name))
		q++;
	return q;
}

int query_check(struct req *r)
{
	unsigned seen = 0;

	for (int i = 0; i < r->npairs; i++) {
		const char *name = r->pairs[i].key, *value = r->pairs[i].value;
		enum query q = query_of(name);

		if (q == QUERY_COUNT || !takes(r->route, q))
			return refuse(r, name);
		if (seen & (1U << q))
			return err_set(&r->err, ERR_INVALID,
				       "query parameter \"%s\" stands there twice", name);
		seen |= 1U << q;
		if (!str_empty(value) && rows[q].check(r, value) < 0)
			return -1;
	}
	return 0;
}
