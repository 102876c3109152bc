/* SPDX-License-Identifier: Apache-2.0 */
/* dunlind init: its command line, its questions, and what the daemon is asked for then. */
#include <getopt.h>

#include "node/daemon/init/init.h"
#include "tests/unit/cli/server_world.h"

static int open_world(void **state)
{
	struct world *w = world_new();
	char path[80];

	snprintf(path, sizeof(path), "%s/unix.socket", w->dir);
	assert_int_equal(symlink(w->socket, path), 0);
	setenv("DUNLIN_DIR", w->dir, 1);
	*state = w;
	return 0;
}

static int close_world(void **state)
{
	world_free(*state);
	return 0;
}

/* What "init LINE" prints, errors too, then its exit status; the caller frees. */
static char *says(const char *line, const char *input)
{
	_free_ char *copy = xasprintf("init%s%s", *line ? " " : "", line);
	int out = world_file(""), in = world_file(input ? input : ""), old[3], status;
	char *argv[32] = { NULL }, *text = xcalloc(1 << 16, 1);
	int argc = (int)str_split(copy, ' ', argv, 31);
	const int now[3] = { in, out, out };

	fflush(stdout);
	for (int i = 0; i < 3; i++) {
		old[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
		assert_int_equal(dup2(now[i], i), i);
	}
	__fpurge(stdin);
	clearerr(stdin);
	optind = 0;
	status = init_main(argc, argv);
	printf("=%d\n", status);
	fflush(stdout);
	for (int i = 0; i < 3; i++) {
		dup2(old[i], i);
		close(old[i]);
	}
	assert_true(pread(out, text, (1 << 16) - 1, 0) >= 0);
	close(in);
	close(out);
	return text;
}

#define READY SAYS("GET /internal/ready", "{}")
#define ALONE "{\"auth\":\"trusted\",\"config\":{},\"environment\":{\"server_clustered\":false}}"
#define MEMBER                                                                              \
	"{\"auth\":\"trusted\",\"config\":{\"core.https_address\":\"192.0.2.1:8443\"},"     \
	"\"environment\":{\"server_clustered\":true,\"server_name\":\"m1\"}}"
#define NEXT ". Next: dunlin image import TARBALL --alias NAME; dunlin launch NAME\n=0\n"

/* Nothing of these reaches a daemon. */
static void refuses_command_lines(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "--frobnicate", "--frobnicate" },
		{ "--join", "--join" },
		{ "--auto now", "Error: unexpected argument \"now\"\n" },
		{ "--preseed a b", "Error: unexpected argument \"b\"\n" },
		{ "--auto --dump", "--auto, --preseed, --join and --dump exclude each other" },
		{ "--join x --preseed", "exclude each other" },
		{ "--preseed=f --auto", "exclude each other" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = NULL;

		WORLD_ANSWER(w, NOTHING);
		text = says(cases[i].line, NULL);
		if (!strstr(text, cases[i].says) || !strstr(text, "Usage: dunlind init") ||
		    !strstr(text, "=1\n"))
			fail_msg("%s: %s", cases[i].line, text);
		assert_string_equal(world_asked(w), "");
	}
}

static void helps(void **state)
{
	_free_ char *text = says("--help", NULL);

	assert_true(str_starts(text, "Usage: dunlind init"));
	assert_non_null(strstr(text, "      dir: ")); /* a driver of storage pools */
	assert_true(str_ends(text, "=0\n"));
}

/* What is wrong with a value, and that nothing was changed then. */
static void refuses_values(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "--auto --network-address a:b:c", "--network-address \"a:b:c\"" },
		{ "--auto --network-address 192.0.2.1 --network-port 0",
		  "--network-port \"0\": must be a number from 1 to 65535" },
		{ "--auto --network-address 192.0.2.1 --network-port 65536", "\"65536\"" },
		{ "--auto --storage-backend tape", "--storage-backend" },
		{ "--join token", "--join needs --network-address" },
		{ "--preseed /nowhere/x", "/nowhere/x" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = NULL;

		WORLD_ANSWER(w, READY, SAYS("GET /1.0", ALONE));
		text = says(cases[i].line, NULL);
		if (!str_starts(text, "Error: ") || !strstr(text, cases[i].says) ||
		    !str_ends(text, "\n=1\n"))
			fail_msg("%s: %s", cases[i].line, text);
		assert_null(strstr(world_asked(w), "POST"));
		assert_null(strstr(world_asked(w), "PATCH"));
		assert_null(strstr(world_asked(w), "PUT"));
	}
}

/* What was asked of the daemon, but for what only looks. */
static char *changes(struct world *w)
{
	_free_ char *copy = xstrdup(world_asked(w));
	struct sbuf b = SBUF(1 << 16);

	sbuf_puts(&b, "");
	for (char *line = copy, *end; *line; line = end) {
		end = line + strcspn(line, "\n") + 1;
		if (!str_starts(line, "GET "))
			sbuf_add(&b, line, (size_t)(end - line));
	}
	return sbuf_take(&b);
}

