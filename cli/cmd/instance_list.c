/* SPDX-License-Identifier: Apache-2.0 */
/* list. */
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/remote.h"

#define COLUMNS_MAX 40

static char *text_of(const json_t *i, const char *field)
{
	return xstrdup(json_str(i, field, ""));
}

static char *col_name(const json_t *i)
{
	return text_of(i, "name");
}

static char *col_state(const json_t *i)
{
	return fmt_upper(json_str(i, "status", ""));
}

/* "10.0.0.2 (eth0)" a line; only addresses that others can use. */
static char *addresses(const json_t *inst, const char *family)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	const char *name;
	json_t *net, *addr;
	size_t k;

	json_object_foreach(json_obj(json_obj(inst, "state"), "network"), name, net) {
		if (strcmp(json_str(net, "type", ""), "loopback") == 0)
			continue;
		json_array_foreach(json_arr(net, "addresses"), k, addr) {
			const char *scope = json_str(addr, "scope", "");

			if (strcmp(json_str(addr, "family", ""), family) != 0 ||
			    strcmp(scope, "link") == 0 || strcmp(scope, "local") == 0)
				continue;
			sbuf_printf(&b, "%s%s (%s)", b.len ? "\n" : "",
				    json_str(addr, "address", ""), name);
		}
	}
	return sbuf_take(&b);
}

static char *col_ipv4(const json_t *i)
{
	return addresses(i, "inet");
}

static char *col_ipv6(const json_t *i)
{
	return addresses(i, "inet6");
}

static char *col_type(const json_t *i)
{
	_free_ char *type = fmt_upper(json_str(i, "type", "container"));

	return xasprintf("%s%s", type, json_bool(i, "ephemeral", false) ? " (EPHEMERAL)" : "");
}

static char *col_snapshots(const json_t *i)
{
	return xasprintf("%zu", json_array_size(json_arr(i, "snapshots")));
}

static char *col_arch(const json_t *i)
{
	return text_of(i, "architecture");
}

static char *col_pool(const json_t *i)
{
	const json_t *root = json_obj(json_obj(i, "expanded_devices"), "root");

	return xstrdup(json_str(root, "pool", ""));
}

static char *col_created(const json_t *i)
{
	return fmt_time(json_str(i, "created_at", NULL));
}

static char *col_used(const json_t *i)
{
	return fmt_time(json_str(i, "last_used_at", NULL));
}

static char *col_description(const json_t *i)
{
	return text_of(i, "description");
}

static char *usage_of(const json_t *i, const char *what, const char *inner)
{
	const json_t *part = json_obj(json_obj(i, "state"), what);
	int64_t bytes = json_int(inner ? json_obj(part, inner) : part, "usage", 0);

	return bytes > 0 ? fmt_size_iec(bytes) : xstrdup("");
}

static char *col_disk(const json_t *i)
{
	return usage_of(i, "disk", "root");
}

static char *col_memory(const json_t *i)
{
	return usage_of(i, "memory", NULL);
}

static char *col_memory_share(const json_t *i)
{
	const json_t *m = json_obj(json_obj(i, "state"), "memory");
	const char *limit = json_str(json_obj(i, "expanded_config"), "limits.memory", "");
	int64_t usage = json_int(m, "usage", 0), total = json_int(m, "total", 0);
	uint64_t bytes = 0;

	if (!total && str_to_size(limit, &bytes))
		total = (int64_t)bytes;
	return total > 0 ? xasprintf("%.1f%%", usage * 100.0 / total) : xstrdup("");
}

static char *col_cpu(const json_t *i)
{
	int64_t ns = json_int(json_obj(json_obj(i, "state"), "cpu"), "usage", 0);

	return ns > 0 ? xasprintf("%" PRId64 "s", ns / 1000000000) : xstrdup("");
}

static char *number_of(const json_t *i, const char *field)
{
	int64_t v = json_int(json_obj(i, "state"), field, 0);

	return v > 0 ? xasprintf("%" PRId64, v) : xstrdup("");
}

static char *col_processes(const json_t *i)
{
	return number_of(i, "processes");
}

static char *col_pid(const json_t *i)
{
	return number_of(i, "pid");
}

static char *col_profiles(const json_t *i)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	json_t *p;
	size_t k;

	json_array_foreach(json_arr(i, "profiles"), k, p)
		sbuf_printf(&b, "%s%s", k ? "\n" : "", json_string_value(p));
	return sbuf_take(&b);
}

static char *col_project(const json_t *i)
{
	return text_of(i, "project");
}

static char *col_location(const json_t *i)
{
	return text_of(i, "location");
}

static char *base_image(const json_t *i, size_t len)
{
	const char *fp = json_str(json_obj(i, "config"), "volatile.base_image", "");

	return xstrndup(fp, len);
}

static char *col_image(const json_t *i)
{
	return base_image(i, 12);
}

