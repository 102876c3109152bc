/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/resolver.h"

#define SHIFT 1000000
#define ANSWERS "search lxd\nnameserver 10.1.2.1\n"

/* A root file system with /etc, of shifted ids. */
static int set_up(void **state)
{
	char dir[] = "/tmp/dunlin-test-resolver-XXXXXX";
	_free_ char *etc = NULL;

	assert_non_null(mkdtemp(dir));
	etc = xasprintf("%s/etc", dir);
	assert_int_equal(mkdir(etc, 0755), 0);
	assert_int_equal(chown(etc, SHIFT, SHIFT), 0);
	*state = xstrdup(dir);
	return 0;
}

static int tear_down(void **state)
{
	struct err err;

	assert_int_equal(io_remove_tree(*state, &err), 0);
	free(*state);
	return 0;
}

static json_t *spec_with(const char *server)
{
	return json_pack("{s{si,si},s[{ss},{ss,ss,ss}]}", "idmap", "base", SHIFT, "size", 65536,
			 "devices", "type", "disk", "type", "nic", "ipv4_dns", server, "dns_domain",
			 "lxd");
}

static char *path_of(const char *root)
{
	return xasprintf("%s/etc/resolv.conf", root);
}

static void put(const char *root, const char *text)
{
	_free_ char *path = path_of(root);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0644, &err), 0);
}

static char *write_for(const char *root, const char *server)
{
	_json_ json_t *spec = spec_with(server);
	_free_ char *path = path_of(root);
	struct err err;

	if (resolver_write(root, spec, &err) < 0)
		fail_msg("%s", err.msg);
	return io_read_file(path, 4096, NULL, &err);
}

static void a_root_without_the_file_gets_one(void **state)
{
	_free_ char *text = write_for(*state, "10.1.2.1"), *path = path_of(*state);
	struct stat st;

	assert_non_null(text);
	assert_true(str_ends(text, ANSWERS));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(st.st_uid, SHIFT);
	assert_int_equal(st.st_gid, SHIFT);
	assert_int_equal(geteuid(), 0);
}

static void what_this_wrote_is_written_again(void **state)
{
	_free_ char *first = NULL, *second = NULL, *none = NULL;

	put(*state, "");
	first = write_for(*state, "10.1.2.1");
	second = write_for(*state, "10.9.9.1");
	none = write_for(*state, "");
	assert_true(str_ends(first, ANSWERS));
	assert_true(str_ends(second, "nameserver 10.9.9.1\n"));
	assert_null(strstr(second, "10.1.2.1"));
	assert_string_equal(none, "");
}

static void what_others_wrote_is_left(void **state)
{
	static const char *const texts[] = { "nameserver 192.0.2.1\n", "# mine\n", "\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_free_ char *text = NULL;

		put(*state, texts[i]);
		text = write_for(*state, "10.1.2.1");
		assert_string_equal(text, texts[i]);
	}
}

/* A link may lead anywhere, a folder is none of ours, and /etc may be missing. */
static void nothing_else_is_touched(void **state)
{
	_free_ char *path = path_of(*state), *outside = xasprintf("%s/outside", (char *)*state);
	_free_ char *etc = xasprintf("%s/etc", (char *)*state);
	struct stat st;

	assert_int_equal(io_write_file(outside, "", 0, 0644, &(struct err){ 0 }), 0);
	assert_int_equal(symlink("../outside", path), 0);
	free(write_for(*state, "10.1.2.1"));
	assert_int_equal(stat(outside, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0755), 0);
	free(write_for(*state, "10.1.2.1"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(etc), 0);
	assert_null(write_for(*state, "10.1.2.1"));
}

static void the_first_network_that_answers(void **state)
{
	_json_ json_t *none = json_pack("{s[{ss}]}", "devices", "type", "nic");
	_json_ json_t *two = json_pack("{s[{ss},{ss,ss},{ss,ss}]}", "devices", "type", "nic",
				       "ipv4_dns", "10.1.0.1", "dns_domain", "", "ipv4_dns",
				       "10.2.0.1", "dns_domain", "lxd");
	_free_ char *text = resolver_text(two);

	assert_null(resolver_text(none));
	assert_true(str_ends(text, "\nnameserver 10.1.0.1\n"));
	assert_null(strstr(text, "search"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_root_without_the_file_gets_one),
		T(what_this_wrote_is_written_again),
		T(what_others_wrote_is_left),
		T(nothing_else_is_touched),
		cmocka_unit_test(the_first_network_that_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
