/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an entry: u8 kind, u32 mode, u32 uid, u32 gid, u64 size, u64 rdev, i64 atime, i64
 * mtime, u16 length and path, u16 length and target, u8 count of attributes, each u8 length and
 * name, u32 length and value. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/rootfs/sync.h"

#define FIXED 45

static const char *const wanted[] = {
	"security.capability",
	"system.posix_acl_access",
	"system.posix_acl_default",
	NULL,
};

static bool is_in(const char *const *list, const char *name)
{
	while (list && *list && !str_eq(*list, name))
		list++;
	return list && *list;
}

bool sync_wants_xattr(const char *name, const char *const *marks)
{
	return str_starts(name, "user.") || is_in(wanted, name) || is_in(marks, name);
}

static void add_u32(struct sbuf *out, uint32_t v)
{
	uint8_t b[4];

	put_u32(b, v);
	sbuf_add(out, b, sizeof(b));
}

static void add_u64(struct sbuf *out, uint64_t v)
{
	uint8_t b[8];

	put_u64(b, v);
	sbuf_add(out, b, sizeof(b));
}

static void add_text(struct sbuf *out, const char *s)
{
	size_t len = strlen(s);

	sbuf_putc(out, (char)(len & 0xff));
	sbuf_putc(out, (char)(len >> 8));
	sbuf_puts(out, s);
}

void sync_encode(struct sbuf *out, const struct sync_entry *e)
{
	sbuf_putc(out, (char)e->kind);
	add_u32(out, e->mode);
	add_u32(out, e->uid);
	add_u32(out, e->gid);
	add_u64(out, e->size);
	add_u64(out, e->rdev);
	add_u64(out, (uint64_t)e->atime_ns);
	add_u64(out, (uint64_t)e->mtime_ns);
	add_text(out, e->path);
	add_text(out, e->target ? e->target : "");
	sbuf_putc(out, (char)e->nxattr);
	for (size_t i = 0; i < e->nxattr; i++) {
		sbuf_putc(out, (char)strlen(e->xattr[i].name));
		sbuf_puts(out, e->xattr[i].name);
		add_u32(out, (uint32_t)e->xattr[i].len);
		sbuf_add(out, e->xattr[i].value, e->xattr[i].len);
	}
}

/* --- decoding ----------------------------------------------------------------------------- */

struct reader {
	uint8_t *p, *end;
	bool bad;
};

static uint8_t *take(struct reader *r, size_t len)
{
	uint8_t *p = r->p;

	if (r->bad || len > (size_t)(r->end - r->p)) {
		r->bad = true;
		return NULL;
	}
	r->p += len;
	return p;
}

static uint32_t take_u8(struct reader *r)
{
	const uint8_t *p = take(r, 1);

	return p ? *p : 0;
}

static uint32_t take_u32(struct reader *r)
{
	const uint8_t *p = take(r, 4);

	return p ? get_u32(p) : 0;
}

static uint64_t take_u64(struct reader *r)
{
	const uint8_t *p = take(r, 8);

	return p ? get_u64(p) : 0;
}

/* The bytes move one back, over their own length, so that a NUL fits behind them. */
static const char *take_text(struct reader *r, size_t len)
{
	uint8_t *p = take(r, len);

	if (!p || memchr(p, 0, len)) {
		r->bad = true;
		return "";
	}
	memmove(p - 1, p, len);
	p[len - 1] = '\0';
	return (const char *)p - 1;
}

static const char *take_path(struct reader *r)
{
	uint32_t low = take_u8(r), len = low | take_u8(r) << 8;

	if (!len)
		return "";
	if (len > SYNC_PATH_MAX)
		r->bad = true;
	return r->bad ? "" : take_text(r, len);
}

static void take_xattrs(struct reader *r, struct sync_entry *e)
{
	e->nxattr = take_u8(r);
	if (e->nxattr > SYNC_XATTRS_MAX) {
		r->bad = true;
		return;
	}
	for (size_t i = 0; i < e->nxattr && !r->bad; i++) {
		uint32_t len = take_u8(r);

		e->xattr[i].name = len ? take_text(r, len) : "";
		e->xattr[i].len = take_u32(r);
		if (e->xattr[i].len > SYNC_XATTR_VALUE_MAX)
			r->bad = true;
		e->xattr[i].value = take(r, e->xattr[i].len);
	}
}

/* Relative, of plain components, none of them "." or "..". */
static bool path_ok(const char *path)
{
	size_t depth = 0;

	for (const char *p = path;; p++) {
		size_t len = strcspn(p, "/");

		if (len == 0 || len > 255 || ++depth > SYNC_DEPTH_MAX ||
		    (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))))
			return false;
		p += len;
		if (!*p)
			return true;
	}
}

static bool is_kind(enum sync_kind kind)
{
	return kind && strchr("dflhsxc", (int)kind);
}

static bool entry_ok(const struct sync_entry *e)
{
	bool top = !*e->path, folder = e->kind == SYNC_DIR || e->kind == SYNC_CLOSE;

	if (!is_kind(e->kind) || (!top && !path_ok(e->path)) || (top && !folder))
		return false;
	if (e->kind == SYNC_HARD)
		return path_ok(e->target);
	if (e->kind == SYNC_LINK)
		return *e->target != '\0';
	if (*e->target || (folder && !S_ISDIR(e->mode)) ||
	    (e->kind == SYNC_FILE && !S_ISREG(e->mode)))
		return false;
	return e->kind != SYNC_SPECIAL || S_ISFIFO(e->mode) || S_ISSOCK(e->mode) ||
	       S_ISCHR(e->mode) || S_ISBLK(e->mode);
}

int sync_decode(uint8_t *buf, size_t len, struct sync_entry *ret, struct err *err)
{
	struct reader r = { buf, buf + len, len < FIXED };

	*ret = (struct sync_entry){ 0 };
	ret->kind = take_u8(&r);
	ret->mode = take_u32(&r);
	ret->uid = take_u32(&r);
	ret->gid = take_u32(&r);
	ret->size = take_u64(&r);
	ret->rdev = take_u64(&r);
	ret->atime_ns = (int64_t)take_u64(&r);
	ret->mtime_ns = (int64_t)take_u64(&r);
	ret->path = take_path(&r);
	ret->target = take_path(&r);
	take_xattrs(&r, ret);
	if (r.bad || r.p != r.end || !entry_ok(ret))
		return err_set(err, ERR_INVALID,
			       "migration stream: an entry of the root file system is malformed");
	return 0;
}
