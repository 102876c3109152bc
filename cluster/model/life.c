/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/model/life.h"

#include <assert.h>

#include "base/str.h"

static const char *const words[] = {
#define LIFE(id, word, doc) [LIFE_##id] = word,
#include "cluster/model/life.def"
#undef LIFE
};

enum member_life life_said(const json_t *fact)
{
	const char *word = json_str(fact, "status", "");

	for (enum member_life l = 0; l < LIFE_MAX; l++) {
		if (str_eq(words[l], word))
			return l;
	}
	return LIFE_UNKNOWN;
}

void life_say(json_t *object, enum member_life life)
{
	assert(life < LIFE_MAX);
	json_put_str(object, "status", words[life]);
}
