/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half. The container may run and rename under our feet: every step goes by
 * descriptor and follows no link, what has vanished meanwhile is no failure, and the next pass
 * sees the rest. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/rootfs/memory.h"
#include "migrate/rootfs/sync.h"

/* A change in the same clock tick as our look at the file may leave its ctime as it was. */
#define RACY_NS (50 * 1000000LL)
#define STOP_EVERY 64
#define XATTR_LIST_MAX 65536

struct sync_source {
	int root_fd;
	const char *const *marks;
	dev_t dev;
	struct seen top; /* memory of the former pass */
	bool passed;
	int64_t sent;
};

struct pass {
	struct sync_source *s;
	struct channel *l;
	struct names names;
	struct sbuf path;
	int64_t changes, entries;
	int (*stop)(void *arg, struct err *err);
	void *arg;
	struct err *err;
	int depth;
	char values[SYNC_XATTRS_MAX * 4096];
	char list[XATTR_LIST_MAX];
	uint8_t chunk[FRAME_CHUNK];
};

struct sync_source *sync_source_new(int own_root_fd, const char *const *marks)
{
	struct sync_source *s = xnew(struct sync_source);
	struct stat st;

	assert(own_root_fd >= 0);
	s->root_fd = own_root_fd;
	s->marks = marks;
	s->dev = fstat(own_root_fd, &st) == 0 ? st.st_dev : 0;
	return s;
}

void sync_source_free(struct sync_source *s)
{
	if (!s)
		return;
	seen_clear(&s->top);
	close(s->root_fd);
	free(s);
}

int64_t sync_sent(const struct sync_source *s)
{
	return s->sent;
}

/* --- one entry ---------------------------------------------------------------------------- */

static int send_entry(struct pass *p, const struct sync_entry *e)
{
	_sbuf_ struct sbuf out = SBUF(256 << 10);

	sync_encode(&out, e);
	if (out.overflow)
		return err_set(p->err, ERR_TOO_LARGE, "%s: its attributes are too large to be sent",
			       e->path);
	p->changes++;
	return frame_send(p->l, FR_SYNC, out.data, out.len, p->err);
}

static struct sync_entry entry_of(const struct pass *p, enum sync_kind kind, const struct stat *st)
{
	return (struct sync_entry){
		.kind = kind,
		.path = p->path.data ? p->path.data : "",
		.target = "",
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.rdev = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		.atime_ns = time_ns(st->st_atim),
		.mtime_ns = time_ns(st->st_mtim),
	};
}

/* proc: the entry's /proc/self/fd name, which reaches exactly the inode that was looked at. */
static int add_xattrs(struct pass *p, const char *proc, struct sync_entry *e)
{
	ssize_t len = listxattr(proc, p->list, sizeof(p->list));
	size_t used = 0;

	for (const char *name = p->list; name < p->list + len; name += strlen(name) + 1) {
		struct sync_xattr *x = &e->xattr[e->nxattr];
		ssize_t n;

		if (!sync_wants_xattr(name, p->s->marks))
			continue;
		n = getxattr(proc, name, p->values + used, sizeof(p->values) - used);
		if (n < 0 && errno == ENODATA)
			continue;
		if (n < 0 || e->nxattr == SYNC_XATTRS_MAX)
			return err_set(p->err, ERR_TOO_LARGE, "%s: too many extended attributes",
				       e->path);
		*x = (struct sync_xattr){ name, p->values + used, (size_t)n };
		used += (size_t)n;
		e->nxattr++;
	}
	return 0;
}

static int send_range(struct pass *p, int fd, off_t from, off_t to)
{
	uint8_t head[8];

	while (from < to) {
		size_t want = to - from > FRAME_CHUNK ? FRAME_CHUNK : (size_t)(to - from);
		ssize_t n = pread(fd, p->chunk, want, from);

		if (n < 0)
			return err_sys(p->err, "read %s", p->path.data);
		if (n == 0)
			return 0; /* it got shorter: the next pass sends it again */
		put_u64(head, (uint64_t)from);
		if (frame_send2(p->l, FR_SYNC_DATA, head, sizeof(head), p->chunk, (size_t)n,
				p->err) < 0)
			return -1;
		p->s->sent += n;
		from += n;
		if (p->stop && p->stop(p->arg, p->err) < 0)
			return -1;
	}
	return 0;
}

