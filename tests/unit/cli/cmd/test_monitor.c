/* SPDX-License-Identifier: Apache-2.0 */
/* monitor: which events are asked for, which are shown, and how. */
#include "tests/unit/cli/server_world.h"

#define LOG(level, text)                                                               \
	"{\"type\":\"logging\",\"timestamp\":\"T\",\"location\":\"m1\",\"metadata\":{" \
	"\"level\":\"" level "\",\"message\":\"" text "\"}}"
#define OPERATION                                                                                 \
	"{\"type\":\"operation\",\"timestamp\":\"T\",\"metadata\":{\"id\":\"o\",\"description\":" \
	"\"d\",\"status\":\"Failure\",\"err\":\"e\"}}"
#define LIFE                                                                          \
	"{\"type\":\"lifecycle\",\"timestamp\":\"T\",\"metadata\":{\"action\":\"a\"," \
	"\"source\":\"/x\",\"context\":{\"k\":\"v w\"}}}"
#define ENDED "Error: the server ended the event stream\n"

enum { TEXT = 1, CLOSE = 8 };

static const char *const *events;

static void tells_events(struct world *w)
{
	for (const char *const *e = events; *e; e++)
		world_frame(w, 0, TEXT, *e);
	world_frame(w, 0, CLOSE, "");
}

static void shows(void **state)
{
	static const struct {
		const char *line, *asked, *events[3], *shown;
	} cases[] = {
		{ "monitor --pretty",
		  "/1.0/events",
		  { LOG("warning", "m") },
		  "WARNING [T] [m1] m\n" ENDED },
		{ "monitor --format pretty",
		  "/1.0/events",
		  { OPERATION },
		  "INFO  [T] o: d (Failure) error=\"e\"\n" ENDED },
		{ "monitor local: --pretty",
		  "/1.0/events",
		  { LIFE },
		  "INFO  [T] a: /x k=\"v w\"\n" ENDED },
		{ "monitor --format json",
		  "/1.0/events",
		  { "{\"a\":1}", "{\"b\":2}" },
		  "{\"a\":1}\n{\"b\":2}\n" ENDED },
		{ "monitor", "/1.0/events", { "{\"a\":1}" }, "a: 1\n\n" ENDED },
		{ "monitor --type operation --type logging",
		  "/1.0/events?type=operation%2Clogging",
		  { NULL },
		  ENDED },
		{ "monitor --all-projects", "/1.0/events?all-projects=true", { NULL }, ENDED },
		/* a level is of the log alone, and what is more important is shown */
		{ "monitor --pretty --loglevel warning",
		  "/1.0/events",
		  { LOG("info", "i"), LOG("error", "e") },
		  "ERROR [T] [m1] e\n" ENDED },
		{ "monitor --pretty --loglevel error",
		  "/1.0/events",
		  { LIFE, LOG("warn", "w") },
		  "INFO  [T] a: /x k=\"v w\"\n" ENDED },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *told[4] = { cases[i].events[0], cases[i].events[1], NULL };
		_free_ char *asked = xasprintf("GET %s\n", cases[i].asked);

		events = told;
		WORLD_ANSWER(w, NOTHING);
		world_will_talk(w, 1, tells_events);
		assert_string_equal(world_says(w, cases[i].line), cases[i].shown);
		world_has_talked(w);
		assert_string_equal(world_asked(w), asked);
	}
}

static const struct dialogue refuses_cases[] = {
	{ "monitor --format xml",
	  NULL,
	  { NOTHING },
	  "Error: --format \"xml\": yaml, json or pretty\n",
	  "" },
	{ "monitor --loglevel loud",
	  NULL,
	  { NOTHING },
	  "Error: --loglevel: error, warning, info, debug or trace\n",
	  "" },
};

static void refuses(void **state)
{
	world_check(*state, refuses_cases, ARRAY_SIZE(refuses_cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
