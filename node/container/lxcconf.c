/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/lxcconf.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/console/console.h"
#include "node/container/keys.h"
#include "node/container/limits.h"
#include "node/helper/helper.h"
#include "node/host/cgroup.h"
#include "node/host/idmap.h"
#include "node/storage/rootfs.h"

#define CONF_MAX (256 << 10)
#define RAW_LINE_MAX 4096
#define TRY_TIMEOUT_MS 20000

struct conf {
	const json_t *spec, *config;
	const char *name, *lxcpath, *cgroup_name, *apparmor;
	enum device_use use;
	struct sbuf *out;
	struct err *err;
};

static int put(struct conf *c, const char *key, const char *value)
{
	if (device_line(c->out, key, value, c->err) < 0)
		return err_wrap(c->err, "instance %s", c->name);
	return 0;
}

static int putf(struct conf *c, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int putf(struct conf *c, const char *key, const char *fmt, ...)
{
	_free_ char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	value = xvasprintf(fmt, ap);
	va_end(ap);
	return put(c, key, value);
}

/* --- parts, in the order of the file ------------------------------------------------------ */

/* A reboot from inside must not be liblxc's: the monitor would look for a network device that
 * went with the old network namespace. The failing hook turns it into a stop and leaves a mark
 * for the daemon. The text is constant: what differs comes through the environment. */
#define REBOOT_HOOK                                     \
	"/bin/sh -c '[ \"$LXC_TARGET\" != reboot ] || " \
	"{ : > \"${LXC_CONFIG_FILE%/*}/reboot\"; exit 1; }'"

static const char *const fixed[][2] = {
	/* liblxc's own console has its other end in the monitor, out of CRIU's reach. */
	{ "lxc.console.path", "none" },
	{ "lxc.tty.max", "0" },
	{ "lxc.pty.max", "1024" },
	/* In a user namespace of its own they are power over nothing; an init that has them tries,
	 * and calls it a failure. */
	{ "lxc.cap.drop", "mac_admin mac_override sys_module sys_rawio sys_time" },
	{ "lxc.mount.auto", "proc:mixed sys:mixed cgroup:mixed" },
	{ "lxc.log.level", "warn" },
	{ "lxc.hook.version", "1" },
	{ "lxc.hook.post-stop", REBOOT_HOOK },
};

static const char *const devices_allowed[] = {
	"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int put_fixed(struct conf *c)
{
	_free_ char *root = rootfs_mountpoint(c->lxcpath, c->name);

	if (put(c, "lxc.uts.name", json_str(c->spec, "hostname", c->name)) < 0 ||
	    putf(c, "lxc.rootfs.path", "dir:%s", root) < 0 ||
	    putf(c, "lxc.log.file", "%s/%s/lxc.log", c->lxcpath, c->name) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		put(c, fixed[i][0], fixed[i][1]);
	return 0;
}

static int put_arch(struct conf *c)
{
	const char *arch = json_str(c->spec, "architecture", "");

	return *arch ? put(c, "lxc.arch", arch) : 0;
}

static int put_device_rules(struct conf *c)
{
	const char *key = cgroup_is_v1("devices") ? "lxc.cgroup.devices" : "lxc.cgroup2.devices";

	sbuf_printf(c->out, "%s.deny = a\n", key);
	for (size_t i = 0; i < ARRAY_SIZE(devices_allowed); i++)
		sbuf_printf(c->out, "%s.allow = %s\n", key, devices_allowed[i]);
	return 0;
}

static int put_ids(struct conf *c)
{
	struct idmap m;

	if (idmap_of_spec(c->spec, &m, c->err) < 0)
		return -1;
	if (m.size) {
		putf(c, "lxc.idmap", "u 0 %u %u", m.base, m.size);
		return putf(c, "lxc.idmap", "g 0 %u %u", m.base, m.size);
	}
	return put_device_rules(c);
}

static int put_cgroup(struct conf *c)
{
	if (putf(c, "lxc.cgroup.dir.container", "%s/%s/payload", c->cgroup_name, c->name) < 0)
		return -1;
	putf(c, "lxc.cgroup.dir.monitor", "%s/%s/monitor", c->cgroup_name, c->name);
	return putf(c, "lxc.cgroup.dir.monitor.pivot", "%s/%s/pivot", c->cgroup_name, c->name);
}

static int put_limits(struct conf *c)
{
	struct cgroup_limits l;

	if (limits_read(c->config, &l, c->err) < 0)
		return err_wrap(c->err, "instance %s", c->name);
	for (size_t i = 0; cgroup_limit_rows[i].controller; i++) {
		const struct cgroup_limit_row *r = &cgroup_limit_rows[i];
		bool v1 = cgroup_is_v1(r->controller);
		_free_ char *value = r->value(&l, v1);
		_free_ char *key = NULL;

		if (!value)
			continue;
		key = xasprintf("lxc.cgroup%s.%s", v1 ? "" : "2", v1 ? r->file_v1 : r->file_v2);
		put(c, key, value);
	}
	return 0;
}

/* What no container should ever ask of the host's kernel. Other calls are the kernel's own
 * business: in a user namespace it refuses what is not harmless. CRIU carries the filter over. */
static const char seccomp_profile[] = "2\n"
				      "denylist\n"
				      "reject_force_umount\n"
				      "[all]\n"
				      "kexec_load errno 1\n"
				      "open_by_handle_at errno 1\n"
				      "init_module errno 1\n"
				      "finit_module errno 1\n"
				      "delete_module errno 1\n";

#define SECCOMP_FILE "seccomp"

static int put_security(struct conf *c)
{
	if (io_exists("/proc/sys/kernel/seccomp"))
		putf(c, "lxc.seccomp.profile", "%s/%s/" SECCOMP_FILE, c->lxcpath, c->name);
	return c->apparmor ? put(c, "lxc.apparmor.profile", c->apparmor) : 0;
}

/* Without any interface liblxc would share the host's network; up: the loopback. */
static int put_devices(struct conf *c)
{
	struct device_conf d = {
		.use = c->use, .lxcpath = c->lxcpath, .name = c->name, .out = c->out
	};

	if (devices_conf(c->spec, &d, c->err) < 0)
		return -1;
	if (d.nets)
		return 0;
	put(c, "lxc.net.0.type", "empty");
	return put(c, "lxc.net.0.flags", "up");
}

/* Made before the configuration is written; without it /dev has no console. */
static int put_console(struct conf *c)
{
	_free_ char *folder = xasprintf("%s/%s", c->lxcpath, c->name);
	struct console_tty tty;

	if (!console_find(folder, &tty))
		return 0;
	return putf(c, "lxc.mount.entry", "%s dev/console none bind,create=file 0 0", tty.path);
}

static const char *const default_env[][2] = {
	{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
	{ "HOME", "/root" },
};

static int put_environment(struct conf *c)
{
	const char *key;
	json_t *v;

	for (size_t i = 0; i < ARRAY_SIZE(default_env); i++)
		putf(c, "lxc.environment", "%s=%s", default_env[i][0], default_env[i][1]);
	json_object_foreach((json_t *)c->config, key, v) {
		if (!str_starts(key, "environment.") || !json_is_string(v))
			continue;
		if (putf(c, "lxc.environment", "%s=%s", key + strlen("environment."),
			 json_string_value(v)) < 0)
			return -1;
	}
	return 0;
}

static int put_raw(struct conf *c)
{
	const char *raw = keys_text(&instance_keys, c->config, "raw.lxc");

	if (keys_read(&instance_keys, c->config, "raw.lxc", NULL, c->err) < 0)
		return err_wrap(c->err, "instance %s", c->name);
	sbuf_puts(c->out, raw ? raw : "");
	sbuf_putc(c->out, '\n');
	return 0;
}

static int (*const parts[])(struct conf *c) = {
	put_fixed,    put_arch,    put_ids,     put_cgroup,      put_limits,
	put_security, put_devices, put_console, put_environment, put_raw,
};

int lxcconf_text(const struct lxcconf *o, struct sbuf *out, struct err *err)
{
	struct conf c = { .spec = o->spec,
			  .config = json_obj(o->spec, "config"),
			  .name = json_str(o->spec, "name", ""),
			  .lxcpath = o->lxcpath,
			  .cgroup_name = o->cgroup_name,
			  .apparmor = o->apparmor,
			  .use = o->use,
			  .out = out,
			  .err = err };

	if (!str_is_folder(c.name))
		return err_set(err, ERR_INVALID, "\"%s\" is not a valid instance name", c.name);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i](&c) < 0)
			return -1;
	}
	return 0;
}

/* Not synced to disk: these files are made again at each start. */
static int write_in(const char *dir, const char *file, const char *text, size_t len,
		    struct err *err)
{
	_free_ char *path = xasprintf("%s/%s", dir, file), *tmp = xasprintf("%s.new", path);
	_close_ int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || io_write_full(fd, text, len) < 0 || rename(tmp, path) < 0)
		return err_sys(err, "write %s", path);
	return 0;
}

