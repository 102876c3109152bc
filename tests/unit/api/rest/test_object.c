/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of a kind, on a real store: each test's kind is a "thing" kept as profiles are. */
#include "tests/unit/api/rest/object_world.h"

/* --- the pure parts -------------------------------------------------------------------------- */

static void urls(void **state)
{
	static const struct {
		const char *path;
		const char *params[ROUTE_PARAMS_MAX], *name, *url;
	} cases[] = {
		{ "/1.0/things", { NULL }, "a", "/1.0/things/a" },
		{ "/1.0/things/{name}", { "b" }, "a", "/1.0/things/a" },
		{ "/1.0/things/{name}", { "b" }, "a b?c", "/1.0/things/a%20b%3Fc" },
		{ "/1.0/pools/{pool}/volumes", { "p" }, "v", "/1.0/pools/p/volumes/v" },
		{ "/1.0/pools/{pool}/volumes/{name}",
		  { "p q", "x" },
		  "v",
		  "/1.0/pools/p%20q/volumes/v" },
		{ "/1.0/a/{a}/{b}/c/{c}", { "1", "2", "3" }, "n", "/1.0/a/1/2/c/n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *url = object_url(cases[i].path, cases[i].params, cases[i].name);

		assert_string_equal(url, cases[i].url);
	}
}

static const struct field all_fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },
	{ "type", JW_STR, FIELD_FIXED, false },
	{ "text", JW_STR, FIELD_WRITE, false },
	{ "config", JW_STR_MAP, FIELD_WRITE, false },
	{ "list", JW_STR_LIST, FIELD_KEEP, false },
	{ "on", JW_BOOL, FIELD_WRITE, false },
	{ "number", JW_INT, FIELD_KEEP, false },
	{ "used_by", JW_ARR, FIELD_SHOWN, false },
	{ NULL, 0, 0, false },
};
static const struct kind all = { .entity = ENT_PROFILE, .fields = all_fields };

