/* SPDX-License-Identifier: Apache-2.0 */
/* file push: what is sent of files, folders and links, and under which names. */
#include "tests/unit/cli/server_world.h"

#include <fcntl.h>
#include <sys/stat.h>

#define AT(path) "POST /1.0/instances/c1/files?path=" path
#define LOOK(path) "GET /1.0/instances/c1/files?path=" path
#define ROOTS " X-LXD-uid: 0 X-LXD-gid: 0"
#define IS_FILE " X-LXD-type: file"
#define IS_FOLDER " X-LXD-type: directory"
#define IS_LINK " X-LXD-type: symlink"
#define MODE(mode) " X-LXD-mode: " mode

/* Of root, whoever runs the tests. */
static void own(const char *path)
{
	assert_int_equal(lchown(path, 7, 8), 0);
}

#define OWNER " X-LXD-uid: 7 X-LXD-gid: 8"

static int into_folder(void **state)
{
	struct world *w;
	struct err err;

	world_set_up(state);
	w = *state;
	assert_int_equal(chdir(w->dir), 0);
	assert_int_equal(io_write_file("a", "A", 1, 0640, &err), 0);
	assert_int_equal(io_write_file("b", "B", 1, 04755, &err), 0);
	assert_int_equal(chmod("b", 04755), 0);
	assert_int_equal(mkdir("tree", 0750), 0);
	assert_int_equal(io_write_file("tree/f", "F", 1, 0600, &err), 0);
	assert_int_equal(symlink("a", "link"), 0);
	own("a");
	own("b");
	assert_int_equal(chmod("b", 04755), 0);
	own("tree");
	own("tree/f");
	return 0;
}

static int out_of_folder(void **state)
{
	return chdir("/") < 0 ? -1 : world_tear_down(state);
}

static const struct dialogue pushes_cases[] = {
	{ "file push a c1/etc/x",
	  NULL,
	  { DONE(AT("%2Fetc%2Fx")) },
	  "",
	  AT("%2Fetc%2Fx") IS_FILE OWNER MODE("0640") " A\n" },
	/* into a folder, by its own name */
	{ "file push a c1/etc/",
	  NULL,
	  { DONE(AT("%2Fetc%2Fa")) },
	  "",
	  AT("%2Fetc%2Fa") IS_FILE OWNER MODE("0640") " A\n" },
	{ "file push a b local:c1/etc",
	  NULL,
	  { DONE(AT("%2Fetc%2Fa")), DONE(AT("%2Fetc%2Fb")) },
	  "",
	  AT("%2Fetc%2Fa") IS_FILE OWNER MODE("0640") " A\n" AT("%2Fetc%2Fb")
		  IS_FILE OWNER MODE("4755") " B\n" },
	/* what is said goes before what the file has */
	{ "file push a c1/x --uid 1 --gid 2 --mode 7",
	  NULL,
	  { DONE(AT("%2Fx")) },
	  "",
	  AT("%2Fx") IS_FILE " X-LXD-uid: 1 X-LXD-gid: 2" MODE("0007") " A\n" },
	{ "file push - c1/x --uid 1 --gid 2",
	  "INPUT",
	  { DONE(AT("%2Fx")) },
	  "",
	  AT("%2Fx") IS_FILE " X-LXD-uid: 1 X-LXD-gid: 2" MODE("0644") " INPUT\n" },
	/* named itself, a link is followed */
	{ "file push link c1/x",
	  NULL,
	  { DONE(AT("%2Fx")) },
	  "",
	  AT("%2Fx") IS_FILE OWNER MODE("0640") " A\n" },
	{ "file push -r tree c1/",
	  NULL,
	  { DONE(AT("%2Ftree")), DONE(AT("%2Ftree%2Ff")) },
	  "",
	  AT("%2Ftree") IS_FOLDER OWNER MODE("0750") "\n" AT("%2Ftree%2Ff")
		  IS_FILE OWNER MODE("0600") " F\n" },
	/* a mode is of files: folders keep theirs, and stay passable */
	{ "file push -r tree c1/ --mode 0600",
	  NULL,
	  { DONE(AT("%2Ftree")), DONE(AT("%2Ftree%2Ff")) },
	  "",
	  AT("%2Ftree") IS_FOLDER OWNER MODE("0750") "\n" AT("%2Ftree%2Ff")
		  IS_FILE OWNER MODE("0600") " F\n" },
	/* only what is missing is made */
	{ "file push -p a c1/etc/new/x",
	  NULL,
	  { SAYS(LOOK("%2Fetc"), "[]"), DONE(AT("%2Fetc%2Fnew")), DONE(AT("%2Fetc%2Fnew%2Fx")) },
	  "",
	  LOOK("%2Fetc") "\n" LOOK("%2Fetc%2Fnew") "\n" AT("%2Fetc%2Fnew") IS_FOLDER ROOTS MODE(
		  "0755") "\n" AT("%2Fetc%2Fnew%2Fx") IS_FILE OWNER MODE("0640") " A\n" },
};

