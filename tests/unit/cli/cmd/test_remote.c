/* SPDX-License-Identifier: Apache-2.0 */
/* remote add, accept, remove, rename and switch, with a server over TLS. */
#include "tests/unit/cli/server_world.h"

#include "base/digest.h"

#define STRANGE SAYS("GET /1.0", "{\"auth\":\"untrusted\"}")
#define KNOWN SAYS("GET /1.0", "{\"auth\":\"trusted\"}")
#define POST "POST /1.0/certificates"
#define OTHER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A field of a remote in the configuration; "" when it is not there. Lent until the next. */
static const char *kept(struct world *w, const char *name, const char *field)
{
	static char text[256];
	struct err err;
	struct conf *c = conf_load(w->socket, &err);

	assert_non_null(c);
	str_copy(text, sizeof(text),
		 json_str(json_obj(json_obj(c->root, "remotes"), name), field, ""));
	conf_free(c);
	return text;
}

static int forget(void **state)
{
	struct world *w = *state;
	_free_ char *path = xasprintf("%s/config.json", w->dir);

	unlink(path);
	w->input = NULL;
	w->errors = true;
	return 0;
}

static const char *add(struct world *w, const char *name, const char *options)
{
	_free_ char *line =
		xasprintf("remote add %s%s%s%s", name, *name ? " " : "", w->tls.address, options);

	return world_says(w, line);
}

/* Before the question comes what is asked about. */
static char *question(struct world *w)
{
	return xasprintf("Certificate fingerprint: %s\nok (y/n/[fingerprint])? ",
			 w->tls.fingerprint);
}

static char *token_of(const struct world *w, const char *fingerprint)
{
	_free_ char *text = xasprintf("{\"client_name\":\"joe\",\"fingerprint\":\"%s\","
				      "\"addresses\":[\"127.0.0.1:1\",\"%s\"],\"secret\":\"s\","
				      "\"expires_at\":\"0001-01-01T00:00:00Z\"}",
				      fingerprint, w->tls.address);

	return base64_encode(text, strlen(text));
}

static void adds_by_address(void **state)
{
	struct world *w = *state;

	WORLD_ANSWER(w, KNOWN);
	assert_string_equal(add(w, "far", " --accept-certificate"), "");
	assert_string_equal(world_asked(w), "GET /1.0\n");
	assert_string_equal(kept(w, "far", "addr"), w->tls.address);
	assert_string_equal(kept(w, "far", "fingerprint"), w->tls.fingerprint);
	assert_string_equal(add(w, "far", " --accept-certificate"),
			    "Error: remote \"far\" exists already\n");
	/* named after its host when nothing else is said */
	assert_string_equal(add(w, "", " --accept-certificate --project web"), "");
	assert_string_equal(kept(w, "127.0.0.1", "project"), "web");
}

/* No token is spent on a remote that cannot be kept. */
static void names_it_before_it_asks(void **state)
{
	struct world *w = *state;
	_free_ char *again = token_of(w, w->tls.fingerprint);
	_free_ char *line = xasprintf("remote add far %s", again);

	world_add_remote(w, "far", OTHER);
	world_add_remote(w, "127.0.0.1", OTHER);
	WORLD_ANSWER(w, STRANGE, DONE(POST));
	assert_string_equal(add(w, "far", " --accept-certificate --token t"),
			    "Error: remote \"far\" exists already\n");
	assert_string_equal(add(w, "", " --accept-certificate --token t"),
			    "Error: remote \"127.0.0.1\" exists already\n");
	assert_string_equal(add(w, "local", " --accept-certificate --token t"),
			    "Error: remote \"local\" exists already\n");
	assert_string_equal(world_says(w, line), "Error: remote \"far\" exists already\n");
	assert_string_equal(world_says(w, "remote add [fd00::1]"),
			    "Error: an IPv6 address cannot name a remote: dunlin remote add NAME "
			    "[fd00::1]:8443\n");
	assert_string_equal(world_asked(w), "");
	assert_string_equal(kept(w, "far", "fingerprint"), OTHER);
}

