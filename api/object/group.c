/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of members. Who is in one stands in the rows of the members (cluster/model/group.h). */
#include "api/rest/object.h"
#include "api/rest/uses.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/group.h"

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

/* Those named are in the group, by its new name if it gets one, and no others. */
static int settle(struct req *r, struct change *c, const json_t *names)
{
	const char *next = c->new_name ? c->new_name : c->name;
	_rows_ struct rows members = { 0 };

	if (store_list(req_env(r)->store, ENT_MEMBER, NULL, &members, req_err(r)) < 0)
		return -1;
	for (size_t i = 0; i < members.n; i++) {
		struct row *m = &members.v[i];
		bool was = member_is_in(m->doc, c->name), in = json_lists(names, m->key);

		if (was && !in && str_eq(c->name, GROUP_DEFAULT))
			return err_set(req_err(r), ERR_INVALID,
				       "%s: cluster member \"%s\" can't leave it: all members are "
				       "in it",
				       c->what, m->key);
		if (in == was && str_eq(next, c->name))
			continue;
		if (was)
			member_set_group(m->doc, c->name, false);
		if (in)
			member_set_group(m->doc, next, true);
		if (was || in)
			tx_put(c->tx, ENT_MEMBER, m->key, m->rev, m->doc);
	}
	return 0;
}

static int check(struct req *r, struct change *c)
{
	_json_ json_t *names = json_incref(json_arr(c->doc, "members"));

	json_object_del(c->doc, "members");
	if (!names)
		return 0;
	return change_needs_all(r, c, ENT_MEMBER, names) < 0 ? -1 : settle(r, c, names);
}

/* Members go along with a new name, and nobody is left behind. */
static int leave(struct req *r, struct change *c)
{
	_json_ json_t *names = members_of(r, c->name);

	tx_check_still(c->tx, ENT_MEMBER, c->revision);
	if (c->new_name)
		return settle(r, c, names);
	return refuse_held(r, c->what, "members", names);
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
	.name_max = 63,
	.name_without = "@,",
	.keep = GROUP_DEFAULT,
	.keep_text = "Default cluster group",
	.ready = need_cluster,
	.seen = seen,
	.check = check,
	.leave = leave,
};
