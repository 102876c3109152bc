/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/names.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"

int names_find(const json_t *list, const char *name)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (str_eq(json_string_value(json_array_get(list, i)), name))
			return (int)i;
	}
	return -1;
}

json_t *names_split(const char *text)
{
	json_t *list = json_array();

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, ",");
		_free_ char *name = xstrndup(p, len);

		if (len)
			json_array_append_new(list, json_string(name));
		p += len + (p[len] == ',');
	}
	return list;
}