static void merges(void **state)
{
	static const char present[] = "{'text':'t', 'config':{'a':'1', 'b':'2'}, 'list':['x'], "
				      "'on':true, 'number':7, 'type':'big'}";
	static const struct {
		const char *body;
		bool patch;
		const char *result;
	} cases[] = {
		{ "{}", true, present },
		{ "{'text':null, 'config':null, 'list':null}", true, present },
		{ "{}", false,
		  "{'text':'', 'config':{}, 'list':['x'], 'on':false, 'number':7, 'type':'big'}" },
		{ "{'config':{'b':'3', 'c':'4'}}", true,
		  "{'text':'t', 'config':{'a':'1', 'b':'3', 'c':'4'}, 'list':['x'], 'on':true, "
		  "'number':7, 'type':'big'}" },
		{ "{'config':{'b':'3'}, 'on':true, 'text':'u'}", false,
		  "{'text':'u', 'config':{'b':'3'}, 'list':['x'], 'on':true, 'number':7, "
		  "'type':'big'}" },
		/* what can't be changed is not touched, whatever is sent */
		{ "{'name':'n', 'type':'small', 'used_by':['u'], 'list':[], 'number':8}", true,
		  "{'text':'t', 'config':{'a':'1', 'b':'2'}, 'list':[], 'on':true, 'number':8, "
		  "'type':'big'}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *doc = quoted(present), *body = quoted(cases[i].body);
		_json_ json_t *want = quoted(cases[i].result);

		object_merge(&all, doc, body, cases[i].patch);
		if (!json_equal(doc, want))
			fail_msg("%s", cases[i].body);
	}
}

static void what_may_be_changed(void **state)
{
	_json_ json_t *doc = parsed("{\"type\":\"big\", \"config\":{\"a\":\"1\"}}");
	_json_ json_t *j = object_writable(&all, doc);

	assert_json(j, "{\"text\":\"\", \"config\":{\"a\":\"1\"}, \"list\":[], \"on\":false, "
		       "\"number\":0}");
	json_put_str(json_obj(j, "config"), "a", "2");
	assert_string_equal(json_str(json_obj(doc, "config"), "a", ""), "1");
}

/* --- a kind and its requests ----------------------------------------------------------------- */

/* What the functions of the kind were told, one letter each, and what they answer. */
static struct {
	char calls[64];
	bool check_fails, apply_fails;
	int precondition; /* so many commits find that something has changed */
	struct store_world *world;
} told;

static void note(char c)
{
	size_t n = strlen(told.calls);

	assert_true(n < sizeof(told.calls) - 1);
	told.calls[n] = c;
}

static int fix(struct req *r, struct change *c)
{
	note('f');
	assert_null(c->old);
	if (!json_object_get(c->doc, "type"))
		json_put_str(c->doc, "type", "plain");
	return 0;
}

static int check(struct req *r, struct change *c)
{
	note(c->old ? 'c' : 'n');
	assert_non_null(c->doc);
	if (told.precondition > 0) { /* another one is quicker */
		told.precondition--;
		world_put(told.world, ENT_POOL, "p", json_object());
		tx_check(c->tx, ENT_POOL, "p", REV_NONE + 1);
	}
	return told.check_fails ? err_set(req_err(r), ERR_INVALID, "%s: no", c->what) : 0;
}

static int leave(struct req *r, struct change *c)
{
	note(c->new_name ? 'r' : 'l');
	assert_non_null(c->old);
	return str_eq(c->name, "held") ? err_set(req_err(r), ERR_INVALID, "%s is held", c->what)
				       : 0;
}

static int apply(struct req *r, const struct change *c)
{
	note(!c->old ? 'N' : c->doc ? 'C' : 'D');
	return told.apply_fails ? err_set(req_err(r), ERR_INTERNAL, "%s: no room", c->what) : 0;
}

static void undo(struct req *r, const struct change *c)
{
	note('u');
}

static void show(struct req *r, const struct row *row, json_t *j)
{
	json_put_str(j, "status", "Created");
}

static bool hidden(struct req *r, const struct row *row)
{
	return str_eq(row->key, "secret");
}

static const struct field fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },          { "type", JW_STR, FIELD_FIXED, false },
	{ "description", JW_STR, FIELD_WRITE, false }, { "config", JW_STR_MAP, FIELD_WRITE, false },
	{ "status", JW_STR, FIELD_SHOWN, false },      { NULL, 0, 0, false },
};
static const struct kind thing = {
	.entity = ENT_PROFILE,
	.fields = fields,
	.name_max = 8,
	.name_without = "@",
	.keep = "default",
	.keep_text = "Default thing",
	.hidden = hidden,
	.show = show,
	.fix = fix,
	.check = check,
	.leave = leave,
	.apply = apply,
	.undo = undo,
};
#define ROW(m, p, fn)                                                 \
	{                                                             \
		.method = m, .path = p, .handler = fn, .kind = &thing \
	}
static const struct route routes[] = {
	ROW("GET", "/1.0/things", object_list),
	ROW("POST", "/1.0/things", object_create),
	ROW("GET", "/1.0/things/{name}", object_get),
	ROW("PUT", "/1.0/things/{name}", object_change),
	ROW("PATCH", "/1.0/things/{name}", object_change),
	ROW("POST", "/1.0/things/{name}", object_rename),
	ROW("DELETE", "/1.0/things/{name}", object_delete),
	{ 0 },
};

static void forget_calls(void)
{
	memset(told.calls, 0, sizeof(told.calls));
}

static int setup(void **state)
{
	struct object_world *t = xnew(struct object_world);

	memset(&told, 0, sizeof(told));
	told.world = &t->w;
	object_world_open(t, routes);
	t->before = forget_calls;
	*state = t;
	return 0;
}

static void makes_and_shows(void **state)
{
	struct object_world *t = *state;

	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"a b\", \"config\":{\"k\":\"v\"}}"),
			 201);
	assert_string_equal(told.calls, "fnN");
	assert_non_null(strstr(t->r->reply.headers.data, "Location: /1.0/things/a%20b\r\n"));
	assert_event(t, 1, "profile-created", "/1.0/things/a%20b");
	assert_int_equal(ask(t, "GET /1.0/things/a%20b", NULL), 200);
	assert_answer(t, "{\"name\":\"a b\", \"type\":\"plain\", \"description\":\"\", "
			 "\"config\":{\"k\":\"v\"}, \"status\":\"Created\"}");
	assert_int_equal(ask(t, "GET /1.0/things/none", NULL), 404);
	assert_string_equal(t->r->err.msg, "Profile not found: \"none\"");
}

