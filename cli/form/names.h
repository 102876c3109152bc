/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/names.h - fields that are lists of names: an instance's profiles, a member's groups. */
#pragma once
#include "base/json.h"

/* Where the name is; -1 when it is not there. */
int names_find(const json_t *list, const char *name);
/* "a,b,c" as a list; what is empty between commas is no name. New reference. */
json_t *names_split(const char *text);
