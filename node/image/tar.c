/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image/image_int.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

#define READ_BLOCK (128 << 10)
#define NAME_BYTES 255

const struct image_limits image_limits_default = {
	.stored = 32ULL << 30,
	.unpacked = 32ULL << 30,
	.ratio = 1000,
	.ratio_from = 64 << 20,
	.entries = 2000000,
	.path = PATH_MAX - 256, /* room for the folder it is unpacked in */
	.depth = 128,
	.metadata = 1 << 20,
	.template = 64 << 10,
	.templates = 1 << 20,
};

/* Hashes of paths. A collision can only refuse an image, or leave the refusal to the unpacker. */
struct pathset {
	uint64_t *slot;
	size_t room, used;
};

struct tar_state {
	const struct image_walk *w;
	struct archive *a;
	uint64_t file_bytes, entries;
	struct pathset dirs;   /* entries and their parents */
	struct pathset leaves; /* all other entries */
	struct pathset left_out; /* among them */
	char path[PATH_MAX], link[PATH_MAX];
};

#define HASH_START 0xcbf29ce484222325ULL

static uint64_t hash_byte(uint64_t h, unsigned char c)
{
	return (h ^ c) * 0x100000001b3ULL;
}

static uint64_t hash_path(const char *path)
{
	uint64_t h = HASH_START;

	for (; *path; path++)
		h = hash_byte(h, (unsigned char)*path);
	return h;
}

static size_t pathset_find(const struct pathset *s, uint64_t h)
{
	size_t i = (h ^ h >> 32) & (s->room - 1);

	while (s->slot[i] && s->slot[i] != h)
		i = (i + 1) & (s->room - 1);
	return i;
}

static bool pathset_has(const struct pathset *s, uint64_t h)
{
	h += h == 0;
	return s->room && s->slot[pathset_find(s, h)];
}

static void pathset_grow(struct pathset *s)
{
	struct pathset bigger = { .room = s->room ? s->room * 2 : 1024, .used = s->used };

	bigger.slot = xcalloc(bigger.room, sizeof(*bigger.slot));
	for (size_t i = 0; i < s->room; i++) {
		if (s->slot[i])
			bigger.slot[pathset_find(&bigger, s->slot[i])] = s->slot[i];
	}
	free(s->slot);
	*s = bigger;
}

static void pathset_add(struct pathset *s, uint64_t h)
{
	size_t i;

	h += h == 0;
	if (s->used * 2 >= s->room)
		pathset_grow(s);
	i = pathset_find(s, h);
	s->used += !s->slot[i];
	s->slot[i] = h;
}

static int archive_failed(struct tar_state *t, struct err *err)
{
	const char *why = archive_error_string(t->a);

	return err_set(err, ERR_INVALID, "image: not a readable tarball: %s",
		       why ? why : "unknown cause");
}

static int check_sizes(struct tar_state *t, struct err *err)
{
	const struct image_limits *l = t->w->limits;
	uint64_t out = (uint64_t)archive_filter_bytes(t->a, 0);
	char max[16];

	if (out > l->unpacked)
		return err_set(err, ERR_TOO_LARGE, "image: unpacks to more than %s",
			       str_of_size(l->unpacked, max));
	if (out > l->ratio_from && out / l->ratio > t->file_bytes)
		return err_set(
			err, ERR_TOO_LARGE,
			"image: unpacks to more than %llu times its size: a decompression bomb?",
			(unsigned long long)l->ratio);
	return 0;
}

/* A path of the archive in canonical form; as with tar, a leading "/" is the archive's top. `which`
 * is "entry" or "hard link target". */
static int clean_path(const struct image_limits *l, const char *which, const char *raw, char *out,
		      struct err *err)
{
	size_t len = 0, depth = 0;

	if (!raw)
		return err_set(err, ERR_INVALID, "image: %s without a name", which);
	for (const char *p = raw; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return err_set(err, ERR_INVALID, "image: %s \"%.200s\" contains \"..\"",
				       which, raw);
		if (n && !(n == 1 && p[0] == '.')) {
			if (n > NAME_BYTES || len + n + 2 > l->path || ++depth > l->depth)
				return err_set(err, ERR_INVALID,
					       "image: %s \"%.60s...\" is too long", which, raw);
			if (len)
				out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
		}
		p += n + strspn(p + n, "/");
	}
	out[len] = '\0';
	return 0;
}

/* No entry may lie below one that is no directory: behind a link it would land anywhere. */
static int check_ancestors(struct tar_state *t, const char *path, struct err *err)
{
	uint64_t h = HASH_START;

	for (const char *p = path; *p; p++) {
		if (*p == '/' && pathset_has(&t->leaves, h))
			return err_set(err, ERR_INVALID,
				       "image: entry \"%.150s\" lies below \"%.*s\", "
				       "which is a link or file",
				       path, (int)(p - path), path);
		if (*p == '/')
			pathset_add(&t->dirs, h);
		h = hash_byte(h, (unsigned char)*p);
	}
	return 0;
}

static int check_type(struct image_entry *e, const char *path, struct err *err)
{
	switch (archive_entry_filetype(e->ae)) {
	case AE_IFREG:
	case AE_IFDIR:
	case AE_IFLNK:
	case AE_IFIFO:
		return 0;
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFSOCK:
		e->left_out = true;
		return 0;
	default:
		return err_set(err, ERR_INVALID, "image: entry \"%.200s\" is of an unknown type",
			       path);
	}
}