static const char *const files[] = {
	[DEVICE_START] = LXCCONF_START,
	[DEVICE_RESTORE] = "config", /* what liblxc reads when it opens a container */
};

int lxcconf_write(const struct lxcconf *o, struct err *err)
{
	const char *name = json_str(o->spec, "name", "");
	_free_ char *dir = xasprintf("%s/%s", o->lxcpath, name);
	_sbuf_ struct sbuf text = SBUF(CONF_MAX);

	assert(o->use < ARRAY_SIZE(files));
	if (lxcconf_text(o, &text, err) < 0)
		return -1;
	if (text.overflow)
		return err_set(err, ERR_TOO_LARGE, "instance %s: configuration is too large", name);
	return write_in(dir, files[o->use], text.data, text.len, err);
}

int lxcconf_write_seccomp(const char *dir, const char *more, struct err *err)
{
	_free_ char *text = xasprintf("%s%s", seccomp_profile, more);

	return write_in(dir, SECCOMP_FILE, text, strlen(text), err);
}

/* --- raw.lxc ------------------------------------------------------------------------------ */

/* What would take the ground from under Dunlin, or read other files. */
static const char *const refused[] = {
	"lxc.include", "lxc.rootfs",  "lxc.idmap", "lxc.cgroup.dir", "lxc.cgroup.relative",
	"lxc.log",     "lxc.console", "lxc.net",   "lxc.uts.name",   "lxc.ephemeral",
	"lxc.execute", "lxc.monitor", "lxc.hook",  "lxc.namespace",  "lxc.arch",
	"lxc.tty",     "lxc.pty",
};

