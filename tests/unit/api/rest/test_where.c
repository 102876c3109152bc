/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a certificate is, which member answers a request, and what has to be known before. */
#include "tests/unit/api/api_world.h"

#include "base/digest.h"
#include "cluster/self/state.h"

#define ID "00000000-0000-4000-8000-00000000000"
#define MEMBER_CERT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CLIENT_CERT "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SERVER_CERT "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static void put_member(struct api_world *t, const char *name, const char *address,
		       const char *status)
{
	_json_ json_t *fact = json_pack("{s:s}", "status", status);

	world_put(&t->w, ENT_MEMBER, name,
		  json_pack("{s:s, s:s, s:s}", "address", address, "fingerprint", MEMBER_CERT,
			    "uuid", name));
	store_fact_put(t->w.store, FACT_MEMBER, name, fact);
}

static int open_world(void **state)
{
	struct api_world *t;

	api_world_open(state);
	t = *state;
	put_member(t, "m2", "10.0.0.2:8443", "Online");
	put_member(t, "m3", "10.0.0.3:8443", "Offline");
	world_put(&t->w, ENT_CERTIFICATE, CLIENT_CERT,
		  json_pack("{s:s, s:s}", "type", "client", "name", "laptop"));
	world_put(&t->w, ENT_CERTIFICATE, SERVER_CERT,
		  json_pack("{s:s, s:s}", "type", "server", "name", "m9"));
	world_put(&t->w, ENT_INSTANCE, "here", json_pack("{s:s}", "member", "none"));
	world_put(&t->w, ENT_INSTANCE, "there", json_pack("{s:s}", "member", "m2"));
	world_put(&t->w, ENT_INSTANCE, "away", json_pack("{s:s}", "member", "m3"));
	return 0;
}

static void whose_a_certificate_is(void **state)
{
	static const struct {
		const char *fingerprint;
		enum caller_kind kind;
		const char *name;
	} cases[] = {
		{ CLIENT_CERT, CALLER_CLIENT, "laptop" },
		{ SERVER_CERT, CALLER_MEMBER, "m9" },
		/* only shown in the member's own row */
		{ MEMBER_CERT, CALLER_NOBODY, "" },
		{ "", CALLER_NOBODY, "" },
		{ "bbbb", CALLER_NOBODY, "" },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[64] = "";

		assert_int_equal(api_hooks.identify(&t->env, cases[i].fingerprint, name),
				 cases[i].kind);
		assert_string_equal(name, cases[i].name);
	}
}

/* Where it goes, as "MEMBER ADDRESS"; " " is here. Of an error its kind. */
static enum err_kind located(struct api_world *t, const char *line, char text[400])
{
	struct req *r = api_request(t, line, NULL);
	struct where w = { .known = false };

	assert_int_equal(req_route(r), 0);
	*text = '\0';
	if (api_hooks.locate(r, &w) < 0)
		return r->err.kind;
	snprintf(text, 400, "%s %s", w.address[0] ? w.member : "", w.address);
	return ERR_NONE;
}

static void which_member_answers(void **state)
{
	static const struct {
		const char *line, *where;
		enum err_kind kind;
	} cases[] = {
		{ "GET /1.0", " ", ERR_NONE },
		{ "GET /1.0/instances", " ", ERR_NONE },
		{ "GET /1.0/instances/here", " ", ERR_NONE },
		{ "PUT /1.0/instances/there/state", "m2 10.0.0.2:8443", ERR_NONE },
		{ "PUT /1.0/instances/here/state", " ", ERR_NONE },
		{ "PUT /1.0/instances/away/state", "", ERR_UNAVAILABLE },
		/* the handler here says that there is none */
		{ "PUT /1.0/instances/none/state", " ", ERR_NONE },
		{ "GET /1.0/resources", " ", ERR_NONE },
		{ "GET /1.0/resources?target=", " ", ERR_NONE },
		{ "GET /1.0/resources?target=none", " ", ERR_NONE },
		{ "GET /1.0/resources?target=m2", "m2 10.0.0.2:8443", ERR_NONE },
		{ "GET /1.0/resources?target=m3", "", ERR_UNAVAILABLE },
		{ "GET /1.0/resources?target=m4", "", ERR_NOT_FOUND },
		{ "GET /1.0/resources?target=@gpu", " ", ERR_NONE },
		/* it is a parameter of some rows only */
		{ "GET /1.0/instances?target=m2", " ", ERR_NONE },
		{ "GET /1.0/operations/" ID "1", " ", ERR_NONE },
	};
	struct api_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[400];

		if (located(t, cases[i].line, text) != cases[i].kind ||
		    strcmp(text, cases[i].where) != 0)
			fail_msg("%s: \"%s\" %s", cases[i].line, text, t->r->err.msg);
	}
}

