/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of the daemon and its verbs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/daemon/arguments.h"

#define WORDS_MAX 16

/* Words of a line, split at blanks, as main() has them. */
struct line {
	char *text, *argv[WORDS_MAX];
	int argc;
};

static struct line line_of(const char *text)
{
	struct line l = { .text = xstrdup(text) };

	l.argc = (int)str_split(l.text, ' ', l.argv, WORDS_MAX - 1);
	return l;
}

static bool same(const char *a, const char *b)
{
	return a && b ? str_eq(a, b) : a == b;
}

static void of_the_daemon(void **state)
{
	static const struct {
		const char *line;
		enum daemon_wish wish;
		struct daemon_arguments want; /* when it runs */
	} cases[] = {
		{ "dunlind", WISH_RUN, { NULL, LOG_INFO, NULL } },
		{ "dunlind --group adm", WISH_RUN, { "adm", LOG_INFO, NULL } },
		{ "dunlind --group=adm --debug", WISH_RUN, { "adm", LOG_DEBUG, NULL } },
		{ "dunlind --verbose", WISH_RUN, { NULL, LOG_DEBUG, NULL } },
		{ "dunlind --log-level error", WISH_RUN, { NULL, LOG_ERROR, NULL } },
		{ "dunlind --log-level trace", WISH_RUN, { NULL, LOG_TRACE, NULL } },
		/* the last one counts */
		{ "dunlind --debug --log-level warn", WISH_RUN, { NULL, LOG_WARN, NULL } },
		{ "dunlind melt", WISH_RUN, { NULL, LOG_INFO, "melt" } },
		{ "dunlind --debug melt --group adm", WISH_RUN, { "adm", LOG_DEBUG, "melt" } },
		{ "dunlind --help", WISH_HELP, { 0 } },
		{ "dunlind -h melt", WISH_HELP, { 0 } },
		{ "dunlind --version", WISH_VERSION, { 0 } },
		{ "dunlind --debug --version --help", WISH_VERSION, { 0 } },
		{ "dunlind --log-level loud", WISH_USAGE, { 0 } },
		{ "dunlind --log-level", WISH_USAGE, { 0 } },
		{ "dunlind --melt", WISH_USAGE, { 0 } },
		{ "dunlind -x", WISH_USAGE, { 0 } },
		{ "dunlind --debug=yes", WISH_USAGE, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct line l = line_of(cases[i].line);
		const struct daemon_arguments *want = &cases[i].want;
		struct daemon_arguments a;
		enum daemon_wish wish = arguments_daemon(l.argc, l.argv, &a);

		if (wish != cases[i].wish ||
		    (wish == WISH_RUN && (!same(a.group, want->group) || a.level != want->level ||
					  !same(a.strange, want->strange))))
			fail_msg("%s: %d", cases[i].line, (int)wish);
		free(l.text);
	}
}

static void of_shutdown(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		struct shutdown_arguments want;
	} cases[] = {
		{ "shutdown", true, { 0 } },
		{ "shutdown --timeout 30", true, { .timeout_s = 30 } },
		{ "shutdown -t 86400 --instances",
		  true,
		  { .timeout_s = 86400, .instances = true } },
		{ "shutdown --instances --if-host-stops",
		  true,
		  { .instances = true, .if_host_stops = true } },
		{ "shutdown --timeout=0", true, { 0 } },
		{ "shutdown --timeout 86401", false, { 0 } },
		{ "shutdown --timeout -1", false, { 0 } },
		{ "shutdown --timeout soon", false, { 0 } },
		{ "shutdown --timeout", false, { 0 } },
		{ "shutdown --force", false, { 0 } },
		{ "shutdown now", false, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct line l = line_of(cases[i].line);
		const struct shutdown_arguments *want = &cases[i].want;
		struct shutdown_arguments a;
		bool ok = arguments_shutdown(l.argc, l.argv, &a);

		if (ok != cases[i].ok ||
		    (ok && (a.timeout_s != want->timeout_s || a.instances != want->instances ||
			    a.if_host_stops != want->if_host_stops)))
			fail_msg("%s", cases[i].line);
		free(l.text);
	}
}

static void of_waitready(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		uint64_t seconds;
	} cases[] = {
		{ "waitready", true, 0 },
		{ "waitready --timeout 5", true, 5 },
		{ "waitready --timeout=5", true, 5 },
		{ "waitready -t 5", true, 5 },
		{ "waitready --timeout", false, 0 },
		{ "waitready --timeout=", false, 0 },
		{ "waitready --timeout 5s", false, 0 },
		{ "waitready --timeout 86401", false, 0 },
		{ "waitready 5", false, 0 },
		{ "waitready --timeout 5 6", false, 0 },
		{ "waitready --instances", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct line l = line_of(cases[i].line);
		uint64_t seconds = 99;

		if (arguments_waitready(l.argc, l.argv, &seconds) != cases[i].ok ||
		    (cases[i].ok && seconds != cases[i].seconds))
			fail_msg("%s", cases[i].line);
		free(l.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_daemon),
		cmocka_unit_test(of_shutdown),
		cmocka_unit_test(of_waitready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
