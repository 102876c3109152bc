/* SPDX-License-Identifier: Apache-2.0 */
/* The routes of operations: of this member, of others as facts tell of them, and tokens. */
#include "tests/unit/api/api_world.h"

#include "api/rest/op_sockets.h"
#include "base/status.h"
#include "cluster/member/tokens.h"
#include "tests/unit/base/patience.h"

#define STRANGE_ID "00000000-0000-4000-8000-000000000000"

/* --- of this member -------------------------------------------------------------------------- */

struct told {
	int cancelled;
};

static void on_cancel(void *arg)
{
	struct told *told = arg;

	told->cancelled++;
}

/* One that runs until it is ended or cancelled. */
static struct op *begin(struct api_world *t, const char *name, bool may_cancel, struct told *told)
{
	struct op_spec spec = {
		.class = OP_TASK,
		.description = "Testing",
		.resource_kind = "instances",
		.resource_name = name,
		.may_cancel = may_cancel,
		.arg = told,
		.cancel = told ? on_cancel : NULL,
	};
	struct err err = { 0 };
	struct op *op = op_start(t->env.ops, &spec, &err);

	if (!op)
		fail_msg("%s", err.msg);
	return op;
}

static int ask_op(struct api_world *t, const char *method, const char *id, const char *rest)
{
	_free_ char *line = xasprintf("%s /1.0/operations/%s%s", method, id, rest);

	return api_ask(t, line, NULL);
}

static void one_is_shown(void **state)
{
	struct api_world *t = *state;
	struct op *op = begin(t, "c1", true, NULL);
	_json_ json_t *j = NULL;

	assert_int_equal(ask_op(t, "GET", op_id(op), ""), 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "id", ""), op_id(op));
	assert_string_equal(json_str(j, "status", ""), "Running");
	assert_string_equal(json_str(j, "description", ""), "Testing");
	assert_string_equal(json_str(j, "location", ""), cluster_member_name(t->w.cluster));
	op_end(op, NULL);
	op_unref(op);
}

static void one_that_is_not_there(void **state)
{
	static const char *const asks[] = { "GET", "DELETE" };
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		assert_int_equal(ask_op(t, asks[i], STRANGE_ID, ""), 404);
		assert_string_equal(t->r->err.msg, "Operation not found: \"" STRANGE_ID "\"");
	}
	assert_int_equal(ask_op(t, "GET", STRANGE_ID, "/wait"), 404);
	assert_int_equal(ask_op(t, "GET", STRANGE_ID, "/websocket?secret=x"), 404);
}

static void is_cancelled_when_it_may_be(void **state)
{
	struct api_world *t = *state;
	struct told told = { 0 };
	struct op *yes = begin(t, "c1", true, &told), *no = begin(t, "c2", false, &told);
	_free_ char *url = xasprintf("/1.0/operations/%s", op_id(yes));

	assert_int_equal(ask_op(t, "DELETE", op_id(no), ""), 400);
	assert_int_equal(told.cancelled, 0);
	assert_false(op_cancelled(no));
	assert_int_equal(ask_op(t, "DELETE", op_id(yes), ""), 200);
	assert_int_equal(told.cancelled, 1);
	assert_true(op_cancelled(yes));
	api_event(t, 1, "operation-cancelled", url);
	op_end(yes, &(struct err){ .kind = ERR_CANCELLED });
	op_end(no, NULL);
	op_unref(yes);
	op_unref(no);
}

/* --- lists ----------------------------------------------------------------------------------- */

static size_t count(struct api_world *t, const char *query, const char *status)
{
	_free_ char *line = xasprintf("GET /1.0/operations%s", query);
	_json_ json_t *j = NULL;

	api_expect(t, line, NULL, 200);
	j = api_answer(t);
	return json_array_size(json_arr(j, status));
}

/* Facts arrive in their own time. */
static void await(struct api_world *t, const char *query, const char *status, size_t n)
{
	int64_t until = PATIENCE;
	size_t is;

	do {
		is = count(t, query, status);
	} while (is != n && clock_ms() < until);
	assert_int_equal(is, n);
}

