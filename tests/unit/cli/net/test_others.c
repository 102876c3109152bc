/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked when a server has gone away. */
#include "tests/unit/cli/server_world.h"

#include "cli/net/others.h"

#define MEMBERS "GET /1.0/cluster/members?recursion=1"
#define PATH "/1.0/instances/c1"

/* The text under "at" of what is got, or its error; the caller frees. */
static char *get_from(const struct others *o)
{
	struct err err = { 0 };
	_json_ json_t *got = others_get(o, PATH, &err);

	return xstrdup(got ? json_str(got, "at", "?") : err.msg);
}

static void a_socket_has_its_own_daemon_alone(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err;
	_others_ struct others o = others_of(client_open(c, REMOTE_LOCAL, &err));
	_free_ char *got = NULL;

	assert_string_equal(world_asked(w), "");
	/* not back yet */
	WORLD_ANSWER(w, ONCE("GET " PATH, "starting", 503), SAYS("GET " PATH, "{\"at\":\"m1\"}"));
	got = get_from(&o);
	assert_string_equal(got, "m1");
	world_end_cli(c);
}

static void a_member_is_asked_in_its_place(void **state)
{
	struct world *w = *state;
	_free_ char *members = xasprintf("[{\"url\":\"rubbish/\"},"
					 "{\"url\":\"https://127.0.0.1:1\"},"
					 "{\"url\":\"https://%s\"}]",
					 w->tls.address);
	struct cli *c;
	struct err err;
	struct others o;

	world_add_remote(w, "far", w->tls.fingerprint);
	c = world_cli(w);
	WORLD_ANSWER(w, SAYS(MEMBERS, members), SAYS("GET " PATH, "{\"at\":\"m3\"}"));
	o = others_of(client_open(c, "far", &err));
	assert_int_equal(json_array_size(o.members), 3);
	for (int i = 0; i < 2; i++) {
		_free_ char *got = get_from(&o);

		assert_string_equal(got, "m3");
	}
	/* A refusal is an answer. */
	WORLD_ANSWER(w, FAILS("GET " PATH, "no such instance", 404));
	_free_ char *refused = get_from(&o);
	assert_string_equal(refused, "no such instance");
	others_done(&o);
	world_end_cli(c);
}

/* One that does not tell whom it has beside it is asked again itself. */
static void a_lone_server_is_asked_again(void **state)
{
	struct world *w = *state;
	struct cli *c = world_cli(w);
	struct err err;
	_others_ struct others o = { 0 };
	_free_ char *got = NULL;

	WORLD_ANSWER(w, FAILS(MEMBERS, "not clustered", 404), SAYS("GET " PATH, "{\"at\":\"m1\"}"));
	o = others_of(client_open(c, "far", &err));
	assert_null(o.members);
	got = get_from(&o);
	assert_string_equal(got, "m1");
	world_end_cli(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_has_its_own_daemon_alone),
		cmocka_unit_test(a_member_is_asked_in_its_place),
		cmocka_unit_test(a_lone_server_is_asked_again),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
