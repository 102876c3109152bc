/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define CG_FILE_MAX (256 << 10)
#define FREEZE_STEP_MS 1

static bool pure_v2(void)
{
	return io_exists(CGROUP_ROOT "/cgroup.controllers");
}

bool cgroup_is_v1(const char *controller)
{
	_free_ char *path = xasprintf(CGROUP_ROOT "/%s/cgroup.procs", controller);

	return !pure_v2() && io_exists(path);
}

static bool names_controller(const char *list, const char *controller)
{
	size_t len = strlen(controller);

	for (const char *p = list; (p = strstr(p, controller)); p += len) {
		if ((p == list || p[-1] == ',' || p[-1] == '=') && (!p[len] || p[len] == ','))
			return true;
	}
	return false;
}

/* As liblxc has it: systemd's own scope is no place for others. */
static void drop_init_scope(char *path)
{
	size_t len = strlen(path), scope = strlen("/init.scope");

	if (len >= scope && str_eq(path + len - scope, "/init.scope"))
		path[len - scope] = '\0';
}

char *cgroup_base(const char *proc_cgroup, const char *controller)
{
	_free_ char *copy = xstrdup(proc_cgroup);

	/* "N:controllers:/path", and the path may hold colons. */
	for (char *line = copy, *next; line && *line; line = next) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!path || (next && path > next) || path[1] != '/')
			continue;
		*path++ = '\0';
		list++;
		if (*controller ? !names_controller(list, controller) : *list)
			continue;
		drop_init_scope(path);
		return xstrdup(str_eq(path, "/") ? "" : path);
	}
	return xstrdup("");
}

/* A mount point and, below it, the cgroup of process 1: liblxc puts what root starts there. Where
 * the mount does not show that, it is the mount's own root. */
static char *below_init(const char *mount, const char *controller)
{
	struct err err;
	_free_ char *text = io_read_file("/proc/1/cgroup", CG_FILE_MAX, NULL, &err);
	_free_ char *base = cgroup_base(text ? text : "", controller);
	char *dir = xasprintf("%s%s", mount, base);

	if (io_exists(dir))
		return dir;
	free(dir);
	return xstrdup(mount);
}

static char *hierarchy(const char *controller)
{
	_free_ char *mount = NULL;

	if (!*controller || !cgroup_is_v1(controller))
		return below_init(pure_v2() ? CGROUP_ROOT : CGROUP_ROOT "/unified", "");
	mount = xasprintf(CGROUP_ROOT "/%s", controller);
	return below_init(mount, controller);
}

char *cgroup_path(const char *controller, const char *cgroup_name, const char *name,
		  const char *part)
{
	_free_ char *top = hierarchy(controller);

	return xasprintf("%s/%s/%s%s%s", top, cgroup_name, name, *part ? "/" : "", part);
}

/* --- files -------------------------------------------------------------------------------- */

static char *read_in(const char *dir, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	struct err err;

	return io_read_file(path, CG_FILE_MAX, NULL, &err);
}

static int write_in(const char *dir, const char *file, const char *text, struct err *err)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_sys(err, "write \"%s\" to %s", text, path);
	return 0;
}

/* A file with one number; "max" and absence are 0. */
static int64_t number_in(const char *dir, const char *file)
{
	_free_ char *s = read_in(dir, file);
	int64_t v;

	if (s)
		s[strcspn(s, "\n")] = '\0';
	return s && str_to_i64(s, 0, INT64_MAX, &v) ? v : 0;
}

/* "key number" lines. */
static int64_t keyed_number(const char *dir, const char *file, const char *key)
{
	_free_ char *s = read_in(dir, file);
	size_t len = strlen(key);

	for (char *line = s; line && *line;) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
		int64_t v;

		*end = '\0';
		if (strncmp(line, key, len) == 0 && line[len] == ' ' &&
		    str_to_i64(line + len + 1, 0, INT64_MAX, &v))
			return v;
		line = next;
	}
	return 0;
}

static void usage_memory_v1(const char *dir, struct cgroup_usage *u)
{
	int64_t both = number_in(dir, "memory.memsw.usage_in_bytes");
	int64_t peak = number_in(dir, "memory.memsw.max_usage_in_bytes");

	u->memory = number_in(dir, "memory.usage_in_bytes");
	u->memory_peak = number_in(dir, "memory.max_usage_in_bytes");
	u->swap = both > u->memory ? both - u->memory : 0;
	u->swap_peak = peak > u->memory_peak ? peak - u->memory_peak : 0;
}

