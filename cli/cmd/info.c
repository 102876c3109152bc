/* SPDX-License-Identifier: Apache-2.0 */
/* info: an instance for people, or the server as YAML. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/instance.h"

static void line(const char *label, const char *value)
{
	if (!str_empty(value))
		printf("%s: %s\n", label, value);
}

static void time_line(const char *label, const char *rfc3339)
{
	_free_ char *text = fmt_time(rfc3339);

	line(label, text);
}

/* Servers that are not ours do not say. */
static void print_move(const json_t *move)
{
	const char *why = json_str(move, "reason", "");
	_free_ char *text = xasprintf("%s%s%s%s", json_str(move, "kind", ""), *why ? " (" : "", why,
				      *why ? ")" : "");

	line("Moves", text);
}

static void print_head(const json_t *i)
{
	const json_t *state = json_obj(i, "state");
	_free_ char *status = fmt_upper(json_str(i, "status", ""));
	const char *location = json_str(i, "location", "");

	line("Name", json_str(i, "name", ""));
	line("Status", status);
	printf("Type: %s%s\n", json_str(i, "type", "container"),
	       json_bool(i, "ephemeral", false) ? " (ephemeral)" : "");
	line("Architecture", json_str(i, "architecture", ""));
	if (strcmp(location, "none") != 0)
		line("Location", location);
	if (json_int(state, "pid", 0) > 0)
		printf("PID: %" PRId64 "\n", json_int(state, "pid", 0));
	print_move(json_obj(i, "dunlin_move"));
	line("Description", json_str(i, "description", ""));
	time_line("Created", json_str(i, "created_at", NULL));
	time_line("Last Used", json_str(i, "last_used_at", NULL));
}

static void size_line(const char *label, int64_t bytes)
{
	_free_ char *text = fmt_size_iec(bytes);

	if (bytes > 0)
		printf("    %s: %s\n", label, text);
}

static void print_disks(const json_t *state)
{
	const char *name;
	json_t *d;
	bool head = false;

	json_object_foreach(json_obj(state, "disk"), name, d) {
		_free_ char *text = fmt_size_iec(json_int(d, "usage", 0));

		if (json_int(d, "usage", 0) <= 0)
			continue;
		if (!head)
			puts("  Disk usage:");
		head = true;
		printf("    %s: %s\n", name, text);
	}
}

static void print_memory(const json_t *state)
{
	const json_t *m = json_obj(state, "memory");

	if (json_int(m, "usage", 0) <= 0)
		return;
	puts("  Memory usage:");
	size_line("Memory (current)", json_int(m, "usage", 0));
	size_line("Memory (peak)", json_int(m, "usage_peak", 0));
	size_line("Swap (current)", json_int(m, "swap_usage", 0));
	size_line("Swap (peak)", json_int(m, "swap_usage_peak", 0));
}

static void net_line(const char *label, const char *value)
{
	if (!str_empty(value))
		printf("      %s: %s\n", label, value);
}

static void print_counters(const json_t *counters)
{
	_free_ char *in = fmt_size_si(json_int(counters, "bytes_received", 0));
	_free_ char *out = fmt_size_si(json_int(counters, "bytes_sent", 0));

	printf("      Bytes received: %s\n      Bytes sent: %s\n", in, out);
	printf("      Packets received: %" PRId64 "\n", json_int(counters, "packets_received", 0));
	printf("      Packets sent: %" PRId64 "\n", json_int(counters, "packets_sent", 0));
}

static void print_network(const char *name, const json_t *net)
{
	_free_ char *state = fmt_upper(json_str(net, "state", ""));
	json_t *a;
	size_t i;

	printf("    %s:\n", name);
	net_line("Type", json_str(net, "type", ""));
	net_line("State", state);
	net_line("Host interface", json_str(net, "host_name", ""));
	net_line("MAC address", json_str(net, "hwaddr", ""));
	printf("      MTU: %" PRId64 "\n", json_int(net, "mtu", 0));
	print_counters(json_obj(net, "counters"));
	puts("      IP addresses:");
	json_array_foreach(json_arr(net, "addresses"), i, a)
		printf("        %s: %s%s/%s (%s)\n", json_str(a, "family", ""),
		       strcmp(json_str(a, "family", ""), "inet") == 0 ? " " : "",
		       json_str(a, "address", ""), json_str(a, "netmask", ""),
		       json_str(a, "scope", ""));
}

static void print_kept(const json_t *instance)
{
	const json_t *disk = json_obj(json_obj(instance, "state"), "disk");
	_free_ char *size = fmt_size_iec(json_int(json_obj(disk, "memory"), "usage", 0));

	if (json_bool(instance, "stateful", false))
		printf("Kept memory: %s\n", size);
}

static void print_resources(const json_t *state)
{
	const char *name;
	json_t *net;

	if (json_int(state, "pid", 0) <= 0)
		return;
	puts("\nResources:");
	printf("  Processes: %" PRId64 "\n", json_int(state, "processes", 0));
	print_disks(state);
	printf("  CPU usage:\n    CPU usage (in seconds): %" PRId64 "\n",
	       json_int(json_obj(state, "cpu"), "usage", 0) / 1000000000);
	print_memory(state);
	puts("  Network usage:");
	json_object_foreach(json_obj(state, "network"), name, net)
		print_network(name, net);
}

static void print_snapshots(const json_t *i)
{
	json_t *s;
	size_t k;

	if (json_array_size(json_arr(i, "snapshots")) == 0)
		return;
	puts("\nSnapshots:");
	json_array_foreach(json_arr(i, "snapshots"), k, s) {
		_free_ char *created = fmt_time(json_str(s, "created_at", NULL));

		printf("  %s (%s)%s\n", json_str(s, "name", ""), created,
		       json_bool(s, "stateful", false) ? " (stateful)" : "");
	}
}

static int print_log(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = api_path("instances/%s/logs/lxc.log", name);
	_reply_ struct http_reply reply = { 0 };

	puts("\nLog:\n");
	fflush(stdout);
	return api_download(cl, path, STDOUT_FILENO, NULL, &reply, err);
}

static int instance_info(struct client *cl, const char *name, struct err *err)
{
	_free_ char *path = api_query(api_path("instances/%s", name), "recursion", "1");
	_json_ json_t *i = api_get(cl, path, err);
	_json_ json_t *state = NULL;

	if (!i)
		return instance_missing(cl, name, err);
	if (!json_obj(i, "state")) {
		free(path);
		path = api_path("instances/%s/state", name);
		state = api_get(cl, path, err);
		if (!state)
			return -1;
		json_object_set(i, "state", state);
	}
	print_head(i);
	print_kept(i);
	print_resources(json_obj(i, "state"));
	print_snapshots(i);
	if (args_flag(&client_cli(cl)->args, "show-log"))
		return print_log(cl, name, err);
	return 0;
}

static int server_info(struct client *cl, struct err *err)
{
	const struct args *a = &client_cli(cl)->args;
	bool resources = args_flag(a, "resources");
	_free_ char *path = api_query(xstrdup(resources ? "/1.0/resources" : "/1.0"), "target",
				      args_value(a, "target"));
	_json_ json_t *info = api_get(cl, path, err);

	return info ? fmt_print_yaml(info, err) : -1;
}

int c_info(struct cli *c, struct err *err)
{
	const char *arg = args_pos(&c->args, 0), *name;
	struct client *cl = client_of(c, arg ? arg : "", &name, err);

	if (!cl)
		return -1;
	return *name ? instance_info(cl, name, err) : server_info(cl, err);
}
