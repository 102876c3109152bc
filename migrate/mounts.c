/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"
#include "node/host/mountinfo.h"

static const char *const bad_types[] = {
	"fuse", "nfs", "nsfs", "cifs", "9p", "ceph", "smb3", "overlay", "ramfs", "bpf",
};

static void look_at_queues(const struct task *init, const char *at)
{
	_free_ char *path = xasprintf("%s/root%s", init->dir, at);
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			task_refuse(init,
				    "sees the message queue %s/%s, which CRIU cannot carry over; "
				    "remove it first",
				    at, e->d_name);
	}
	if (d)
		closedir(d);
}

static bool is_type(const char *type, const char *bad)
{
	return strncmp(type, bad, strlen(bad)) == 0;
}

/* An empty one is removed before the dump. */
static bool is_in_use(const struct task *t, const struct mountinfo *m)
{
	_free_ char *path = xasprintf("%s/root%s", t->dir, m->at);
	struct err err;

	return !str_eq(m->type, "ramfs") || io_is_empty(path, &err) != 1;
}

static bool is_bad(const struct task *t, const struct mountinfo *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_types); i++) {
		if (is_type(m->type, bad_types[i]) && is_in_use(t, m))
			return true;
	}
	return false;
}

static void look_at_mount(const struct task *t, const struct mountinfo *m, struct task_sets *sets)
{
	if (str_eq(m->type, "mqueue"))
		look_at_queues(t, m->at);
	if (!is_bad(t, m))
		return;
	task_set_add(&sets->bad_devices, m->device);
	task_refuse(t, "sees a mount of type %s at %s, which CRIU cannot carry over", m->type,
		    m->at);
}

static bool is_whole_somewhere(const char *mountinfo, const char *device)
{
	_free_ char *copy = xstrdup(mountinfo);
	char *text = copy;
	struct mountinfo m;

	while (mountinfo_next(&text, &m)) {
		if (str_eq(m.device, device) && str_eq(m.root, "/"))
			return true;
	}
	return false;
}

/* A new file system in a sandbox: CRIU has to mount all of it before it can mount a part. */
static void look_at_part(const struct task *t, const struct mountinfo *m, const char *mountinfo)
{
	if (!is_whole_somewhere(mountinfo, m->device))
		task_refuse(
			t,
			"sees at %s a part of a %s that is mounted nowhere as a whole, which CRIU "
			"cannot carry over; set PrivateTmp=yes for it and restart it when that "
			"comes of DynamicUser=yes",
			m->at, m->type);
}

/* CRIU mounts first and makes sockets later. One is enough: they come together. */
static bool look_at_socket_file(const struct task *t, const struct mountinfo *m)
{
	_free_ char *path = xasprintf("%s/root%s", t->dir, m->at);
	struct stat st;

	if (str_eq(m->root, "/") || lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	task_refuse(t, "sees a socket mounted at %s, which CRIU cannot carry over", m->at);
	return true;
}

/* Of services in their sandboxes, too; each file system once. */
void task_mounts(const struct task *t, bool is_init, struct task_sets *sets)
{
	char namespace[TASK_LINK_MAX], *text;
	_free_ char *copy = NULL, *whole = NULL;
	bool done = false; /* with sockets, or nothing may be asked */
	struct mountinfo m;

	if (!task_link(t, "ns/mnt", namespace) || !task_set_add(&sets->namespaces, namespace))
		return;
	text = copy = task_read(t, "mountinfo");
	whole = copy ? xstrdup(copy) : NULL;
	while (text && mountinfo_next(&text, &m)) {
		bool first = task_set_add(&sets->devices, m.device);

		/* The container's root may be an overlay, which both members put together. */
		if (first && !(is_init && str_eq(m.at, "/")))
			look_at_mount(t, &m, sets);
		if (first && !is_init)
			look_at_part(t, &m, whole);
		task_set_add(&sets->mounts, m.id);
		if (task_set_has(&sets->bad_devices, m.device)) {
			task_set_add(&sets->bad_mounts, m.id);
			done = true;
		}
		done = done || look_at_socket_file(t, &m);
	}
}
