/* SPDX-License-Identifier: Apache-2.0 */
/* file pull, delete and edit: what a container answers is not to be trusted. */
#include "tests/unit/cli/server_world.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LOOK(path) "GET /1.0/instances/c1/files?path=" path
#define HAS(path_, text_, headers_)                                       \
	{                                                                 \
		.request = LOOK(path_), .raw = text_, .headers = headers_ \
	}
#define MODE(mode) "X-LXD-type: file\r\nX-LXD-mode: " mode "\r\n"
#define FOLDER "X-LXD-type: directory\r\n"
#define LINK "X-LXD-type: symlink\r\n"
#define LISTS(names) "{\"type\":\"sync\",\"metadata\":[" names "]}"

/* Each test has an empty folder. */
static int into_folder(void **state)
{
	struct world *w;

	world_set_up(state);
	w = *state;
	assert_int_equal(chdir(w->dir), 0);
	assert_int_equal(mkdir("out", 0755), 0);
	return 0;
}

static int out_of_folder(void **state)
{
	return chdir("/") < 0 ? -1 : world_tear_down(state);
}

static void assert_file(const char *path, const char *text, int mode)
{
	struct err err;
	struct stat st;
	size_t len;
	_free_ char *is = io_read_file(path, 1 << 16, &len, &err);

	if (!is)
		fail_msg("%s: %s", path, err.msg);
	assert_string_equal(is, text);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, mode);
	unlink(path);
}

