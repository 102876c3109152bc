/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/group.h"

#include <assert.h>

#include "base/str.h"

json_t *member_groups(const json_t *member)
{
	json_t *groups = json_pack("[s]", GROUP_DEFAULT), *v;
	size_t i;

	json_array_foreach(json_arr(member, "groups"), i, v) {
		if (!str_eq(json_string_value(v), GROUP_DEFAULT))
			json_array_append(groups, v);
	}
	return groups;
}

bool member_is_in(const json_t *member, const char *group)
{
	return str_eq(group, GROUP_DEFAULT) || json_lists(json_arr(member, "groups"), group);
}

void member_set_group(json_t *member, const char *group, bool in)
{
	json_t *next = member_groups(member), *v;
	size_t i;

	assert(in || !str_eq(group, GROUP_DEFAULT));
	json_array_foreach(next, i, v) {
		if (str_eq(json_string_value(v), group))
			json_array_remove(next, i--);
	}
	if (in)
		json_array_append_new(next, json_string(group));
	json_object_set_new(member, "groups", next);
}

const char *member_domain(const json_t *member)
{
	return json_str(member, "failure_domain", DOMAIN_DEFAULT);
}
