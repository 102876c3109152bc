/* SPDX-License-Identifier: Apache-2.0 */
/* api/rest/locations.h - objects that every member has, and LXD's way of making them member by
 * member.
 */
#pragma once
#include "api/rest/handlers.h"

/* Shows where the object is: "locations", the names of all members ("none" before clustering), and
 * the "status" that it has there. */
void put_locations(const struct api_env *env, json_t *object);
/* POST with ?target= names what is particular to one member, before the object itself is made.
 * Nothing is here: 201 with the object's URL when the member exists. */
int reply_member_part(struct req *r, const char *url);
