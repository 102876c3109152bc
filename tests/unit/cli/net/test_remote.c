/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/net/remote.h"

#define FP "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static int make_dir(void **state)
{
	char *dir = xstrdup("/tmp/dunlin-test-remote-XXXXXX");

	assert_non_null(mkdtemp(dir));
	setenv("DUNLIN_CONF", dir, 1);
	*state = dir;
	return 0;
}

static int remove_dir(void **state)
{
	struct err err;
	int r = io_remove_tree(*state, &err);

	free(*state);
	return r;
}

static void reads_addresses(void **state)
{
	static const struct {
		const char *text, *address;
	} cases[] = {
		{ "n1", "n1:8443" },
		{ "10.0.0.1", "10.0.0.1:8443" },
		{ "10.0.0.1:9000", "10.0.0.1:9000" },
		{ "https://n1.example:443/", "n1.example:443" },
		{ "[fd00::1]", "[fd00::1]:8443" },
		{ "[fd00::1]:9000", "[fd00::1]:9000" },
		{ "fd00::1", "[fd00::1]:8443" },
		{ "", NULL },
		{ "n1:", NULL },
		{ "n1:0", NULL },
		{ "n1:70000", NULL },
		{ "n1:80x", NULL },
		{ ":8443", NULL },
		{ "n1/path", NULL },
		{ "user@n1", NULL },
		{ "[fd00::1", NULL },
		{ "a b", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		_free_ char *a = remote_address(cases[i].text, &err);

		if (!str_eq(a, cases[i].address))
			fail_msg("\"%s\" gave %s", cases[i].text, a ? a : err.msg);
	}
}

static void reads_tokens(void **state)
{
	static const char good[] = "{\"client_name\":\"joe\",\"fingerprint\":\"" FP
				   "\",\"addresses\":[\"10.0.0.1:8443\",\"\",\"[fd00::1]:8443\"],"
				   "\"secret\":\"s\",\"expires_at\":\"0001-01-01T00:00:00Z\"}";
	static const char *const bad[] = { "not a token", "e30=", "eyJzZWNyZXQiOiJ4In0=", "" };
	_free_ char *text = base64_encode(good, strlen(good));
	struct remote_token t = { 0 };

	assert_true(remote_token_parse(text, &t));
	assert_string_equal(t.name, "joe");
	assert_string_equal(t.fingerprint, FP);
	assert_string_equal(t.addresses[0], "10.0.0.1:8443");
	assert_string_equal(t.addresses[1], "[fd00::1]:8443");
	assert_null(t.addresses[2]);
	remote_token_free(&t);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(remote_token_parse(bad[i], &t));
}

static void splits_names(void **state)
{
	static const struct {
		const char *arg, *remote, *name;
	} cases[] = {
		{ "web", "local", "web" },
		{ "n1:web", "n1", "web" },
		{ "n1:", "n1", "" },
		{ "", "local", "" },
		{ "web/a:b", "local", "web/a:b" },
		{ "n1:web/a:b", "n1", "web/a:b" },
		{ "local:web", "local", "web" },
		{ "nope:web", NULL, NULL },
	};
	struct err err = { 0 };
	struct conf *c = conf_load(NULL, &err);

	assert_non_null(c);
	assert_int_equal(conf_add(c, "n1", "10.0.0.1:8443", FP, NULL, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *remote = NULL;
		const char *name = NULL;
		int r = conf_split(c, cases[i].arg, &remote, &name, &err);

		assert_int_equal(r, cases[i].remote ? 0 : -1);
		assert_true(str_eq(remote, cases[i].remote) && str_eq(name, cases[i].name));
	}
	conf_free(c);
}

static void keeps_remotes(void **state)
{
	struct err err = { 0 };
	struct conf *c = conf_load(NULL, &err);
	const json_t *r;

	assert_int_equal(conf_add(c, "n1", "10.0.0.1:8443", FP, NULL, &err), 0);
	assert_int_equal(conf_add(c, "n1", "10.0.0.2:8443", FP, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(conf_add(c, "a:b", "10.0.0.2:8443", FP, NULL, &err), -1);
	assert_int_equal(conf_add(c, "local", "10.0.0.2:8443", FP, NULL, &err), -1);
	assert_int_equal(conf_set_default(c, "n1", &err), 0);
	assert_int_equal(conf_rename(c, "n1", "east", &err), 0);
	assert_int_equal(conf_save(c, &err), 0);
	conf_free(c);

	c = conf_load(NULL, &err);
	assert_string_equal(conf_default(c), "east");
	assert_int_equal(conf_remote(c, "east", &r, &err), 0);
	assert_string_equal(json_str(r, "fingerprint", ""), FP);
	assert_int_equal(conf_remove(c, "east", &err), -1); /* the default one */
	assert_int_equal(conf_set_default(c, "local", &err), 0);
	assert_int_equal(conf_remove(c, "east", &err), 0);
	assert_int_equal(conf_remove(c, "local", &err), -1);
	assert_int_equal(conf_remote(c, "east", &r, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	conf_free(c);
}

static void refuses_a_broken_file(void **state)
{
	_free_ char *path = xasprintf("%s/config.json", (char *)*state);
	struct err err = { 0 };

	assert_int_equal(io_write_file(path, "[1", 2, 0600, &err), 0);
	assert_null(conf_load(NULL, &err));
	assert_non_null(strstr(err.msg, "config.json"));
}

static void makes_an_identity_once(void **state)
{
	struct err err = { 0 };
	struct conf *c = conf_load("/nowhere/unix.socket", &err);
	_free_ char *cert = NULL, *key = NULL, *again = NULL, *key2 = NULL;

	assert_non_null(c);
	assert_string_equal(c->socket, "/nowhere/unix.socket");
	assert_int_equal(conf_identity(c, &cert, &key, &err), 0);
	assert_int_equal(conf_identity(c, &again, &key2, &err), 0);
	assert_string_equal(cert, again);
	conf_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_addresses),
		cmocka_unit_test(reads_tokens),
		cmocka_unit_test_setup_teardown(splits_names, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(keeps_remotes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(refuses_a_broken_file, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(makes_an_identity_once, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