static void asks_before_it_trusts(void **state)
{
	struct world *w = *state;
	_free_ char *asked = question(w);
	_free_ char *said =
		xasprintf("%sError: the server's certificate was not accepted\n", asked);
	_free_ char *again = xasprintf("%sPlease answer y, n, or the fingerprint that the server "
				       "shows.\nok (y/n/[fingerprint])? ",
				       asked);
	_free_ char *shown = xasprintf("%s\n", w->tls.fingerprint);
	static const char *const no[] = { "n\n", "\n", "" };

	WORLD_ANSWER(w, KNOWN);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		w->input = no[i];
		assert_string_equal(add(w, "far", ""), said);
		assert_string_equal(kept(w, "far", "addr"), "");
	}
	assert_string_equal(world_asked(w), "");
	w->input = "y\n";
	assert_string_equal(add(w, "a", ""), asked);
	w->input = shown;
	assert_string_equal(add(w, "b", ""), asked);
	w->input = OTHER "\ny\n";
	assert_string_equal(add(w, "c", ""), again);
	assert_string_equal(kept(w, "c", "fingerprint"), w->tls.fingerprint);
}

static void presents_what_it_was_given(void **state)
{
	static const struct {
		const char *options, *input, *token; /* NULL: refused */
	} cases[] = {
		{ " --token t1", NULL, "t1" },
		{ " --password t2", NULL, "t2" },
		{ "", "t3\n", "t3" },
		{ "", "\n", NULL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *options = xasprintf(" --accept-certificate%s", cases[i].options);
		_free_ char *asked = xasprintf("GET /1.0\n" POST " {\"type\":\"client\","
					       "\"password\":\"%s\"}\n",
					       cases[i].token ? cases[i].token : "");
		const char *said;

		forget(state);
		w->input = cases[i].input;
		WORLD_ANSWER(w, STRANGE, DONE(POST));
		said = add(w, "far", options);
		if (cases[i].token) {
			assert_string_equal(said, cases[i].input ? "Trust token: " : "");
			assert_string_equal(world_asked(w), asked);
		} else {
			assert_non_null(strstr(said, "pass the token that it prints"));
		}
		assert_int_equal(*kept(w, "far", "addr") != '\0', cases[i].token != NULL);
	}
}

static void keeps_nothing_of_a_refusal(void **state)
{
	struct world *w = *state;
	_free_ char *nobody = xasprintf("remote add far 127.0.0.1:1 --accept-certificate");

	WORLD_ANSWER(w, STRANGE, FAILS(POST, "no such token", 403));
	assert_string_equal(add(w, "far", " --accept-certificate --token t"),
			    "Error: the server did not accept the token: no such token\n");
	assert_non_null(strstr(world_says(w, nobody), "cannot reach server \"127.0.0.1:1\""));
	assert_string_equal(add(w, "far", " --protocol simplestreams"),
			    "Error: --protocol \"simplestreams\": only lxd\n");
	assert_string_equal(world_says(w, "remote add far a/b"),
			    "Error: \"a/b\" is no address: write HOST, HOST:PORT or a token\n");
	assert_string_equal(kept(w, "far", "addr"), "");
}

/* It says which certificate to expect: nobody is asked, and another server gets nothing. */
static void adds_by_token(void **state)
{
	struct world *w = *state;
	_free_ char *good = token_of(w, w->tls.fingerprint), *bad = token_of(w, OTHER);
	_free_ char *line = xasprintf("remote add far %s", good);
	_free_ char *wrong = xasprintf("remote add wrong %s", bad);
	_free_ char *asked =
		xasprintf("GET /1.0\n" POST " {\"type\":\"client\",\"password\":\"%s\"}\n", good);

	WORLD_ANSWER(w, STRANGE, DONE(POST));
	assert_string_equal(world_says(w, line), "");
	assert_string_equal(world_asked(w), asked);
	assert_string_equal(kept(w, "far", "addr"), w->tls.address);
	assert_string_equal(kept(w, "far", "fingerprint"), w->tls.fingerprint);
	WORLD_ANSWER(w, STRANGE, DONE(POST));
	assert_non_null(strstr(world_says(w, wrong), "cannot reach server"));
	assert_string_equal(world_asked(w), "");
	assert_string_equal(kept(w, "wrong", "addr"), "");
}

/* A server with another certificate is not spoken to until somebody accepts it. */
static void accepts_another_certificate(void **state)
{
	struct world *w = *state;
	_free_ char *asked = question(w);
	_free_ char *said = xasprintf("Remote far was known by the certificate " OTHER "\n%s"
				      "Error: the server's certificate was not accepted\n",
				      asked);

	world_add_remote(w, "far", OTHER);
	WORLD_ANSWER(w, SAYS("GET /1.0/profiles/web", "{\"name\":\"web\"}"));
	assert_non_null(strstr(world_says(w, "profile show far:web"),
			       "then run \"dunlin remote accept far\""));
	assert_string_equal(world_asked(w), "");
	w->input = "n\n";
	assert_string_equal(world_says(w, "remote accept far"), said);
	assert_string_equal(kept(w, "far", "fingerprint"), OTHER);
	world_says(w, "remote accept far --accept-certificate");
	assert_string_equal(kept(w, "far", "fingerprint"), w->tls.fingerprint);
	assert_non_null(
		strstr(world_says(w, "remote accept far"), "the certificate that is known"));
	assert_string_equal(world_says(w, "profile show far:web"), "name: web\n");
	assert_non_null(strstr(world_says(w, "remote accept local"), "Error: "));
	assert_non_null(strstr(world_says(w, "remote accept none"), "Error: "));
}

/* The server says 403, and that it does not know us: the way to be known is what helps. */
static void says_how_to_be_trusted(void **state)
{
	struct world *w = *state;

	world_add_remote(w, "far", w->tls.fingerprint);
	WORLD_ANSWER(w, FAILS("GET /1.0/profiles/web", "not authorized", 403), STRANGE);
	assert_non_null(strstr(world_says(w, "profile show far:web"),
			       "server \"far\" does not trust this client: get a token there"));
	WORLD_ANSWER(w, FAILS("GET /1.0/profiles/web", "not authorized", 403), KNOWN);
	assert_string_equal(world_says(w, "profile show far:web"), "Error: not authorized\n");
}

static void changes_what_is_known(void **state)
{
	struct world *w = *state;

	world_add_remote(w, "far", w->tls.fingerprint);
	assert_string_equal(world_says(w, "remote rename far near"), "");
	assert_string_equal(kept(w, "far", "addr"), "");
	assert_string_equal(kept(w, "near", "addr"), w->tls.address);
	assert_string_equal(world_says(w, "remote switch near"), "");
	assert_string_equal(world_says(w, "remote get-default"), "near\n");
	assert_non_null(strstr(world_says(w, "remote switch none"), "no remote named \"none\""));
	assert_string_equal(world_says(w, "remote switch local"), "");
	assert_string_equal(world_says(w, "remote remove near"), "");
	assert_string_equal(kept(w, "near", "addr"), "");
	assert_non_null(strstr(world_says(w, "remote remove near"), "no remote named \"near\""));
	assert_non_null(strstr(world_says(w, "remote remove local"), "Error: "));
}

#define REMOTE_TEST(f) cmocka_unit_test_setup(f, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REMOTE_TEST(adds_by_address),
		REMOTE_TEST(names_it_before_it_asks),
		REMOTE_TEST(asks_before_it_trusts),
		REMOTE_TEST(presents_what_it_was_given),
		REMOTE_TEST(keeps_nothing_of_a_refusal),
		REMOTE_TEST(adds_by_token),
		REMOTE_TEST(accepts_another_certificate),
		REMOTE_TEST(says_how_to_be_trusted),
		REMOTE_TEST(changes_what_is_known),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