static char *col_image_full(const json_t *i)
{
	return base_image(i, 64);
}

/* What has to be asked for: the object, its running state, what it uses there, its volume. */
enum need { OBJECT, STATE, USAGE, DISK };

struct column {
	char letter;
	const char *header;
	char *(*cell)(const json_t *inst);
	enum need need;
};

static const struct column columns[] = {
	{ '4', "IPV4", col_ipv4, STATE },
	{ '6', "IPV6", col_ipv6, STATE },
	{ 'a', "ARCHITECTURE", col_arch, OBJECT },
	{ 'b', "STORAGE POOL", col_pool, OBJECT },
	{ 'c', "CREATED AT", col_created, OBJECT },
	{ 'd', "DESCRIPTION", col_description, OBJECT },
	{ 'D', "DISK USAGE", col_disk, DISK },
	{ 'e', "PROJECT", col_project, OBJECT },
	{ 'f', "BASE IMAGE", col_image, OBJECT },
	{ 'F', "BASE IMAGE", col_image_full, OBJECT },
	{ 'l', "LAST USED AT", col_used, OBJECT },
	{ 'L', "LOCATION", col_location, OBJECT },
	{ 'm', "MEMORY USAGE", col_memory, USAGE },
	{ 'M', "MEMORY USAGE%", col_memory_share, USAGE },
	{ 'n', "NAME", col_name, OBJECT },
	{ 'N', "PROCESSES", col_processes, USAGE },
	{ 'p', "PID", col_pid, USAGE },
	{ 'P', "PROFILES", col_profiles, OBJECT },
	{ 's', "STATE", col_state, OBJECT },
	{ 'S', "SNAPSHOTS", col_snapshots, STATE },
	{ 't', "TYPE", col_type, OBJECT },
	{ 'u', "CPU USAGE", col_cpu, USAGE },
};

/* A column of the list: one of the table, or a configuration key ("user.x", "user.x:TITLE"). */
struct chosen {
	const struct column *column;
	char *key, *title;
};

struct choice {
	struct chosen v[COLUMNS_MAX];
	int n;
	enum need need;
};

static void choice_free(struct choice *ch)
{
	for (int i = 0; i < ch->n; i++) {
		free(ch->v[i].key);
		free(ch->v[i].title);
	}
}

static int choose_letter(struct choice *ch, char letter, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].letter != letter)
			continue;
		if (columns[i].need > ch->need)
			ch->need = columns[i].need;
		ch->v[ch->n].column = &columns[i];
		ch->v[ch->n++].title = xstrdup(columns[i].header);
		return 0;
	}
	return err_set(err, ERR_INVALID, "unknown column '%c' (see dunlin list --help)", letter);
}

static void choose_key(struct choice *ch, const char *part)
{
	size_t len = strcspn(part, ":");
	char *key = xstrndup(part, len);
	const char *title = part[len] ? part + len + 1 : "";

	ch->v[ch->n].key = key;
	len = strcspn(title, ":");
	ch->v[ch->n++].title = len ? xstrndup(title, len) : fmt_upper(key);
}

/* Parts by commas: a key has a dot, anything else is letters. */
static int choose(struct choice *ch, const char *text, struct err *err)
{
	_free_ char *copy = xstrdup(text);
	char *parts[COLUMNS_MAX];
	size_t n = str_split(copy, ',', parts, COLUMNS_MAX);

	for (size_t i = 0; i < n && i < COLUMNS_MAX; i++) {
		const char *p = strchr(parts[i], '.') ? "" : parts[i];

		if (ch->n < COLUMNS_MAX && !*p && *parts[i])
			choose_key(ch, parts[i]);
		for (; *p; p++)
			if (ch->n == COLUMNS_MAX || choose_letter(ch, *p, err) < 0)
				return ch->n < COLUMNS_MAX
					       ? -1
					       : err_set(err, ERR_INVALID, "more than %d columns",
							 COLUMNS_MAX);
	}
	return ch->n ? 0 : err_set(err, ERR_INVALID, "no column to print");
}

