/* SPDX-License-Identifier: Apache-2.0 */
/* Which query parameters the rows of api/routes.def take, and which values. */
#include "tests/unit/api/api_world.h"

/* The error of a request that is routed and whose query is looked at, but that is not run. */
static enum err_kind check(struct api_world *t, const char *line)
{
	struct req *r = api_request(t, line, NULL);

	return req_route(r) < 0 || query_check(r) < 0 ? r->err.kind : ERR_NONE;
}

static void each_row_takes_its_own(void **state)
{
	static const struct {
		const char *line;
		enum err_kind kind;
	} cases[] = {
		{ "GET /1.0/instances", ERR_NONE },
		{ "GET /1.0/instances?recursion=0", ERR_NONE },
		{ "GET /1.0/instances?recursion=2&filter=name+eq+a", ERR_NONE },
		{ "GET /1.0/instances?recursion=", ERR_NONE },
		{ "GET /1.0/instances?recursion", ERR_NONE },
		{ "GET /1.0/instances?&&recursion=1&", ERR_NONE },
		{ "GET /1.0/instances?r%65cursion=%31", ERR_NONE },
		{ "GET /1.0/instances?recursion=3", ERR_INVALID },
		{ "GET /1.0/instances?recursion=-1", ERR_INVALID },
		{ "GET /1.0/instances?recursion=yes", ERR_INVALID },
		{ "GET /1.0/instances?Recursion=1", ERR_INVALID },
		{ "GET /1.0/instances?recursion=1&recursion=1", ERR_INVALID },
		{ "GET /1.0/instances?recursion=%3", ERR_INVALID },
		{ "GET /1.0/instances?instance-type=container", ERR_NONE },
		{ "GET /1.0/instances?instance-type=virtual-machine", ERR_NONE },
		{ "GET /1.0/instances?instance-type=pod", ERR_INVALID },
		{ "GET /1.0/instances?usage=disk", ERR_NONE },
		{ "GET /1.0/instances?usage=cpu", ERR_INVALID },
		{ "GET /1.0/instances?force=true", ERR_INVALID },
		{ "DELETE /1.0/cluster/members/m1?force=true", ERR_NONE },
		{ "DELETE /1.0/cluster/members/m1?force=1", ERR_NONE },
		{ "DELETE /1.0/cluster/members/m1?force=perhaps", ERR_INVALID },
		{ "GET /internal/usage?disk=false", ERR_NONE },
		{ "GET /internal/usage?project=default", ERR_INVALID },
		{ "GET /1.0/instances?nonsense=1", ERR_INVALID },
		/* what is refused in one place is not even looked at */
		{ "GET /1.0/instances?nonsense=", ERR_INVALID },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum err_kind kind = check(t, cases[i].line);

		if (kind != cases[i].kind)
			fail_msg("%s: %s %s", cases[i].line, err_name(kind), t->r->err.msg);
	}
}

static void a_refusal_says_what_there_is(void **state)
{
	struct api_world *t = *state;

	assert_int_equal(check(t, "GET /1.0/instances?sort=name"), ERR_INVALID);
	assert_non_null(strstr(t->r->err.msg, "GET /1.0/instances: there is no query parameter "
					      "\"sort\""));
	assert_non_null(strstr(t->r->err.msg, "recursion, filter"));
	assert_int_equal(check(t, "GET /internal/leader?sort=name"), ERR_INVALID);
	assert_non_null(strstr(t->r->err.msg, "(there are: none)"));
}

/* A target is a member or a group that there is, where a request can be sent to one. */
static void targets(void **state)
{
	static const struct {
		const char *line;
		enum err_kind kind;
	} cases[] = {
		{ "POST /1.0/instances?target=none", ERR_NONE },
		{ "POST /1.0/instances?target=", ERR_NONE },
		{ "POST /1.0/instances?target=m9", ERR_ELSEWHERE },
		{ "POST /1.0/instances?target=@none", ERR_ELSEWHERE },
		{ "GET /1.0/instances?target=none", ERR_NONE },
		{ "GET /1.0/instances?target=m9", ERR_ELSEWHERE },
		{ "PUT /1.0/instances?target=none", ERR_INVALID },
		/* an instance is where it is */
		{ "PUT /1.0/instances/here/state?target=none", ERR_NONE },
		{ "PUT /1.0/instances/there/state?target=none", ERR_INVALID },
		{ "GET /1.0/instances/there/state?target=none", ERR_NONE },
		{ "POST /1.0/instances/there?target=none", ERR_NONE },
	};
	struct api_world *t = *state;

	world_put(&t->w, ENT_INSTANCE, "here", json_pack("{s:s}", "member", "none"));
	world_put(&t->w, ENT_INSTANCE, "there", json_pack("{s:s}", "member", "m2"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum err_kind kind = check(t, cases[i].line);

		if (kind != cases[i].kind)
			fail_msg("%s: %s %s", cases[i].line, err_name(kind), t->r->err.msg);
	}
}

static void so_many_and_no_more(void **state)
{
	struct api_world *t = *state;
	_sbuf_ struct sbuf line = SBUF(1024);

	sbuf_puts(&line, "GET /1.0/instances?");
	for (int i = 0; i < QUERY_PAIRS_MAX; i++)
		sbuf_puts(&line, i ? "&" : "recursion=1");
	assert_int_equal(check(t, line.data), ERR_NONE);
	sbuf_puts(&line, "&");
	assert_int_equal(check(t, line.data), ERR_INVALID);
	assert_non_null(strstr(t->r->err.msg, "more than 32 query parameters"));
}

/* What handlers read of it. */
static void values(void **state)
{
	struct api_world *t = *state;

	assert_int_equal(check(t, "GET /1.0/instances?recursion=2&filter=a%3Db+c&usage=true"),
			 ERR_NONE);
	assert_int_equal(req_recursion(t->r), 2);
	assert_string_equal(req_query(t->r, "filter"), "a=b c");
	assert_true(req_query_true(t->r, "usage"));
	assert_null(req_query(t->r, "target"));
	assert_false(req_query_true(t->r, "all-projects"));
	assert_string_equal(req_project(t->r), PROJECT_DEFAULT);
	assert_int_equal(check(t, "GET /1.0/instances?usage=disk"), ERR_NONE);
	assert_int_equal(req_recursion(t->r), 0);
	assert_false(req_query_true(t->r, "usage"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_takes_its_own),
		cmocka_unit_test(a_refusal_says_what_there_is),
		cmocka_unit_test(targets),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, api_world_open, api_world_close);
}