static void pulls_files(void **state)
{
	static const struct {
		const char *target, *headers, *file;
		int mode;
	} cases[] = {
		{ "x", MODE("0640"), "x", 0640 },
		{ "x", MODE("755"), "x", 0755 },
		{ "out", MODE("0640"), "out/f", 0640 },
		{ "out/", MODE("0640"), "out/f", 0640 },
		{ "out/x", MODE("0640"), "out/x", 0640 },
		/* nobody on this host becomes root by a file of a container */
		{ "x", MODE("4755"), "x", 0755 },
		{ "x", MODE("x"), "x", 0600 },
		{ "x", MODE("0000644"), "x", 0600 },
		{ "x", MODE("0698"), "x", 0600 },
		{ "x", NULL, "x", 0600 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = xasprintf("file pull c1/etc/f %s", cases[i].target);

		WORLD_ANSWER(w, HAS("%2Fetc%2Ff", "TEXT", cases[i].headers));
		assert_string_equal(world_says(w, line), "");
		assert_file(cases[i].file, "TEXT", cases[i].mode);
	}
	WORLD_ANSWER(w, HAS("%2Fetc%2Ff", "TEXT", MODE("0640")));
	assert_string_equal(world_says(w, "file pull c1/etc/f -"), "TEXT");
	assert_string_equal(world_says(w, "file pull -p c1/etc/f new/deep/x"), "");
	assert_file("new/deep/x", "TEXT", 0640);
	assert_string_equal(world_says(w, "file pull -p c1/etc/f new/er/"), "");
	assert_file("new/er/f", "TEXT", 0640);
}

static void pulls_trees(void **state)
{
	struct world *w = *state;
	char target[64] = "";
	struct stat st;

	WORLD_ANSWER(w, HAS("%2Fd", LISTS("\"f\",\"l\",\"s\""), FOLDER),
		     HAS("%2Fd%2Ff", "F", MODE("0644")), HAS("%2Fd%2Fl", "/etc/passwd\n", LINK),
		     HAS("%2Fd%2Fs", LISTS(""), FOLDER));
	assert_string_equal(world_says(w, "file pull -r c1/d out"), "");
	assert_file("out/d/f", "F", 0644);
	assert_int_equal(readlink("out/d/l", target, sizeof(target) - 1), 11);
	assert_string_equal(target, "/etc/passwd");
	assert_int_equal(stat("out/d/s", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	/* once more over what is there: what the link names is not touched */
	WORLD_ANSWER(w, HAS("%2Fd", LISTS("\"l\""), FOLDER), HAS("%2Fd%2Fl", "G", MODE("0644")));
	assert_string_equal(world_says(w, "file pull -r c1/d out"), "");
	assert_file("out/d/l", "G", 0644);
}

/* Names that lead out of the folder that the user named. */
static void stays_in_the_folder(void **state)
{
	static const char *const names[] = { "..", ".", "", "../x", "/etc/x", "a/b" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_free_ char *list = xasprintf(LISTS("\"%s\""), names[i]);

		WORLD_ANSWER(w, HAS("%2Fd", list, FOLDER));
		assert_string_equal(world_says(w, "file pull -r c1/d out"),
				    "Error: c1/d has an entry that is no file name\n");
		assert_string_equal(world_asked(w), LOOK("%2Fd") "\n");
	}
	WORLD_ANSWER(w, HAS("%2Fd", LISTS("7"), FOLDER));
	assert_string_equal(world_says(w, "file pull -r c1/d out"),
			    "Error: c1/d has an entry that is no file name\n");
}

/* A link that an earlier answer brought must not be walked through by a later one. */
static void walks_through_no_link(void **state)
{
	static const char in_tree[] = "cannot make the folder \"out/d/l\": it is a link here\n";
	static const char at_top[] = "cannot make the folder \"out/top\": it is a link here\n";
	struct world *w = *state;

	assert_int_equal(mkdir("elsewhere", 0755), 0);
	WORLD_ANSWER(w, HAS("%2Fd", LISTS("\"l\""), FOLDER),
		     HAS("%2Fd%2Fl", "../../elsewhere", LINK),
		     HAS("%2Ftop", "../elsewhere", LINK));
	assert_string_equal(world_says(w, "file pull -r c1/d c1/top out"), "");
	WORLD_ANSWER(w, HAS("%2Fd", LISTS("\"l\""), FOLDER),
		     HAS("%2Fd%2Fl", LISTS("\"f\""), FOLDER),
		     HAS("%2Fd%2Fl%2Ff", "F", MODE("0644")),
		     HAS("%2Ftop", LISTS("\"f\""), FOLDER), HAS("%2Ftop%2Ff", "F", MODE("0644")));
	assert_non_null(strstr(world_says(w, "file pull -r c1/d out"), in_tree));
	assert_non_null(strstr(world_says(w, "file pull -r c1/top out"), at_top));
	assert_int_equal(access("elsewhere/f", F_OK), -1);
	/* another link takes the place of the one before */
	WORLD_ANSWER(w, HAS("%2Ftop", "../other", LINK));
	assert_string_equal(world_says(w, "file pull c1/top out"), "");
	/* a link that the user names is his own */
	assert_int_equal(symlink("elsewhere", "mine"), 0);
	WORLD_ANSWER(w, HAS("%2F", LISTS("\"f\""), FOLDER), HAS("%2Ff", "F", MODE("0644")));
	assert_string_equal(world_says(w, "file pull -r c1/ mine"), "");
	assert_file("elsewhere/f", "F", 0644);
}

static const struct dialogue refuses_cases[] = {
	{ "file pull c1/d x",
	  NULL,
	  { HAS("%2Fd", LISTS(""), FOLDER) },
	  "Error: c1/d is a folder: use -r to copy it\n",
	  NULL },
	{ "file pull c1/d -",
	  NULL,
	  { HAS("%2Fd", LISTS(""), FOLDER) },
	  "Error: c1/d is a folder\n",
	  NULL },
	{ "file pull c1/a c1/b none",
	  NULL,
	  { NOTHING },
	  "Error: the target none is no folder (-p makes it)\n",
	  "" },
	{ "file pull c1/a none/",
	  NULL,
	  { NOTHING },
	  "Error: the target none/ is no folder (-p makes it)\n",
	  "" },
	{ "file pull c1/a x", NULL, { NOTHING }, "Error: c1: file \"/a\": Not Found\n", NULL },
	{ "file pull c1 x",
	  NULL,
	  { NOTHING },
	  "Error: \"c1\" is not of the form INSTANCE/PATH\n",
	  "" },
	{ "file delete c1/a c1/b",
	  NULL,
	  { DONE("DELETE /1.0/instances/c1/files?path=%2Fa") },
	  "Error: c1: file \"/b\": Not Found\n",
	  "DELETE /1.0/instances/c1/files?path=%2Fa\nDELETE /1.0/instances/c1/files?path=%2Fb\n" },
	/* without a terminal the new text is read */
	{ "file edit c1/a",
	  "NEW",
	  { DONE("POST /1.0/instances/c1/files?path=%2Fa") },
	  "",
	  "POST /1.0/instances/c1/files?path=%2Fa X-LXD-type: file NEW\n" },
};

static void refuses(void **state)
{
	world_check(*state, refuses_cases, ARRAY_SIZE(refuses_cases));
	assert_int_equal(access("x", F_OK), -1);
}

#define PULL_TEST(f) cmocka_unit_test_setup_teardown(f, into_folder, out_of_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PULL_TEST(pulls_files),
		PULL_TEST(pulls_trees),
		PULL_TEST(stays_in_the_folder),
		PULL_TEST(walks_through_no_link),
		PULL_TEST(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
