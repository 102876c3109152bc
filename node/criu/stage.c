/* SPDX-License-Identifier: Apache-2.0 */
/* Images that lie in a volume, where only root reads, for a restore: its folder is in RAM, and what
 * CRIU writes there is gone afterwards. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/criu.h"
#include "node/host/idmap.h"

#define IMAGE_MODE 0640 /* CRIU opens them as root and as the container's root */

/* What may be large: pages, and the files of tmpfs mounts. */
static const char *const mounted[] = { "pages-", "tmpfs-" };

static bool is_mounted(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounted); i++) {
		if (str_starts(name, mounted[i]))
			return true;
	}
	return false;
}

static int copy(int from, int to, struct err *err)
{
	ssize_t n;

	while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
		;
	return n < 0 ? err_sys(err, "copy an image") : 0;
}

struct stage {
	const char *kept, *images;
	gid_t group;
	int userns;
};

static int stage_one(const struct stage *s, const char *name, struct err *err)
{
	_free_ char *from = xasprintf("%s/%s", s->kept, name);
	_free_ char *to = xasprintf("%s/%s", s->images, name);
	_close_ int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_close_ int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, IMAGE_MODE);

	if (in < 0 || out < 0 || fchown(out, (uid_t)-1, s->group) < 0 ||
	    fchmod(out, IMAGE_MODE) < 0)
		return err_sys(err, "image %s", from);
	return is_mounted(name) ? idmap_mount(from, to, s->userns, true, err) : copy(in, out, err);
}

static int stage_all(const struct stage *s, struct err *err)
{
	DIR *d = opendir(s->kept);
	struct dirent *e;
	int rc = d ? 0 : err_sys(err, "open %s", s->kept);

	while (rc == 0 && (e = readdir(d))) {
		if (str_ends(e->d_name, ".img"))
			rc = stage_one(s, e->d_name, err);
	}
	if (d)
		closedir(d);
	return rc;
}

int criu_stage(const char *kept, const char *images, const json_t *spec, struct err *err)
{
	struct stage s = { .kept = kept, .images = images, .userns = -1 };
	struct stat st;
	int rc;

	if (stat(images, &st) < 0)
		return err_sys(err, "images in %s", images);
	s.group = st.st_gid;
	if (idmap_userns_of_spec(spec, false, &s.userns, err) < 0)
		return -1;
	rc = stage_all(&s, err);
	if (s.userns >= 0)
		close(s.userns);
	return rc;
}
