/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of what there is little else to do with: storage volumes, projects, warnings. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"

#define COLUMNS_MAX 8

struct list {
	const char *headers[COLUMNS_MAX + 1];
	void (*row)(const json_t *item, char *cells[]);
};

static int show_list(struct cli *c, struct client *cl, const char *path, const struct list *l,
		     struct err *err)
{
	size_t n = 0;
	_table_ struct table *t = NULL;
	_json_ json_t *items = NULL;
	enum fmt_kind kind;
	json_t *item;
	size_t i;

	while (l->headers[n])
		n++;
	t = table_new(n, l->headers);
	if (!cl || fmt_parse(args_value(&c->args, "format"), &kind, err) < 0)
		return -1;
	items = api_get(cl, path, err);
	if (!items)
		return -1;
	json_array_foreach(items, i, item) {
		char *cells[COLUMNS_MAX] = { NULL };

		l->row(item, cells);
		table_add(t, cells);
	}
	table_sort(t);
	return fmt_print(t, items, kind, err);
}

static char *text_of(const json_t *item, const char *key)
{
	return xstrdup(json_str(item, key, ""));
}

static void volume_row(const json_t *v, char *cells[])
{
	cells[0] = text_of(v, "type");
	cells[1] = text_of(v, "name");
	cells[2] = text_of(v, "description");
	cells[3] = text_of(v, "content_type");
	cells[4] = xasprintf("%zu", json_array_size(json_arr(v, "used_by")));
	cells[5] = text_of(v, "location");
}

int c_storage_volume_list(struct cli *c, struct err *err)
{
	static const struct list list = {
		{ "TYPE", "NAME", "DESCRIPTION", "CONTENT-TYPE", "USED BY", "LOCATION" }, volume_row
	};
	const char *pool;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &pool, err);
	_free_ char *path = NULL;

	if (!cl)
		return -1;
	path = api_path("storage-pools/%s/volumes?recursion=1", pool);
	return show_list(c, cl, path, &list, err);
}

static void project_row(const json_t *p, char *cells[])
{
	static const char *const features[] = { "features.images", "features.profiles",
						"features.storage.volumes", "features.networks" };

	cells[0] = text_of(p, "name");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		cells[i + 1] = xstrdup(
			str_eq(json_str(json_obj(p, "config"), features[i], ""), "true") ? "YES"
											 : "NO");
	cells[5] = text_of(p, "description");
	cells[6] = xasprintf("%zu", json_array_size(json_arr(p, "used_by")));
}

int c_project_list(struct cli *c, struct err *err)
{
	static const struct list list = { { "NAME", "IMAGES", "PROFILES", "STORAGE VOLUMES",
					    "NETWORKS", "DESCRIPTION", "USED BY" },
					  project_row };

	return show_list(c, client_of_remote(c, args_pos(&c->args, 0), err),
			 "/1.0/projects?recursion=1", &list, err);
}

static void warning_row(const json_t *w, char *cells[])
{
	cells[0] = text_of(w, "uuid");
	cells[1] = text_of(w, "type");
	cells[2] = fmt_upper(json_str(w, "status", ""));
	cells[3] = fmt_upper(json_str(w, "severity", ""));
	cells[4] = xasprintf("%lld", (long long)json_int(w, "count", 0));
	cells[5] = text_of(w, "project");
	cells[6] = text_of(w, "location");
	cells[7] = text_of(w, "last_seen_at");
}

int c_warning_list(struct cli *c, struct err *err)
{
	static const struct list list = { { "UUID", "TYPE", "STATUS", "SEVERITY", "COUNT",
					    "PROJECT", "LOCATION", "LAST SEEN" },
					  warning_row };

	return show_list(c, client_of_remote(c, args_pos(&c->args, 0), err),
			 "/1.0/warnings?recursion=1", &list, err);
}
