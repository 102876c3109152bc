/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of files inside, by the helper that does it, in a container that is stopped. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/helper/verbs.h"
#include "tests/unit/base/patience.h"

struct world {
	char dir[64], root[96];
	json_t *spec;
};

static void make(const char *root, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", root, name);
	struct err err;

	if (text)
		assert_int_equal(io_write_file(path, text, strlen(text), 0640, &err), 0);
	else
		assert_int_equal(mkdir(path, 0750), 0);
}

static void make_root(const char *root)
{
	_free_ char *pipe = xasprintf("%s/pipe", root), *link = xasprintf("%s/link", root);
	_free_ char *out = xasprintf("%s/out", root), *file = xasprintf("%s/file", root);

	make(root, "etc", NULL);
	make(root, "etc/passwd", "inside");
	make(root, "file", "content");
	assert_int_equal(chown(file, 12, 34), 0);
	make(root, "full", NULL);
	make(root, "full/one", "1");
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(symlink("../../../../etc", out), 0);
}

static int set_up(void **state)
{
	struct world *w = xnew(struct world);
	_free_ char *volume = NULL, *folder = NULL;
	struct err err;

	str_copy(w->dir, sizeof(w->dir), "/var/tmp/dunlin-test-file-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0711), 0);
	snprintf(w->root, sizeof(w->root), "%s/vol/rootfs", w->dir);
	volume = xasprintf("%s/vol", w->dir);
	folder = xasprintf("%s/containers/c1", w->dir);
	assert_int_equal(io_mkdirs(w->root, 0755, &err), 0);
	assert_int_equal(io_mkdirs(folder, 0711, &err), 0);
	make_root(w->root);
	w->spec = json_pack("{ss,sb,s{si,si},s{ss,ss}}", "name", "c1", "privileged", 0, "idmap",
			    "base", 1000000, "size", 65536, "rootfs", "driver", "dir", "volume",
			    volume);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err;

	json_decref(w->spec);
	assert_int_equal(io_remove_tree(w->dir, &err), 0);
	free(w);
	return 0;
}

/* The answer, as helper-file gives it; what came with it is in `content`. */
static json_t *ask(struct world *w, const char *request, const char *given, char content[64],
		   struct err *err)
{
	_json_ json_t *r = json_parse(request, strlen(request), "test", err);
	_free_ char *lxcpath = xasprintf("%s/containers", w->dir);
	_close_ int ours = -1, theirs = -1, got = -1;
	json_t *answer;
	int pair[2];

	if (!r)
		fail_msg("%s: %s", request, err->msg);
	json_put_str(r, "name", "c1");
	json_put_str(r, "lxcpath", lxcpath);
	json_object_set(r, "spec", w->spec);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ours = pair[0];
	theirs = pair[1];
	if (given) {
		close(theirs);
		theirs = io_temp_fd(w->dir, err);
		assert_int_equal(io_write_full(theirs, given, strlen(given)), 0);
		assert_int_equal(lseek(theirs, 0, SEEK_SET), 0);
	}
	answer = helper_run("helper-file", r, &theirs, 1, PATIENCE, err);
	close(take_fd(&theirs));
	memset(content, 0, 64);
	if (!given && answer && (got = io_recv_fd(ours)) >= 0)
		assert_true(read(got, content, 63) >= 0);
	return answer;
}

struct request {
	const char *request, *given;  /* given: the content of a put */
	const char *answer, *content; /* content: of the file that came; NULL: none */
	const char *says;             /* of a refusal */
	enum err_kind kind;
};

static void check(struct world *w, const struct request *r)
{
	struct err err = { 0 };
	char content[64];
	_json_ json_t *answer = ask(w, r->request, r->given, content, &err);
	_free_ char *text = NULL;

	if (!r->answer) {
		if (answer || err.kind != r->kind || !strstr(err.msg, r->says))
			fail_msg("%s: %s", r->request, answer ? "done" : err.msg);
		return;
	}
	if (!answer)
		fail_msg("%s: %s", r->request, err.msg);
	json_object_del(answer, "mtime");
	text = json_text(answer);
	if (!str_eq(text, r->answer) || !str_eq(content, r->content ? r->content : ""))
		fail_msg("%s: %s with \"%s\"", r->request, text, content);
}

#define GET(path) "{\"op\":\"get\",\"path\":\"" path "\"}"
#define DELETE(path) "{\"op\":\"delete\",\"path\":\"" path "\"}"
#define PUT(path, rest) "{\"op\":\"put\",\"path\":\"" path "\"" rest "}"
#define FOLDER ",\"type\":\"directory\""
#define LINK(target) ",\"type\":\"symlink\",\"target\":\"" target "\""
#define IS(type, uid, gid, mode, size)                                              \
	"{\"type\":\"" type "\",\"uid\":" #uid ",\"gid\":" #gid ",\"mode\":" #mode  \
	",\"size\":" #size
#define REFUSED(request, kind, says) { request, NULL, NULL, NULL, says, kind }
#define REFUSED_PUT(request, kind, says) { request, "x", NULL, NULL, says, kind }

static void gives(void **state)
{
	static const struct request requests[] = {
		{ GET("/file"), NULL, IS("file", 12, 34, 416, 7) "}", "content", NULL, 0 },
		/* Links in the middle are followed, and never out of the container. */
		{ GET("/out/passwd"), NULL, IS("file", 0, 0, 416, 6) "}", "inside", NULL, 0 },
		{ GET("/../../etc/passwd"), NULL, IS("file", 0, 0, 416, 6) "}", "inside", NULL, 0 },
		{ GET("/link"), NULL, IS("symlink", 0, 0, 511, 11) ",\"target\":\"/etc/passwd\"}",
		  NULL, NULL, 0 },
		REFUSED(GET("/none"), ERR_NOT_FOUND, "/none"),
		REFUSED(GET("/file/x"), ERR_INVALID, "/file/x"),
		REFUSED(GET("/pipe"), ERR_INVALID, "/pipe is neither a file, a directory nor"),
		REFUSED("{\"op\":\"chown\",\"path\":\"/file\"}", ERR_INTERNAL, "\"chown\""),
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		check(*state, &requests[i]);
}

static void lists(void **state)
{
	struct err err = { 0 };
	char content[64];
	_json_ json_t *answer = ask(*state, GET("/full/"), NULL, content, &err);
	_free_ char *list = NULL;

	if (!answer)
		fail_msg("%s", err.msg);
	assert_string_equal(json_str(answer, "type", ""), "directory");
	assert_int_equal(json_int(answer, "mode", 0), 0750);
	list = json_text(json_arr(answer, "list"));
	assert_string_equal(list, "[\"one\"]");
}

static void puts_files(void **state)
{
	static const struct request requests[] = {
		/* A new one is root's. */
		{ PUT("/new", ""), "abc", "{}", NULL, NULL, 0 },
		{ GET("/new"), NULL, IS("file", 0, 0, 420, 3) "}", "abc", NULL, 0 },
		{ PUT("/new", ",\"append\":true"), "de", "{}", NULL, NULL, 0 },
		{ GET("/new"), NULL, IS("file", 0, 0, 420, 5) "}", "abcde", NULL, 0 },
		/* What is not asked for stays with one that was there. */
		{ PUT("/file", ",\"uid\":-1,\"gid\":-1,\"mode\":-1"), "z", "{}", NULL, NULL, 0 },
		{ GET("/file"), NULL, IS("file", 12, 34, 416, 1) "}", "z", NULL, 0 },
		{ PUT("/file", ",\"gid\":7"), "", "{}", NULL, NULL, 0 },
		{ GET("/file"), NULL, IS("file", 12, 7, 416, 0) "}", NULL, NULL, 0 },
		{ PUT("/set", ",\"uid\":5,\"gid\":6,\"mode\":2541"), "s", "{}", NULL, NULL, 0 },
		{ GET("/set"), NULL, IS("file", 5, 6, 2541, 1) "}", "s", NULL, 0 },
		/* A link is written through. */
		{ PUT("/link", ""), "through", "{}", NULL, NULL, 0 },
		{ GET("/etc/passwd"), NULL, IS("file", 0, 0, 416, 7) "}", "through", NULL, 0 },
		REFUSED_PUT(PUT("/etc", ""), ERR_INVALID, "/etc: open"),
		REFUSED_PUT(PUT("/none/x", ""), ERR_NOT_FOUND, "/none/x: open"),
		REFUSED_PUT(PUT("/far", ",\"uid\":65536"), ERR_INVALID, "set owner 65536:"),
		REFUSED_PUT(PUT("/x", ",\"type\":\"device\""), ERR_INVALID,
			    "\"device\" is no type of file"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		check(*state, &requests[i]);
}

static void puts_folders_and_links(void **state)
{
	static const struct request requests[] = {
		{ PUT("/d//", FOLDER), NULL, "{}", NULL, NULL, 0 },
		{ GET("/d"), NULL, IS("directory", 0, 0, 493, 4096) ",\"list\":[]}", NULL, NULL,
		  0 },
		{ PUT("/d", FOLDER ",\"mode\":448,\"uid\":3"), NULL, "{}", NULL, NULL, 0 },
		{ GET("/d"), NULL, IS("directory", 3, 0, 448, 4096) ",\"list\":[]}", NULL, NULL,
		  0 },
		REFUSED(PUT("/file", FOLDER), ERR_INVALID, "exists and cannot be used as"),
		REFUSED(PUT("/link", FOLDER), ERR_INVALID, "exists and cannot be used as"),
		REFUSED(PUT("/none/d", FOLDER), ERR_NOT_FOUND, "/none/"),
		REFUSED(PUT("/", FOLDER), ERR_INVALID, "does not name a file"),
		REFUSED(PUT("/d/..", FOLDER), ERR_INVALID, "does not name a file"),
		REFUSED(PUT("/d/.", FOLDER), ERR_INVALID, "does not name a file"),
		REFUSED(PUT("d", FOLDER), ERR_INVALID, "does not name a file"),
		{ PUT("/d/l", LINK("a")), NULL, "{}", NULL, NULL, 0 },
		/* One that is there is replaced. */
		{ PUT("/d/l", LINK("/b") ",\"uid\":8,\"gid\":9"), NULL, "{}", NULL, NULL, 0 },
		{ GET("/d/l"), NULL, IS("symlink", 8, 9, 511, 2) ",\"target\":\"/b\"}", NULL, NULL,
		  0 },
		REFUSED(PUT("/d", LINK("a")), ERR_INVALID, "create a link to a"),
		REFUSED(PUT("/d/e", LINK("")), ERR_NOT_FOUND, "create a link to "),
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		check(*state, &requests[i]);
}

static void deletes(void **state)
{
	static const struct request requests[] = {
		{ DELETE("/link"), NULL, "{}", NULL, NULL, 0 },
		{ GET("/etc/passwd"), NULL, IS("file", 0, 0, 416, 6) "}", "inside", NULL, 0 },
		REFUSED(DELETE("/full"), ERR_CONFLICT, "/full is not empty"),
		{ DELETE("/full/one"), NULL, "{}", NULL, NULL, 0 },
		{ DELETE("/full/"), NULL, "{}", NULL, NULL, 0 },
		REFUSED(DELETE("/full"), ERR_NOT_FOUND, "delete /full"),
		{ DELETE("/pipe"), NULL, "{}", NULL, NULL, 0 },
		REFUSED(DELETE("/"), ERR_INVALID, "does not name a file"),
		REFUSED(DELETE("/etc/.."), ERR_INVALID, "does not name a file"),
		REFUSED(DELETE("/none/x"), ERR_NOT_FOUND, "/none/"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		check(*state, &requests[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(gives), T(lists), T(puts_files), T(puts_folders_and_links), T(deletes),
	};
	int rc = helper_main(helper_verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