static int check_raw_line(char *line, const char **ret_key, const char **ret_value, struct err *err)
{
	char *s = line + strspn(line, " \t"), *eq = strchr(s, '=');

	*ret_key = *ret_value = NULL;
	if (!*s || *s == '#')
		return 0;
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < ' ' && *p != '\t')
			return err_set(err, ERR_INVALID, "control characters");
	}
	if (!eq || !str_starts(s, "lxc."))
		return err_set(err, ERR_INVALID, "\"%.60s\" is not \"lxc.KEY = VALUE\"", s);
	*eq = '\0';
	s[strcspn(s, " \t")] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		size_t n = strlen(refused[i]);

		if (str_starts(s, refused[i]) && (!s[n] || s[n] == '.'))
			return err_set(err, ERR_INVALID, "%.60s belongs to the server", s);
	}
	*ret_key = s;
	*ret_value = eq + 1 + strspn(eq + 1, " \t");
	return 0;
}

int lxcconf_each_raw(const char *raw,
		     int (*line)(void *arg, const char *key, const char *value, struct err *err),
		     void *arg, struct err *err)
{
	for (int number = 1; *raw; number++) {
		size_t len = strcspn(raw, "\n");
		_free_ char *copy = xstrndup(raw, len);
		const char *key, *value;

		if (len > RAW_LINE_MAX)
			return err_set(err, ERR_INVALID, "line %d is longer than %d bytes", number,
				       RAW_LINE_MAX);
		if (check_raw_line(copy, &key, &value, err) < 0 ||
		    (key && line(arg, key, value, err) < 0))
			return err_wrap(err, "line %d", number);
		raw += len + (raw[len] == '\n');
	}
	return 0;
}

int lxcconf_try_raw(const char *raw, struct err *err)
{
	_json_ json_t *request = json_pack("{ss}", "raw", raw);
	_json_ json_t *done =
		helper_run("helper-check", request, NULL, 0, deadline_in(TRY_TIMEOUT_MS), err);

	return done ? 0 : -1;
}

static const struct {
	const char *name;
	int sig;
} signals[] = {
	{ "SIGPWR", SIGPWR },   { "SIGTERM", SIGTERM }, { "SIGINT", SIGINT },
	{ "SIGQUIT", SIGQUIT }, { "SIGHUP", SIGHUP },   { "SIGUSR1", SIGUSR1 },
	{ "SIGUSR2", SIGUSR2 }, { "SIGKILL", SIGKILL },
};

static int signal_number(const char *text)
{
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (str_eq(text, signals[i].name))
			return signals[i].sig;
	}
	if (str_starts(text, "SIGRTMIN+") && str_to_u64(text + strlen("SIGRTMIN+"), 15, &v))
		return SIGRTMIN + (int)v;
	return str_to_u64(text, 64, &v) ? (int)v : 0;
}

static int note_halt_signal(void *arg, const char *key, const char *value, struct err *err)
{
	char name[32];

	if (str_eq(key, "lxc.signal.halt") && sscanf(value, "%31[A-Z0-9+]", name) == 1)
		*(int *)arg = signal_number(name);
	return 0;
}

int lxcconf_parse_raw(const char *raw, void *ret, struct err *err)
{
	int sig = 0;

	if (lxcconf_each_raw(raw, note_halt_signal, &sig, err) < 0)
		return -1;
	if (ret)
		*(int *)ret = sig;
	return 0;
}
