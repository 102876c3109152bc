/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "base/str.h"
#include "migrate/migrate.h"

static const char *const names[] = {
#define MODE(id, name) [MOVE_##id] = name,
#include "migrate/mode.def"
#undef MODE
	[MOVE_REFUSED] = "refused",
};

static const char words[] = "best"
#define MODE(id, name) ", " name
#include "migrate/mode.def"
#undef MODE
	;

const char *move_kind_name(enum move_kind kind)
{
	assert(kind <= MOVE_REFUSED);
	return names[kind];
}

int move_modes_parse(const char *word, unsigned *ret, struct err *err)
{
	if (str_eq(word, "best")) {
		*ret = MOVE_BEST;
		return 0;
	}
	for (int kind = MOVE_LIVE; kind < MOVE_REFUSED; kind++) {
		if (!str_eq(word, names[kind]))
			continue;
		*ret = move_only((enum move_kind)kind);
		return 0;
	}
	return err_set(err, ERR_INVALID, "mode: \"%.40s\" is none of %s", word, words);
}
