/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/migrate/rootfs/sync_world.h - two folders, one to be sent to the other, and how to
 * compare them. */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/rootfs/sync.h"
#include "tests/unit/migrate/stream/channel_pair.h"

struct world {
	char dir[64], from[96], to[96];
	int to_fd;
	struct sync_source *source;
	struct sync_target *target;
};

/* Of a driver that has whiteouts, too. */
static const char *const marks[] = { "trusted.overlay.opaque", "trusted.overlay.redirect", NULL };

static inline struct sync_target_opts options(int fd)
{
	return (struct sync_target_opts){
		.root_fd = fd, .id_max = 65535, .whiteouts = true, .marks = marks
	};
}

static inline int setup(void **state)
{
	struct world *w = xnew(struct world);
	struct sync_target_opts o;

	snprintf(w->dir, sizeof(w->dir), "/tmp/test-sync-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->from, sizeof(w->from), "%s/from", w->dir);
	snprintf(w->to, sizeof(w->to), "%s/to", w->dir);
	assert_int_equal(mkdir(w->from, 0755), 0);
	assert_int_equal(mkdir(w->to, 0700), 0);
	w->source = sync_source_new(open(w->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), marks);
	w->to_fd = open(w->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	o = options(w->to_fd);
	w->target = sync_target_new(&o);
	*state = w;
	return 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	sync_source_free(w->source);
	sync_target_free(w->target);
	close(w->to_fd);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static inline const char *in(const struct world *w, const char *path)
{
	static char buf[512];

	snprintf(buf, sizeof(buf), "%s/%s", w->from, path);
	return buf;
}

static inline void put(const struct world *w, const char *path, const char *text)
{
	_close_ int fd = open(in(w, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
}

/* --- one pass over a pair of ends --------------------------------------------------------- */

struct sender {
	struct world *w;
	struct channel *c;
	int64_t changes;
	int rc;
	struct err err;
};

static inline void *send_main(void *arg)
{
	struct sender *s = arg;

	s->rc = sync_pass(s->w->source, s->c, NULL, NULL, &s->changes, &s->err);
	if (s->rc == 0)
		s->rc = frame_flush(s->c, &s->err);
	return NULL;
}

static inline int64_t pass(struct world *w)
{
	struct pair p = pair_new();
	struct sender s = { .w = w, .c = p.a };
	pthread_t thread;
	struct frame f;
	struct err err;

	assert_int_equal(pthread_create(&thread, NULL, send_main, &s), 0);
	for (;;) {
		assert_int_equal(frame_recv(p.b, &f, 0, &err), 0);
		if (f.type == FR_SYNC_DONE)
			break;
		if (sync_take(w->target, &f, &err) < 0)
			fail_msg("%s", err.msg);
	}
	pthread_join(thread, NULL);
	assert_int_equal(s.rc, 0);
	pair_free(&p);
	return s.changes;
}

/* --- comparing ---------------------------------------------------------------------------- */

static inline void same_xattrs(const char *a, const char *b)
{
	char list[4096], x[4096], y[4096];
	ssize_t len = llistxattr(a, list, sizeof(list)), n, m;

	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		if (!sync_wants_xattr(name, marks))
			continue;
		n = lgetxattr(a, name, x, sizeof(x));
		m = lgetxattr(b, name, y, sizeof(y));
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			fail_msg("%s: attribute %s differs", a, name);
	}
	len = llistxattr(b, list, sizeof(list));
	for (const char *name = list; name < list + len; name += strlen(name) + 1) {
		if (!str_starts(name, "security.selinux") && lgetxattr(a, name, x, sizeof(x)) < 0)
			fail_msg("%s: attribute %s should not be there", b, name);
	}
}

static inline void same_content(const char *a, const char *b)
{
	struct err err;
	size_t x, y;
	_free_ char *p = io_read_file(a, 64 << 20, &x, &err);
	_free_ char *q = io_read_file(b, 64 << 20, &y, &err);

	if (!p || !q || x != y || memcmp(p, q, x) != 0)
		fail_msg("%s: content differs", a);
}

static inline void same_node(const char *a, const char *b, bool times)
{
	char x[512] = "", y[512] = "";
	struct stat s, t;

	if (lstat(a, &s) < 0 || lstat(b, &t) < 0)
		fail_msg("%s or %s is missing", a, b);
	if (s.st_mode != t.st_mode || s.st_uid != t.st_uid || s.st_gid != t.st_gid ||
	    s.st_rdev != t.st_rdev || (!S_ISDIR(s.st_mode) && s.st_size != t.st_size))
		fail_msg("%s: type, mode, owner or size differs", a);
	if (!S_ISDIR(s.st_mode) && s.st_nlink != t.st_nlink)
		fail_msg("%s: %d links, %d there", a, (int)s.st_nlink, (int)t.st_nlink);
	if (times &&
	    (s.st_mtim.tv_sec != t.st_mtim.tv_sec || s.st_mtim.tv_nsec != t.st_mtim.tv_nsec))
		fail_msg("%s: time differs", a);
	if (S_ISLNK(s.st_mode)) {
		assert_true(readlink(a, x, sizeof(x) - 1) > 0 && readlink(b, y, sizeof(y) - 1) > 0);
		assert_string_equal(x, y);
		return;
	}
	same_xattrs(a, b);
	if (S_ISREG(s.st_mode))
		same_content(a, b);
}

static inline int count(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void same_tree(const char *a, const char *b)
{
	DIR *d = opendir(a);
	struct dirent *e;

	same_node(a, b, true);
	assert_int_equal(count(a), count(b));
	while ((e = readdir(d))) {
		_free_ char *x = xasprintf("%s/%s", a, e->d_name);
		_free_ char *y = xasprintf("%s/%s", b, e->d_name);

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (e->d_type == DT_DIR)
			same_tree(x, y);
		else
			same_node(x, y, true);
	}
	closedir(d);
}
