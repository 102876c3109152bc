/* SPDX-License-Identifier: Apache-2.0 */
/* image import, export, copy and delete, and the aliases: files, headers and forms. */
#include "tests/unit/cli/server_world.h"

#include <dirent.h>
#include <sys/stat.h>

#define FP "abcd000000000000000000000000000000000000000000000000000000000000"
#define POST "POST /1.0/images"
#define MADE                                                               \
	{                                                                  \
		.request = POST, .status = 202,                            \
		.body = "{\"id\":\"o\",\"status_code\":200,\"metadata\":{" \
			"\"fingerprint\":\"" FP "\"}}"                     \
	}
#define SAID "Image imported with fingerprint: " FP "\n"
#define ALIASES "POST /1.0/images/aliases"
#define NEW_ALIAS(alias)                                                               \
	ALIASES " {\"name\":\"" alias "\",\"target\":\"" FP "\",\"description\":\"\"," \
		"\"type\":\"container\"}\n"
#define IMG SAYS("GET /1.0/images/aliases/img", "{\"target\":\"" FP "\"}")
#define EXPORT "GET /1.0/images/" FP "/export"
#define FORM "multipart/form-data; boundary=xyz"
#define FILE_OF(name) "Content-Disposition: attachment;filename=" name "\r\n"

/* The tests run in the world's folder. */
static int into_folder(void **state)
{
	struct world *w;
	struct err err;

	world_set_up(state);
	w = *state;
	assert_int_equal(chdir(w->dir), 0);
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(io_write_file("a.tar.xz", "BYTES", 5, 0644, &err), 0);
	assert_int_equal(io_write_file("odd\n.tar", "BYTES", 5, 0644, &err), 0);
	assert_int_equal(io_write_file("meta.tar", "META", 4, 0644, &err), 0);
	assert_int_equal(io_write_file("root.squashfs", "ROOT", 4, 0644, &err), 0);
	return 0;
}

static int out_of_folder(void **state)
{
	return chdir("/") < 0 ? -1 : world_tear_down(state);
}

static const struct dialogue imports_cases[] = {
	{ "image import a.tar.xz", NULL, { MADE }, SAID, POST " X-LXD-filename: a.tar.xz BYTES\n" },
	{ "image import ./a.tar.xz --public os=debian release=a&b",
	  NULL,
	  { MADE },
	  SAID,
	  POST " X-LXD-filename: a.tar.xz X-LXD-properties: os=debian&release=a%26b "
	       "X-LXD-public: true BYTES\n" },
	{ "image import a.tar.xz local: --alias web --alias db",
	  NULL,
	  { MADE, DONE(ALIASES) },
	  SAID,
	  POST " X-LXD-filename: a.tar.xz BYTES\n" NEW_ALIAS("web") NEW_ALIAS("db") },
	{ "image import -", "FROM A PIPE", { MADE },
	  SAID,
	  POST " X-LXD-filename: - FROM A PIPE\n" },
	/* the name of a file ends no header */
	{ "image import odd\n.tar", NULL, { MADE },
	  SAID,
	  POST " X-LXD-filename: odd_.tar BYTES\n" },
	{ "image import a.tar.xz --alias web",
	  NULL,
	  { MADE, FAILS(ALIASES, "alias web exists already", 409) },
	  "Error: image abcd00000000 is there, but its alias \"web\" is not: alias web exists "
	  "already\n",
	  NULL },
	{ "image import none.tar",
	  NULL,
	  { NOTHING },
	  "Error: cannot open \"none.tar\": No such file or directory\n",
	  "" },
	{ "image import out",
	  NULL,
	  { NOTHING },
	  "Error: cannot read \"out\": Is a directory\n",
	  "" },
	{ "image import a.tar.xz local: more",
	  NULL,
	  { NOTHING },
	  "Error: \"more\" is neither REMOTE: nor KEY=VALUE\n",
	  "" },
	{ "image import a.tar.xz far:",
	  NULL,
	  { NOTHING },
	  "Error: no remote named \"far\" (see dunlin remote list)\n",
	  "" },
	{ "image import a.tar.xz",
	  NULL,
	  { FAILS(POST, "no such format", 400) },
	  "Error: no such format\n",
	  NULL },
};