static int check_owner(struct archive_entry *ae, const char *path, struct err *err)
{
	int64_t uid = archive_entry_uid(ae), gid = archive_entry_gid(ae);

	if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "image: entry \"%.200s\" has an impossible owner",
			       path);
	return 0;
}

/* Fills e from the header; checks all that a header can tell. */
static int check_entry(struct tar_state *t, struct image_entry *e, struct err *err)
{
	const struct image_limits *l = t->w->limits;
	const char *link = archive_entry_hardlink(e->ae);
	bool is_dir = !link && archive_entry_filetype(e->ae) == AE_IFDIR;

	if (++t->entries > l->entries)
		return err_set(err, ERR_TOO_LARGE, "image: has more than %llu entries",
			       (unsigned long long)l->entries);
	if (clean_path(l, "entry", archive_entry_pathname(e->ae), t->path, err) < 0 ||
	    check_ancestors(t, t->path, err) < 0 || check_owner(e->ae, t->path, err) < 0 ||
	    (!link && check_type(e, t->path, err) < 0))
		return -1;
	e->path = t->path;
	e->link = NULL;
	if (!t->path[0] && !is_dir)
		return err_set(err, ERR_INVALID, "image: the top of the tarball is no directory");
	if (pathset_has(is_dir ? &t->leaves : &t->dirs, hash_path(t->path)))
		return err_set(err, ERR_INVALID,
			       "image: \"%.200s\" is a directory and something else", t->path);
	if (link) {
		if (clean_path(l, "hard link target", link, t->link, err) < 0)
			return -1;
		if (!pathset_has(&t->leaves, hash_path(t->link)))
			return err_set(err, ERR_INVALID,
				       "image: hard link \"%.150s\" points to \"%.150s\", "
				       "which is no earlier file of the image",
				       t->path, t->link);
		e->link = t->link;
		e->left_out = pathset_has(&t->left_out, hash_path(t->link));
	}
	if (e->left_out)
		pathset_add(&t->left_out, hash_path(t->path));
	pathset_add(is_dir ? &t->dirs : &t->leaves, hash_path(t->path));
	return 0;
}

int image_entry_data(struct image_entry *e, const void **ret_data, size_t *ret_len,
		     int64_t *ret_off, struct err *err)
{
	struct tar_state *t = e->state;
	int rc = archive_read_data_block(t->a, ret_data, ret_len, ret_off);

	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN)
		return archive_failed(t, err);
	if (check_sizes(t, err) < 0)
		return -1;
	if (t->w->progress)
		t->w->progress(t->w->progress_arg, archive_filter_bytes(t->a, -1));
	return 1;
}

static int walk_entry(struct tar_state *t, struct archive_entry *ae, struct err *err)
{
	struct image_entry e = { .ae = ae, .state = t };
	const void *data;
	size_t len;
	int64_t off;
	int rc;

	if (check_sizes(t, err) < 0 || check_entry(t, &e, err) < 0 ||
	    t->w->entry(t->w->arg, &e, err) < 0)
		return -1;
	/* What nobody wanted is read all the same: it counts. */
	while ((rc = image_entry_data(&e, &data, &len, &off, err)) > 0)
		;
	return rc;
}

static int walk_all(struct tar_state *t, struct err *err)
{
	struct archive_entry *ae;
	int rc;

	if (lseek(t->w->fd, 0, SEEK_SET) < 0)
		return err_sys(err, "image: rewind");
	if (archive_read_open_fd(t->a, t->w->fd, READ_BLOCK) != ARCHIVE_OK)
		return archive_failed(t, err);
	while ((rc = archive_read_next_header(t->a, &ae)) != ARCHIVE_EOF) {
		if (rc == ARCHIVE_RETRY)
			continue;
		if (rc < ARCHIVE_WARN)
			return archive_failed(t, err);
		if (walk_entry(t, ae, err) < 0)
			return -1;
	}
	if (t->entries == 0)
		return err_set(err, ERR_INVALID, "image: the tarball is empty");
	return check_sizes(t, err);
}

static struct archive *open_reader(void)
{
	struct archive *a = archive_read_new();

	archive_read_support_format_tar(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_zstd(a);
	return a;
}

static int walk(const struct image_walk *w, struct err *err)
{
	/* Without a UTF-8 locale libarchive mangles the non-ASCII names of pax headers. */
	locale_t utf8 = image_tar_locale(), old = utf8 ? uselocale(utf8) : (locale_t)0;
	struct tar_state *t = xnew(struct tar_state);
	struct stat st;
	int rc;

	t->w = w;
	t->a = open_reader();
	if (fstat(w->fd, &st) < 0) {
		rc = err_sys(err, "image: stat");
	} else {
		t->file_bytes = (uint64_t)st.st_size;
		rc = walk_all(t, err);
	}
	archive_read_free(t->a);
	free(t->dirs.slot);
	free(t->leaves.slot);
	free(t->left_out.slot);
	free(t);
	if (utf8)
		uselocale(old);
	return rc;
}

int image_tar_walk(const struct image_walk *w, struct err *err)
{
	return image_tar_load(err) < 0 ? -1 : walk(w, err);
}
