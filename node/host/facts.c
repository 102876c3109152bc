/* SPDX-License-Identifier: Apache-2.0 */
/* What this host is and how busy it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/host/facts.h"
#include "node/host/lxc_query.h"
#include "node/node_int.h"

#define CPUINFO_MAX (4 << 20)
#define MEMINFO_MAX (64 << 10)
#define CRIU_TIMEOUT_MS 5000

/* The value of a "key   : value" line; the caller frees. */
static char *line_value(const char *text, const char *key)
{
	const char *p = text;

	for (; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (!str_starts(p, key))
			continue;
		p += strlen(key);
		p += strspn(p, " \t");
		if (*p != ':')
			continue;
		p++;
		p += strspn(p, " \t");
		return xstrndup(p, strcspn(p, "\n"));
	}
	return NULL;
}

static json_t *words(const char *text)
{
	json_t *list = json_array();

	while (text && *text) {
		size_t len = strcspn(text, " ");

		if (len)
			json_array_append_new(list, json_stringn(text, len));
		text += len + (text[len] == ' ');
	}
	return list;
}

/* A program of the private prefix, else of PATH; the caller frees; NULL when there is none. */
static char *find_criu(void)
{
	const char *path = getenv("PATH");
	_free_ char *copy = xstrdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	char *save = NULL;

	if (access(CRIU_PREFIX "/bin/criu", X_OK) == 0)
		return xstrdup(CRIU_PREFIX "/bin/criu");
	for (char *dir = copy; dir && *dir; dir = save) {
		_free_ char *full = NULL;

		save = strchr(dir, ':');
		if (save)
			*save++ = '\0';
		full = xasprintf("%s/criu", dir);
		if (access(full, X_OK) == 0)
			return take_ptr(full);
	}
	return NULL;
}

/* "Version: 4.2.1" */
static char *criu_version(const char *criu)
{
	const char *const argv[] = { criu, "--version", NULL };
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err;
	char *v;

	if (!criu || proc_run(argv, &out, deadline_in(CRIU_TIMEOUT_MS), &err) < 0 || !out.data)
		return xstrdup("");
	v = line_value(out.data, "Version");
	return v ? v : xstrdup("");
}

static bool kernel_at_least(const char *release, int major, int minor)
{
	int a = 0, b = 0;

	return sscanf(release, "%d.%d", &a, &b) == 2 && (a > major || (a == major && b >= minor));
}

static void add_cpu(json_t *j)
{
	struct err err;
	_free_ char *text = io_read_file("/proc/cpuinfo", CPUINFO_MAX, NULL, &err);
	_free_ char *flags = text ? line_value(text, "flags") : NULL;
	_free_ char *model = text ? line_value(text, "model name") : NULL;

	json_put_str(j, "cpu_model", model ? model : "");
	json_object_set_new(j, "cpu_flags", words(flags));
}

json_t *node_facts(struct node *n)
{
	_free_ char *criu = find_criu();
	_free_ char *version = criu_version(criu);
	struct utsname u;
	json_t *j;

	uname(&u);
	j = json_pack("{ss,ss,ss,ss,ss,ss,ss,ss,sb}", "kernel", u.sysname, "kernel_version",
		      u.release, "kernel_architecture", u.machine, "hostname", u.nodename, "driver",
		      "lxc", "driver_version", lxc_query_version(), "criu", criu ? criu : "",
		      "criu_version", version, "cgroup2",
		      io_exists("/sys/fs/cgroup/cgroup.controllers"));
	/* Overlay of idmapped layers came with 5.19, idmapped mounts themselves with 5.12. */
	json_put_bool(j, "idmapped_mounts", kernel_at_least(u.release, 5, 19));
	json_put_bool(j, "apparmor", io_exists("/sys/kernel/security/apparmor/profiles"));
	json_put_bool(j, "seccomp", io_exists("/proc/sys/kernel/seccomp/actions_avail"));
	add_cpu(j);
	return j;
}

static int64_t meminfo(const char *text, const char *key)
{
	_free_ char *v = text ? line_value(text, key) : NULL;
	int64_t kib;

	if (v)
		v[strcspn(v, " ")] = '\0';
	return v && str_to_i64(v, 0, INT64_MAX / 1024, &kib) ? kib * 1024 : 0;
}

json_t *node_load(struct node *n)
{
	struct err err;
	_free_ char *mem = io_read_file("/proc/meminfo", MEMINFO_MAX, NULL, &err);
	double load[3] = { 0 };
	uint64_t disk = io_free_bytes(n->dir);

	if (getloadavg(load, 3) < 0)
		load[0] = load[1] = load[2] = 0;
	return json_pack("{s[fff],s{sI,sI,sI,sI},si,s{sI}}", "load", load[0], load[1], load[2],
			 "memory", "total", (json_int_t)meminfo(mem, "MemTotal"), "free",
			 (json_int_t)meminfo(mem, "MemAvailable"), "swap_total",
			 (json_int_t)meminfo(mem, "SwapTotal"), "swap_free",
			 (json_int_t)meminfo(mem, "SwapFree"), "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN), "disk", "free",
			 (json_int_t)(disk == UINT64_MAX ? 0 : disk));
}