void cgroup_usage(const char *cgroup_name, const char *name, struct cgroup_usage *ret)
{
	_free_ char *cpu = cgroup_path("cpuacct", cgroup_name, name, "payload");
	_free_ char *mem = cgroup_path("memory", cgroup_name, name, "payload");
	_free_ char *pids = cgroup_path("pids", cgroup_name, name, "payload");

	*ret = (struct cgroup_usage){ 0 };
	ret->cpu_ns = cgroup_is_v1("cpuacct") ? number_in(cpu, "cpuacct.usage")
					      : keyed_number(cpu, "cpu.stat", "usage_usec") * 1000;
	ret->processes = number_in(pids, "pids.current");
	if (cgroup_is_v1("memory")) {
		usage_memory_v1(mem, ret);
		return;
	}
	ret->memory = number_in(mem, "memory.current");
	ret->memory_peak = number_in(mem, "memory.peak");
	ret->swap = number_in(mem, "memory.swap.current");
	ret->swap_peak = number_in(mem, "memory.swap.peak");
}

/* --- limits ------------------------------------------------------------------------------- */

static char *value_memory(const struct cgroup_limits *l, bool v1)
{
	return l->memory ? xasprintf("%lld", (long long)l->memory) : NULL;
}

static char *value_processes(const struct cgroup_limits *l, bool v1)
{
	return l->processes ? xasprintf("%lld", (long long)l->processes) : NULL;
}

static char *value_cpuset(const struct cgroup_limits *l, bool v1)
{
	return *l->cpuset ? xstrdup(l->cpuset) : NULL;
}

const struct cgroup_limit_row cgroup_limit_rows[] = {
	{ "memory", "memory.limit_in_bytes", "memory.max", "-1", "max", value_memory },
	{ "pids", "pids.max", "pids.max", "max", "max", value_processes },
	{ "cpuset", "cpuset.cpus", "cpuset.cpus", NULL, "", value_cpuset },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

/* The value of the folder two levels up, CG, which nobody limits. */
static char *inherited(const char *dir, const char *file)
{
	_free_ char *up = xasprintf("%s/../..", dir);
	char *s = read_in(up, file);

	if (s)
		s[strcspn(s, "\n")] = '\0';
	return s;
}

static int apply_row(const struct cgroup_limit_row *r, const char *cgroup_name, const char *name,
		     const struct cgroup_limits *l, struct err *err)
{
	bool v1 = cgroup_is_v1(r->controller);
	const char *file = v1 ? r->file_v1 : r->file_v2, *none = v1 ? r->none_v1 : r->none_v2;
	_free_ char *dir = cgroup_path(r->controller, cgroup_name, name, "payload");
	_free_ char *path = xasprintf("%s/%s", dir, file);
	_free_ char *value = r->value(l, v1);

	if (!io_exists(path))
		return value ? err_set(err, ERR_UNSUPPORTED, "%s is not there: no %s controller",
				       path, r->controller)
			     : 0;
	if (!value)
		value = none ? xstrdup(none) : inherited(dir, file);
	return value ? write_in(dir, file, *value ? value : "\n", err) : 0;
}

int cgroup_limits_apply(const char *cgroup_name, const char *name, const struct cgroup_limits *l,
			struct err *err)
{
	for (size_t i = 0; cgroup_limit_rows[i].controller; i++) {
		if (apply_row(&cgroup_limit_rows[i], cgroup_name, name, l, err) < 0)
			return err_wrap(err, "limits of %s", name);
	}
	return 0;
}

/* --- freezing ----------------------------------------------------------------------------- */

static int freeze_v1(const char *dir, bool frozen, int64_t deadline, struct err *err)
{
	const char *want = frozen ? "FROZEN" : "THAWED";

	for (;;) {
		_free_ char *now = NULL;

		if (write_in(dir, "freezer.state", want, err) < 0)
			return -1;
		now = read_in(dir, "freezer.state");
		if (now && str_starts(now, want))
			return 0;
		if (deadline && clock_ms() >= deadline)
			return err_set(err, ERR_TIMEOUT,
				       "the processes did not reach state %s in time", want);
		/* The v1 freezer sends no event, and gets on only when its file is read or
		 * written. */
		poll(NULL, 0, FREEZE_STEP_MS);
	}
}

static int freeze_v2(const char *dir, bool frozen, int64_t deadline, struct err *err)
{
	_free_ char *path = xasprintf("%s/cgroup.events", dir);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct pollfd pf = { .fd = fd, .events = POLLPRI };

	if (fd < 0)
		return err_sys(err, "open %s", path);
	if (write_in(dir, "cgroup.freeze", frozen ? "1" : "0", err) < 0)
		return -1;
	while (keyed_number(dir, "cgroup.events", "frozen") != frozen) {
		char skip[256];

		if (poll(&pf, 1, deadline_left(deadline)) == 0)
			return err_set(err, ERR_TIMEOUT, "the processes did not freeze in time");
		if (pread(fd, skip, sizeof(skip), 0) < 0)
			return err_sys(err, "read %s", path);
	}
	return 0;
}

int cgroup_freeze(const char *cgroup_name, const char *name, bool frozen, int64_t deadline,
		  struct err *err)
{
	_free_ char *dir = cgroup_path("freezer", cgroup_name, name, "payload");
	int rc = cgroup_is_v1("freezer") ? freeze_v1(dir, frozen, deadline, err)
					 : freeze_v2(dir, frozen, deadline, err);

	return rc < 0 ? err_wrap(err, "%s %s", frozen ? "freeze" : "thaw", name) : 0;
}

bool cgroup_is_frozen(const char *cgroup_name, const char *name)
{
	_free_ char *dir = cgroup_path("freezer", cgroup_name, name, "payload");
	_free_ char *state = NULL;

	if (!cgroup_is_v1("freezer"))
		return number_in(dir, "cgroup.freeze") == 1;
	state = read_in(dir, "freezer.state");
	return state && !str_starts(state, "THAWED");
}

/* --- trees -------------------------------------------------------------------------------- */

static bool is_folder(const struct dirent *e)
{
	return e->d_type == DT_DIR && !str_eq(e->d_name, ".") && !str_eq(e->d_name, "..");
}

static int pids_of(const char *dir, int (*fn)(void *arg, pid_t pid), void *arg)
{
	_free_ char *s = read_in(dir, "cgroup.procs");

	for (char *line = s; line && *line;) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
		uint64_t pid;
		int rc;

		*end = '\0';
		if (str_to_u64(line, INT32_MAX, &pid) && pid > 0 && (rc = fn(arg, (pid_t)pid)) != 0)
			return rc;
		line = next;
	}
	return 0;
}

