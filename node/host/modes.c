/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/modes.h"

#include <errno.h>
#include <fnmatch.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

#define DEPTH_MAX 4
#define FDS_MAX 16

/* Paths below the state directory. 0711 lets pass who knows the name of something inside: the
 * group of the socket, dnsmasq without root's rights, and liblxc as the container's root. */
static const struct {
	const char *pattern;
	mode_t mode;
} open_to_others[] = {
	{ "", 0711 },
	{ "/unix.socket", 0660 },
	{ "/cluster.crt", 0644 },
	{ "/server.crt", 0644 },
	/* The top of each container that is made of it. */
	{ "/images/*.root", 07777 },
	{ "/containers", 0711 },
	{ "/containers/*", 0711 },
	{ "/containers/*/stage", 0711 },
	{ "/networks", 0711 },
	{ "/networks/*", 0711 },
	{ "/networks/*/dnsmasq.hosts", 0644 },
	{ "/networks/*/names", 0755 },
	{ "/networks/*/names/hosts", 0644 },
	{ "/networks/*/dnsmasq.pid", 0644 },
};

/* Modes below are the containers'. */
static const char *const left_alone[] = {
	"/images/*.root", "/storage-pools/*/containers", "/containers/*/stage",
	"/containers/*/rootfs",
};

static mode_t allowed(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(open_to_others); i++) {
		if (fnmatch(open_to_others[i].pattern, path, FNM_PATHNAME) == 0)
			return open_to_others[i].mode;
	}
	return 0700;
}

static bool is_left_alone(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(left_alone); i++) {
		if (fnmatch(left_alone[i], path, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

/* The end of the path, behind what the walk began at. */
static const char *below_top(const char *path, int level)
{
	const char *s = path + strlen(path);

	while (level > 0 && s > path) {
		if (*--s == '/')
			level--;
	}
	return s;
}

static int look(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *below = below_top(path, at->level);
	mode_t mode = st->st_mode & allowed(below);

	if (type == FTW_SL || type == FTW_NS)
		return FTW_CONTINUE;
	if (mode != (st->st_mode & 07777) && chmod(path, mode) < 0 && errno != ENOENT)
		return FTW_STOP;
	return is_left_alone(below) || at->level >= DEPTH_MAX ? FTW_SKIP_SUBTREE : FTW_CONTINUE;
}

int modes_tighten(const char *dir, struct err *err)
{
	if (nftw(dir, look, FDS_MAX, FTW_PHYS | FTW_MOUNT | FTW_ACTIONRETVAL) != 0)
		return err_sys(err, "take permissions from what lies in %s", dir);
	return 0;
}