static int send_data(struct pass *p, int fd, off_t size)
{
	off_t data = 0, hole;

	while (data < size) {
		data = lseek(fd, data, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? size : lseek(fd, data, SEEK_HOLE);
		if (data < 0)
			data = 0;
		if (hole < 0 || hole > size)
			hole = size;
		if (send_range(p, fd, data, hole) < 0)
			return -1;
		data = hole;
	}
	return 0;
}

static int send_file(struct pass *p, const char *proc, struct sync_entry *e)
{
	_close_ int fd = open(proc, O_RDONLY | O_CLOEXEC | O_NOATIME | O_NONBLOCK);

	if (fd < 0)
		return err_sys(p->err, "open %s", e->path);
	/* Writes through shared mappings touch the times only when a clean page becomes dirty. */
	sync_file_range(fd, 0, 0,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER);
	if (send_entry(p, e) < 0 || send_data(p, fd, (off_t)e->size) < 0)
		return -1;
	return frame_send(p->l, FR_SYNC_END, NULL, 0, p->err);
}

static int send_link(struct pass *p, int fd, struct sync_entry *e)
{
	char target[SYNC_PATH_MAX + 1];
	ssize_t n = readlinkat(fd, "", target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(p->err, "read link %s", e->path);
	target[n] = '\0';
	e->kind = SYNC_LINK;
	e->target = target;
	return send_entry(p, e);
}

/* fd is an O_PATH descriptor of what st describes. */
static int send_node(struct pass *p, int fd, const struct stat *st)
{
	struct sync_entry e = entry_of(p, SYNC_SPECIAL, st);
	const char *first =
		st->st_nlink > 1 && !S_ISDIR(st->st_mode) ? names_get(&p->names, st->st_ino) : NULL;
	char proc[64];

	if (first) {
		e.kind = SYNC_HARD;
		e.target = first;
		return send_entry(p, &e);
	}
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (!S_ISLNK(st->st_mode) && add_xattrs(p, proc, &e) < 0)
		return -1;
	if (S_ISLNK(st->st_mode))
		return send_link(p, fd, &e);
	if (S_ISDIR(st->st_mode)) {
		e.kind = SYNC_DIR;
		return send_entry(p, &e);
	}
	if (!S_ISREG(st->st_mode))
		return send_entry(p, &e);
	e.kind = SYNC_FILE;
	return send_file(p, proc, &e);
}

static int send_removal(struct pass *p)
{
	struct sync_entry e = { .kind = SYNC_REMOVE, .path = p->path.data, .target = "" };

	return send_entry(p, &e);
}

/* --- folders ------------------------------------------------------------------------------ */

static int walk(struct pass *p, int fd, const struct seen *old, struct seen *now);

static size_t path_push(struct pass *p, const char *name)
{
	size_t len = p->path.len;

	if (len)
		sbuf_putc(&p->path, '/');
	sbuf_puts(&p->path, name);
	return len;
}

static void path_pop(struct pass *p, size_t len)
{
	p->path.len = len;
	if (p->path.data)
		p->path.data[len] = '\0';
}

static int close_folder(struct pass *p, int fd, const struct stat *st)
{
	struct sync_entry e = entry_of(p, SYNC_CLOSE, st);
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return add_xattrs(p, proc, &e) < 0 ? -1 : send_entry(p, &e);
}

static int visit_folder(struct pass *p, int path_fd, const struct stat *st, const struct seen *old,
			struct seen *now, bool same)
{
	_close_ int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	int64_t before;

	if (fd < 0)
		return err_sys(p->err, "open %s", p->path.data);
	if (++p->depth > SYNC_DEPTH_MAX)
		return err_set(p->err, ERR_LIMIT, "%s: folders are nested too deeply",
			       p->path.data);
	if (!same && send_node(p, path_fd, st) < 0)
		return -1;
	before = p->changes;
	if (walk(p, fd, old, now) < 0)
		return -1;
	p->depth--;
	if (same && p->changes == before)
		return 0;
	return close_folder(p, path_fd, st);
}

static bool too_fresh(const struct stat *st)
{
	return clock_wall_ns() - time_ns(st->st_ctim) < RACY_NS;
}

/* A name among several counts as changed when the file was sent anew under another. */
static bool unchanged(const struct pass *p, const struct seen *old, const struct seen *now)
{
	return old && seen_same(old, now) &&
	       (S_ISDIR(now->mode) || now->nlink == 1 || !names_fresh(&p->names, now->ino));
}

/* What the entry is, and a descriptor when it has to be sent. Returns 1 when it has vanished. */
static int look(struct pass *p, int dir, const struct seen *old, struct seen *now, struct stat *st,
		int *ret_fd)
{
	if (fstatat(dir, now->name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 1 : err_sys(p->err, "look at %s", p->path.data);
	if (st->st_dev != p->s->dev)
		return err_set(p->err, ERR_UNSUPPORTED, "%s: another file system is mounted there",
			       p->path.data);
	seen_of(now, st);
	if (unchanged(p, old, now) && !S_ISDIR(st->st_mode))
		return 0;
	*ret_fd = openat(dir, now->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0 || fstat(*ret_fd, st) < 0)
		return errno == ENOENT ? 1 : err_sys(p->err, "open %s", p->path.data);
	seen_of(now, st);
	return 0;
}

static int visit(struct pass *p, int dir, const struct seen *old, struct seen *now)
{
	_close_ int fd = -1;
	struct stat st;
	int rc = look(p, dir, old, now, &st, &fd);
	bool same = rc == 0 && unchanged(p, old, now);

	if (rc != 0)
		return rc;
	if (too_fresh(&st))
		seen_spoil(now);
	if (S_ISDIR(st.st_mode)) {
		/* A folder that was replaced by another is a new one. */
		bool kept = old && S_ISDIR(old->mode) && old->ino == now->ino;

		if (old && !kept && send_removal(p) < 0)
			return -1;
		return visit_folder(p, fd, &st, kept ? old : NULL, now, kept && same);
	}
	if (!same && send_node(p, fd, &st) < 0)
		return -1;
	if (st.st_nlink > 1)
		names_put(&p->names, st.st_ino, p->path.data, !same);
	return 0;
}

static int list_folder(struct pass *p, int fd, struct seen *now)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *e;

	if (!d)
		return err_sys(p->err, "list %s", p->path.data ? p->path.data : "the root");
	rewinddir(d);
	while ((e = readdir(d))) {
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			seen_add(now, e->d_name);
	}
	closedir(d);
	seen_sort(now);
	return 0;
}

static int send_removals(struct pass *p, const struct seen *old, const struct seen *now)
{
	for (size_t i = 0; old && i < old->nchild; i++) {
		const struct seen *still = seen_find(now, old->child[i].name);
		size_t len = path_push(p, old->child[i].name);
		int rc = still && still->mode ? 0 : send_removal(p);

		path_pop(p, len);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int walk(struct pass *p, int fd, const struct seen *old, struct seen *now)
{
	if (list_folder(p, fd, now) < 0)
		return -1;
	for (size_t i = 0; i < now->nchild; i++) {
		struct seen *e = &now->child[i];
		size_t len = path_push(p, e->name);
		int rc;

		if (p->path.len > SYNC_PATH_MAX)
			return err_set(p->err, ERR_LIMIT, "%s: the path is too long", p->path.data);
		rc = visit(p, fd, seen_find(old, e->name), e);
		if (rc < 0)
			return -1;
		if (rc > 0)
			e->mode = 0; /* vanished: as if it had never been listed */
		path_pop(p, len);
		if (++p->entries % STOP_EVERY == 0 && p->stop && p->stop(p->arg, p->err) < 0)
			return -1;
	}
	return send_removals(p, old, now);
}

static int walk_top(struct pass *p, struct seen *now)
{
	struct sync_source *s = p->s;
	struct stat st;
	int64_t before;
	bool same;

	if (fstat(s->root_fd, &st) < 0)
		return err_sys(p->err, "look at the root");
	seen_of(now, &st);
	same = s->passed && seen_same(&s->top, now);
	if (too_fresh(&st))
		seen_spoil(now);
	before = p->changes;
	if (walk(p, s->root_fd, s->passed ? &s->top : NULL, now) < 0)
		return -1;
	return same && p->changes == before ? 0 : close_folder(p, s->root_fd, &st);
}

int sync_pass(struct sync_source *s, struct channel *l, int (*stop)(void *arg, struct err *err),
	      void *arg, int64_t *ret_changes, struct err *err)
{
	_free_ struct pass *p = xnew(struct pass);
	struct seen now = { 0 };
	int rc;

	p->s = s;
	p->l = l;
	p->stop = stop;
	p->arg = arg;
	p->err = err;
	p->path = SBUF(2 * SYNC_PATH_MAX);
	rc = walk_top(p, &now);
	*ret_changes = p->changes;
	names_clear(&p->names);
	sbuf_free(&p->path);
	if (rc < 0) {
		seen_clear(&now);
		return -1;
	}
	seen_clear(&s->top);
	s->top = now;
	s->passed = true;
	return frame_send(l, FR_SYNC_DONE, NULL, 0, err);
}
