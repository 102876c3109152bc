/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/host/mountinfo.h"

static void texts_are_cut(void **state)
{
	static const char text[] =
		"36 35 98:0 / / rw,noatime - ext4 /dev/root rw\n"
		"odd\n"
		"37 36 0:5 /a\\040b /srv/my\\040data ro shared:7 - tmpfs none rw\n"
		"38 36 0:6 / /x rw shared:7 master:3 - fuse.sshfs b: rw";
	static const struct mountinfo want[] = {
		{ "36", "98:0", "/", "/", "ext4", false },
		{ "37", "0:5", "/a b", "/srv/my data", "tmpfs", true },
		{ "38", "0:6", "/", "/x", "fuse.sshfs", true },
	};
	_free_ char *copy = xstrdup(text);
	char *rest = copy;
	struct mountinfo m;
	size_t n = 0;

	for (; mountinfo_next(&rest, &m); n++) {
		assert_true(n < ARRAY_SIZE(want));
		assert_string_equal(m.id, want[n].id);
		assert_string_equal(m.device, want[n].device);
		assert_string_equal(m.root, want[n].root);
		assert_string_equal(m.at, want[n].at);
		assert_string_equal(m.type, want[n].type);
		assert_int_equal(m.related, want[n].related);
	}
	assert_int_equal(n, ARRAY_SIZE(want));
}

static void an_empty_text_has_none(void **state)
{
	char text[] = "", *rest = text;
	struct mountinfo m;

	assert_false(mountinfo_next(&rest, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_cut),
		cmocka_unit_test(an_empty_text_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
