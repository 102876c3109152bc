/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/rootfs/sync.h"

static const char *const marks[] = { "trusted.overlay.opaque", NULL };

static void carries_what_means_the_same_elsewhere(void **state)
{
	static const struct {
		const char *name;
		bool plain, marked; /* without marks of a driver, with them */
	} cases[] = {
		{ "user.comment", true, true },
		{ "user.", true, true },
		{ "username", false, false },
		{ "security.capability", true, true },
		{ "security.capability2", false, false },
		{ "security.selinux", false, false },
		{ "system.posix_acl_access", true, true },
		{ "system.posix_acl_default", true, true },
		{ "system.nfs4_acl", false, false },
		{ "trusted.overlay.opaque", false, true },
		{ "trusted.overlay.origin", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(sync_wants_xattr(cases[i].name, NULL), cases[i].plain);
		assert_int_equal(sync_wants_xattr(cases[i].name, marks), cases[i].marked);
	}
}

/* The bytes of an entry; the caller frees. */
static uint8_t *bytes_of(const struct sync_entry *e, size_t *ret_len)
{
	struct sbuf b = SBUF(1 << 20);

	sync_encode(&b, e);
	assert_false(b.overflow);
	*ret_len = b.len;
	return (uint8_t *)b.data;
}

static int decoded(const struct sync_entry *e, struct sync_entry *ret)
{
	size_t len;
	_free_ uint8_t *buf = bytes_of(e, &len);
	struct err err = { 0 };
	int rc = sync_decode(buf, len, ret, &err);

	assert_int_equal(err.kind, rc < 0 ? ERR_INVALID : ERR_NONE);
	return rc;
}

static struct sync_entry full_entry(void)
{
	return (struct sync_entry){
		.kind = SYNC_FILE,
		.path = "usr/bin/ping",
		.target = "",
		.mode = S_IFREG | 04755,
		.uid = 0x01020304,
		.gid = 0xfffffffe,
		.size = 0x0102030405060708,
		.rdev = 0,
		.atime_ns = -1,
		.mtime_ns = INT64_MAX,
		.xattr = { { "user.empty", "", 0 }, { "security.capability", "a\0b", 3 } },
		.nxattr = 2,
	};
}

static void comes_back_as_it_was(void **state)
{
	struct sync_entry e = full_entry(), is;
	struct err err = { 0 };
	size_t len;
	_free_ uint8_t *buf = bytes_of(&e, &len);

	assert_int_equal(sync_decode(buf, len, &is, &err), 0);
	assert_int_equal(is.kind, SYNC_FILE);
	assert_string_equal(is.path, "usr/bin/ping");
	assert_string_equal(is.target, "");
	assert_int_equal(is.mode, e.mode);
	assert_int_equal(is.uid, e.uid);
	assert_int_equal(is.gid, e.gid);
	assert_int_equal(is.size, e.size);
	assert_int_equal(is.atime_ns, -1);
	assert_int_equal(is.mtime_ns, INT64_MAX);
	assert_int_equal(is.nxattr, 2);
	assert_string_equal(is.xattr[0].name, "user.empty");
	assert_int_equal(is.xattr[0].len, 0);
	assert_string_equal(is.xattr[1].name, "security.capability");
	assert_int_equal(is.xattr[1].len, 3);
	assert_memory_equal(is.xattr[1].value, "a\0b", 3);
}

static void refuses_what_is_cut_off_or_goes_on(void **state)
{
	struct sync_entry e = full_entry(), is;
	struct err err = { 0 };
	size_t len;
	_free_ uint8_t *buf = bytes_of(&e, &len);

	for (size_t n = 0; n < len; n++) {
		_free_ uint8_t *part = xcalloc(n + 1, 1);

		memcpy(part, buf, n);
		assert_int_equal(sync_decode(part, n, &is, &err), -1);
	}
	buf = xrealloc(buf, len + 1);
	buf[len] = 0;
	assert_int_equal(sync_decode(buf, len + 1, &is, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void knows_what_each_kind_may_be(void **state)
{
	static const struct {
		enum sync_kind kind;
		const char *path, *target;
		uint32_t mode;
		bool good;
	} cases[] = {
		{ SYNC_DIR, "", "", S_IFDIR | 0755, true },
		{ SYNC_CLOSE, "", "", S_IFDIR | 0755, true },
		{ SYNC_DIR, "a/b", "", S_IFDIR, true },
		{ SYNC_DIR, "a", "", S_IFREG, false },
		{ SYNC_CLOSE, "a", "", S_IFLNK, false },
		{ SYNC_DIR, "a", "b", S_IFDIR, false },
		{ SYNC_FILE, "a", "", S_IFREG, true },
		{ SYNC_FILE, "", "", S_IFREG, false },
		{ SYNC_FILE, "a", "", S_IFCHR, false },
		{ SYNC_FILE, "a", "b", S_IFREG, false },
		{ SYNC_LINK, "a", "../..//any where", S_IFLNK, true },
		{ SYNC_LINK, "a", "", S_IFLNK, false },
		{ SYNC_HARD, "a", "b/c", S_IFREG, true },
		{ SYNC_HARD, "a", "", S_IFREG, false },
		{ SYNC_HARD, "a", "../b", S_IFREG, false },
		{ SYNC_HARD, "a", "/b", S_IFREG, false },
		{ SYNC_SPECIAL, "a", "", S_IFIFO, true },
		{ SYNC_SPECIAL, "a", "", S_IFSOCK, true },
		{ SYNC_SPECIAL, "a", "", S_IFCHR, true },
		{ SYNC_SPECIAL, "a", "", S_IFBLK, true },
		{ SYNC_SPECIAL, "a", "", S_IFREG, false },
		{ SYNC_SPECIAL, "a", "", S_IFDIR, false },
		{ SYNC_SPECIAL, "a", "", S_IFLNK, false },
		{ SYNC_REMOVE, "a", "", 0, true },
		{ SYNC_REMOVE, "", "", 0, false },
		{ 'z', "a", "", S_IFREG, false },
		{ 0, "a", "", S_IFREG, false },
		{ SYNC_REMOVE, "...", "", 0, true },
		{ SYNC_REMOVE, "..a/.b", "", 0, true },
		{ SYNC_REMOVE, "a/..", "", 0, false },
		{ SYNC_REMOVE, "./a", "", 0, false },
		{ SYNC_REMOVE, "a/", "", 0, false },
		{ SYNC_REMOVE, "a//b", "", 0, false },
		{ SYNC_REMOVE, "/a", "", 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sync_entry e = { .kind = cases[i].kind,
					.path = cases[i].path,
					.target = cases[i].target,
					.mode = cases[i].mode },
				  is;

		if (decoded(&e, &is) != (cases[i].good ? 0 : -1))
			fail_msg("'%c' \"%s\" \"%s\" %o", cases[i].kind, cases[i].path,
				 cases[i].target, cases[i].mode);
	}
}

/* count times part, with slashes between them; the caller frees. */
static char *long_path(const char *part, int count)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);

	for (int i = 0; i < count; i++)
		sbuf_printf(&b, "%s%s", i ? "/" : "", part);
	return xstrdup(b.data);
}

static void has_limits(void **state)
{
	_free_ char *name = xcalloc(257, 1), *deep = long_path("a", SYNC_DEPTH_MAX),
		    *deeper = long_path("a", SYNC_DEPTH_MAX + 1), *longest = NULL;
	struct sync_entry e = { .kind = SYNC_REMOVE, .target = "" }, is;
	static char value[SYNC_XATTR_VALUE_MAX + 1];

	memset(name, 'n', 256);
	e.path = name;
	assert_int_equal(decoded(&e, &is), -1);
	name[255] = '\0';
	assert_int_equal(decoded(&e, &is), 0);
	longest = long_path(name, SYNC_PATH_MAX / 256 + 1); /* 16 times 255 and 15 slashes */
	assert_int_equal(strlen(longest), SYNC_PATH_MAX);
	e.path = longest;
	assert_int_equal(decoded(&e, &is), 0);
	e.path = deep;
	assert_int_equal(decoded(&e, &is), 0);
	e.path = deeper;
	assert_int_equal(decoded(&e, &is), -1);

	e = full_entry();
	e.xattr[0] = (struct sync_xattr){ "user.a", value, SYNC_XATTR_VALUE_MAX };
	assert_int_equal(decoded(&e, &is), 0);
	e.xattr[0].len++;
	assert_int_equal(decoded(&e, &is), -1);
}

static void refuses_a_nul_within_a_name(void **state)
{
	struct sync_entry e = { .kind = SYNC_REMOVE, .path = "abc", .target = "" }, is;
	struct err err = { 0 };
	size_t len;
	_free_ uint8_t *buf = bytes_of(&e, &len);
	uint8_t *at = memmem(buf, len, "abc", 3);

	assert_non_null(at);
	at[1] = '\0';
	assert_int_equal(sync_decode(buf, len, &is, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carries_what_means_the_same_elsewhere),
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(refuses_what_is_cut_off_or_goes_on),
		cmocka_unit_test(knows_what_each_kind_may_be),
		cmocka_unit_test(has_limits),
		cmocka_unit_test(refuses_a_nul_within_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