static void refuses_to_make(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *message;
	} cases[] = {
		{ "{}", 400, "profile: field \"name\" is missing" },
		{ "{\"name\":\"\"}", 400,
		  "profile: invalid name \"\" (1 to 8 bytes, none of them one of \"/~@\")" },
		{ "{\"name\":\"a@b\"}", 400, "invalid name \"a@b\"" },
		{ "{\"name\":\"much too long\"}", 400, "invalid name \"much too long\"" },
		{ "{\"name\":\"a~b\"}", 400, "invalid name \"a~b\"" },
		{ "{\"name\":\"x\", \"status\":\"Created\"}", 400, "status" },
		{ "{\"name\":\"x\", \"config\":{\"a\":1}}", 400, "config" },
		{ "{\"name\":\"there\"}", 409, "Profile \"there\" already exists" },
	};
	struct object_world *t = *state;

	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"there\"}"), 201);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ask(t, "POST /1.0/things", cases[i].body), cases[i].status);
		if (!strstr(t->r->err.msg, cases[i].message))
			fail_msg("%s: %s", cases[i].body, t->r->err.msg);
		assert_string_equal(told.calls, "");
	}
	told.check_fails = true;
	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"x\"}"), 400);
	assert_string_equal(t->r->err.msg, "profile \"x\": no");
	assert_int_equal(ask(t, "GET /1.0/things/x", NULL), 404);
}

static void lists(void **state)
{
	struct object_world *t = *state;

	world_put(&t->w, ENT_PROFILE, "a", json_pack("{s:s}", "description", "first"));
	world_put(&t->w, ENT_PROFILE, "b", json_pack("{s:s}", "description", "second"));
	world_put(&t->w, ENT_PROFILE, "secret", json_object());
	world_put(&t->w, ENT_PROFILE, "other~a", json_object()); /* of another project */
	assert_int_equal(ask(t, "GET /1.0/things", NULL), 200);
	assert_answer(t, "[\"/1.0/things/a\", \"/1.0/things/b\"]");
	assert_int_equal(ask(t, "GET /1.0/things?filter=description+eq+second", NULL), 200);
	assert_answer(t, "[\"/1.0/things/b\"]");
	assert_int_equal(ask(t, "GET /1.0/things?filter=description", NULL), 400);
	assert_int_equal(ask(t, "GET /1.0/things?recursion=1", NULL), 200);
	assert_answer(t,
		      "[{\"name\":\"a\", \"type\":\"\", \"description\":\"first\", \"config\":{}, "
		      "\"status\":\"Created\"}, {\"name\":\"b\", \"type\":\"\", "
		      "\"description\":\"second\", \"config\":{}, \"status\":\"Created\"}]");
	assert_int_equal(ask(t, "GET /1.0/things/secret", NULL), 404);
	assert_int_equal(ask(t, "DELETE /1.0/things/secret", NULL), 404);
}

static void changes(void **state)
{
	struct object_world *t = *state;
	_free_ char *tag = NULL;

	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"a\", \"description\":\"d\"}"),
			 201);
	assert_int_equal(ask(t, "GET /1.0/things/a", NULL), 200);
	tag = etag(t);
	assert_int_equal(ask_if(t, "PATCH /1.0/things/a", "{\"config\":{\"k\":\"v\"}}", tag), 200);
	assert_string_equal(told.calls, "cC");
	assert_event(t, 2, "profile-updated", "/1.0/things/a");
	assert_int_equal(ask_if(t, "PATCH /1.0/things/a", "{\"description\":\"e\"}", tag), 412);
	assert_string_equal(told.calls, "");
	assert_int_equal(ask(t, "GET /1.0/things/a", NULL), 200);
	assert_answer(t, "{\"name\":\"a\", \"type\":\"plain\", \"description\":\"d\", "
			 "\"config\":{\"k\":\"v\"}, \"status\":\"Created\"}");
	/* what was shown may be sent back */
	assert_int_equal(ask(t, "PUT /1.0/things/a",
			     "{\"name\":\"a\", \"type\":\"plain\", \"status\":\"x\"}"),
			 200);
	assert_int_equal(ask(t, "PUT /1.0/things/a", "{\"name\":\"b\"}"), 400);
	assert_string_equal(t->r->err.msg, "profile \"a\": \"name\" can't be changed to \"b\": "
					   "it is \"a\"");
	assert_int_equal(ask(t, "PUT /1.0/things/a", "{\"type\":\"round\"}"), 400);
	assert_int_equal(ask(t, "PUT /1.0/things/none", "{}"), 404);
}

