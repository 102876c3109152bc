/* SPDX-License-Identifier: Apache-2.0 */
#include "base/status.h"

#include <assert.h>
#include <stddef.h>

#include "base/mem.h"
#include "base/str.h"

static const struct known {
	enum status code;
	const char *name;
	bool alive;
} table[] = {
#define STATUS(id, code, name, alive) { STATUS_##id, name, alive },
#include "base/status.def"
#undef STATUS
};

static const struct known *find(enum status s)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(table) && table[i].code != s)
		i++;
	assert(i < ARRAY_SIZE(table));
	return &table[i];
}

const char *status_name(enum status s)
{
	return find(s)->name;
}

enum status status_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (str_eq(table[i].name, name))
			return table[i].code;
	}
	return STATUS_ERROR;
}

bool status_is_alive(enum status s)
{
	return find(s)->alive;
}

bool status_is_final(enum status s)
{
	return s >= STATUS_SUCCESS;
}
