/* SPDX-License-Identifier: Apache-2.0 */
#include "node/host/owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/host/cgroup.h"

#define NOTE_MAX (32 << 20)

struct walk {
	const char *hierarchy, *top; /* the payload's folder in it */
	bool roots;                  /* which is the host's root's: the init is that, too */
	struct sbuf *out;
};

/* What belongs to the host's root is so where a folder of cgroups is made, but for files that CRIU
 * writes to; and only an init that is root itself can have changed its modes. */
static bool is_given(const struct walk *w, const struct stat *st, const char *name)
{
	return w->roots || st->st_uid || st->st_gid || str_eq(name, "freezer.state");
}

static void note(const struct walk *w, int at, const char *name, const char *path)
{
	struct stat st;

	/* A folder that was removed just now needs no owner. */
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_given(w, &st, name))
		sbuf_printf(w->out, "%o %u %u %s %s\n", st.st_mode & 07777, st.st_uid, st.st_gid,
			    w->hierarchy, path + strlen(w->top));
}

static void note_tree(const struct walk *w, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	note(w, AT_FDCWD, dir, dir);
	while (d && (e = readdir(d))) {
		_free_ char *path = NULL;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		path = xasprintf("%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR)
			note_tree(w, path);
		else
			note(w, dirfd(d), e->d_name, path);
	}
	if (d)
		closedir(d);
}

int cgroup_owners_save(const char *cgroup_name, const char *name, const char *images,
		       struct err *err)
{
	_free_ char *file = xasprintf("%s/" CGROUP_OWNERS, images);
	_json_ json_t *all = cgroup_hierarchies();
	_sbuf_ struct sbuf out = SBUF(NOTE_MAX);
	_close_ int fd = -1;
	json_t *v;
	size_t i;

	json_array_foreach(all, i, v) {
		_free_ char *top = xasprintf(CGROUP_ROOT "/%s/%s/%s/payload", json_string_value(v),
					     cgroup_name, name);

		struct stat st;
		bool roots = stat(top, &st) == 0 && st.st_uid == 0;

		note_tree(&(struct walk){ json_string_value(v), top, roots, &out }, top);
	}
	if (out.overflow)
		return err_set(err, ERR_LIMIT, "%s has too many cgroups", name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || io_write_full(fd, out.data, out.len) < 0)
		return err_sys(err, "write %s", file);
	return 0;
}
