/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/memory/images.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define NAME_MAX_LEN 64
#define FILES_MAX 262144
#define FILE_MAX_BYTES ((uint64_t)1 << 46)
#define PAGE_BYTES 4096 /* what is looked at for zeros at once */

/* --- room --------------------------------------------------------------------------------- */

/* Whoever removes the folder of a mount ends it in all other mount namespaces. */
static int remove_dir(const char *dir, struct err *err)
{
	umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW);
	return io_remove_tree(dir, err);
}

/* Large pages are written and read in half the time. A kernel without them leaves the folder as it
 * is. */
static void use_large_pages(const char *dir)
{
	if (mount("dunlin", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0750,huge=within_size") < 0)
		log_debug("images of a move are in ordinary pages");
}

int images_make_dir(const char *root, const char *dir, gid_t group, struct err *err)
{
	/* Searchable: CRIU runs its tools there as the container's root. */
	if (io_folder(root, 0711, err) < 0 || remove_dir(dir, err) < 0 ||
	    io_folder(dir, 0750, err) < 0)
		return -1;
	use_large_pages(dir);
	return chown(dir, (uid_t)-1, group) < 0 ? err_sys(err, "group of %s", dir) : 0;
}

/* A file of images is for whom its folder is. */
static int create(int dir_fd, const char *name, int flags)
{
	_close_ int fd = openat(dir_fd, name, O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
	struct stat st;

	assert(dir_fd >= 0);
	if (fd < 0 || fstat(dir_fd, &st) < 0 || fchown(fd, (uid_t)-1, st.st_gid) < 0 ||
	    fchmod(fd, 0640) < 0)
		return -1;
	return take_fd(&fd);
}

/* Anything but the tools: images of another move. */
static bool in_use(const char *root)
{
	DIR *d = opendir(root);
	bool used = false;
	struct dirent *e;

	while (d && !used && (e = readdir(d)))
		used = e->d_name[0] != '.' && !str_eq(e->d_name, "bin");
	if (d)
		closedir(d);
	return used;
}

void images_drop(const char *root, const char *dir)
{
	_free_ char *tools = xasprintf("%s/bin", root);
	struct err err;

	if (remove_dir(dir, &err) < 0)
		log_err(LOG_WARN, "images of a move stay", &err);
	if (!in_use(root) && io_remove_tree(tools, &err) == 0)
		rmdir(root);
}

int images_reserve(const char *dir, const char *name, int64_t bytes, struct err *err)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);
	_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int fd = dir_fd < 0 ? -1 : create(dir_fd, name, O_RDWR | O_TRUNC);
	_free_ char *zero = xcalloc(FRAME_CHUNK, 1);

	if (fd < 0)
		return err_sys(err, "create %s", path);
	/* Written, not only allocated: the pages shall be there for good. */
	for (int64_t left = bytes; left > 0; left -= FRAME_CHUNK) {
		if (io_write_full(fd, zero, left < FRAME_CHUNK ? (size_t)left : FRAME_CHUNK) < 0) {
			err_sys(err, "no room in RAM for %lld bytes of memory in %s",
				(long long)bytes, dir);
			unlink(path);
			return -1;
		}
	}
	return 0;
}

void images_release(const char *dir, const char *name)
{
	_free_ char *path = xasprintf("%s/%s", dir, name);

	unlink(path);
}

/* --- files -------------------------------------------------------------------------------- */

/* How much of an image has gone over. There are pages for each process, so none stays open. */
struct image_file {
	char name[NAME_MAX_LEN + 1];
	off_t done;
	off_t told; /* source: where the last frame ended; only zeros have come since */
};

struct image_list {
	struct image_file *v;
	size_t n;
};

static struct image_file *list_find(struct image_list *l, const char *name)
{
	for (size_t i = l->n; i > 0; i--) {
		if (str_eq(l->v[i - 1].name, name))
			return &l->v[i - 1];
	}
	return NULL;
}

static struct image_file *list_add(struct image_list *l, const char *name)
{
	struct image_file *f;

	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	f = &l->v[l->n++];
	*f = (struct image_file){ .done = 0 };
	str_copy(f->name, sizeof(f->name), name);
	return f;
}

static bool is_image(const char *name)
{
	size_t len = strlen(name);

	return len <= NAME_MAX_LEN && name[0] != '.' && str_ends(name, ".img") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

/* The only ones that are surely written from front to back. */
static bool only_grows(const char *name)
{
	return str_starts(name, "pages-");
}

/* --- source ------------------------------------------------------------------------------- */

struct image_source {
	char *dir;
	int notify;
	struct image_list pages;
	uint64_t others;
	int64_t sent;
	uint8_t chunk[FRAME_CHUNK];
};

struct image_source *image_source_new(const char *dir, struct err *err)
{
	struct image_source *s = xnew(struct image_source);

	s->dir = xstrdup(dir);
	s->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (s->notify >= 0 && inotify_add_watch(s->notify, dir, IN_CREATE | IN_MODIFY) >= 0)
		return s;
	err_sys(err, "watch %s", dir);
	image_source_free(s);
	return NULL;
}

void image_source_free(struct image_source *s)
{
	if (!s)
		return;
	if (s->notify >= 0)
		close(s->notify);
	free(s->pages.v);
	free(s->dir);
	free(s);
}

int image_source_fd(const struct image_source *s)
{
	return s->notify;
}

int64_t image_source_sent(const struct image_source *s)
{
	return s->sent;
}

/* Bytes of the chunk from `at` on. */
static int send_piece(struct image_source *s, struct channel *l, struct image_file *f, size_t at,
		      size_t len, struct err *err)
{
	uint8_t head[9 + NAME_MAX_LEN];
	size_t name_len = strlen(f->name);

	put_u64(head, (uint64_t)f->done + at);
	head[8] = (uint8_t)name_len;
	memcpy(head + 9, f->name, name_len);
	s->sent += (int64_t)len;
	f->told = f->done + (off_t)(at + len);
	return frame_send2(l, FR_IMAGE, head, 9 + name_len, s->chunk + at, len, err);
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

/* How many bytes there are of pages from `at` on that are all zero, or all not. */
static size_t run_of(const uint8_t *chunk, size_t at, size_t len, bool zero)
{
	size_t end = at;

	while (len - end >= PAGE_BYTES && is_zero(chunk + end) == zero)
		end += PAGE_BYTES;
	return (!zero && len - end < PAGE_BYTES ? len : end) - at;
}

/* Pages of zeros are left out. */
static int send_chunk(struct image_source *s, struct channel *l, struct image_file *f, size_t len,
		      struct err *err)
{
	for (size_t at = 0, n = 0; at < len; at += n) {
		n = only_grows(f->name) ? run_of(s->chunk, at, len, true) : 0;
		if (n)
			continue;
		n = only_grows(f->name) ? run_of(s->chunk, at, len, false) : len;
		if (send_piece(s, l, f, at, n, err) < 0)
			return -1;
	}
	f->done += (off_t)len;
	return 0;
}

static int send_rest(struct image_source *s, struct channel *l, int dir, struct image_file *f,
		     struct err *err)
{
	_close_ int fd = openat(dir, f->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool first = f->done == 0;
	ssize_t n = -1;

	if (fd >= 0) {
		while ((n = pread(fd, s->chunk, sizeof(s->chunk), f->done)) > 0) {
			if (send_chunk(s, l, f, (size_t)n, err) < 0)
				return -1;
		}
	}
	if (n < 0)
		return err_sys(err, "read image %s", f->name);
	return first && f->done == 0 ? send_piece(s, l, f, 0, 0, err) : 0;
}

static int send_pages(struct image_source *s, struct channel *l, int dir, const char *name,
		      struct err *err)
{
	struct image_file *f = list_find(&s->pages, name);
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, "look at image %s", name);
	if (f && f->done == st.st_size)
		return 0;
	return send_rest(s, l, dir, f ? f : list_add(&s->pages, name), err);
}

static int send_other(struct image_source *s, struct channel *l, int dir, const char *name,
		      struct err *err)
{
	struct image_file f = { .done = 0 };

	str_copy(f.name, sizeof(f.name), name);
	s->others++;
	return send_rest(s, l, dir, &f, err);
}

static int send_all(struct image_source *s, struct channel *l, bool done, struct err *err)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return err_sys(err, "open %s", s->dir);
	while (rc == 0 && (e = readdir(d))) {
		if (!is_image(e->d_name))
			continue;
		if (only_grows(e->d_name))
			rc = send_pages(s, l, dirfd(d), e->d_name, err);
		else if (done)
			rc = send_other(s, l, dirfd(d), e->d_name, err);
	}
	closedir(d);
	return rc;
}

int image_source_follow(struct image_source *s, struct channel *l, int64_t *ret_bytes,
			struct err *err)
{
	int64_t before = s->sent;
	char events[4096];
	int rc;

	while (read(s->notify, events, sizeof(events)) > 0)
		;
	rc = send_all(s, l, false, err);
	*ret_bytes = s->sent - before;
	return rc < 0 ? -1 : frame_flush(l, err);
}

/* Tells where those end that end with zeros. */
static int send_ends(struct image_source *s, struct channel *l, struct err *err)
{
	for (size_t i = 0; i < s->pages.n; i++) {
		struct image_file *f = &s->pages.v[i];

		if (f->told < f->done && send_piece(s, l, f, 0, 0, err) < 0)
			return -1;
	}
	return 0;
}

int image_source_finish(struct image_source *s, struct channel *l, struct err *err)
{
	uint8_t sums[16];

	assert(s->notify >= 0);
	if (send_all(s, l, true, err) < 0 || send_ends(s, l, err) < 0)
		return -1;
	put_u64(sums, s->pages.n + s->others);
	put_u64(sums + 8, (uint64_t)s->sent);
	return frame_send(l, FR_RESTORE, sums, sizeof(sums), err) < 0 ? -1 : frame_flush(l, err);
}

/* --- target ------------------------------------------------------------------------------- */

struct image_target {
	int dir_fd;
	char *reserve;
	struct image_list list;
	int fd; /* of the file that came last */
	struct image_file *last;
	int64_t taken;
};

struct image_target *image_target_new(const char *dir, const char *reserve, struct err *err)
{
	struct image_target *t = xnew(struct image_target);

	t->fd = -1;
	t->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	t->reserve = xstrdup(reserve);
	if (t->dir_fd >= 0)
		return t;
	err_sys(err, "open %s", dir);
	image_target_free(t);
	return NULL;
}

static void close_last(struct image_target *t)
{
	if (t->fd >= 0)
		close(take_fd(&t->fd));
}

void image_target_free(struct image_target *t)
{
	if (!t)
		return;
	close_last(t);
	if (t->dir_fd >= 0)
		close(t->dir_fd);
	free(t->list.v);
	free(t->reserve);
	free(t);
}

void image_target_restart(struct image_target *t)
{
	close_last(t);
	for (size_t i = 0; i < t->list.n; i++)
		unlinkat(t->dir_fd, t->list.v[i].name, 0);
	t->list.n = 0;
	t->taken = 0;
}

int64_t image_taken(const struct image_target *t)
{
	return t->taken;
}

static struct image_file *add_file(struct image_target *t, const char *name, struct err *err)
{
	assert(t->fd < 0);
	if (t->list.n == FILES_MAX) {
		err_set(err, ERR_LIMIT, "migration stream: too many images");
		return NULL;
	}
	if (t->reserve && only_grows(name) && renameat(t->dir_fd, t->reserve, t->dir_fd, name) == 0)
		free(take_ptr(t->reserve));
	return list_add(&t->list, name);
}

static struct image_file *file_for(struct image_target *t, const char *name, struct err *err)
{
	struct image_file *f;

	if (t->fd >= 0 && str_eq(t->last->name, name))
		return t->last;
	close_last(t);
	f = only_grows(name) ? list_find(&t->list, name) : NULL;
	if (!f)
		f = add_file(t, name, err);
	if (!f)
		return NULL;
	t->fd = create(t->dir_fd, name, O_WRONLY);
	if (t->fd < 0) {
		err_sys(err, "create image %s", name);
		return NULL;
	}
	return t->last = f;
}

static int take_chunk(struct image_target *t, const struct frame *frame, struct err *err)
{
	char name[NAME_MAX_LEN + 1] = "";
	size_t name_len = frame->len >= 9 ? frame->data[8] : 0, len;
	struct image_file *f;
	uint64_t at;

	if (name_len == 0 || name_len > NAME_MAX_LEN || frame->len < 9 + name_len)
		return err_set(err, ERR_INVALID, "migration stream: a malformed image");
	memcpy(name, frame->data + 9, name_len);
	if (strlen(name) != name_len || !is_image(name))
		return err_set(err, ERR_INVALID, "migration stream: a malformed name of an image");
	f = file_for(t, name, err);
	if (!f)
		return -1;
	len = frame->len - 9 - name_len;
	at = get_u64(frame->data);
	if (only_grows(name) ? at < (uint64_t)f->done || at > FILE_MAX_BYTES
			     : at != (uint64_t)f->done)
		return err_set(err, ERR_INVALID, "migration stream: a gap in image %s", name);
	if (io_write_at(t->fd, frame->data + 9 + name_len, len, (off_t)at) < 0)
		return err_sys(err, "write image %s", name);
	f->done = (off_t)(at + len);
	t->taken += (int64_t)len;
	return 0;
}

/* The reserve that became a file may have been larger. */
static int fix_sizes(struct image_target *t, struct err *err)
{
	for (size_t i = 0; i < t->list.n; i++) {
		const struct image_file *f = &t->list.v[i];
		_close_ int fd = -1;

		if (!only_grows(f->name))
			continue;
		fd = openat(t->dir_fd, f->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 || ftruncate(fd, f->done) < 0)
			return err_sys(err, "size of image %s", f->name);
	}
	return 0;
}

static int take_end(struct image_target *t, const struct frame *frame, struct err *err)
{
	close_last(t);
	if (frame->len != 16 || get_u64(frame->data) != t->list.n ||
	    get_u64(frame->data + 8) != (uint64_t)t->taken)
		return err_set(err, ERR_INVALID, "migration stream: images are missing");
	return fix_sizes(t, err);
}

int image_take(struct image_target *t, const struct frame *f, struct err *err)
{
	assert(f->type == FR_IMAGE || f->type == FR_RESTORE);
	return f->type == FR_IMAGE ? take_chunk(t, f, err) : take_end(t, f, err);
}
