/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: starting and ending containers with liblxc. */
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/lxcconf.h"
#include "node/container/resolver.h"
#include "node/container/systemd.h"
#include "node/container/verb/lxc.h"
#include "node/helper/verbs.h"
#include "node/host/cgroup.h"
#include "node/host/reach.h"
#include "node/storage/rootfs.h"

#define LOG_TAIL 16384
#define KILL_WAIT_MS 5000

static void put_container(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}
#define _lxc_ __attribute__((cleanup(put_container)))

struct lxc_container *helper_lxc_open(const json_t *request, struct err *err)
{
	const char *name = json_str(request, "name", ""), *path = json_str(request, "lxcpath", "");
	struct lxc_container *c;

	/* With newuidmap in its PATH liblxc wants every map in /etc/subuid; without, root writes
	 * it. What it does run, apparmor_parser, is a program of administrators. */
	setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin", 1);
	c = lxc_container_new(name, path);
	if (!c)
		err_set(err, ERR_INTERNAL, "liblxc does not open container %s in %s", name, path);
	return c;
}

/* The text after the last "ERROR" marks of liblxc's log, "file.c:function:line - text". */
static void last_errors(char *log, struct sbuf *out)
{
	char *first = NULL;

	for (char *line = log; line && *line;) {
		char *end = strchr(line, '\n'), *text = NULL;

		if (end)
			*end++ = '\0';
		if (strstr(line, " ERROR ") && (text = strstr(line, " - ")))
			text = strstr(text + 3, " - ") ? strstr(text + 3, " - ") + 3 : text + 3;
		/* The first error is the cause, what follows reports its way up. */
		if (text && !first)
			first = text;
		line = end;
	}
	if (first)
		sbuf_puts(out, first);
}

char *helper_lxc_cause(const json_t *request, int64_t from)
{
	_free_ char *path = xasprintf("%s/%s/lxc.log", json_str(request, "lxcpath", ""),
				      json_str(request, "name", ""));
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_free_ char *text = xcalloc(LOG_TAIL + 1, 1);
	struct sbuf out = SBUF(1024);

	if (fd >= 0 && pread(fd, text, LOG_TAIL, from) > 0)
		last_errors(text, &out);
	if (!out.len)
		sbuf_puts(&out, "liblxc gives no reason");
	return sbuf_take(&out);
}

int64_t helper_lxc_log_size(const json_t *request)
{
	_free_ char *path = xasprintf("%s/%s/lxc.log", json_str(request, "lxcpath", ""),
				      json_str(request, "name", ""));
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

static int prepare_root(const json_t *request, struct err *err)
{
	const json_t *spec = json_obj(request, "spec");
	const char *lxcpath = json_str(request, "lxcpath", "");
	_free_ char *root = rootfs_mountpoint(lxcpath, json_str(request, "name", ""));
	_free_ char *state_dir = xstrndup(lxcpath, (size_t)(strrchr(lxcpath, '/') - lxcpath));

	if (rootfs_private_ns(err) < 0 || rootfs_assemble(spec, root, err) < 0 ||
	    devices_stage(spec, lxcpath, err) < 0)
		return -1;
	return reach_open_parents(state_dir, err);
}

/* Quotes around a value are the file's, not the value's. */
static int set_line(void *arg, const char *key, const char *value, struct err *err)
{
	size_t len = strlen(value), trim;
	_free_ char *text = NULL;

	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	trim = len > 1 && strchr("\"'", value[0]) && value[len - 1] == value[0];
	text = xstrndup(value + trim, len - 2 * trim);
	if (((struct lxc_container *)arg)->set_config_item(arg, key, text))
		return 0;
	return err_set(err, ERR_INVALID, "liblxc does not take \"%.60s = %.60s\"", key, text);
}

/* What it is opened with is for dumps and restores. */
static int load_start(const json_t *request, struct lxc_container *c, struct err *err)
{
	_free_ char *path = xasprintf("%s/%s/" LXCCONF_START, json_str(request, "lxcpath", ""),
				      json_str(request, "name", ""));

	c->clear_config(c);
	return c->load_config(c, path) ? 0 : err_set(err, ERR_INTERNAL, "liblxc refuses %s", path);
}

static char *init_command(struct lxc_container *c)
{
	char text[1024];
	int n = c->get_config_item(c, "lxc.init.cmd", text, sizeof(text));

	return xstrndup(text, n > 0 && n < (int)sizeof(text) ? (size_t)n : 0);
}

static int prepare_init(const json_t *request, struct lxc_container *c, struct err *err)
{
	const json_t *spec = json_obj(request, "spec");
	const char *name = json_str(request, "name", ""), *path = json_str(request, "lxcpath", "");
	_free_ char *root = rootfs_mountpoint(path, name), *command = init_command(c);
	_free_ char *dir = xasprintf("%s/%s", path, name);
	unsigned version = systemd_is_wanted(spec) ? systemd_version(root, command) : SYSTEMD_NONE;
	struct err unnamed;

	if (resolver_write(root, spec, &unnamed) < 0)
		log_err(LOG_WARN, "instance starts without names", &unnamed);
	if (version == SYSTEMD_NONE)
		return 0;
	if (lxcconf_write_seccomp(dir, systemd_seccomp, err) < 0)
		return -1;
	return systemd_lines(version, set_line, c, err);
}

static int show_bridges(const json_t *spec, struct err *err)
{
	struct device_port p;
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		if (device_has_port(dev, &p) && *p.bridge && reach_see_link(p.bridge, err) < 0)
			return -1;
	}
	return 0;
}