static void an_operation_is_where_it_runs(void **state)
{
	struct api_world *t = *state;
	char text[400];

	/* as the answer said that began it, before its fact has come */
	server_note_operation(t->env.server, ID "2", "m2");
	assert_int_equal(located(t, "GET /1.0/operations/" ID "2", text), ERR_NONE);
	assert_string_equal(text, "m2 10.0.0.2:8443");
	/* as its fact says */
	replica_fact_put(t->w.cluster->replica, FACT_OPERATION, ID "3", "m2", "{}", false);
	assert_int_equal(located(t, "GET /1.0/operations/" ID "3", text), ERR_NONE);
	assert_string_equal(text, "m2 10.0.0.2:8443");
	replica_fact_put(t->w.cluster->replica, FACT_OPERATION, ID "4", "m3", "{}", false);
	assert_int_equal(located(t, "GET /1.0/operations/" ID "4", text), ERR_UNAVAILABLE);
}

/* One that was sent here for it, and knows where it went, may send it on. */
static void who_has_waited_knows_where_it_went(void **state)
{
	struct api_world *t = *state;

	for (int waited = 0; waited < 2; waited++) {
		struct req *r = api_request(t, "PUT /1.0/instances/there/state", NULL);
		struct where w = { .known = false };

		assert_int_equal(req_route(r), 0);
		r->waited = waited;
		assert_int_equal(api_hooks.locate(r, &w), 0);
		assert_int_equal(w.known, waited);
	}
}

/* --- what has to be known before -------------------------------------------------------------- */

static const struct first *first_of(struct api_world *t, const char *line)
{
	struct req *r = api_request(t, line, NULL);

	assert_int_equal(req_route(r), 0);
	return api_hooks.first(r);
}

static void a_server_by_itself_waits_for_nothing(void **state)
{
	struct api_world *t = *state;

	assert_null(first_of(t, "GET /1.0/instances"));
	assert_null(first_of(t, "PUT /1.0/instances/none/state"));
	assert_null(first_of(t, "POST /1.0/instances/here/exec"));
}

/* Restored at the end, for the cluster goes on. */
static void set_started(struct api_world *t, bool enabled, bool starting)
{
	struct cluster *c = t->w.cluster;

	pthread_mutex_lock(&c->lock);
	c->id.enabled = enabled;
	c->loaded = !starting;
	c->start_until = starting ? deadline_in(600000) : 0;
	pthread_mutex_unlock(&c->lock);
}

static void a_member_that_has_just_started_waits_for_a_word(void **state)
{
	struct api_world *t = *state;
	const struct first *trusted, *guest;

	set_started(t, true, true);
	trusted = first_of(t, "GET /1.0/instances");
	t->caller.kind = CALLER_NOBODY;
	guest = first_of(t, "GET /1.0/instances");
	t->caller.kind = CALLER_ADMIN;
	assert_non_null(trusted);
	assert_int_equal(trusted->lane, POOL_SLOW);
	assert_non_null(guest);
	assert_int_equal(guest->lane, POOL_GUEST_SLOW);
	/* what makes the first word possible, and what tells that there is none yet */
	assert_null(first_of(t, "GET /internal/leader"));
	assert_null(first_of(t, "GET /internal/cluster/certificate"));
	assert_null(first_of(t, "GET /1.0"));
	set_started(t, false, false);
}

static void a_member_asks_the_leader_once_for_what_it_does_not_know(void **state)
{
	struct api_world *t = *state;
	struct req *r;

	set_started(t, true, false);
	assert_null(first_of(t, "PUT /1.0/instances/here/state"));
	assert_null(first_of(t, "GET /1.0/profiles/none"));
	r = api_request(t, "PUT /1.0/instances/none/state", NULL);
	assert_int_equal(req_route(r), 0);
	assert_non_null(api_hooks.first(r));
	assert_true(r->looked_up);
	assert_null(api_hooks.first(r));
	set_started(t, false, false);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(whose_a_certificate_is),
		T(which_member_answers),
		T(an_operation_is_where_it_runs),
		T(who_has_waited_knows_where_it_went),
		T(a_server_by_itself_waits_for_nothing),
		T(a_member_that_has_just_started_waits_for_a_word),
		T(a_member_asks_the_leader_once_for_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, open_world, api_world_close);
}
