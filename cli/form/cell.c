/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/cell.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/form/fmt.h"

#define SHORT_DIGITS 12

static const json_t *find(const json_t *item, const char *field)
{
	assert(field);
	while (*field) {
		size_t len = strcspn(field, "/");
		_free_ char *name = xstrndup(field, len);

		item = json_object_get(item, name);
		field += len + (field[len] == '/');
	}
	return item;
}

static const char *text_at(const json_t *item, const char *field)
{
	const char *s = json_string_value(find(item, field));

	return s ? s : "";
}

char *cell_text(const json_t *item, const char *field)
{
	return xstrdup(text_at(item, field));
}

char *cell_upper(const json_t *item, const char *field)
{
	return fmt_upper(text_at(item, field));
}

char *cell_type(const json_t *item, const char *field)
{
	return fmt_upper(find(item, field) ? text_at(item, field) : "container");
}

int64_t item_int(const json_t *item, const char *field)
{
	return json_integer_value(find(item, field));
}

char *cell_number(const json_t *item, const char *field)
{
	return xasprintf("%" PRId64, item_int(item, field));
}

static bool is_yes(const json_t *v)
{
	return json_is_true(v) || str_eq(json_string_value(v), "true");
}

char *cell_yes(const json_t *item, const char *field)
{
	return xstrdup(is_yes(find(item, field)) ? "YES" : "NO");
}

char *cell_small_yes(const json_t *item, const char *field)
{
	return xstrdup(is_yes(find(item, field)) ? "yes" : "no");
}

char *cell_count(const json_t *item, const char *field)
{
	return xasprintf("%zu", json_array_size(find(item, field)));
}

char *cell_lines(const json_t *item, const char *field)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	json_t *v;
	size_t i;

	json_array_foreach(find(item, field), i, v)
		sbuf_printf(&b, "%s%s", i ? "\n" : "", json_string_value(v));
	return sbuf_take(&b);
}

char *cell_short(const json_t *item, const char *field)
{
	return xstrndup(text_at(item, field), SHORT_DIGITS);
}

char *cell_time(const json_t *item, const char *field)
{
	return fmt_time(text_at(item, field));
}

char *cell_config(const json_t *item, const char *key)
{
	const char *v = json_str(json_obj(item, "expanded_config"), key, NULL);

	return xstrdup(v ? v : json_str(json_obj(item, "config"), key, ""));
}
