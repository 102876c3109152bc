/* SPDX-License-Identifier: Apache-2.0 */
/* What a request for an instance's files says of them, in its query and its headers. */
#include "tests/unit/api/instance/instance_world.h"

#include "node/helper/verbs.h"

static const char files[] = "POST /1.0/instances/c1/files?path=/a";

static void which_file(void **state)
{
	_free_ char *long_path = xcalloc(1, 5001), *line = NULL;
	struct api_world *t = *state;

	memset(long_path, 'a', 5000);
	line = xasprintf("GET /1.0/instances/c1/files?path=/%s", long_path);
	api_refused(t, "GET /1.0/instances/c1/files", NULL, 400, "\"path\" is missing or too long");
	api_refused(t, "GET /1.0/instances/c1/files?path=", NULL, 400, "\"path\" is missing");
	api_refused(t, "DELETE /1.0/instances/c1/files", NULL, 400, "\"path\" is missing");
	api_refused(t, line, NULL, 400, "\"path\" is missing or too long");
	api_refused(t, "GET /1.0/instances/c9/files?path=/a", NULL, 404, "c9");
}

static void headers_that_make_no_sense(void **state)
{
	static const struct {
		const char *headers, *words;
	} cases[] = {
		{ "X-LXD-uid: root", "X-LXD-uid: \"root\" is not an id" },
		{ "X-LXD-uid: -1", "X-LXD-uid" },
		{ "X-LXD-uid: 4294967296", "X-LXD-uid" },
		{ "X-LXD-uid: 1 2", "X-LXD-uid" },
		{ "X-LXD-gid: users", "X-LXD-gid: \"users\" is not an id" },
		{ "X-LXD-mode: 0888", "X-LXD-mode: \"0888\" is not an octal mode" },
		{ "X-LXD-mode: rwx", "X-LXD-mode" },
		{ "X-LXD-mode: -644", "X-LXD-mode" },
		{ "X-LXD-mode: 10000", "X-LXD-mode: \"10000\" is not an octal mode" },
		{ "X-LXD-mode: 0100644", "X-LXD-mode" },
		{ "X-LXD-mode: 77777777777777777777777", "X-LXD-mode" },
		{ "X-LXD-type: socket", "X-LXD-type: \"socket\" (file, symlink, directory)" },
		{ "X-LXD-type: FILE", "X-LXD-type" },
		{ "X-LXD-write: replace", "X-LXD-write: \"replace\" (overwrite, append)" },
		{ "X-LXD-write: ", "X-LXD-write" },
		{ "X-LXD-type: symlink", "a symlink needs its target as the body" },
		/* the good ones before the bad one */
		{ "X-LXD-uid: 4294967295\nX-LXD-gid: 0\nX-LXD-mode: 07777\nX-LXD-write: append\n"
		  "X-LXD-type: sock",
		  "X-LXD-type" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = api_ask_with(t, files, NULL, cases[i].headers);

		if (status != 400 || !strstr(t->r->err.msg, cases[i].words))
			fail_msg("%s: %d %s", cases[i].headers, status, t->r->err.msg);
	}
}

/* A body of this size, for the request to read. */
static int symlink_with(struct api_world *t, size_t size)
{
	struct req *r = api_request(t, files, "X-LXD-type: symlink");
	_free_ char *target = xcalloc(1, size + 1);
	struct err err;

	memset(target, 't', size);
	r->body_fd = io_temp_fd(t->w.dir, &err);
	r->body_size = (int64_t)size;
	assert_int_equal(pwrite(r->body_fd, target, size, 0), size);
	assert_int_equal(req_route(r), 0);
	return r->route->handler(r) < 0 ? err_http(r->err.kind) : r->reply.status;
}

static void the_target_of_a_symlink_is_bounded(void **state)
{
	struct api_world *t = *state;

	assert_int_equal(symlink_with(t, 0), 400);
	assert_non_null(strstr(t->r->err.msg, "at most 4095 bytes"));
	assert_int_equal(symlink_with(t, 4096), 400);
	assert_non_null(strstr(t->r->err.msg, "at most 4095 bytes"));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_file),
		cmocka_unit_test(headers_that_make_no_sense),
		cmocka_unit_test(the_target_of_a_symlink_is_bounded),
	};

	/* A file of an instance is got by a helper, which is this program again. */
	int rc = helper_main(helper_verbs, argc, argv);

	if (rc >= 0)
		return rc;
	return cmocka_run_group_tests(tests, instance_world_open, api_world_close);
}
