/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/group.h - the groups of members, and their failure domains: which ones a member is
 * in stands in its own row, so that a member which goes has left them. Pure: works on the document
 * of a member's row.
 */
#pragma once
#include "base/defaults.h"
#include "base/json.h"

bool member_is_in(const json_t *member, const char *group);
/* The names of its groups; new reference. */
json_t *member_groups(const json_t *member);
/* The default group cannot be left. */
void member_set_group(json_t *member, const char *group, bool in);
/* What fails together with it; borrowed. */
const char *member_domain(const json_t *member);
