/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/life.h - what is said of a member's life: the "status" of its fact, and of what
 * clients are shown. Pure.
 */
#pragma once
#include "base/json.h"

enum member_life {
#define LIFE(id, word, doc) LIFE_##id,
#include "cluster/model/life.def"
#undef LIFE
	LIFE_MAX
};

/* Unknown, too, where there is no word or another one. */
enum member_life life_said(const json_t *fact);
void life_say(json_t *object, enum member_life life);
