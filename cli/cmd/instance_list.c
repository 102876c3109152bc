/* SPDX-License-Identifier: Apache-2.0 */
/* What "list" shows of instances, and which of them. */
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/list.h"
#include "cli/form/fmt.h"

/* "10.0.0.2 (eth0)" a line; only addresses that others can use. */
static char *cell_addresses(const json_t *inst, const char *family)
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

static char *cell_instance_type(const json_t *i, const char *field)
{
	_free_ char *type = cell_type(i, field);

	return xasprintf("%s%s", type, json_bool(i, "ephemeral", false) ? " (EPHEMERAL)" : "");
}

static char *cell_usage(const json_t *i, const char *field)
{
	int64_t bytes = item_int(i, field);

	return bytes > 0 ? fmt_size_iec(bytes) : xstrdup("");
}

static char *cell_memory_share(const json_t *i, const char *field)
{
	const char *limit = json_str(json_obj(i, "expanded_config"), "limits.memory", "");
	int64_t usage = item_int(i, "state/memory/usage"),
		total = item_int(i, "state/memory/total");
	uint64_t bytes = 0;

	if (!total && str_to_size(limit, &bytes))
		total = (int64_t)bytes;
	return total > 0 ? xasprintf("%.1f%%", usage * 100.0 / total) : xstrdup("");
}

static char *cell_cpu_seconds(const json_t *i, const char *field)
{
	int64_t ns = item_int(i, field);

	return ns > 0 ? xasprintf("%" PRId64 "s", ns / 1000000000) : xstrdup("");
}

static char *cell_positive(const json_t *i, const char *field)
{
	int64_t v = item_int(i, field);

	return v > 0 ? xasprintf("%" PRId64, v) : xstrdup("");
}

/* clang-format off */
const struct column instance_columns[] = {
	COL("IPV4", cell_addresses, "inet", .letter = '4', .need = STATE)
	COL("IPV6", cell_addresses, "inet6", .letter = '6', .need = STATE)
	COL("ARCHITECTURE", cell_text, "architecture", .letter = 'a')
	COL("STORAGE POOL", cell_text, "expanded_devices/root/pool", .letter = 'b')
	COL("CREATED AT", cell_time, "created_at", .letter = 'c')
	COL("DESCRIPTION", cell_text, "description", .letter = 'd')
	COL("DISK USAGE", cell_usage, "state/disk/root/usage", .letter = 'D', .need = DISK)
	COL("PROJECT", cell_text, "project", .letter = 'e')
	COL("BASE IMAGE", cell_short, "config/volatile.base_image", .letter = 'f')
	COL("BASE IMAGE", cell_text, "config/volatile.base_image", .letter = 'F')
	COL("LAST USED AT", cell_time, "last_used_at", .letter = 'l')
	COL("LOCATION", cell_text, "location", .letter = 'L')
	COL("MEMORY USAGE", cell_usage, "state/memory/usage", .letter = 'm', .need = USAGE)
	COL("MEMORY USAGE%", cell_memory_share, "state/memory", .letter = 'M', .need = USAGE)
	COL("NAME", cell_text, "name", .letter = 'n')
	COL("PROCESSES", cell_positive, "state/processes", .letter = 'N', .need = USAGE)
	COL("PID", cell_positive, "state/pid", .letter = 'p', .need = USAGE)
	COL("PROFILES", cell_lines, "profiles", .letter = 'P')
	COL("STATE", cell_upper, "status", .letter = 's')
	COL("SNAPSHOTS", cell_count, "snapshots", .letter = 'S', .need = STATE)
	COL("TYPE", cell_instance_type, "type", .letter = 't')
	COL("MOVES", cell_text, "dunlin_move/kind", .letter = 'v')
	COL("WHY NOT LIVE", cell_text, "dunlin_move/reason", .letter = 'w')
	COL("CPU USAGE", cell_cpu_seconds, "state/cpu/usage", .letter = 'u', .need = USAGE)
	{ .header = NULL },
};
/* clang-format on */

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
	if (strcmp(key, "moves") == 0)
		return matches(pattern, json_str(json_obj(inst, "dunlin_move"), "kind", ""));
	v = json_str(json_obj(inst, "expanded_config"), key, NULL);
	if (!v)
		v = json_str(json_obj(inst, "config"), key, NULL);
	return v && matches(pattern, v);
}

/* A filter is KEY=VALUE, or the beginning of a name, or a pattern of the whole name. */
bool instance_passes(const json_t *inst, const char *filter)
{
	const char *eq = strchr(filter, '=');
	const char *name = json_str(inst, "name", "");
	_free_ char *key = NULL;

	if (!eq)
		return str_starts(name, filter) || matches(filter, name);
	key = xstrndup(filter, eq - filter);
	return has_key(inst, key, eq + 1);
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
		return fast ? "ensacPtL" : clustered ? "ens46tSLv" : "ens46tS";
	if (fast)
		return clustered ? "nsacPtL" : "nsacPt";
	return clustered ? "ns46tSLv" : "ns46tS";
}

const char *instance_letters(struct client *cl, struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	const char *letters = args_value(a, "columns");

	if (letters && args_flag(a, "fast")) {
		err_set(err, ERR_INVALID, "--fast and --columns exclude each other");
		return NULL;
	}
	return letters ? letters : default_columns(cl, a, err);
}

json_t *instance_items(struct cli *c, struct client *cl, const char *path, enum need need,
		       struct err *err)
{
	static const char *const usage[] = { [STATE] = "false", [USAGE] = "true", [DISK] = "disk" };
	_free_ char *url = api_query(xstrdup(path), "recursion", need == OBJECT ? "1" : "2");

	if (need != OBJECT)
		url = api_query(url, "usage", usage[need]);
	if (args_flag(&c->args, "all-projects"))
		url = api_query(url, "all-projects", "true");
	return api_get(cl, url, err);
}
