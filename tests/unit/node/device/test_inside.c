/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts inside a container that runs: a process in a root of its own stands for it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/inside.h"
#include "node/helper/helper.h"
#include "tests/unit/base/patience.h"

/* {root, source, steps: [["mount"|"unmount", path, file?], ...], look} -> {error, theirs, seen}:
 * `seen` is what a file reads in the end, `error` what the last step said, `theirs` that it is no
 * fault of ours. */
static json_t *act(const json_t *request, struct err *err)
{
	const char *source = json_str(request, "source", ""), *look = json_str(request, "look", "");
	struct err told = { 0 };
	_free_ char *text = NULL;
	json_t *step;
	size_t i;
	int rc = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, "namespace"), NULL;
	json_array_foreach(json_arr(request, "steps"), i, step) {
		const char *what = json_string_value(json_array_get(step, 0));
		const char *path = json_string_value(json_array_get(step, 1));
		bool file = json_is_true(json_array_get(step, 2));
		_free_ char *from = xasprintf("%s/%s", source, file ? "file" : "folder");
		_close_ int tree = (int)syscall(SYS_open_tree, AT_FDCWD, from,
						OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		pid_t here = i == 0 ? chroot(json_str(request, "root", "")) : 0;

		/* The next ones are of the same source, by its place inside. */
		source = "/source";
		if (here < 0 || chdir("/") < 0 || tree < 0)
			return err_sys(err, "tree %s", from), NULL;
		rc = str_eq(what, "mount") ? inside_mount(tree, path, file, &told)
					   : inside_unmount(path, &told);
	}
	text = io_read_file(look, 4096, NULL, err);
	return json_pack("{ss,sb,ss}", "error", rc < 0 ? told.msg : "", "theirs",
			 rc == 0 || err_http(told.kind) < 500, "seen", text ? text : "");
}

static const struct helper_verb verbs[] = {
	{ "helper-act", act },
	{ NULL, NULL },
};

struct world {
	char dir[64], root[80], source[96];
};

static void make(const char *root, const char *name, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", root, name);
	struct err err;

	if (text)
		assert_int_equal(io_write_file(path, text, strlen(text), 0644, &err), 0);
	else
		assert_int_equal(io_mkdirs(path, 0755, &err), 0);
}

static int set_up(void **state)
{
	struct world *w = xnew(struct world);
	_free_ char *link = NULL;

	str_copy(w->dir, sizeof(w->dir), "/tmp/dunlin-test-inside-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->root, sizeof(w->root), "%s/root", w->dir);
	snprintf(w->source, sizeof(w->source), "%s/source", w->root);
	make(w->source, "folder", NULL);
	make(w->source, "folder/what", "mounted");
	make(w->source, "file", "mounted file");
	make(w->root, "old", NULL);
	make(w->root, "old/what", "own");
	make(w->root, "plain", "own file");
	link = xasprintf("%s/link", w->root);
	assert_int_equal(symlink("/old", link), 0);
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

#define MOUNT(path) "[\"mount\",\"" path "\"]"
#define MOUNT_FILE(path) "[\"mount\",\"" path "\",true]"
#define UNMOUNT(path) "[\"unmount\",\"" path "\"]"

static void mounts_and_unmounts(void **state)
{
	static const struct {
		const char *steps, *look, *seen;
		const char *error; /* a word of it; NULL: none */
	} cases[] = {
		{ MOUNT("/old"), "/old/what", "mounted", NULL },
		{ MOUNT("/new/below/"), "/new/below/what", "mounted", NULL },
		{ MOUNT_FILE("/plain"), "/plain", "mounted file", NULL },
		{ MOUNT_FILE("/etc/new"), "/etc/new", "mounted file", NULL },
		{ MOUNT("/old") "," UNMOUNT("/old"), "/old/what", "own", NULL },
		/* What an interrupted change left is not hidden, but goes. */
		{ MOUNT("/old") "," MOUNT("/old") "," UNMOUNT("/old"), "/old/what", "own", NULL },
		/* Gone already, or never there. */
		{ UNMOUNT("/old"), "/old/what", "own", NULL },
		{ UNMOUNT("/none/at/all"), "/old/what", "own", NULL },
		/* Links are not followed, neither last nor on the way. */
		{ MOUNT("/link"), "/old/what", "own", "mount at /link inside" },
		{ MOUNT("/link/below"), "/old/what", "own", "/link/below" },
		{ MOUNT("/old/.."), "/old/what", "own", "no place for a mount" },
		{ MOUNT("/."), "/old/what", "own", "no place for a mount" },
		{ MOUNT("/"), "/old/what", "own", "no place for a mount" },
		{ MOUNT("/plain/x"), "/plain", "own file", "/plain/x" },
		{ MOUNT("/plain"), "/plain", "own file", "mount at /plain inside" },
		{ MOUNT_FILE("/old"), "/old/what", "own", "create /old inside" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = xasprintf("[%s]", cases[i].steps);
		struct err err = { 0 };
		json_t *steps = json_parse(text, strlen(text), "test", &err);
		_json_ json_t *request = json_pack("{ss,ss,so,ss}", "root", w->root, "source",
						   w->source, "steps", steps, "look",
						   cases[i].look);
		_json_ json_t *answer = helper_run("helper-act", request, NULL, 0, PATIENCE, &err);
		const char *error = json_str(answer, "error", "");

		if (!answer)
			fail_msg("%s: %s", text, err.msg);
		if (cases[i].error ? !strstr(error, cases[i].error) : *error)
			fail_msg("%s: \"%s\"", text, error);
		if (!json_bool(answer, "theirs", false))
			fail_msg("%s: \"%s\" is told as a failure of ours", text, error);
		if (!str_eq(json_str(answer, "seen", ""), cases[i].seen))
			fail_msg("%s: %s has \"%s\"", text, cases[i].look,
				 json_str(answer, "seen", ""));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mounts_and_unmounts, set_up, tear_down),
	};
	int rc = helper_main(verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
