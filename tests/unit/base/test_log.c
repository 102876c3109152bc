/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/base/captured.h"

/* As under the journal: the level, no time. */
static void begin(struct captured *c, enum log_level max)
{
	capture(c, STDERR_FILENO);
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_init(max);
}

static int restore(void **state)
{
	unsetenv("JOURNAL_STREAM");
	log_init(LOG_INFO);
	return 0;
}

static void facts_follow_the_message(void **state)
{
	_free_ char *text = NULL;
	struct captured c;

	begin(&c, LOG_INFO);
	log_info("started");
	log_info("instance started", "instance", "c1", "member", NULL);
	log_error("failed", "why", "");
	text = captured_end(&c);
	assert_string_equal(text, "<6>started\n"
				  "<6>instance started instance=c1 member=-\n"
				  "<3>failed why=\"\"\n");
}

static void values_are_quoted_where_they_could_be_mistaken(void **state)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{ "plain", "plain" },
		{ "10.0.0.1:8443", "10.0.0.1:8443" },
		{ "a b", "\"a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"x\"", "\"say \\\"x\\\"\"" },
		{ "one\n<3>two", "\"one\\n<3>two\"" },
		{ "a\tb", "\"a\\u0009b\"" },
		{ "a\rb", "\"a\\u000db\"" },
		{ "\x1b[31mred", "\"\\u001b[31mred\"" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *want = xasprintf("<6>m v=%s\n", cases[i].text);
		_free_ char *text = NULL;
		struct captured c;

		begin(&c, LOG_INFO);
		log_info("m", "v", cases[i].value);
		text = captured_end(&c);
		assert_string_equal(text, want);
	}
}

static void levels_are_kept(void **state)
{
	static const struct {
		enum log_level max;
		const char *want;
	} cases[] = {
		{ LOG_ERROR, "<3>e\n" },
		{ LOG_WARN, "<3>e\n<4>w\n" },
		{ LOG_INFO, "<3>e\n<4>w\n<6>i\n" },
		{ LOG_DEBUG, "<3>e\n<4>w\n<6>i\n<7>d\n" },
		/* the journal knows none below 7 */
		{ LOG_TRACE, "<3>e\n<4>w\n<6>i\n<7>d\n<7>t\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = NULL;
		struct captured c;

		begin(&c, cases[i].max);
		log_error("e");
		log_warn("w");
		log_info("i");
		log_debug("d");
		log_trace("t");
		text = captured_end(&c);
		assert_string_equal(text, cases[i].want);
	}
}

static void nothing_is_evaluated_below_the_level(void **state)
{
	_free_ char *text = NULL;
	struct captured c;
	int calls = 0;

	begin(&c, LOG_INFO);
	log_debug("d", "n", calls++ ? "a" : "b");
	text = captured_end(&c);
	assert_string_equal(text, "");
	assert_int_equal(calls, 0);
}

static void a_time_stands_before_it_without_a_journal(void **state)
{
	static const char shape[] = "<6>0000-00-00T00:00:00.000Z info  m k=v\n";
	_free_ char *text = NULL;
	struct captured c;

	begin(&c, LOG_INFO);
	unsetenv("JOURNAL_STREAM");
	log_init(LOG_INFO);
	log_info("m", "k", "v");
	text = captured_end(&c);
	assert_int_equal(strlen(text), strlen(shape));
	for (size_t i = 3; shape[i]; i++) {
		if (shape[i] != '0')
			assert_int_equal(text[i], shape[i]);
		else
			assert_in_range(text[i], '0', '9');
	}
}

static void level_names(void **state)
{
	assert_int_equal(log_level_parse("error"), LOG_ERROR);
	assert_int_equal(log_level_parse("warn"), LOG_WARN);
	assert_int_equal(log_level_parse("info"), LOG_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_int_equal(log_level_parse("trace"), LOG_TRACE);
	assert_int_equal(log_level_parse("warning"), -1);
	assert_int_equal(log_level_parse("INFO"), -1);
	assert_int_equal(log_level_parse(""), -1);
}

static void errors_come_with_their_kind(void **state)
{
	_free_ char *text = NULL;
	struct captured c;
	struct err err;

	begin(&c, LOG_WARN);
	err_set(&err, ERR_TIMEOUT, "n2 took too long");
	log_err(LOG_WARN, "call failed", &err);
	log_err(LOG_INFO, "not shown", &err);
	text = captured_end(&c);
	assert_string_equal(text, "<4>call failed error=\"n2 took too long\" kind=ERR_TIMEOUT\n");
}

static void long_lines_are_cut_and_ended(void **state)
{
	_free_ char *value = xcalloc(10001, 1);
	_free_ char *text = NULL;
	struct captured c;

	memset(value, 'v', 10000);
	begin(&c, LOG_INFO);
	log_info("m", "a", "1", "b", value, "c", "2");
	log_info("next");
	text = captured_end(&c);
	assert_true(str_starts(text, "<6>m a=1"));
	assert_true(strlen(text) < 5000);
	assert_true(str_ends(text, "\n<6>next\n"));
}

static void *log_lines(void *arg)
{
	for (int i = 0; i < 200; i++)
		log_info("line of a thread", "text", arg, "again", arg);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	static const char *const words[] = { "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc",
					     "dddddddddd" };
	_free_ char *text = NULL;
	size_t counts[4] = { 0 }, n = 0;
	struct captured c;
	pthread_t t[4];

	begin(&c, LOG_INFO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, log_lines, (void *)words[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	text = captured_end(&c);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, n++) {
		*end = '\0';
		for (int i = 0; i < 4; i++) {
			_free_ char *want = xasprintf("<6>line of a thread text=%s again=%s",
						      words[i], words[i]);

			counts[i] += str_eq(line, want);
		}
	}
	assert_int_equal(n, 800);
	for (int i = 0; i < 4; i++)
		assert_int_equal(counts[i], 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(facts_follow_the_message, restore),
		cmocka_unit_test_teardown(values_are_quoted_where_they_could_be_mistaken, restore),
		cmocka_unit_test_teardown(levels_are_kept, restore),
		cmocka_unit_test_teardown(nothing_is_evaluated_below_the_level, restore),
		cmocka_unit_test_teardown(a_time_stands_before_it_without_a_journal, restore),
		cmocka_unit_test(level_names),
		cmocka_unit_test_teardown(errors_come_with_their_kind, restore),
		cmocka_unit_test_teardown(long_lines_are_cut_and_ended, restore),
		cmocka_unit_test_teardown(lines_of_threads_do_not_mix, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
