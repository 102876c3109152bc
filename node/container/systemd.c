/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/systemd.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/container/keys.h"
#include "node/host/idmap.h"

#define DEFAULT_INIT "/sbin/init"
#define LIBRARY "libsystemd-shared-"
#define PROGRAM_MAX (32 << 20)
#define HOOK_MAX 4096

/* --- recognising it ----------------------------------------------------------------------- */

/* As seen from inside: links are the container's. */
static int open_in(const char *root, const char *path, int flags)
{
	_close_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return top < 0 ? -1 : io_open_within(top, path, flags | O_PATH, RESOLVE_IN_ROOT);
}

static char *path_of(int fd)
{
	return xasprintf("/proc/self/fd/%d", fd);
}

static bool is_called(int fd)
{
	_free_ char *path = path_of(fd);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *last;

	target[n > 0 ? n : 0] = '\0';
	last = strrchr(target, '/');
	return last && str_eq(last + 1, "systemd");
}

/* The tmpfs takes the place of a folder, and of nothing else. */
static bool has_run(const char *root)
{
	_close_ int fd = open_in(root, "/run", O_DIRECTORY | O_NOFOLLOW);

	return fd >= 0;
}

/* The program names the library of its own version that it needs. */
static unsigned version_in(int fd)
{
	_free_ char *path = path_of(fd);
	struct err err;
	size_t len = 0;
	_free_ char *program = io_read_file(path, PROGRAM_MAX, &len, &err);
	const char *at = program ? memmem(program, len, LIBRARY, strlen(LIBRARY)) : NULL;
	unsigned version = 0;

	return at && sscanf(at, LIBRARY "%5u", &version) == 1 && version ? version
									 : SYSTEMD_UNKNOWN;
}

unsigned systemd_version(const char *root, const char *command)
{
	_free_ char *init = str_empty(command) ? xstrdup(DEFAULT_INIT)
					       : xstrndup(command, strcspn(command, " \t"));
	_close_ int fd = open_in(root, init, 0);

	if (fd < 0 || !is_called(fd) || !has_run(root))
		return SYSTEMD_NONE;
	return version_in(fd);
}

bool systemd_is_wanted(const json_t *spec)
{
	struct idmap map;
	struct err err;

	return keys_bool(&instance_keys, json_obj(spec, "config"), "migration.stateful") &&
	       idmap_of_spec(spec, &map, &err) == 0 && map.size > 0;
}

/* --- what it is told ---------------------------------------------------------------------- */

/* UTS and IPC namespaces, of unshare(2); systemd then goes on without. */
const char systemd_seccomp[] = "unshare errno 1 [0,0x04000000,SCMP_CMP_MASKED_EQ,0x04000000]\n"
			       "unshare errno 1 [0,0x08000000,SCMP_CMP_MASKED_EQ,0x08000000]\n";

/* A line of a file of systemd's, and the version that first knows it: older ones complain. */
struct line {
	unsigned since;
	const char *text;
};

/* (systemd.exec(5)) PrivateUsers= has services fail that get no user namespace. Credentials are
 * files on a ramfs. */
static const struct line service[] = {
	{ 0, "[Service]" },
	{ 232, "PrivateUsers=no" },
	{ 242, "ProtectHostname=no" },
	{ 247, "LoadCredential=" },
	{ 247, "SetCredential=" },
	{ 250, "LoadCredentialEncrypted=" },
	{ 250, "SetCredentialEncrypted=" },
	{ 254, "ImportCredential=" },
	{ 254, "MemoryPressureWatch=off" },
	{ 257, "PrivatePIDs=no" },
	{ 0, NULL },
};

/* (systemd-system.conf(5)) */
static const struct line manager[] = {
	{ 0, "[Manager]" },
	{ 254, "DefaultMemoryPressureWatch=off" },
	{ 0, NULL },
};

/* Each is the last of its folder (systemd.unit(5)). */
static const struct {
	const char *folder;
	const struct line *lines;
} files[] = {
	{ "systemd/system/service.d", service },
	{ "systemd/system.conf.d", manager },
	{ "systemd/user.conf.d", manager },
};
#define FILE_NAME "zzz-dunlin.conf"

/* A command of the shell that writes a file; its text needs no quotes of its own. */
static void put_file(struct sbuf *out, const char *folder, const struct line *l, unsigned version)
{
	sbuf_printf(out, " && mkdir -p %s && printf \"%%s\\n\"", folder);
	for (; l->text; l++) {
		if (l->since <= version)
			sbuf_printf(out, " \"%s\"", l->text);
	}
	sbuf_printf(out, " >%s/" FILE_NAME, folder);
}

/* Run by the container's root before its init. */
static char *fill_run(unsigned version)
{
	struct sbuf out = SBUF(HOOK_MAX);

	sbuf_puts(&out, "/bin/sh -c 'umask 022 && cd \"$LXC_ROOTFS_MOUNT/run\"");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put_file(&out, files[i].folder, files[i].lines, version);
	sbuf_puts(&out, "'");
	assert(!out.overflow);
	return sbuf_take(&out);
}

/* With the options that systemd itself would use; it keeps what is mounted. */
#define RUN "tmpfs run tmpfs rw,nosuid,nodev,mode=755,size=20%,nr_inodes=800k,create=dir 0 0"

int systemd_lines(unsigned version,
		  int (*line)(void *arg, const char *key, const char *value, struct err *err),
		  void *arg, struct err *err)
{
	_free_ char *hook = fill_run(version);

	assert(version != SYSTEMD_NONE);
	if (line(arg, "lxc.mount.entry", RUN, err) < 0 ||
	    line(arg, "lxc.hook.mount", hook, err) < 0)
		return -1;
	return line(arg, "lxc.environment", "MEMORY_PRESSURE_WATCH=/dev/null", err);
}