static void a_list_is_by_status_and_project(void **state)
{
	struct api_world *t = *state;
	struct op *a = begin(t, "c1", true, NULL), *b = begin(t, "web~c1", true, NULL);
	_json_ json_t *urls = NULL, *objects = NULL;
	_free_ char *url = xasprintf("/1.0/operations/%s", op_id(a));

	await(t, "", "running", 1);
	urls = api_answer(t);
	assert_string_equal(json_string_value(json_array_get(json_arr(urls, "running"), 0)), url);
	assert_int_equal(count(t, "?all-projects=true", "running"), 2);
	assert_int_equal(count(t, "?recursion=1", "running"), 1);
	objects = api_answer(t);
	assert_string_equal(json_str(json_array_get(json_arr(objects, "running"), 0), "id", ""),
			    op_id(a));
	op_end(a, NULL);
	await(t, "", "running", 0);
	assert_int_equal(count(t, "", "success"), 1);
	op_end(b, &(struct err){ .kind = ERR_INVALID, .msg = "no" });
	await(t, "?all-projects=true", "failure", 1);
	op_unref(a);
	op_unref(b);
}

static void put_token(struct api_world *t, const char *kind, int64_t life_s, char id[UUID_SIZE])
{
	char secret[TOKEN_SECRET_SIZE];

	json_t *doc = token_row_new(kind, "laptop", life_s, id, secret);

	world_put(&t->w, ENT_TOKEN, id, doc);
}

static void a_token_is_an_operation(void **state)
{
	struct api_world *t = *state;
	char trust[UUID_SIZE], join[UUID_SIZE], old[UUID_SIZE];
	_json_ json_t *j = NULL, *waited = NULL;

	put_token(t, "trust", 600, trust);
	put_token(t, "join", 600, join);
	put_token(t, "trust", -1, old);
	assert_int_equal(count(t, "", "running"), 2);
	assert_int_equal(ask_op(t, "GET", trust, ""), 200);
	j = api_answer(t);
	assert_string_equal(json_str(j, "class", ""), "token");
	/* it was given out once */
	assert_string_equal(json_str(json_obj(j, "metadata"), "secret", "-"), "");
	assert_int_equal(ask_op(t, "GET", trust, "/wait"), 200);
	waited = api_answer(t);
	assert_true(json_equal(waited, j));
	assert_int_equal(ask_op(t, "GET", old, ""), 404);
	assert_int_equal(ask_op(t, "DELETE", old, ""), 404);
	assert_int_equal(ask_op(t, "DELETE", trust, ""), 200);
	assert_int_equal(ask_op(t, "GET", trust, ""), 404);
	assert_int_equal(count(t, "", "running"), 1);
}

/* --- websockets ------------------------------------------------------------------------------ */

struct sockets {
	struct op_sockets s;
	char secret[16];
};

static int attach(struct op_sockets *s, struct req *r, const char *secret)
{
	struct sockets *mine = container_of(s, struct sockets, s);

	str_copy(mine->secret, sizeof(mine->secret), secret);
	return err_set(req_err(r), ERR_FORBIDDEN, "unknown secret");
}

static void a_websocket_needs_its_secret(void **state)
{
	struct api_world *t = *state;
	struct op *plain = begin(t, "c1", true, NULL), *op = begin(t, "c2", true, NULL);
	struct sockets mine = { { attach }, "" };

	op_set_data(op, &mine.s);
	assert_int_equal(ask_op(t, "GET", op_id(plain), "/websocket?secret=x"), 400);
	assert_non_null(strstr(t->r->err.msg, "takes no websockets"));
	assert_int_equal(ask_op(t, "GET", op_id(op), "/websocket"), 403);
	assert_string_equal(t->r->err.msg, "missing secret");
	assert_int_equal(ask_op(t, "GET", op_id(op), "/websocket?secret="), 403);
	assert_string_equal(mine.secret, "");
	assert_int_equal(ask_op(t, "GET", op_id(op), "/websocket?secret=a%20b"), 403);
	assert_string_equal(mine.secret, "a b");
	op_end(plain, NULL);
	op_end(op, NULL);
	op_unref(plain);
	op_unref(op);
}

/* --- waiting --------------------------------------------------------------------------------- */

static void a_wait_has_a_number_of_seconds(void **state)
{
	static const char *const bad[] = { "soon", "-2", "1.5", "99999999999999999999", "1s" };
	struct api_world *t = *state;
	struct op *op = begin(t, "c1", true, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_free_ char *rest = xasprintf("/wait?timeout=%s", bad[i]);

		assert_int_equal(ask_op(t, "GET", op_id(op), rest), 400);
		assert_string_equal(t->r->err.msg, "timeout must be a number of seconds");
	}
	op_end(op, NULL);
	op_unref(op);
}

#define T(name) cmocka_unit_test_setup_teardown(name, api_world_open, api_world_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(one_is_shown),
		T(one_that_is_not_there),
		T(is_cancelled_when_it_may_be),
		T(a_list_is_by_status_and_project),
		T(a_token_is_an_operation),
		T(a_websocket_needs_its_secret),
		T(a_wait_has_a_number_of_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
