/* SPDX-License-Identifier: Apache-2.0 */
/* A folder or file of the host, in a container.
 *
 * It is made ready in a mount namespace of a helper, where liblxc finds it at a start. For a
 * container that runs it is carried over into the container's user namespace, where the kernel
 * locks its attributes (nobody in there can make a read-only one writable), and only then
 * attached. The root disk is the storage driver's, and in no description. */
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/inside.h"
#include "node/host/idmap.h"
#include "node/storage/rootfs.h"

#define READY "disk" /* of a helper that plugs, in its working directory */

/* --- options -------------------------------------------------------------------------------- */

static const char *option(const json_t *options, const char *name)
{
	return keys_text(&device_disk.keys, options, name);
}

static bool is_root(const json_t *options)
{
	return str_eq(option(options, "path"), "/");
}

static const char *pool(const json_t *options)
{
	return option(options, "pool");
}

/* The root disk is what the storage driver makes of it. */
static int check_root(const char *what, const json_t *options, struct err *err)
{
	static const char *const not_here[] = { "source", "readonly", "shift", "required" };

	if (!pool(options))
		return err_set(err, ERR_INVALID, "%s: the root disk needs \"pool\"", what);
	for (size_t i = 0; i < ARRAY_SIZE(not_here); i++) {
		const char *v = option(options, not_here[i]), *dflt = option(NULL, not_here[i]);

		if (v && !(dflt && str_eq(v, dflt)))
			return err_set(err, ERR_INVALID,
				       "%s: the root disk takes no \"%s\" (here \"%.60s\")", what,
				       not_here[i], v);
	}
	return 0;
}

/* What a container's start mounts itself, over a disk or below it. */
static int check_place(const char *what, const char *path, struct err *err)
{
	static const char *const own[] = { "/dev", "/proc", "/sys" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		size_t n = strlen(own[i]);

		if (strncmp(path, own[i], n) == 0 && path[n + strspn(path + n, "/")] == '\0')
			return err_set(err, ERR_INVALID,
				       "%s: invalid value \"%s\" for key \"path\": the container "
				       "has its own \"%s\"; name another folder",
				       what, path, own[i]);
	}
	return 0;
}

static int check(const char *what, const char *device, const json_t *options, struct err *err)
{
	const char *path = option(options, "path"), *source = option(options, "source");

	if (!path)
		return err_set(err, ERR_INVALID, "%s: a disk needs \"path\"", what);
	if (check_place(what, path, err) < 0)
		return -1;
	if (is_root(options))
		return check_root(what, options, err);
	if (pool(options))
		return err_set(err, ERR_UNSUPPORTED,
			       "%s: custom storage volumes are not implemented; name a path of the "
			       "host as \"source\"",
			       what);
	if (!source || source[0] != '/')
		return err_set(err, ERR_INVALID,
			       "%s: a disk needs an absolute path of the host as \"source\"", what);
	return 0;
}

static int check_host(const char *what, const json_t *options, const struct device_host *host,
		      struct err *err)
{
	const char *source = option(options, "source");

	if (!source || !keys_bool(&device_disk.keys, options, "required") || io_exists(source))
		return 0;
	return err_set(err, ERR_INVALID,
		       "%s: invalid value \"%s\" for key \"source\": there is no such path on "
		       "member \"%s\"; make it first, or set required=false",
		       what, source, host->member);
}

static char *place(const char *device, const json_t *options)
{
	const char *path = option(options, "path");
	size_t n = path ? strlen(path) : 0;

	while (n > 1 && path[n - 1] == '/')
		n--;
	return xasprintf("path \"%.*s\"", (int)n, path ? path : "");
}

/* --- before --------------------------------------------------------------------------------- */

/* False for one whose source is missing and that is not required. */
static bool is_wanted(const json_t *dev, bool *ret_file)
{
	struct stat st;
	bool present = stat(json_str(dev, "source", ""), &st) == 0;

	*ret_file = present && !S_ISDIR(st.st_mode);
	return present || json_bool(dev, "required", true);
}

/* Before anything is done, and before the instance that moves here stands still. */
static int prepare(const json_t *dev, enum device_use use, struct err *err)
{
	const char *source = json_str(dev, "source", "");
	struct stat st;

	if (json_bool(dev, "required", true) && stat(source, &st) < 0)
		return err_sys(err, "disk source %s", source);
	return 0;
}