static bool matches(const char *pattern, const char *value)
{
	_free_ char *whole = xasprintf("^(%s)$", pattern);
	regex_t re;
	bool r;

	if (strcasecmp(pattern, value) == 0)
		return true;
	if (regcomp(&re, whole, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
		return false;
	r = regexec(&re, value, 0, NULL, 0) == 0;
	regfree(&re);
	return r;
}

static bool has_key(const json_t *inst, const char *key, const char *pattern)
{
	static const char *const fields[] = { "status", "type",        "architecture", "location",
					      "name",   "description", "project" };
	const char *v;

	if (strcmp(key, "state") == 0)
		key = "status";
	if (strcmp(key, "arch") == 0)
		key = "architecture";
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(key, fields[i]) == 0)
			return matches(pattern, json_str(inst, key, ""));
	v = json_str(json_obj(inst, "expanded_config"), key, NULL);
	if (!v)
		v = json_str(json_obj(inst, "config"), key, NULL);
	return v && matches(pattern, v);
}

/* A filter is KEY=VALUE, or the beginning of a name, or a pattern of the whole name. */
static bool passes(const json_t *inst, const char *filter)
{
	const char *eq = strchr(filter, '=');
	const char *name = json_str(inst, "name", "");
	_free_ char *key = NULL;

	if (!eq)
		return str_starts(name, filter) || matches(filter, name);
	key = xstrndup(filter, eq - filter);
	return has_key(inst, key, eq + 1);
}

static int compare_names(const void *a, const void *b)
{
	return str_natural(json_str(*(json_t *const *)a, "name", ""),
			   json_str(*(json_t *const *)b, "name", ""));
}

/* By name, whatever columns are shown. */
static void sort_instances(json_t *list)
{
	size_t n = json_array_size(list);
	_free_ json_t **v = xcalloc(n + 1, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = json_incref(json_array_get(list, i));
	qsort(v, n, sizeof(*v), compare_names);
	json_array_clear(list);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, v[i]);
}

static json_t *filtered(const struct args *a, int first, const json_t *all)
{
	json_t *out = json_array(), *inst;
	size_t i;

	json_array_foreach(all, i, inst) {
		bool keep = true;

		for (int k = first; keep && k < a->npos; k++)
			keep = passes(inst, a->pos[k]);
		if (keep)
			json_array_append(out, inst);
	}
	sort_instances(out);
	return out;
}

static char *cell(const struct chosen *ch, const json_t *inst)
{
	const char *v;

	if (ch->column)
		return ch->column->cell(inst);
	v = json_str(json_obj(inst, "expanded_config"), ch->key, NULL);
	return xstrdup(v ? v : json_str(json_obj(inst, "config"), ch->key, ""));
}

static int print_list(const struct choice *ch, const json_t *list, enum fmt_kind kind,
		      struct err *err)
{
	const char *headers[COLUMNS_MAX];
	_table_ struct table *t = NULL;
	json_t *inst;
	size_t i;

	for (int k = 0; k < ch->n; k++)
		headers[k] = ch->v[k].title;
	t = table_new(ch->n, headers);
	json_array_foreach(list, i, inst) {
		char *cells[COLUMNS_MAX];

		for (int k = 0; k < ch->n; k++)
			cells[k] = cell(&ch->v[k], inst);
		table_add(t, cells);
	}
	return fmt_print(t, list, kind, err);
}

static const char *default_columns(struct client *cl, const struct args *a, struct err *err)
{
	bool fast = args_flag(a, "fast");
	_json_ json_t *server = api_get(cl, "/1.0", err);
	bool clustered;

	if (!server)
		return NULL;
	clustered = json_bool(json_obj(server, "environment"), "server_clustered", false);
	if (args_flag(a, "all-projects"))
		return fast ? "ensacPtL" : clustered ? "ens46tSL" : "ens46tS";
	if (fast)
		return clustered ? "nsacPtL" : "nsacPt";
	return clustered ? "ns46tSL" : "ns46tS";
}

static char *list_path(enum need need)
{
	static const char *const usage[] = { [STATE] = "false", [USAGE] = "true", [DISK] = "disk" };
	char *path = api_query(xstrdup("/1.0/instances"), "recursion", need == OBJECT ? "1" : "2");

	return need == OBJECT ? path : api_query(path, "usage", usage[need]);
}

int c_list(struct cli *c, struct err *err)
{
	const struct args *a = &c->args;
	const char *letters = args_value(a, "columns"), *pos = args_pos(a, 0);
	_free_ char *remote = NULL, *path = NULL;
	int first = pos && conf_is_remote(c->conf, pos, &remote);
	struct client *cl = client_open(c, remote ? remote : conf_default(c->conf), err);
	_cleanup_(choice_free) struct choice ch = { 0 };
	_json_ json_t *all = NULL, *list = NULL;
	enum fmt_kind kind;

	if (!cl || fmt_parse(args_value(a, "format"), &kind, err) < 0)
		return -1;
	if (letters && args_flag(a, "fast"))
		return err_set(err, ERR_INVALID, "--fast and --columns exclude each other");
	if (!letters && !(letters = default_columns(cl, a, err)))
		return -1;
	if (choose(&ch, letters, err) < 0)
		return -1;
	if ((kind == FMT_JSON || kind == FMT_YAML) && ch.need < USAGE)
		ch.need = USAGE;
	path = list_path(ch.need);
	if (args_flag(a, "all-projects"))
		path = api_query(path, "all-projects", "true");
	all = api_get(cl, path, err);
	if (!all)
		return -1;
	list = filtered(a, first, all);
	return print_list(&ch, list, kind, err);
}