static void pushes(void **state)
{
	world_check(*state, pushes_cases, ARRAY_SIZE(pushes_cases));
}

/* Below the source it stays a link; its target is what is sent. */
static void pushes_links_as_such(void **state)
{
	struct world *w = *state;

	assert_int_equal(symlink("/etc/passwd", "tree/l"), 0);
	own("tree/l");
	WORLD_ANSWER(w, DONE(AT("%2Ftree")), DONE(AT("%2Ftree%2Ff")), DONE(AT("%2Ftree%2Fl")));
	assert_string_equal(world_says(w, "file push -r tree c1/"), "");
	assert_non_null(strstr(world_asked(w),
			       AT("%2Ftree%2Fl") IS_LINK OWNER MODE("0777") " /etc/passwd\n"));
	unlink("tree/l");
	assert_int_equal(mkfifo("tree/p", 0600), 0);
	WORLD_ANSWER(w, DONE(AT("%2Ftree")), DONE(AT("%2Ftree%2Ff")));
	assert_string_equal(world_says(w, "file push -r tree c1/"),
			    "Error: tree/p is neither file, folder nor link\n");
	unlink("tree/p");
}

static const struct dialogue refuses_cases[] = {
	{ "file push a c1",
	  NULL,
	  { NOTHING },
	  "Error: \"c1\" is not of the form INSTANCE/PATH\n",
	  "" },
	{ "file push a /etc/x",
	  NULL,
	  { NOTHING },
	  "Error: \"/etc/x\" is not of the form INSTANCE/PATH\n",
	  "" },
	{ "file push tree c1/x",
	  NULL,
	  { NOTHING },
	  "Error: tree is a folder: use -r to copy it\n",
	  "" },
	{ "file push none c1/x",
	  NULL,
	  { NOTHING },
	  "Error: cannot read \"none\": No such file or directory\n",
	  "" },
	{ "file push a c1/x --mode 8",
	  NULL,
	  { NOTHING },
	  "Error: --mode \"8\" is no octal number\n",
	  "" },
	{ "file push a c1/x --mode 777777",
	  NULL,
	  { NOTHING },
	  "Error: --mode \"777777\" is no octal number\n",
	  "" },
	{ "file push a c1/x --uid root",
	  NULL,
	  { NOTHING },
	  "Error: --uid \"root\" is no id\n",
	  "" },
	/* chown(2) takes it for "leave it" */
	{ "file push a c1/x --gid 4294967295",
	  NULL,
	  { NOTHING },
	  "Error: --gid \"4294967295\" is no id\n",
	  "" },
	/* the object is named once */
	{ "file push a c1/x",
	  NULL,
	  { FAILS(AT("%2Fx"), "no space left", 500) },
	  "Error: c1: file \"/x\": no space left\n",
	  NULL },
	{ "file push a c1/x",
	  NULL,
	  { FAILS(AT("%2Fx"), "/x: no space left", 500) },
	  "Error: c1: /x: no space left\n",
	  NULL },
	{ "file push -p a c1/etc/x",
	  NULL,
	  { FAILS(LOOK("%2Fetc"), "c1 is stopped", 400) },
	  "Error: c1 is stopped\n",
	  LOOK("%2Fetc") "\n" },
};

static void refuses(void **state)
{
	world_check(*state, refuses_cases, ARRAY_SIZE(refuses_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushes),
		cmocka_unit_test(pushes_links_as_such),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, into_folder, out_of_folder);
}
