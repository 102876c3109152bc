/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of objects that commands share, and which object is meant. */
#include "tests/unit/cli/server_world.h"

#include "cli/net/entity.h"

#define FP(first) first "000000000000000000000000000000000000000000000000000000000000"

/* Of all kinds whose words a command begins with, the longest. */
static void a_command_has_its_kind(void **state)
{
	static const struct {
		const char *words, *kind, *noun;
	} cases[] = {
		{ "profile show", "profile", "profile" },
		{ "image show", "image", "image" },
		{ "image alias delete", "image alias", "image alias" },
		{ "config set", "config", "instance" },
		{ "config trust show", "config trust", "certificate" },
		{ "config device add", "config", "instance" },
		{ "storage show", "storage", "storage pool" },
		{ "storage volume show", "storage volume", "storage volume" },
		{ "cluster", "cluster", "cluster member" },
		{ "cluster group show", "cluster group", "cluster group" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct entity *e = entity_of(cases[i].words);

		if (!str_eq(e->words, cases[i].kind) || !str_eq(e->noun, cases[i].noun))
			fail_msg("%s: %s", cases[i].words, e->words);
		assert_ptr_equal(entity_named(cases[i].kind), e);
		assert_int_equal(entity_names(e), str_eq(e->words, "storage volume") ? 2 : 1);
	}
}

/* What a command line names: the path that is asked for, or why there is none. */
static const struct {
	const char *line, *arg; /* arg: the first of the object's */
	struct answer answers[3];
	const char *name, *path; /* path NULL: name is the error */
} meant[] = {
	{ "profile show web", "web", { NOTHING }, "web", "/1.0/profiles/web" },
	{ "profile show a/b", "a/b", { NOTHING }, "a/b", "/1.0/profiles/a%2Fb" },
	{ "profile show local:",
	  "local:",
	  { NOTHING },
	  "the name of the profile is missing",
	  NULL },
	/* without a name, the server itself */
	{ "config show", NULL, { NOTHING }, NULL, "/1.0" },
	{ "config show local:", "local:", { NOTHING }, NULL, "/1.0" },
	{ "config show c1", "c1", { NOTHING }, "c1", "/1.0/instances/c1" },
	/* volumes: of instances, where nothing is said */
	{ "storage volume show p v",
	  "p",
	  { NOTHING },
	  "container/v",
	  "/1.0/storage-pools/p/volumes/container/v" },
	{ "storage volume show p custom/v",
	  "p",
	  { NOTHING },
	  "custom/v",
	  "/1.0/storage-pools/p/volumes/custom/v" },
	{ "storage volume show p /v",
	  "p",
	  { NOTHING },
	  "name the pool and the volume: POOL [TYPE/]VOLUME",
	  NULL },
	{ "storage volume show p custom/",
	  "p",
	  { NOTHING },
	  "name the pool and the volume: POOL [TYPE/]VOLUME",
	  NULL },
	/* images: an alias first, then the beginning of a fingerprint */
	{ "image show bb",
	  "bb",
	  { SAYS("GET /1.0/images/aliases/bb", "{\"target\":\"" FP("abcd") "\"}") },
	  FP("abcd"),
	  "/1.0/images/" FP("abcd") },
	{ "image show abcd",
	  "abcd",
	  { SAYS("GET /1.0/images/abcd", "{\"fingerprint\":\"" FP("abcd") "\"}") },
	  FP("abcd"),
	  "/1.0/images/" FP("abcd") },
	{ "image show abc",
	  "abc",
	  { SAYS("GET /1.0/images/abc", "{\"fingerprint\":\"" FP("abcd") "\"}") },
	  "no image has the alias or fingerprint \"abc\" (see dunlin image list)",
	  NULL },
	{ "image show bb",
	  "bb",
	  { SAYS("GET /1.0/storage-pools", "[]") },
	  "no image has the alias or fingerprint \"bb\" (this host was not set up: run "
	  "\"dunlind init\" on it, then import one)",
	  NULL },
	{ "image show bb",
	  "bb",
	  { FAILS("GET /1.0/images/aliases/bb", "no leader", 503) },
	  "no leader",
	  NULL },
	/* certificates: the beginning of one, and of one only */
	{ "config trust show ab",
	  "ab",
	  { SAYS("GET /1.0/certificates?recursion=1",
		 "[{\"fingerprint\":\"" FP("abcd") "\"},{\"fingerprint\":\"" FP("b0") "\"}]") },
	  FP("abcd"),
	  "/1.0/certificates/" FP("abcd") },
	{ "config trust show ab",
	  "ab",
	  { SAYS("GET /1.0/certificates?recursion=1",
		 "[{\"fingerprint\":\"" FP("abcd") "\"},{\"fingerprint\":\"" FP("abce") "\"}]") },
	  "several certificates begin with \"ab\"",
	  NULL },
	{ "config trust show ab",
	  "ab",
	  { SAYS("GET /1.0/certificates?recursion=1", "[]") },
	  "no certificate has the fingerprint \"ab\"",
	  NULL },
	{ "config trust show ab",
	  "ab",
	  { FAILS("GET /1.0/certificates?recursion=1", "no leader", 503) },
	  "no leader",
	  NULL },
};

static void an_argument_means_one_object(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(meant); i++) {
		_free_ char *text = xasprintf("dunlin %s", meant[i].line);
		struct cli *c = world_cli(w);
		struct object o = { 0 };
		struct err err = { 0 };
		char *argv[16] = { NULL };
		int argc = (int)str_split(text, ' ', argv, 15), rc;

		world_answers(w, meant[i].answers, ARRAY_SIZE(meant[i].answers));
		assert_int_equal(args_parse(&commands, &c->args, argc, argv, &err), 0);
		rc = object_open(c, meant[i].arg, &o, &err);
		if (rc < 0 ? meant[i].path || !str_eq(err.msg, meant[i].name)
			   : !str_eq(o.path, meant[i].path) ||
				     (o.name ? !str_eq(o.name, meant[i].name)
					     : meant[i].name != NULL))
			fail_msg("%s: %s", meant[i].line, rc < 0 ? err.msg : o.path);
		object_close(&o);
		world_end_cli(c);
	}
}

