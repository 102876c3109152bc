/* SPDX-License-Identifier: Apache-2.0 */
#include "node/daemon/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"
#include "node/host/apparmor.h"
#include "node/host/watch.h"
#include "node/network/network_int.h"

/* Search permission for all on the way to the containers' folders: liblxc wants it for their
 * users. */
static const struct {
	const char *name;
	mode_t mode;
} folders[] = {
	{ "containers", 0711 },
	{ "images", 0700 },
	{ "storage-pools", 0700 },
	{ "run", 0700 },
};

static int make_folders(const struct node *n, struct err *err)
{
	if (io_folder(n->dir, 0711, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_free_ char *path = node_path(n, "%s", folders[i].name);

		if (io_folder(path, folders[i].mode, err) < 0)
			return -1;
	}
	return 0;
}

int host_raise(const char *path, int64_t least, struct err *err)
{
	_free_ char *text = io_read_file(path, 64, NULL, err);
	_free_ char *raised = xasprintf("%lld\n", (long long)least);
	_close_ int fd = -1;
	int64_t now;

	if (!text)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	if (!str_to_i64(text, INT64_MIN, INT64_MAX, &now))
		return err_set(err, ERR_INTERNAL, "%s is no number: \"%s\"", path, text);
	if (now >= least)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || io_write_full(fd, raised, strlen(raised)) < 0)
		return err_sys(err, "write %lld to %s", (long long)least, path);
	log_info("a limit of this host was raised", "limit", path, "was", text);
	return 0;
}

#define PROFILE_MS 60000

/* Containers start without it, too; each of them says so. */
static void load_profile(void)
{
	struct err err;

	if (apparmor_enabled("/sys") && apparmor_load(deadline_in(PROFILE_MS), &err) < 0)
		log_err(LOG_WARN, "AppArmor profile " APPARMOR_PROFILE " is not loaded", &err);
}

struct node *node_new(const struct node_opts *o, struct err *err)
{
	struct node *n = xnew(struct node);

	n->dir = xstrdup(o->dir);
	n->cgroup_name = xstrdup(o->cgroup_name);
	n->pool = o->pool;
	n->instance_changed = o->instance_changed;
	n->network_lost = o->network_lost;
	n->arg = o->arg;
	load_profile();
	n->containers = containers_new();
	n->announce_fd = announce_open(err);
	if (n->announce_fd < 0)
		log_err(LOG_WARN, "addresses are not announced", err);
	n->watch = watch_new(err);
	if (n->watch && make_folders(n, err) == 0 &&
	    (!n->network_lost || firewall_watch(n, err) == 0))
		return n;
	node_free(n);
	return NULL;
}

void node_stop(struct node *n)
{
	watch_stop(n->watch);
}

void node_free(struct node *n)
{
	if (!n)
		return;
	watch_free(n->watch);
	containers_free(n->containers);
	if (n->announce_fd >= 0)
		close(n->announce_fd);
	free(n->dir);
	free(n->cgroup_name);
	free(n);
}