/* {name, lxcpath, spec} -> {pid}. The mounts end with the monitor, or with this process. */
json_t *helper_start(const json_t *request, struct err *err)
{
	const char *name = json_str(request, "name", "?");
	_lxc_ struct lxc_container *c = NULL;
	int64_t log = helper_lxc_log_size(request);

	if (prepare_root(request, err) < 0)
		return NULL;
	c = helper_lxc_open(request, err);
	if (!c || load_start(request, c, err) < 0 || prepare_init(request, c, err) < 0 ||
	    show_bridges(json_obj(request, "spec"), err) < 0)
		return NULL;
	umask(INSIDE_UMASK);
	c->want_daemonize(c, true);
	c->want_close_all_fds(c, true);
	if (!c->start(c, 0, NULL)) {
		_free_ char *cause = helper_lxc_cause(request, log);

		err_set(err, ERR_INTERNAL, "start %s: %s (more in its lxc.log)", name, cause);
		return NULL;
	}
	return json_pack("{si}", "pid", (int)c->init_pid(c));
}

static bool any_process(const json_t *request)
{
	static const char *const parts[] = { "payload", "monitor", "pivot" };
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		n += cgroup_kill(json_str(request, "cgroup_name", ""),
				 json_str(request, "name", ""), parts[i]);
	return n > 0;
}

/* {name, lxcpath, cgroup_name} -> {}. For a container in an unknown state: a monitor that has not
 * got far enough to have an init takes the request when it is ready. */
json_t *helper_stop(const json_t *request, struct err *err)
{
	const char *name = json_str(request, "name", "?");
	_lxc_ struct lxc_container *c = helper_lxc_open(request, err);
	int64_t deadline = deadline_in(KILL_WAIT_MS);

	if (!c)
		return NULL;
	cgroup_freeze(json_str(request, "cgroup_name", ""), name, false, deadline,
		      &(struct err){ 0 });
	/* One that waits inside a restore takes no request: it is killed like the rest. */
	if (!any_process(request))
		c->stop(c);
	while (any_process(request)) {
		if (clock_ms() >= deadline) {
			err_set(err, ERR_TIMEOUT, "processes of %s cannot be killed", name);
			return NULL;
		}
		/* Nobody tells when a cgroup of v1 gets empty. */
		poll(NULL, 0, 10);
	}
	return json_object();
}

/* {raw} -> {}. On a container that is nowhere. */
json_t *helper_check(const json_t *request, struct err *err)
{
	_lxc_ struct lxc_container *c = lxc_container_new("check", "/nowhere");

	if (!c) {
		err_set(err, ERR_INTERNAL, "liblxc makes no configuration");
		return NULL;
	}
	if (lxcconf_each_raw(json_str(request, "raw", ""), set_line, c, err) < 0)
		return NULL;
	return json_object();
}