/* What is always there is made once, and what became of it stays. */
static void keeps_one(void **state)
{
	struct object_world *t = *state;

	objects_keep(&t->env, routes);
	assert_int_equal(ask(t, "GET /1.0/things/default", NULL), 200);
	assert_answer(t, "{\"name\":\"default\", \"type\":\"\", \"config\":{}, "
			 "\"description\":\"Default thing\", \"status\":\"Created\"}");
	assert_int_equal(ask(t, "PATCH /1.0/things/default", "{\"description\":\"mine\"}"), 200);
	objects_keep(&t->env, routes);
	assert_int_equal(ask(t, "GET /1.0/things?filter=description+eq+mine", NULL), 200);
	assert_answer(t, "[\"/1.0/things/default\"]");
	assert_int_equal(ask(t, "DELETE /1.0/things/default", NULL), 403);
	assert_int_equal(ask(t, "POST /1.0/things/default", "{\"name\":\"x\"}"), 403);
}

static void renames(void **state)
{
	struct object_world *t = *state;

	ask(t, "POST /1.0/things", "{\"name\":\"a\", \"description\":\"d\"}");
	ask(t, "POST /1.0/things", "{\"name\":\"b\"}");
	assert_int_equal(ask(t, "POST /1.0/things/a", "{\"name\":\"b\"}"), 409);
	assert_string_equal(t->r->err.msg, "Profile \"b\" already exists");
	assert_int_equal(ask(t, "POST /1.0/things/a", "{\"name\":\"c\"}"), 201);
	assert_string_equal(told.calls, "r");
	assert_non_null(strstr(t->r->reply.headers.data, "Location: /1.0/things/c\r\n"));
	assert_event(t, 3, "profile-renamed", "/1.0/things/c");
	assert_int_equal(ask(t, "GET /1.0/things/a", NULL), 404);
	assert_int_equal(ask(t, "GET /1.0/things/c", NULL), 200);
	assert_int_equal(ask(t, "POST /1.0/things/c", "{\"name\":\"d\", \"type\":\"x\"}"), 400);
	assert_int_equal(ask(t, "POST /1.0/things/none", "{\"name\":\"d\"}"), 404);
}

static void deletes(void **state)
{
	struct object_world *t = *state;

	ask(t, "POST /1.0/things", "{\"name\":\"a\"}");
	ask(t, "POST /1.0/things", "{\"name\":\"held\"}");
	ask(t, "POST /1.0/things", "{\"name\":\"default\"}");
	assert_int_equal(ask(t, "DELETE /1.0/things/default", NULL), 403);
	assert_string_equal(t->r->err.msg, "The \"default\" profile can't be deleted");
	assert_int_equal(ask(t, "POST /1.0/things/default", "{\"name\":\"x\"}"), 403);
	assert_int_equal(ask(t, "DELETE /1.0/things/held", NULL), 400);
	assert_string_equal(t->r->err.msg, "profile \"held\" is held");
	assert_int_equal(ask(t, "DELETE /1.0/things/a", NULL), 200);
	assert_string_equal(told.calls, "lD");
	assert_event(t, 4, "profile-deleted", "/1.0/things/a");
	assert_int_equal(ask(t, "DELETE /1.0/things/a", NULL), 404);
}

/* What was looked at had changed before the commit: it is looked at again, but not for a client
 * that said what it wants to change. */
static void tries_again(void **state)
{
	struct object_world *t = *state;
	_free_ char *tag = NULL;

	told.precondition = 2;
	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"a\"}"), 201);
	assert_string_equal(told.calls, "fnufnufnN");
	ask(t, "GET /1.0/things/a", NULL);
	tag = etag(t);
	told.precondition = 1;
	assert_int_equal(ask_if(t, "PATCH /1.0/things/a", "{\"description\":\"d\"}", tag), 412);
	assert_string_equal(told.calls, "cu");
}

static void tells_what_could_not_be_applied(void **state)
{
	struct object_world *t = *state;

	told.apply_fails = true;
	assert_int_equal(ask(t, "POST /1.0/things", "{\"name\":\"a\"}"), 500);
	assert_string_equal(t->r->err.msg, "profile \"a\": no room");
}

