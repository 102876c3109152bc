/* SPDX-License-Identifier: Apache-2.0 */
/* config trust add: a certificate from a file, or a token; and the columns of the list. */
#include "tests/unit/cli/server_world.h"

#include "base/digest.h"

#define POST "POST /1.0/certificates"
#define CERT                                                                    \
	"some text before\n-----BEGIN CERTIFICATE-----\nMIIB\n AAEC \r\nAw==\n" \
	"-----END CERTIFICATE-----\nand after\n"
#define TOKEN(meta)                                                                \
	{                                                                          \
		.request = POST, .status = 202,                                    \
		.body = "{\"id\":\"o\",\"status_code\":103,\"metadata\":" meta "}" \
	}
#define META                                                                              \
	"{\"request\":{\"name\":\"joe\"},\"fingerprint\":\"ff\",\"addresses\":[\"a:1\"]," \
	"\"secret\":\"s\"}"

static const struct dialogue cases[] = {
	{ "config trust add -",
	  CERT,
	  { DONE(POST) },
	  "",
	  POST " {\"name\":\"-\",\"type\":\"client\",\"restricted\":false,"
	       "\"certificate\":\"MIIBAAECAw==\"}\n" },
	{ "config trust add - --name joe --restricted --projects a,b --type client",
	  CERT,
	  { DONE(POST) },
	  "",
	  POST " {\"name\":\"joe\",\"type\":\"client\",\"restricted\":true,"
	       "\"projects\":[\"a\",\"b\"],\"certificate\":\"MIIBAAECAw==\"}\n" },
	{ "config trust add local: -",
	  CERT,
	  { DONE(POST) },
	  "",
	  POST " {\"name\":\"-\",\"type\":\"client\",\"restricted\":false,"
	       "\"certificate\":\"MIIBAAECAw==\"}\n" },
	{ "config trust add -",
	  "-----BEGIN CERTIFICATE-----\nMIIB\n",
	  { NOTHING },
	  "Error: - holds no certificate in PEM form\n",
	  "" },
	{ "config trust add -",
	  "",
	  { NOTHING },
	  "Error: - holds no certificate in PEM form\n",
	  "" },
	{ "config trust add /nowhere/c.crt",
	  NULL,
	  { NOTHING },
	  "Error: open /nowhere/c.crt: No such file or directory\n",
	  "" },
	{ "config trust add a b",
	  NULL,
	  { NOTHING },
	  "Error: too many arguments. Usage: dunlin config trust add [REMOTE:] "
	  "[CERTIFICATE-FILE]\n",
	  "" },
	{ "config trust add",
	  "\n",
	  { NOTHING },
	  "Error: a token needs the client's name: --name NAME\n",
	  "" },
};

static void adds_certificates(void **state)
{
	world_check(*state, cases, ARRAY_SIZE(cases));
}

static void names_a_file_by_its_last_part(void **state)
{
	struct world *w = *state;
	_free_ char *path = xasprintf("%s/laptop.crt", w->dir);
	_free_ char *line = xasprintf("config trust add %s", path);
	struct err err;

	assert_int_equal(io_write_file(path, CERT, strlen(CERT), 0600, &err), 0);
	WORLD_ANSWER(w, DONE(POST));
	assert_string_equal(world_says(w, line), "");
	assert_non_null(strstr(world_asked(w), "{\"name\":\"laptop.crt\","));
	unlink(path);
}

/* What the server knows of the token is what its text holds. */
static void makes_tokens(void **state)
{
	static const char *const lines[] = { "config trust add --name joe", "config trust add" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_free_ char *line = NULL, *token = NULL;
		_json_ json_t *in = NULL;
		const char *text;
		struct err err;
		size_t len;

		w->input = "joe\n";
		WORLD_ANSWER(w, TOKEN(META));
		text = world_says(w, lines[i]);
		assert_true(str_starts(text, "Client joe certificate add token:\n"));
		text = strchr(text, '\n') + 1;
		line = xstrndup(text, strlen(text) - 1);
		token = base64_decode(line, &len);
		assert_non_null(token);
		in = json_parse(token, len, "token", &err);
		assert_string_equal(json_str(in, "client_name", ""), "joe");
		assert_string_equal(json_str(in, "fingerprint", ""), "ff");
		assert_string_equal(json_str(in, "secret", ""), "s");
		assert_string_equal(json_string_value(json_array_get(json_arr(in, "addresses"), 0)),
				    "a:1");
		assert_string_equal(world_asked(w), POST " {\"name\":\"joe\",\"type\":\"client\","
							 "\"restricted\":false,\"token\":true}\n");
	}
	w->input = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_certificates),
		cmocka_unit_test(names_a_file_by_its_last_part),
		cmocka_unit_test(makes_tokens),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
