/* SPDX-License-Identifier: Apache-2.0 */
/* image list, image info. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"
#include "cli/net/remote.h"

#define COLUMNS_MAX 16

static char *col_alias(const json_t *i)
{
	json_t *list = json_arr(i, "aliases");
	const char *first = json_str(json_array_get(list, 0), "name", "");
	size_t n = json_array_size(list);

	return n > 1 ? xasprintf("%s (%zu more)", first, n - 1) : xstrdup(first);
}

static char *col_aliases(const json_t *i)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	json_t *a;
	size_t k;

	json_array_foreach(json_arr(i, "aliases"), k, a)
		sbuf_printf(&b, "%s%s", k ? "\n" : "", json_str(a, "name", ""));
	return sbuf_take(&b);
}

static char *col_fingerprint(const json_t *i)
{
	return xstrndup(json_str(i, "fingerprint", ""), 12);
}

static char *col_full(const json_t *i)
{
	return xstrdup(json_str(i, "fingerprint", ""));
}

static char *col_public(const json_t *i)
{
	return xstrdup(json_bool(i, "public", false) ? "yes" : "no");
}

static char *col_description(const json_t *i)
{
	return xstrdup(json_str(json_obj(i, "properties"), "description", ""));
}

static char *col_arch(const json_t *i)
{
	return xstrdup(json_str(i, "architecture", ""));
}

static char *col_type(const json_t *i)
{
	return fmt_upper(json_str(i, "type", "container"));
}

static char *col_size(const json_t *i)
{
	return xasprintf("%.2fMB", json_int(i, "size", 0) / 1000000.0);
}

static char *col_uploaded(const json_t *i)
{
	time_t when = clock_parse(json_str(i, "uploaded_at", ""));
	char buf[64];
	struct tm tm;

	if (when <= 0 || !gmtime_r(&when, &tm))
		return xstrdup("");
	strftime(buf, sizeof(buf), "%b %-d, %Y at %-I:%M", &tm);
	return xasprintf("%s%s (UTC)", buf, tm.tm_hour < 12 ? "am" : "pm");
}

static const struct column {
	char letter;
	const char *header;
	char *(*cell)(const json_t *image);
} columns[] = {
	{ 'l', "ALIAS", col_alias },
	{ 'L', "ALIASES", col_aliases },
	{ 'f', "FINGERPRINT", col_fingerprint },
	{ 'F', "FINGERPRINT", col_full },
	{ 'p', "PUBLIC", col_public },
	{ 'd', "DESCRIPTION", col_description },
	{ 'a', "ARCHITECTURE", col_arch },
	{ 't', "TYPE", col_type },
	{ 's', "SIZE", col_size },
	{ 'u', "UPLOAD DATE", col_uploaded },
};

static int choose(const char *letters, const struct column *chosen[COLUMNS_MAX], int *ret_n,
		  struct err *err)
{
	*ret_n = 0;
	for (const char *p = letters; *p; p++) {
		size_t i = 0;

		if (*p == ',')
			continue;
		while (i < ARRAY_SIZE(columns) && columns[i].letter != *p)
			i++;
		if (i == ARRAY_SIZE(columns) || *ret_n == COLUMNS_MAX)
			return err_set(err, ERR_INVALID,
				       "unknown column '%c' (see dunlin image list --help)", *p);
		chosen[(*ret_n)++] = &columns[i];
	}
	return *ret_n ? 0 : err_set(err, ERR_INVALID, "no column to print");
}

/* A filter is KEY=VALUE of a property, or a part of an alias, or the beginning of a fingerprint. */
static bool passes(const json_t *image, const char *filter)
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

static json_t *filtered(const struct args *a, int first, const json_t *all)
{
	json_t *out = json_array(), *image;
	size_t i;

	json_array_foreach(all, i, image) {
		bool keep = true;

		for (int k = first; keep && k < a->npos; k++)
			keep = passes(image, a->pos[k]);
		if (keep)
			json_array_append(out, image);
	}
	return out;
}

static int print_images(const struct column *const *chosen, int n, const json_t *list,
			enum fmt_kind kind, struct err *err)
{
	const char *headers[COLUMNS_MAX];
	_table_ struct table *t = NULL;
	json_t *image;
	size_t i;

	for (int k = 0; k < n; k++)
		headers[k] = chosen[k]->header;
	t = table_new(n, headers);
	json_array_foreach(list, i, image) {
		char *cells[COLUMNS_MAX];

		for (int k = 0; k < n; k++)
			cells[k] = chosen[k]->cell(image);
		table_add(t, cells);
	}
	table_sort(t);
	return fmt_print(t, list, kind, err);
}

int c_image_list(struct cli *c, struct err *err)
{
	const struct args *a = &c->args;
	const char *letters = args_value(a, "columns");
	const struct column *chosen[COLUMNS_MAX];
	_free_ char *remote = NULL;
	int n, first = conf_is_remote(c->conf, args_pos(a, 0), &remote);
	struct client *cl = client_open(c, remote, err);
	_json_ json_t *all = NULL, *list = NULL;
	enum fmt_kind kind;

	if (!cl || fmt_parse(args_value(a, "format"), &kind, err) < 0 ||
	    choose(letters ? letters : "lfpdatsu", chosen, &n, err) < 0)
		return -1;
	all = api_get(cl, "/1.0/images?recursion=1", err);
	if (!all)
		return -1;
	list = filtered(a, first, all);
	return print_images(chosen, n, list, kind, err);
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
	i = object_get(&o, err);
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
