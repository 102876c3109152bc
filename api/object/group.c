/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of members. Who is in one stands in the rows of the members (cluster/model/group.h). */
#include <string.h>

#include "api/rest/object.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"

#define NAMES_TEXT_MAX 300

static bool is_name(const char *name)
{
	return name_is_free(name, 63) && !strpbrk(name, "@,");
}

static json_t *members_of(struct req *r, const char *group)
{
	_rows_ struct rows members = { 0 };
	json_t *names = json_array();

	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, &members, req_err(r)) < 0)
		return names;
	for (size_t i = 0; i < members.n; i++) {
		if (member_is_in(members.v[i].doc, group))
			json_array_append_new(names, json_string(members.v[i].key));
	}
	return names;
}

static json_t *seen(struct req *r, const struct row *row)
{
	json_t *doc = json_copy(row->doc);

	json_object_set_new(doc, "members", members_of(r, row->key));
	return doc;
}

/* Whether it was in the list. */
static bool take_name(json_t *names, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach(names, i, v) {
		if (str_eq(json_string_value(v), name)) {
			json_array_remove(names, i);
			return true;
		}
	}
	return false;
}

/* Takes the member in or lets it go, as the list of names says. */
static int settle(struct req *r, struct change *c, struct row *member, json_t *names)
{
	bool in = take_name(names, member->key), was = member_is_in(member->doc, c->name);

	if (in == was)
		return 0;
	if (str_eq(c->name, GROUP_DEFAULT))
		return err_set(req_err(r), ERR_INVALID,
			       "%s: cluster member \"%s\" can't leave it: all members are in it",
			       c->what, member->key);
	member_set_group(member->doc, c->name, in);
	tx_put(c->tx, ENT_MEMBER, member->key, member->rev, member->doc);
	return 0;
}

static int check(struct req *r, struct change *c)
{
	_json_ json_t *names = json_copy(json_arr(c->doc, "members"));
	_rows_ struct rows members = { 0 };

	if (!names)
		return 0;
	json_object_del(c->doc, "members");
	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, &members, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; i < members.n; i++) {
		if (settle(r, c, &members.v[i], names) < 0)
			return -1;
	}
	if (json_array_size(names) == 0)
		return 0;
	return err_set(req_err(r), ERR_NOT_FOUND, "%s: Cluster member not found: \"%.64s\"",
		       c->what, json_string_value(json_array_get(names, 0)));
}

static int refuse_full(struct req *r, const struct change *c)
{
	_json_ json_t *names = members_of(r, c->name);
	_sbuf_ struct sbuf text = SBUF(NAMES_TEXT_MAX);
	json_t *v;
	size_t i;

	json_array_foreach(names, i, v)
		sbuf_printf(&text, "%s\"%s\"", i ? ", " : "", json_string_value(v));
	if (i == 0)
		return 0;
	return err_set(req_err(r), ERR_INVALID,
		       "%s is not empty: take its members (%s) out of it first", c->what,
		       text.data);
}

/* Members go along with a new name, and nobody is left behind. */
static int leave(struct req *r, struct change *c)
{
	_rows_ struct rows members = { 0 };

	tx_check_still(c->tx, ENT_MEMBER, c->revision);
	if (!c->new_name)
		return refuse_full(r, c);
	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, &members, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; i < members.n; i++) {
		struct row *m = &members.v[i];

		if (!member_is_in(m->doc, c->name))
			continue;
		member_set_group(m->doc, c->name, false);
		member_set_group(m->doc, c->new_name, true);
		tx_put(c->tx, ENT_MEMBER, m->key, m->rev, m->doc);
	}
	return 0;
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },
	{ "description", JW_STR, FIELD_WRITE, false },
	{ "members", JW_STR_LIST, FIELD_KEEP, false },
	{ NULL, 0, 0, false },
};

const struct kind kind_group = {
	.entity = ENT_GROUP,
	.fields = fields,
	.is_name = is_name,
	.name_rule = "1 to 63 bytes, none of \"/\", \"~\", \"@\" and \",\"",
	.keep = GROUP_DEFAULT,
	.ready = need_cluster,
	.seen = seen,
	.check = check,
	.leave = leave,
};