/* --- at a start ----------------------------------------------------------------------------- */

/* fstab(5) fields: blanks and backslashes as octal. */
static void put_field(struct sbuf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr(" \t\\#", *s))
			sbuf_printf(out, "\\%03o", (unsigned char)*s);
		else
			sbuf_putc(out, *s);
	}
}

static int conf(struct device_conf *c, const json_t *dev, struct err *err)
{
	const char *path = json_str(dev, "path", "");
	_free_ char *source = device_stage(c->lxcpath, c->name, json_str(dev, "device", ""));
	_sbuf_ struct sbuf entry = SBUF(8 * PATH_MAX + 64);
	bool file;

	if (!is_wanted(dev, &file))
		return 0;
	path += strspn(path, "/");
	if (!*path)
		return err_set(err, ERR_INVALID, "not a path inside");
	put_field(&entry, source);
	sbuf_putc(&entry, ' ');
	put_field(&entry, path);
	sbuf_printf(&entry, " none bind,%screate=%s 0 0",
		    json_bool(dev, "readonly", false) ? "ro," : "", file ? "file" : "dir");
	if (entry.overflow)
		return err_set(err, ERR_INVALID, "the path inside is too long");
	return device_line(c->out, "lxc.mount.entry", entry.data, err);
}

/* A mountpoint of the same kind as what is mounted on it. */
static int make_target(const char *path, const char *source, struct err *err)
{
	struct stat st;
	int fd;

	if (stat(source, &st) < 0)
		return err_sys(err, "disk source %s", source);
	if (S_ISDIR(st.st_mode))
		return io_folder(path, 0711, err);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "create %s", path);
	close(fd);
	return 0;
}

static int make_ready(const json_t *spec, const json_t *dev, const char *target, struct err *err)
{
	const char *source = json_str(dev, "source", "");
	_close_ int userns = -1;

	if (make_target(target, source, err) < 0)
		return -1;
	if (json_bool(dev, "shift", false) && idmap_userns_of_spec(spec, false, &userns, err) < 0)
		return -1;
	return idmap_mount(source, target, userns, json_bool(dev, "readonly", false), err);
}

static int stage(const json_t *spec, const json_t *dev, const char *target, struct err *err)
{
	bool file;

	return is_wanted(dev, &file) ? make_ready(spec, dev, target, err) : 0;
}

/* --- while it runs -------------------------------------------------------------------------- */

/* The ready mount, of a mount namespace of the container's user namespace. */
static int make_tree(const struct device_inside *c, const json_t *dev, struct err *err)
{
	_free_ char *folder = xasprintf("%s/%s/plug", c->lxcpath, c->name);
	int tree;

	if (rootfs_private_ns(err) < 0 || rootfs_stage(folder, err) < 0 ||
	    make_ready(c->spec, dev, READY, err) < 0 || inside_enter_userns(c, err) < 0)
		return -1;
	/* The copy made here is what the kernel locks. */
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, "make a mount namespace");
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, READY, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return tree < 0 ? err_sys(err, "take the mount along") : tree;
}

static int plug(const struct device_inside *c, const json_t *dev, struct err *err)
{
	_close_ int tree = -1;
	bool file;

	if (!is_wanted(dev, &file))
		return 0;
	tree = make_tree(c, dev, err);
	if (tree < 0 || inside_enter_mounts(err) < 0)
		return -1;
	return inside_mount(tree, json_str(dev, "path", ""), file, err);
}

static int unplug(const struct device_inside *c, const json_t *dev, struct err *err)
{
	if (inside_enter_userns(c, err) < 0 || inside_enter_mounts(err) < 0)
		return -1;
	return inside_unmount(json_str(dev, "path", ""), err);
}

static const char *const fixed[] = { "source", "path", "readonly", "shift", NULL };

const struct device_ops device_disk = {
	.type = "disk",
	.keys = { device_keys, "disk" },
	.check = check,
	.check_host = check_host,
	.place = place,
	.pool = pool,
	.is_root = is_root,
	.fixed = fixed,
	.prepare = prepare,
	.conf = conf,
	.stage = stage,
	.plug = plug,
	.unplug = unplug,
};