/* "not found" in the server's words, or with what is meant where these do not say it. */
static void what_is_missing_is_named(void **state)
{
	static const struct {
		struct answer answer;
		const char *msg;
	} cases[] = {
		{ FAILS("GET /1.0/profiles/web", "not found", 404), "profile \"web\": not found" },
		{ FAILS("GET /1.0/profiles/web", "no profile web", 404), "no profile web" },
		{ FAILS("GET /1.0/profiles/web", "no leader", 503), "no leader" },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct object o = { .kind = entity_named("profile"),
			    .cl = client_open(c, REMOTE_LOCAL, &err),
			    .name = xstrdup("web"),
			    .path = xstrdup("/1.0/profiles/web") };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_answers(w, &cases[i].answer, 1);
		err = (struct err){ 0 };
		assert_null(object_read(&o, &err));
		assert_string_equal(err.msg, cases[i].msg);
	}
	object_close(&o);
	world_end_cli(c);
}

static int count(json_t *obj, void *arg, struct err *err)
{
	int *n = arg;

	json_put_int(obj, "description", ++*n);
	return *n < 9 ? 0 : err_set(err, ERR_INVALID, "not so often");
}

#define GET_IT TAGGED("GET /1.0/profiles/web", "{\"config\":{},\"used_by\":[]}", "e1")
#define PUT_IT(text, status) FAILS("PUT /1.0/profiles/web", text, status)

/* Whoever changed it meanwhile came first: it is read and changed again, and again. */
static void a_change_that_lost_is_made_anew(void **state)
{
	static const struct {
		struct answer answers[3];
		int tries, rc;
	} cases[] = {
		{ { GET_IT, DONE("PUT /1.0/profiles/web") }, 1, 0 },
		{ { GET_IT, ONCE("PUT /1.0/profiles/web", "changed", 412),
		    DONE("PUT /1.0/profiles/web") },
		  2,
		  0 },
		{ { GET_IT, PUT_IT("changed", 412) }, 5, -1 },
		{ { GET_IT, PUT_IT("bad value", 400) }, 1, -1 },
		{ { NOTHING }, 0, -1 },
	};
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err = { 0 };
	struct object o = { .kind = entity_named("profile"),
			    .cl = client_open(c, REMOTE_LOCAL, &err),
			    .name = xstrdup("web"),
			    .path = xstrdup("/1.0/profiles/web") };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int tries = 0;

		world_answers(w, cases[i].answers, ARRAY_SIZE(cases[i].answers));
		assert_int_equal(object_update(&o, count, &tries, &err), cases[i].rc);
		assert_int_equal(tries, cases[i].tries);
	}
	/* Only what may be written is, and only if it is still what was read. */
	world_answers(w, cases[0].answers, ARRAY_SIZE(cases[0].answers));
	assert_int_equal(object_update(&o, count, &(int){ 0 }, &err), 0);
	assert_non_null(strstr(world_asked(w), "PUT /1.0/profiles/web e1 {"));
	assert_null(strstr(world_asked(w), "used_by"));
	/* A change that is refused writes nothing. */
	world_answers(w, cases[0].answers, ARRAY_SIZE(cases[0].answers));
	assert_int_equal(object_update(&o, count, &(int){ 8 }, &err), -1);
	assert_string_equal(world_asked(w), "GET /1.0/profiles/web\n");
	object_close(&o);
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up, world_tear_down)
		T(a_command_has_its_kind),
		T(an_argument_means_one_object),
		T(what_is_missing_is_named),
		T(a_change_that_lost_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
