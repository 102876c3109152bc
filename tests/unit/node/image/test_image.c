/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/helper/verbs.h"
#include "node/image/image.h"
#include "node/image/image_int.h"
#include "node/node_int.h"
#include "tests/unit/node/image/tarball.h"

struct world {
	struct node n;
	char dir[64];
};

static int set_up(void **state)
{
	struct world *w = xnew(struct world);

	snprintf(w->dir, sizeof(w->dir), "/tmp/dunlin-test-image-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->n.dir = w->dir;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w);
	return 0;
}

static int count_entries(const char *fmt, const char *dir)
{
	_free_ char *path = xasprintf("%s%s", dir, fmt);
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void hash_fd(struct sha256 *s, int fd)
{
	char buf[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sha256_add(s, buf, n);
}

static char *text_at(const char *root, const char *path)
{
	_free_ char *full = xasprintf("%s/%s", root, path);
	struct err err;

	return io_read_file(full, 1 << 20, NULL, &err);
}

/* --- what works --------------------------------------------------------------------------- */

static const char capability[20] = "\001\000\000\002\000\004\000\000";

static const struct item good[] = {
	GOOD_META,
	DIR_("rootfs"),
	DIR_("rootfs/etc"),
	FILE_("rootfs/etc/hosts", "127.0.0.1 localhost\n"),
	HARD_("rootfs/etc/hosts2", "rootfs/etc/hosts"),
	LINK_("rootfs/link", "/etc/hosts"),
	LINK_("rootfs/up", "../../../etc/passwd"),
	{ .path = "rootfs/bin/tool",
	  .type = AE_IFREG,
	  .text = "x",
	  .mode = 04755,
	  .cap = capability },
	DEV_("rootfs/pipe", AE_IFIFO),
	FILE_("./rootfs//caf\303\251", "utf8"),
	{ .path = "rootfs/ro", .type = AE_IFDIR, .mode = 0555 },
	FILE_("rootfs/ro/inside", "in"),
	{ .path = NULL },
};

static void check_unpacked(const char *root)
{
	_free_ char *hosts = text_at(root, "etc/hosts"), *tool = xasprintf("%s/bin/tool", root);
	_free_ char *cafe = text_at(root, "caf\303\251"), *ro = xasprintf("%s/ro", root);
	_free_ char *h1 = xasprintf("%s/etc/hosts", root), *h2 = xasprintf("%s/etc/hosts2", root);
	_free_ char *link = xasprintf("%s/link", root), *pipe = xasprintf("%s/pipe", root);
	char buf[64] = "";
	struct stat a, b;

	assert_string_equal(hosts, "127.0.0.1 localhost\n");
	assert_string_equal(cafe, "utf8");
	assert_int_equal(stat(tool, &a), 0);
	assert_int_equal(a.st_mode & 07777, 04755);
	assert_int_equal(a.st_uid, 7);
	assert_int_equal(a.st_gid, 8);
	assert_int_equal(a.st_mtime, 1600000000);
	assert_int_equal(lgetxattr(tool, "security.capability", buf, sizeof(buf)), 20);
	assert_int_equal(stat(h1, &a), 0);
	assert_int_equal(stat(h2, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	memset(buf, 0, sizeof(buf));
	assert_true(readlink(link, buf, sizeof(buf) - 1) > 0);
	assert_string_equal(buf, "/etc/hosts");
	assert_int_equal(lstat(pipe, &a), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_int_equal(stat(ro, &a), 0);
	assert_int_equal(a.st_mode & 07777, 0555);
	assert_int_equal(a.st_mtime, 1600000000);
}

static void note_progress(void *arg, int64_t done, int64_t total)
{
	int64_t *last = arg;

	assert_true(done >= *last && done <= total);
	*last = done;
}

static bool nobody(struct node *n, const char *fingerprint)
{
	return false;
}

static void unified(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ,
				       ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_BZIP2 };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		_close_ int fd = make_tar(w->dir, filters[i], good);
		struct err err = { 0 };
		int64_t done = 0, size;
		_json_ json_t *info = image_import(&w->n, fd, -1, NULL, note_progress, &done, &err);
		_json_ json_t *templates = NULL;
		_free_ char *root = NULL;
		const char *fp;
		_close_ int again = -1;

		if (!info)
			fail_msg("filter %d: %s", filters[i], err.msg);
		fp = json_str(info, "fingerprint", "");
		assert_string_equal(json_str(info, "architecture", ""), "x86_64");
		assert_string_equal(json_str(info, "created_at", ""), "2023-11-14T22:13:20Z");
		assert_string_equal(json_str(info, "expires_at", ""), "1970-01-01T00:00:00Z");
		assert_string_equal(json_str(json_obj(info, "properties"), "release", ""), "12");
		assert_string_equal(json_str(info, "type", ""), "container");
		assert_true(image_present(&w->n, fp));
		again = image_open(&w->n, fp, &size, &err);
		assert_true(again >= 0 && size == json_int(info, "size", 0) && size == done);
		templates = image_templates(&w->n, fp);
		assert_string_equal(json_str(json_obj(templates, "/etc/hostname"), "content", ""),
				    "{{ name }}\n");
		root = image_root(&w->n, fp, &err);
		if (!root)
			fail_msg("filter %d: %s", filters[i], err.msg);
		check_unpacked(root);
		assert_int_equal(image_delete(&w->n, fp, nobody, &err), 0);
		assert_false(image_present(&w->n, fp));
		assert_int_equal(count_entries("/images", w->dir), 0);
	}
}

static void split(void **state)
{
	static const struct item meta[] = { GOOD_META, { .path = NULL } };
	static const struct item rootfs[] = { DIR_("./"),
					      DIR_("etc"),
					      FILE_("etc/hosts", "127.0.0.1 localhost\n"),
					      HARD_("etc/again", "./etc/hosts"),
					      { .path = NULL } };
	struct world *w = *state;
	_close_ int a = make_tar(w->dir, ARCHIVE_FILTER_XZ, meta),
		    r = make_tar(w->dir, ARCHIVE_FILTER_GZIP, rootfs), part = -1;
	_json_ json_t *info = NULL;
	_free_ char *root = NULL, *hosts = NULL;
	struct sha256 *sha = sha256_new();
	char want[SHA256_HEX_SIZE];
	struct err err = { 0 };
	int64_t size;

	hash_fd(sha, a);
	hash_fd(sha, r);
	sha256_end(sha, want);
	info = image_import(&w->n, a, r, want, NULL, NULL, &err);
	if (!info)
		fail_msg("%s", err.msg);
	assert_string_equal(json_str(info, "fingerprint", ""), want);
	part = image_open_rootfs(&w->n, want, &size, &err);
	assert_true(part >= 0 && size == lseek(r, 0, SEEK_END));
	root = image_root(&w->n, want, &err);
	if (!root)
		fail_msg("%s", err.msg);
	hosts = text_at(root, "etc/again");
	assert_string_equal(hosts, "127.0.0.1 localhost\n");
	assert_int_equal(image_delete(&w->n, want, nobody, &err), 0);
	assert_int_equal(count_entries("/images", w->dir), 0);
}

static void imports_twice(void **state)
{
	struct world *w = *state;
	_close_ int fd = make_tar(w->dir, ARCHIVE_FILTER_NONE, good);
	struct err err = { 0 };
	_json_ json_t *a = image_import(&w->n, fd, -1, NULL, NULL, NULL, &err);
	_json_ json_t *b =
		image_import(&w->n, fd, -1, json_str(a, "fingerprint", ""), NULL, NULL, &err);

	assert_non_null(a);
	assert_true(json_equal(a, b));
	assert_int_equal(count_entries("/images", w->dir), 3);
}

/* As real images have them: absolute names, files before their folders, names twice, devices. */
static const struct item loose[] = {
	{ .path = "/metadata.yaml", .type = AE_IFREG, .text = META, .mode = 0644 },
	FILE_("./templates/host.tpl", "x"),
	FILE_("/rootfs/etc/hosts", "old"),
	FILE_("./rootfs/etc/hosts", "127.0.0.1 localhost\n"),
	HARD_("rootfs/etc/again", "/rootfs/etc/hosts"),
	DEV_("/rootfs/dev/null", AE_IFCHR),
	DEV_("rootfs/dev/sda", AE_IFBLK),
	HARD_("rootfs/dev/disk", "rootfs/dev/sda"),
	HARD_("rootfs/dev/more", "rootfs/dev/disk"),
	DEV_("rootfs/spool/random", AE_IFCHR),
	DEV_("rootfs/dev/initctl", AE_IFIFO),
	LINK_("/rootfs/dev/fd", "/proc/self/fd"),
	{ .path = "/rootfs/etc/", .type = AE_IFDIR, .mode = 0711 },
	DIR_("/rootfs/dev"),
	DIR_("/rootfs"),
	{ .path = NULL },
};

static void expect_loose(const char *root)
{
	_free_ char *text = text_at(root, "etc/again"), *etc = xasprintf("%s/etc", root);
	_free_ char *spool = xasprintf("%s/spool", root), *fifo = xasprintf("%s/dev/initctl", root);
	_free_ char *outside = xasprintf("%s/rootfs", root);
	struct stat st;

	assert_string_equal(text, "127.0.0.1 localhost\n");
	assert_int_equal(count_entries("/dev", root), 2);
	assert_int_equal(lstat(fifo, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(stat(etc, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_false(io_exists(outside));
	/* Its folder had no entry of its own. */
	assert_false(io_exists(spool));
}

static void takes_what_tar_takes(void **state)
{
	static const struct item meta[] = { GOOD_META, { .path = NULL } };
	static const struct item rootfs[] = {
		{ .path = "/", .type = AE_IFDIR, .mode = 0755 },
		FILE_("/etc/hosts", "127.0.0.1 localhost\n"),
		HARD_("/etc/again", "/etc/hosts"),
		DEV_("/dev/null", AE_IFCHR),
		HARD_("/dev/zero", "/dev/null"),
		DEV_("./dev/initctl", AE_IFIFO),
		LINK_("dev/fd", "/proc/self/fd"),
		{ .path = "./etc", .type = AE_IFDIR, .mode = 0711 },
		{ .path = NULL },
	};
	struct world *w = *state;

	for (int parts = 1; parts <= 2; parts++) {
		_close_ int a = make_tar(w->dir, ARCHIVE_FILTER_GZIP, parts == 1 ? loose : meta);
		_close_ int r = parts == 1 ? -1 : make_tar(w->dir, ARCHIVE_FILTER_NONE, rootfs);
		struct err err = { 0 };
		_json_ json_t *info = image_import(&w->n, a, r, NULL, NULL, NULL, &err);
		_free_ char *root = NULL;

		if (!info)
			fail_msg("%d parts: %s", parts, err.msg);
		root = image_root(&w->n, json_str(info, "fingerprint", ""), &err);
		if (!root)
			fail_msg("%d parts: %s", parts, err.msg);
		expect_loose(root);
	}
}

static void holes(void **state)
{
	static const struct item sparse[] = { GOOD_META, DIR_("rootfs"), { .path = NULL } };
	struct world *w = *state;
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();
	struct err err = { 0 };
	_close_ int fd = io_temp_fd(w->dir, &err);
	_json_ json_t *info = NULL;
	_free_ char *root = NULL, *big = NULL;
	struct stat st;

	archive_write_set_format_pax(a);
	archive_write_open_fd(a, fd);
	for (const struct item *it = sparse; it->path; it++)
		write_item(a, it);
	archive_entry_set_pathname(e, "rootfs/big");
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0600);
	archive_entry_set_size(e, 64 << 20);
	archive_entry_sparse_add_entry(e, 32 << 20, 4096);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	write_zeros(a, 64 << 20);
	archive_entry_free(e);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
	info = image_import(&w->n, fd, -1, NULL, NULL, NULL, &err);
	if (!info)
		fail_msg("%s", err.msg);
	root = image_root(&w->n, json_str(info, "fingerprint", ""), &err);
	if (!root)
		fail_msg("%s", err.msg);
	big = xasprintf("%s/big", root);
	assert_int_equal(stat(big, &st), 0);
	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

/* --- what is refused ---------------------------------------------------------------------- */

struct refusal {
	const char *says;
	struct item items[8];
};

#define ROOT DIR_("rootfs")

static const struct refusal refusals[] = {
	{ "\"..\"", { GOOD_META, ROOT, FILE_("/../etc/x", "x") } },
	{ "\"..\"", { GOOD_META, ROOT, FILE_("rootfs/../../x", "x") } },
	{ "\"..\"", { GOOD_META, ROOT, FILE_("..", "x") } },
	{ "lies below", { GOOD_META, ROOT, LINK_("rootfs/a", "/tmp"), FILE_("rootfs/a/x", "x") } },
	{ "lies below",
	  { GOOD_META, ROOT, LINK_("rootfs/a", "b"), LINK_("rootfs/b", "/tmp"),
	    DIR_("rootfs/a/x") } },
	{ "lies below",
	  { GOOD_META, LINK_("rootfs/a", "/tmp"), HARD_("rootfs/h", "rootfs/a"),
	    FILE_("rootfs/h/x", "x") } },
	{ "rootfs", { GOOD_META, LINK_("rootfs", "/"), FILE_("rootfs/x", "x") } },
	{ "something else", { GOOD_META, ROOT, DIR_("rootfs/a"), LINK_("rootfs/a", "/") } },
	{ "something else", { GOOD_META, ROOT, LINK_("rootfs/a", "/"), DIR_("rootfs/a") } },
	{ "no earlier file", { GOOD_META, ROOT, HARD_("rootfs/h", "etc/passwd") } },
	{ "no earlier file", { GOOD_META, ROOT, HARD_("rootfs/h", "/etc/passwd") } },
	{ "\"..\"", { GOOD_META, ROOT, HARD_("rootfs/h", "/../etc/passwd") } },
	{ "lies below", { GOOD_META, ROOT, LINK_("/rootfs/a", "b"), FILE_("//rootfs/a/x", "") } },
	{ "lies below", { GOOD_META, ROOT, DEV_("rootfs/a", AE_IFCHR), FILE_("rootfs/a/x", "") } },
	{ "something else", { GOOD_META, ROOT, DEV_("rootfs/dev", AE_IFBLK), DIR_("rootfs/dev") } },
	{ "no directory", { GOOD_META, DEV_("rootfs", AE_IFCHR) } },
	{ "no regular file", { DEV_("metadata.yaml", AE_IFCHR), ROOT } },
	{ "\"..\"", { GOOD_META, ROOT, HARD_("rootfs/h", "rootfs/../../etc/passwd") } },
	{ "metadata.yaml is missing", { ROOT, FILE_("rootfs/x", "x") } },
	{ "no rootfs", { GOOD_META, FILE_("other", "x") } },
	{ "neither", { FILE_("other", "x") } },
	{ "architecture", { FILE_("metadata.yaml", "creation_date: 5\n"), ROOT } },
	{ "unknown architecture",
	  { FILE_("metadata.yaml", "architecture: pdp11\ncreation_date: 5\n"), ROOT } },
	{ "creation_date", { FILE_("metadata.yaml", "architecture: x86_64\n"), ROOT } },
	{ "metadata.yaml", { FILE_("metadata.yaml", "a: [b\n"), ROOT } },
	{ "no map", { FILE_("metadata.yaml", "- a\n"), ROOT } },
	{ "is no text",
	  { FILE_("metadata.yaml", "architecture: x86_64\ncreation_date: 5\n"
				   "properties: {a: [1]}\n"),
	    ROOT } },
	{ "not in the image",
	  { FILE_("metadata.yaml", "architecture: x86_64\ncreation_date: 5\n"
				   "templates: {/etc/x: {when: [start], template: no.tpl}}\n"),
	    ROOT } },
	{ "twice", { GOOD_META, ROOT, FILE_("./metadata.yaml", META) } },
	{ "no regular file", { LINK_("metadata.yaml", "/etc/passwd"), ROOT } },
	{ "larger than 1000",
	  { { .path = "metadata.yaml", .type = AE_IFREG, .zeros = 1001 }, ROOT } },
	{ "decompression bomb",
	  { GOOD_META, ROOT, { .path = "rootfs/zero", .type = AE_IFREG, .zeros = 8 << 20 } } },
	{ "more than 16.0 MiB",
	  { GOOD_META, ROOT, { .path = "rootfs/zero", .type = AE_IFREG, .zeros = 20 << 20 } } },
	{ "too long", { GOOD_META, ROOT, FILE_("rootfs/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "") } },
	{ "more than 6 entries",
	  { GOOD_META, ROOT, FILE_("rootfs/1", ""), FILE_("rootfs/2", ""), FILE_("rootfs/3", ""),
	    FILE_("rootfs/4", "") } },
};

static const struct image_limits small = {
	.stored = 64 << 20,
	.unpacked = 16 << 20,
	.ratio = 50,
	.ratio_from = 1 << 20,
	.entries = 6,
	.path = 4000,
	.depth = 10,
	.metadata = 1000,
	.template = 100,
	.templates = 150,
};

static void expect_refusal(struct world *w, int fd, const char *want_fp, const char *says)
{
	struct err err = { 0 };
	_json_ json_t *info =
		image_import_limited(&w->n, fd, -1, want_fp, &small, NULL, NULL, &err);

	if (info)
		fail_msg("accepted, though \"%s\"", says);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" does not say \"%s\"", err.msg, says);
	if (err_http(err.kind) < 400 || err_http(err.kind) >= 500)
		fail_msg("\"%s\" is a %d", err.msg, err_http(err.kind));
	assert_int_equal(count_entries("/images", w->dir), 0);
}

static void refuses(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		bool big = strstr(refusals[i].says, "16.0 MiB") != NULL;
		_close_ int fd = make_tar(w->dir, big ? ARCHIVE_FILTER_NONE : ARCHIVE_FILTER_GZIP,
					  refusals[i].items);

		expect_refusal(w, fd, NULL, refusals[i].says);
	}
}

static void refuses_damage(void **state)
{
	static const struct item little[] = {
		GOOD_META, ROOT, FILE_("rootfs/x", "content"), { .path = NULL }
	};
	struct world *w = *state;
	struct err err = { 0 };
	_close_ int cut = make_tar(w->dir, ARCHIVE_FILTER_GZIP, little);
	_close_ int cut_plain = make_tar(w->dir, ARCHIVE_FILTER_NONE, little);
	_close_ int whole = make_tar(w->dir, ARCHIVE_FILTER_GZIP, little);
	_close_ int empty = io_temp_fd(w->dir, &err), text = io_temp_fd(w->dir, &err);
	_close_ int squash = io_temp_fd(w->dir, &err);

	assert_int_equal(ftruncate(cut, lseek(cut, 0, SEEK_END) - 20), 0);
	expect_refusal(w, cut, NULL, "tarball");
	assert_int_equal(ftruncate(cut_plain, 512 + 100), 0);
	expect_refusal(w, cut_plain, NULL, "tarball");
	expect_refusal(w, empty, NULL, "empty");
	assert_int_equal(io_write_full(text, "hello, I am no tarball at all", 29), 0);
	expect_refusal(w, text, NULL, "tarball");
	assert_int_equal(io_write_full(squash, "hsqs............................", 32), 0);
	expect_refusal(w, squash, NULL, "squashfs");
	expect_refusal(w, whole, "e58293b7c3de3e7efe1d7414e64978fe86b1e6dca50101012e675b60d5ad3024",
		       "its SHA-256 is");
}

/* The unpacker must hold by itself, whatever the first pass let through. */
static void unpacks_beneath(void **state)
{
	static const struct item through[] = { ROOT, LINK_("rootfs/a", "/tmp"), { .path = NULL } };
	struct world *w = *state;
	_free_ char *out = xasprintf("%s/out", w->dir), *bad = xasprintf("%s/out/a", w->dir);
	_close_ int fd = make_tar(w->dir, ARCHIVE_FILTER_NONE, through), dir = -1;
	struct err err = { 0 };

	assert_int_equal(mkdir(out, 0755), 0);
	assert_int_equal(symlink("/etc", bad), 0);
	dir = open(out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(image_unpack(fd, dir, "rootfs", &image_limits_default, &err), 0);
	{
		static const struct item inside[] = { ROOT,
						      FILE_("rootfs/a/evil", "x"),
						      { .path = NULL } };
		_close_ int fd2 = make_tar(w->dir, ARCHIVE_FILTER_NONE, inside);

		assert_int_equal(image_unpack(fd2, dir, "rootfs", &image_limits_default, &err), -1);
		assert_int_not_equal(access("/tmp/evil", F_OK), 0);
	}
}

struct unpacker {
	struct world *w;
	const char *fp;
	char *root;
	pthread_t thread;
};

static void *unpack_thread(void *arg)
{
	struct unpacker *u = arg;
	struct err err;

	u->root = image_root(&u->w->n, u->fp, &err);
	return NULL;
}

static void unpacks_once(void **state)
{
	struct world *w = *state;
	_close_ int fd = make_tar(w->dir, ARCHIVE_FILTER_GZIP, good);
	struct err err = { 0 };
	_json_ json_t *info = image_import(&w->n, fd, -1, NULL, NULL, NULL, &err);
	struct unpacker u[4];

	for (size_t i = 0; i < ARRAY_SIZE(u); i++) {
		u[i] = (struct unpacker){ w, json_str(info, "fingerprint", ""), NULL, 0 };
		assert_int_equal(pthread_create(&u[i].thread, NULL, unpack_thread, &u[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(u); i++) {
		pthread_join(u[i].thread, NULL);
		assert_non_null(u[i].root);
		assert_string_equal(u[i].root, u[0].root);
	}
	for (size_t i = 0; i < ARRAY_SIZE(u); i++)
		free(u[i].root);
	assert_int_equal(count_entries("/images", w->dir), 4);
}

static void disk_full(void **state)
{
	static const struct item big[] = {
		GOOD_META,
		ROOT,
		{ .path = "rootfs/zero", .type = AE_IFREG, .zeros = 8 << 20 },
		{ .path = NULL }
	};
	struct world *w = *state;
	_free_ char *images = xasprintf("%s/images", w->dir), *root = NULL;
	_close_ int fd = make_tar(w->dir, ARCHIVE_FILTER_GZIP, big);
	_json_ json_t *info = NULL;
	struct err err = { 0 };

	assert_int_equal(mkdir(images, 0700), 0);
	assert_int_equal(mount("test", images, "tmpfs", 0, "size=1m"), 0);
	info = image_import(&w->n, fd, -1, NULL, NULL, NULL, &err);
	root = image_root(&w->n, json_str(info, "fingerprint", ""), &err);
	assert_true(info && !root && err.kind == ERR_NO_SPACE);
	assert_int_equal(count_entries("/images", w->dir), 3);
	assert_int_equal(umount(images), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(takes_what_tar_takes), T(unified),        T(split),           T(imports_twice),
		T(holes),                T(refuses),        T(refuses_damage),  T(unpacks_beneath),
		T(unpacks_once),         T(disk_full),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
