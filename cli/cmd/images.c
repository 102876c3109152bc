/* SPDX-License-Identifier: Apache-2.0 */
/* What "image list" shows; image info. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/entity.h"

static char *cell_alias(const json_t *i, const char *field)
{
	json_t *list = json_arr(i, field);
	const char *first = json_str(json_array_get(list, 0), "name", "");
	size_t n = json_array_size(list);

	return n > 1 ? xasprintf("%s (%zu more)", first, n - 1) : xstrdup(first);
}

static char *cell_aliases(const json_t *i, const char *field)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	json_t *a;
	size_t k;

	json_array_foreach(json_arr(i, field), k, a)
		sbuf_printf(&b, "%s%s", k ? "\n" : "", json_str(a, "name", ""));
	return sbuf_take(&b);
}

static char *cell_size(const json_t *i, const char *field)
{
	return xasprintf("%.2fMB", json_int(i, field, 0) / 1000000.0);
}

static char *cell_uploaded(const json_t *i, const char *field)
{
	time_t when = clock_parse(json_str(i, field, ""));
	char buf[64];
	struct tm tm;

	if (when <= 0 || !gmtime_r(&when, &tm))
		return xstrdup("");
	strftime(buf, sizeof(buf), "%b %-d, %Y at %-I:%M", &tm);
	return xasprintf("%s%s (UTC)", buf, tm.tm_hour < 12 ? "am" : "pm");
}

/* clang-format off */
const struct column image_columns[] = {
	COL("ALIAS", cell_alias, "aliases", .letter = 'l')
	COL("ALIASES", cell_aliases, "aliases", .letter = 'L')
	COL("FINGERPRINT", cell_short, "fingerprint", .letter = 'f')
	COL("FINGERPRINT", cell_text, "fingerprint", .letter = 'F')
	COL("PUBLIC", cell_small_yes, "public", .letter = 'p')
	COL("DESCRIPTION", cell_text, "properties/description", .letter = 'd')
	COL("ARCHITECTURE", cell_text, "architecture", .letter = 'a')
	COL("TYPE", cell_type, "type", .letter = 't')
	COL("SIZE", cell_size, "size", .letter = 's')
	COL("UPLOAD DATE", cell_uploaded, "uploaded_at", .letter = 'u')
	{ .header = NULL },
};
/* clang-format on */

/* A filter is KEY=VALUE of a property, or a part of an alias, or the beginning of a fingerprint. */
bool image_passes(const json_t *image, const char *filter)
{
	const char *eq = strchr(filter, '=');
	json_t *a;
	size_t i;

	if (eq) {
		_free_ char *key = xstrndup(filter, eq - filter);
		const char *v =
			json_str(json_obj(image, "properties"), key, json_str(image, key, NULL));

		return v && strcasecmp(v, eq + 1) == 0;
	}
	if (str_starts(json_str(image, "fingerprint", ""), filter))
		return true;
	json_array_foreach(json_arr(image, "aliases"), i, a)
		if (strcasestr(json_str(a, "name", ""), filter))
			return true;
	return false;
}

static void info_time(const char *label, const char *rfc3339)
{
	_free_ char *text = fmt_time(rfc3339);

	printf("    %s: %s\n", label, *text ? text : "never");
}

int c_image_info(struct cli *c, struct err *err)
{
	_object_ struct object o = { 0 };
	_json_ json_t *i = NULL, *head = json_object(), *rest = NULL;

	if (object_open(c, args_pos(&c->args, 0), &o, err) < 0)
		return -1;
	i = object_read(&o, err);
	if (!i)
		return -1;
	printf("Fingerprint: %s\n", json_str(i, "fingerprint", ""));
	printf("Size: %.2fMB\n", json_int(i, "size", 0) / 1000000.0);
	printf("Architecture: %s\n", json_str(i, "architecture", ""));
	printf("Type: %s\n", json_str(i, "type", "container"));
	printf("Public: %s\n", json_bool(i, "public", false) ? "yes" : "no");
	puts("Timestamps:");
	info_time("Created", json_str(i, "created_at", NULL));
	info_time("Uploaded", json_str(i, "uploaded_at", NULL));
	info_time("Expires", json_str(i, "expires_at", NULL));
	info_time("Last used", json_str(i, "last_used_at", NULL));
	rest = config_sorted(i);
	if (json_obj(rest, "properties"))
		json_object_set(head, "Properties", json_obj(rest, "properties"));
	json_object_set_new(head, "Aliases", json_array());
	for (size_t k = 0; k < json_array_size(json_arr(i, "aliases")); k++)
		json_array_append_new(
			json_arr(head, "Aliases"),
			json_string(
				json_str(json_array_get(json_arr(i, "aliases"), k), "name", "")));
	json_put_bool(head, "Cached", json_bool(i, "cached", false));
	json_put_bool(head, "Auto update", json_bool(i, "auto_update", false));
	if (json_arr(i, "profiles"))
		json_object_set(head, "Profiles", json_arr(i, "profiles"));
	return fmt_print_yaml(head, err);
}
