/* SPDX-License-Identifier: Apache-2.0 */
/* Files in instances: where an argument is, what a server says of a file, and what it is told. */
#include "tests/unit/cli/server_world.h"

#include "cli/net/files.h"

static void an_argument_is_an_instance_and_a_path(void **state)
{
	static const struct {
		const char *arg, *instance, *path; /* path NULL: instance is the error */
	} cases[] = {
		{ "c1/etc/hosts", "c1", "/etc/hosts" },
		{ "local:c1/etc/hosts", "c1", "/etc/hosts" },
		{ "c1/", "c1", "/" },
		{ "c1//tmp", "c1", "//tmp" },
		{ "c1/a:b", "c1", "/a:b" },
		{ "c1", "\"c1\" is not of the form INSTANCE/PATH", NULL },
		{ "/etc/hosts", "\"/etc/hosts\" is not of the form INSTANCE/PATH", NULL },
		{ "local:", "\"local:\" is not of the form INSTANCE/PATH", NULL },
		{ "", "\"\" is not of the form INSTANCE/PATH", NULL },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct place p;
		int rc = place_parse(c, cases[i].arg, &p, &err);

		if (rc < 0 ? cases[i].path || !str_eq(err.msg, cases[i].instance)
			   : !str_eq(p.instance, cases[i].instance) ||
				     !str_eq(p.path, cases[i].path))
			fail_msg("%s: %s", cases[i].arg, rc < 0 ? err.msg : p.path);
		place_done(&p);
	}
	world_end_cli(c);
}

/* From a server that may say anything. */
static void a_server_says_what_a_file_is(void **state)
{
	static const struct {
		const char *headers, *type;
		int64_t uid, gid;
		int mode;
	} cases[] = {
		{ "X-LXD-type: file\r\nX-LXD-uid: 7\r\nX-LXD-gid: 8\r\nX-LXD-mode: 0640\r\n",
		  "file", 7, 8, 0640 },
		{ "X-LXD-type: directory\r\nX-LXD-mode: 755\r\n", "directory", -1, -1, 0755 },
		{ "X-LXD-type: symlink\r\nX-LXD-mode: 0\r\n", "symlink", -1, -1, 0 },
		{ "X-LXD-mode: 02755\r\n", "file", -1, -1, 02755 },
		{ "", "file", -1, -1, -1 },
		{ "X-LXD-type: fifo\r\nX-LXD-uid: -1\r\nX-LXD-gid: joe\r\nX-LXD-mode: 0x1f\r\n",
		  "file", -1, -1, -1 },
		{ "X-LXD-uid: 4294967296\r\nX-LXD-mode: 0999\r\n", "file", -1, -1, -1 },
		{ "X-LXD-mode: 7777777\r\n", "file", -1, -1, -1 },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct client *cl = client_open(c, REMOTE_LOCAL, &err);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct answer a = { .request = "GET /1.0/x", .headers = cases[i].headers };
		struct api_call call = API_CALL("GET", "/1.0/x");
		_reply_ struct http_reply reply = { 0 };
		struct file_attr attr;

		world_answers(w, &a, 1);
		assert_int_equal(api_send(cl, &call, &reply, &err), 0);
		attr = file_attr_of(&reply);
		if (!str_eq(attr.type, cases[i].type) || attr.uid != cases[i].uid ||
		    attr.gid != cases[i].gid || attr.mode != cases[i].mode)
			fail_msg("%s", cases[i].headers);
	}
	world_end_cli(c);
}

#define FILES "POST /1.0/instances/c1/files?path=%2Fa%20b"

static void a_server_is_told_what_a_file_is(void **state)
{
	static const struct {
		struct file_attr attr;
		const char *text; /* of a link */
		const char *asked;
	} cases[] = {
		{ { "file", 7, 8, 0640 },
		  NULL,
		  FILES " X-LXD-type: file X-LXD-uid: 7 X-LXD-gid: 8 X-LXD-mode: 0640 body\n" },
		/* what nobody has said is the server's */
		{ { "file", -1, -1, -1 }, NULL, FILES " X-LXD-type: file body\n" },
		{ { "symlink", 0, 0, -1 },
		  "/target",
		  FILES " X-LXD-type: symlink X-LXD-uid: 0 X-LXD-gid: 0 /target\n" },
		{ { "directory", -1, -1, 0700 },
		  "",
		  FILES " X-LXD-type: directory X-LXD-mode: 0700\n" },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct place p;

	assert_int_equal(place_parse(c, "c1/tmp", &p, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_close_ int fd = world_file("body");

		WORLD_ANSWER(w, DONE(FILES));
		assert_int_equal(file_post(&p, "/a b", &cases[i].attr, fd, cases[i].text, &err), 0);
		assert_string_equal(world_asked(w), cases[i].asked);
	}
	/* An error names both, once. */
	WORLD_ANSWER(w, FAILS(FILES, "no room", 507));
	assert_int_equal(file_post(&p, "/a b", &cases[2].attr, -1, "/target", &err), -1);
	assert_string_equal(err.msg, "c1: file \"/a b\": no room");
	place_done(&p);
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
		T(an_argument_is_an_instance_and_a_path),
		T(a_server_says_what_a_file_is),
		T(a_server_is_told_what_a_file_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
