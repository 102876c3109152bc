/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU's cache of the kernel's features. It keeps it in /run/criu.kdat, but only where /run is a
 * tmpfs, and probes for 40 ms at each call elsewhere. Runs in helpers: it enters mount
 * namespaces. */
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/proc.h"
#include "node/criu/criu.h"
#include "node/storage/rootfs.h"

#define KDAT "/run/criu.kdat"
#define KDAT_MAX (64 << 10)
#define PROBE_MS 10000

static bool run_is_tmpfs(void)
{
	struct statfs fs;

	return statfs("/run", &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/* In this process' own mount namespace /run is covered for a moment only: liblxc has its locks
 * there. */
static int probe(const char *tools, char **ret, size_t *ret_len, struct err *err)
{
	_free_ char *criu = xasprintf("%s/criu", tools);
	const char *const argv[] = { criu, "check", NULL };
	int rc;

	if (mount("dunlin", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0755") < 0)
		return err_sys(err, "mount a tmpfs at /run");
	rc = proc_run(argv, NULL, deadline_in(PROBE_MS), err);
	*ret = rc == 0 ? io_read_file(KDAT, KDAT_MAX, ret_len, err) : NULL;
	umount2("/run", MNT_DETACH);
	return *ret ? 0 : -1;
}

/* Of this boot: another kernel has other features. */
static bool is_fresh(const char *path)
{
	struct timespec real, up;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return stat(path, &st) == 0 && st.st_mtim.tv_sec > real.tv_sec - up.tv_sec;
}

static int make_cache(const char *path, const char *tools, struct err *err)
{
	_free_ char *data = NULL;
	size_t len = 0;

	if (is_fresh(path))
		return 0;
	if (probe(tools, &data, &len, err) < 0)
		return -1;
	return io_write_file(path, data, len, 0600, err);
}

void criu_cache(const char *run, const char *tools)
{
	_free_ char *path = xasprintf("%s/criu.kdat", run);
	_close_ int fd = -1;
	struct err err = { 0 };

	if (run_is_tmpfs())
		return;
	if (make_cache(path, tools, &err) < 0) {
		log_err(LOG_WARN, "CRIU has no cache of the kernel's features", &err);
		return;
	}
	fd = open(KDAT, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || mount(path, KDAT, NULL, MS_BIND, NULL) < 0)
		log_warn("CRIU's cache cannot be mounted", "path", KDAT);
}