static int each_pid(const char *dir, int (*fn)(void *arg, pid_t pid), void *arg)
{
	int rc = pids_of(dir, fn, arg);
	DIR *d = opendir(dir);
	struct dirent *e;

	while (rc == 0 && d && (e = readdir(d))) {
		_free_ char *sub = xasprintf("%s/%s", dir, e->d_name);

		if (is_folder(e))
			rc = each_pid(sub, fn, arg);
	}
	if (d)
		closedir(d);
	return rc;
}

/* Every hierarchy that can be there; the first that is there counts. The unified one of a hybrid
 * host comes last: commands that are run inside do not join it. */
static const char *const any_hierarchy[] = { "freezer", "pids", "memory", "devices", "" };

int cgroup_each_pid(const char *cgroup_name, const char *name, const char *part,
		    int (*fn)(void *arg, pid_t pid), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(any_hierarchy); i++) {
		_free_ char *dir = cgroup_path(any_hierarchy[i], cgroup_name, name, part);

		if (io_exists(dir))
			return each_pid(dir, fn, arg);
	}
	return 0;
}

static int kill_one(void *arg, pid_t pid)
{
	++*(int *)arg;
	kill(pid, SIGKILL);
	return 0;
}

int cgroup_kill(const char *cgroup_name, const char *name, const char *part)
{
	int n = 0;

	cgroup_each_pid(cgroup_name, name, part, kill_one, &n);
	return n;
}

static void remove_dirs(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_free_ char *sub = xasprintf("%s/%s", dir, e->d_name);

		if (is_folder(e))
			remove_dirs(sub);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void add_folders(json_t *list, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (is_folder(e))
			json_array_append_new(list, json_string(e->d_name));
	}
	if (d)
		closedir(d);
}

json_t *cgroup_hierarchies(void)
{
	json_t *list = json_array();

	if (pure_v2())
		json_array_append_new(list, json_string("."));
	else
		add_folders(list, CGROUP_ROOT);
	return list;
}

/* The v2 tree has none. */
static const char *controller_of(const char *hierarchy)
{
	return str_eq(hierarchy, ".") || str_eq(hierarchy, "unified") ? "" : hierarchy;
}

void cgroup_remove(const char *cgroup_name, const char *name)
{
	_json_ json_t *all = cgroup_hierarchies();
	json_t *v;
	size_t i;

	json_array_foreach(all, i, v) {
		const char *hierarchy = json_string_value(v);
		_free_ char *mount = xasprintf(CGROUP_ROOT "/%s", hierarchy);
		_free_ char *top = below_init(mount, controller_of(hierarchy));
		_free_ char *dir = xasprintf("%s/%s/%s", top, cgroup_name, name);

		if (io_exists(dir))
			remove_dirs(dir);
	}
}

json_t *cgroup_names(const char *cgroup_name)
{
	_free_ char *top = hierarchy("");
	_free_ char *dir = xasprintf("%s/%s", top, cgroup_name);
	json_t *list = json_array();

	add_folders(list, dir);
	return list;
}
