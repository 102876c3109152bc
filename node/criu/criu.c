/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/criu.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/host/tool.h"
#include "node/node_int.h"

#ifndef CRIU_PREFIX
#define CRIU_PREFIX "/opt/dunlin/criu"
#endif
#define HOOK_NAME "dunlin-criu-hook"
#define LOG_MAX (4 << 20)

char *criu_hook_path(struct err *err)
{
	return tool_path(HOOK_NAME, err);
}

/* --- the tools ---------------------------------------------------------------------------- */

/* CRIU runs ip for routes and rules, tar for the content of tmpfs mounts; liblxc runs hooks by
 * sh. */
static const char *const tools[] = {
	"ip", "tar", "gzip", "sh", "rm", "mkdir", "cp", "cat",
};
static const char *const search[] = { CRIU_PREFIX "/bin",
				      "/usr/local/sbin",
				      "/usr/local/bin",
				      "/usr/sbin",
				      "/usr/bin",
				      "/sbin",
				      "/bin" };

/* The caller frees; NULL where this host has none. */
static char *find_tool(const char *tool)
{
	for (size_t i = 0; i < ARRAY_SIZE(search); i++) {
		char *path = xasprintf("%s/%s", search[i], tool);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static int link_tool(const char *dir, const char *tool, struct err *err)
{
	_free_ char *at = xasprintf("%s/%s", dir, tool), *path = find_tool(tool);
	char old[PATH_MAX];
	ssize_t len = readlink(at, old, sizeof(old) - 1);

	old[len > 0 ? len : 0] = '\0';
	if (!path || str_eq(old, path))
		return 0;
	unlink(at);
	if (symlink(path, at) < 0 && errno != EEXIST)
		return err_sys(err, "link %s", at);
	return 0;
}

/* liblxc first asks for the version, in the same environment: that must not wait at the gate
 * (node/criu/gate.h). */
static int wrap_criu(const char *dir, struct err *err)
{
	_free_ char *at = xasprintf("%s/criu", dir), *path = find_tool("criu");
	_free_ char *text = xasprintf("#!/bin/sh\n"
				      "[ \"$1\" != --version ] || unset CRIU_CONFIG_FILE\n"
				      "exec %s \"$@\"\n",
				      path ? path : "");
	struct err missing;
	_free_ char *old = io_read_file(at, PATH_MAX, NULL, &missing);

	if (!path)
		return err_set(err, ERR_UNAVAILABLE, "CRIU is not installed: run `make deps`");
	if (old && str_eq(old, text))
		return 0;
	return io_write_file(at, text, strlen(text), 0700, err);
}

char *criu_tools(const char *shm, struct err *err)
{
	_free_ char *dir = xasprintf("%s/bin", shm);

	assert(shm[0] == '/');
	if (io_folder(dir, 0711, err) < 0 || wrap_criu(dir, err) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		if (link_tool(dir, tools[i], err) < 0)
			return NULL;
	}
	return take_ptr(dir);
}

char *criu_shm(struct node *n)
{
	struct statfs fs;

	if (statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		return xasprintf("/dev/shm/%s", n->cgroup_name);
	return node_path(n, "run/images");
}

/* --- its log ------------------------------------------------------------------------------ */

/* Lines that CRIU prints as errors in moves that work. */
static const char *const harmless[] = {
	"RLIMIT_NOFILE", "Address already assigned", "iptables",
	"ip6tables",     "Unable to open ip6",       "File exists",
};

static bool is_harmless(const char *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		if (strstr(line, harmless[i]))
			return true;
	}
	return false;
}

/* "(00.012345) 12: Error (criu/net.c:12): net: text" -> "net: text". */
static const char *text_of(const char *line)
{
	const char *error = strstr(line, "Error (");
	const char *colon = error ? strstr(error, "): ") : NULL;

	return colon ? colon + 3 : NULL;
}

char *criu_cause(const char *dir, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	struct err err;
	_free_ char *log = io_read_file(path, LOG_MAX, NULL, &err);

	if (!log)
		return NULL;
	for (char *line = log; *line;) {
		char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
		const char *text;

		*end = '\0';
		text = text_of(line);
		/* The first error is the cause, what follows reports its way up. */
		if (text && !is_harmless(line))
			return xstrdup(text);
		line = next;
	}
	return xstrdup("CRIU ended without giving a reason");
}

/* What CRIU calls its failure by; its log is the only place where it says so. The container has to
 * run in between. */
static const struct {
	const char *room, *text, *why;
} transient[] = {
	{ "skqueue: ", "Control messages in queue",
	  "a message with credentials waits for its receiver, as those to a journal do" },
	{ "netlink: ", "The socket has data to read",
	  "a message of the kernel waits for its reader" },
	{ "unix: ", "on an in-flight socket", "a connection that has data waits to be accepted" },
	{ "unix: ", "a closed in-flight socket", "a closed connection waits to be accepted" },
	{ "cg: ", "No such file or directory", "a cgroup was removed while CRIU looked at it" },
	{ "cg: ", "No such device", "a cgroup was removed while CRIU looked at it" },
	{ "send_fds failed ", "(-109)", "too many descriptors of its users are in messages" },
	{ "parse_fdinfo_pid_s: ", "[inotify ", "a file that is watched was just removed" },
};

const char *criu_transient(const char *cause)
{
	for (size_t i = 0; i < ARRAY_SIZE(transient); i++) {
		if (str_starts(cause, transient[i].room) && strstr(cause, transient[i].text))
			return transient[i].why;
	}
	return NULL;
}