static void applies_a_preseed(void **state)
{
	static const char *const lines[] = { "--preseed", "--preseed -", "--preseed=-" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_free_ char *text = NULL, *changed = NULL;

		WORLD_ANSWER(w, READY, SAYS("GET /1.0", ALONE), DONE("PATCH /1.0"));
		text = says(lines[i], "config:\n  user.x: 5\n");
		assert_string_equal(text, "This host is set up" NEXT);
		changed = changes(w);
		assert_string_equal(changed, "PATCH /1.0 {\"config\":{\"user.x\":\"5\"}}\n");
	}
}

/* A host that has a pool, networks or devices keeps them. */
static void auto_adds_what_is_missing(void **state)
{
	struct world *w = *state;
	_free_ char *text = NULL, *none = NULL, *some = NULL;

	WORLD_ANSWER(w, READY, SAYS("GET /1.0", MEMBER), SAYS("GET /1.0/storage-pools", "[\"a\"]"),
		     SAYS("GET /1.0/networks?recursion=1", "[{\"managed\":true}]"),
		     SAYS("GET /1.0/profiles/default", "{\"devices\":{\"root\":{}}}"));
	text = says("--auto", NULL);
	assert_string_equal(text, "This host is member \"m1\" of a cluster, with the API on "
				  "192.0.2.1:8443" NEXT);
	none = changes(w);
	assert_string_equal(none, "");
	free(text);
	/* One that is not managed is none. */
	WORLD_ANSWER(w, READY, SAYS("GET /1.0", ALONE), SAYS("GET /1.0/storage-pools", "[]"),
		     SAYS("GET /1.0/networks?recursion=1", "[{\"managed\":false}]"),
		     SAYS("GET /1.0/profiles/default", "{\"devices\":{}}"),
		     DONE("POST /1.0/storage-pools"), DONE("POST /1.0/networks"),
		     DONE("PATCH /1.0/profiles/default"));
	text = says("--auto --storage-backend dir", NULL);
	assert_string_equal(text, "This host is set up" NEXT);
	some = changes(w);
	assert_non_null(strstr(some, "POST /1.0/storage-pools {"));
	assert_non_null(strstr(some, "\"driver\":\"dir\""));
	assert_non_null(strstr(some, "POST /1.0/networks {\"name\":\"dunlinbr0\""));
	assert_non_null(strstr(some, "PATCH /1.0/profiles/default {"));
}

/* The end of the input is no consent to anything; what makes no sense is asked again. */
static void asks(void **state)
{
	static const struct {
		const char *input, *server;
		const char *says; /* in the answers to the last lines */
		int status;
	} cases[] = {
		{ "", ALONE, "the input ended before all questions were answered", 1 },
		{ "maybe\n", ALONE, "Please answer yes or no.\n", 1 },
		{ "no\n", ALONE, "Make the API available over the network? (yes/no)", 1 },
		{ "no\nyes\n300.1.1.1\n", ALONE, "\"300.1.1.1\" is no IP address, with or without",
		  1 },
		{ "no\nyes\nhost.example\n", ALONE, "\"host.example\" is no IP address", 1 },
		{ "yes\n\n\n", ALONE, "Join token (dunlin cluster add NAME, on a member): ", 1 },
		{ "yes\ntoken\n0.0.0.0\n", ALONE,
		  "\"0.0.0.0\" is no IP address that other hosts can reach.", 1 },
		{ "no\nno\n", ALONE, "This host is set up" NEXT, 0 },
		{ "\n\n", ALONE, "This host is set up" NEXT, 0 }, /* the defaults: no, no */
		{ "", MEMBER, "This host is member \"m1\" of a cluster.\n", 0 },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = NULL, *changed = NULL, *end = NULL;

		WORLD_ANSWER(w, READY, SAYS("GET /1.0", cases[i].server),
			     SAYS("GET /1.0/storage-pools", "[\"a\"]"),
			     SAYS("GET /1.0/networks?recursion=1", "[{\"managed\":true}]"),
			     SAYS("GET /1.0/profiles/default", "{\"devices\":{\"root\":{}}}"));
		text = says("", cases[i].input);
		end = xasprintf("=%d\n", cases[i].status);
		if (!strstr(text, cases[i].says) || !str_ends(text, end))
			fail_msg("\"%s\": %s", cases[i].input, text);
		changed = changes(w);
		assert_string_equal(changed, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)
		T(refuses_command_lines), T(helps),
		T(refuses_values),        T(applies_a_preseed),
		T(auto_adds_what_is_missing), T(asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