/* --- what stands elsewhere than in the row --------------------------------------------------- */

static json_t *with_users(struct req *r, const struct row *row)
{
	json_t *doc = json_copy(row->doc);

	json_object_set_new(doc, "users", json_pack("[s]", "u1"));
	json_put_str(doc, "url", "https://it");
	json_put_str(doc, "status", "Online");
	return doc;
}

static int add_ghost(struct req *r, struct rows *ret)
{
	if (store_list(req_env(r)->store, ENT_PROFILE, NULL, ret, req_err(r)) < 0)
		return -1;
	ret->v = xrealloc(ret->v, (ret->n + 1) * sizeof(*ret->v));
	ret->v[ret->n++] = (struct row){ .key = xstrdup("ghost"), .doc = json_object() };
	return 0;
}

static int take_users(struct req *r, struct change *c)
{
	const json_t *users = json_arr(c->doc, "users");

	assert_null(json_arr(c->old, "users"));
	assert_non_null(json_arr(c->seen, "users"));
	if (users && !json_equal(users, json_arr(c->seen, "users")))
		return err_set(req_err(r), ERR_INVALID, "%s has its users", c->what);
	json_object_del(c->doc, "users");
	return 0;
}

static const struct field elsewhere_fields[] = {
	{ "name", JW_STR, FIELD_NAME, true },         { "url", JW_STR, FIELD_FIXED, false },
	{ "description", JW_STR, FIELD_KEEP, false }, { "users", JW_STR_LIST, FIELD_KEEP, false },
	{ "status", JW_STR, FIELD_SHOWN, false },     { NULL, 0, 0, false },
};
static const struct kind elsewhere = {
	.entity = ENT_PROFILE,
	.fields = elsewhere_fields,
	.rows = add_ghost,
	.seen = with_users,
	.check = take_users,
};
static const struct route elsewhere_routes[] = {
	{ .method = "GET", .path = "/1.0/things", .handler = object_list, .kind = &elsewhere },
	{ .method = "GET",
	  .path = "/1.0/things/{name}",
	  .handler = object_get,
	  .kind = &elsewhere },
	{ .method = "PUT",
	  .path = "/1.0/things/{name}",
	  .handler = object_change,
	  .kind = &elsewhere },
	{ 0 },
};

static void shows_what_stands_elsewhere(void **state)
{
	static const char shown[] = "{\"name\":\"a\", \"url\":\"https://it\", "
				    "\"description\":\"d\", \"users\":[\"u1\"], "
				    "\"status\":\"Online\"}";
	struct object_world *t = *state;
	_row_ struct row row = { 0 };
	_free_ char *tag = NULL;
	struct err err;

	t->routes = elsewhere_routes;
	world_put(&t->w, ENT_PROFILE, "a", json_pack("{s:s}", "description", "d"));
	assert_int_equal(ask(t, "GET /1.0/things", NULL), 200);
	assert_answer(t, "[\"/1.0/things/a\", \"/1.0/things/ghost\"]");
	assert_int_equal(ask(t, "GET /1.0/things/a", NULL), 200);
	assert_answer(t, shown);
	tag = etag(t);
	/* it may be sent back, and is not kept in the row */
	assert_int_equal(ask_if(t, "PUT /1.0/things/a", shown, tag), 200);
	assert_int_equal(store_get(t->w.store, ENT_PROFILE, "a", &row, &err), 0);
	assert_json(row.doc, "{\"description\":\"d\"}");
	assert_int_equal(ask(t, "PUT /1.0/things/a", "{\"users\":[]}"), 400);
	assert_string_equal(t->r->err.msg, "profile \"a\" has its users");
	assert_int_equal(ask(t, "PUT /1.0/things/a", "{\"url\":\"https://other\"}"), 400);
	assert_non_null(strstr(t->r->err.msg, "it is \"https://it\""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(merges),
		cmocka_unit_test(what_may_be_changed),
		cmocka_unit_test_setup_teardown(makes_and_shows, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(refuses_to_make, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(lists, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(changes, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(keeps_one, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(renames, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(deletes, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(tries_again, setup, object_world_teardown),
		cmocka_unit_test_setup_teardown(tells_what_could_not_be_applied, setup,
						object_world_teardown),
		cmocka_unit_test_setup_teardown(shows_what_stands_elsewhere, setup,
						object_world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