static void imports(void **state)
{
	world_check(*state, imports_cases, ARRAY_SIZE(imports_cases));
}

static void imports_pairs(void **state)
{
	struct world *w = *state;
	const char *asked;

	WORLD_ANSWER(w, MADE);
	assert_string_equal(world_says(w, "image import meta.tar root.squashfs"), SAID);
	asked = world_asked(w);
	assert_true(str_starts(asked, POST " X-LXD-filename: meta.tar multipart/form-data; "));
	assert_non_null(strstr(asked, "name=\"metadata\""));
	assert_non_null(strstr(asked, "\r\n\r\nMETA\r\n"));
	assert_non_null(strstr(asked, "name=\"rootfs"));
	assert_non_null(strstr(asked, "\r\n\r\nROOT\r\n"));
}

static void assert_file(const char *path, const char *text)
{
	struct err err;
	size_t len;
	_free_ char *is = io_read_file(path, 1 << 16, &len, &err);

	if (!is)
		fail_msg("%s: %s", path, err.msg);
	assert_string_equal(is, text);
	unlink(path);
}

/* Of a download that failed. */
static void assert_nothing_left(struct world *w)
{
	DIR *dir = opendir(w->dir);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		assert_false(str_starts(e->d_name, ".dunlin-"));
	closedir(dir);
}

/* Where the file goes: the ending tells how it is compressed, so it comes from the server. */
static void exports(void **state)
{
	static const struct {
		const char *target, *headers, *file;
	} cases[] = {
		{ "", FILE_OF("img.tar.gz"), "img.tar.gz" },
		{ "", FILE_OF("\"img.tar.gz\""), "img.tar.gz" },
		{ "", NULL, FP },
		{ " out", FILE_OF("img.tar.gz"), "out/img.tar.gz" },
		{ " out/", FILE_OF("img.tar.gz"), "out/img.tar.gz" },
		{ " out", NULL, "out/" FP },
		{ " mine", FILE_OF("img.tar.gz"), "mine.tar.gz" },
		{ " mine.tar", FILE_OF("img.tar.gz"), "mine.tar" },
		{ " mine", FILE_OF("img.squashfs"), "mine" },
		{ " out/mine", FILE_OF("img.tar.xz"), "out/mine.tar.xz" },
		/* a server cannot choose a place */
		{ "", FILE_OF("../img.tar.gz"), FP },
		{ "", FILE_OF("/tmp/img.tar.gz"), FP },
		{ "", FILE_OF(".."), FP },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *line = xasprintf("image export img%s", cases[i].target);
		_free_ char *says = xasprintf("Image exported to %s\n", cases[i].file);

		WORLD_ANSWER(w, IMG,
			     { .request = EXPORT, .raw = "BYTES", .headers = cases[i].headers });
		assert_string_equal(world_says(w, line), says);
		assert_file(cases[i].file, "BYTES");
	}
	WORLD_ANSWER(w, IMG, { .request = EXPORT, .raw = "BYTES" });
	assert_string_equal(world_says(w, "image export img -"), "BYTES");
	WORLD_ANSWER(w, IMG, FAILS(EXPORT, "its file is gone", 500));
	assert_string_equal(world_says(w, "image export img mine"), "Error: its file is gone\n");
	assert_int_equal(access("mine", F_OK), -1);
	assert_nothing_left(w);
	assert_string_equal(world_says(w, "image export img none/mine"),
			    "Error: cannot write \"none/mine\": No such file or directory\n");
}

static void exports_pairs(void **state)
{
	static const char form[] = "--xyz\r\nContent-Disposition: form-data; name=\"metadata\"; "
				   "filename=\"meta-1.tar.xz\"\r\n\r\nMETA\r\n"
				   "--xyz\r\nContent-Disposition: form-data; name=\"rootfs\"; "
				   "filename=\"1.squashfs\"\r\n\r\nROOT\r\n--xyz--\r\n";
	struct world *w = *state;

	WORLD_ANSWER(w, IMG,
		     { .request = EXPORT,
		       .raw = form,
		       .headers = "Content-Type: " FORM "\r\n" });
	world_says(w, "image export img out");
	assert_file("out/meta-1.tar.xz", "META");
	assert_file("out/1.squashfs", "ROOT");
}

/* Through the command, from one server to the other. */
static void copies(void **state)
{
	struct world *w = *state;

	world_add_remote(w, "far", w->tls.fingerprint);
	WORLD_ANSWER(w, IMG,
		     { .request = EXPORT, .raw = "BYTES", .headers = FILE_OF("img.tar.gz") }, MADE,
		     DONE(ALIASES),
		     SAYS("GET /1.0/images/" FP,
			  "{\"aliases\":[{\"name\":\"b\",\"description\":\"\"}]}"));
	assert_string_equal(world_says(w, "image copy img far: --alias a --copy-aliases --public"),
			    "Image copied\n");
	assert_string_equal(world_asked(w),
			    "GET /1.0/images/aliases/img\n" EXPORT "\n" POST
			    " X-LXD-filename: img.tar.gz X-LXD-public: true BYTES\n" NEW_ALIAS(
				    "a") "GET /1.0/images/" FP "\n" NEW_ALIAS("b"));
	WORLD_ANSWER(w, IMG,
		     { .request = EXPORT,
		       .raw = "THE FORM",
		       .headers = "Content-Type: " FORM "\r\n" },
		     MADE);
	assert_string_equal(world_says(w, "image copy img far:"), "Image copied\n");
	assert_string_equal(world_asked(w), "GET /1.0/images/aliases/img\n" EXPORT "\n" POST
					    " X-LXD-filename: " FP " " FORM " THE FORM\n");
	assert_string_equal(world_says(w, "image copy img far"),
			    "Error: \"far\" is no remote: write \"far:\"\n");
}

static const struct dialogue names_cases[] = {
	{ "image delete img abcd",
	  NULL,
	  { IMG, DONE("DELETE /1.0/images/" FP),
	    SAYS("GET /1.0/images/abcd", "{\"fingerprint\":\"" FP "\"}") },
	  "",
	  "GET /1.0/images/aliases/img\nDELETE /1.0/images/" FP
	  "\nGET /1.0/images/aliases/abcd\nGET /1.0/images/abcd\nDELETE /1.0/images/" FP "\n" },
	{ "image delete img", NULL, { IMG }, "Error: image \"img\": Not Found\n", NULL },
	{ "image alias create web img --description words",
	  NULL,
	  { IMG, DONE(ALIASES) },
	  "",
	  "GET /1.0/images/aliases/img\n" ALIASES " {\"name\":\"web\",\"target\":\"" FP
	  "\",\"description\":\"words\","
	  "\"type\":\"container\"}\n" },
	{ "image alias delete a b",
	  NULL,
	  { DONE("DELETE /1.0/images/aliases/a") },
	  "Error: image alias \"b\": Not Found\n",
	  "DELETE /1.0/images/aliases/a\nDELETE /1.0/images/aliases/b\n" },
	{ "image alias rename a b",
	  NULL,
	  { DONE("POST /1.0/images/aliases/a") },
	  "",
	  "POST /1.0/images/aliases/a {\"name\":\"b\"}\n" },
	{ "image alias rename none b",
	  NULL,
	  { NOTHING },
	  "Error: image alias \"none\": Not Found\n",
	  NULL },
};

static void deletes_and_names(void **state)
{
	world_check(*state, names_cases, ARRAY_SIZE(names_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imports), cmocka_unit_test(imports_pairs),
		cmocka_unit_test(exports), cmocka_unit_test(exports_pairs),
		cmocka_unit_test(copies),  cmocka_unit_test(deletes_and_names),
	};

	return cmocka_run_group_tests(tests, into_folder, out_of_folder);
}
