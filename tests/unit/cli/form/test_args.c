/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/form/args.h"

#define WORDS 16

/* Splits a line at blanks; the arguments live as long as the static buffers. */
static int parse(const char *line, struct args **ret, struct err *err)
{
	static struct args args;
	static char text[400];
	char *argv[WORDS + 1];
	size_t n;

	str_copy(text, sizeof(text), line);
	n = str_split(text, ' ', argv, WORDS);
	assert_true(n <= WORDS);
	*ret = &args;
	return args_parse(&commands, &args, n, argv, err);
}

static void accepts(void **state)
{
	static const struct {
		const char *line, *words;
		int npos;
		const char *opt, *value;
	} cases[] = {
		{ "dunlin list", "list", 0, "format", NULL },
		{ "dunlin list -f csv", "list", 0, "format", "csv" },
		{ "dunlin list -fcsv", "list", 0, "format", "csv" },
		{ "dunlin list --format=csv web", "list", 1, "format", "csv" },
		{ "dunlin list --format csv --format json", "list", 0, "format", "json" },
		{ "dunlin --debug list", "list", 0, "debug", "true" },
		{ "dunlin list --fast=false", "list", 0, "fast", "false" },
		{ "dunlin ls", "list", 0, "format", NULL },
		{ "dunlin image rm x", "image delete", 1, "format", NULL },
		{ "dunlin profile rm x", "profile delete", 1, "format", NULL },
		{ "dunlin config device rm i d", "config device remove", 2, "format", NULL },
		{ "dunlin resume c1", "start", 1, "all", NULL },
		{ "dunlin remote set-default n1", "remote switch", 1, "format", NULL },
		{ "dunlin image alias create a b", "image alias create", 2, "format", NULL },
		{ "dunlin delete -f -- -odd", "delete", 1, "force", "true" },
		{ "dunlin file push -rp a b", "file push", 2, "create-dirs", "true" },
		{ "dunlin file push - c1/x", "file push", 2, "mode", NULL },
		{ "dunlin launch img c1 --config=a=b=c", "launch", 2, "config", "a=b=c" },
		{ "dunlin --help", "", 0, "help", "true" },
		{ "dunlin image --help", "image", 0, "help", "true" },
		{ "dunlin help image import", "image import", 0, "help", NULL },
		{ "dunlin launch -h", "launch", 0, "help", "true" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct args *a;

		if (parse(cases[i].line, &a, &err) < 0)
			fail_msg("%s: %s", cases[i].line, err.msg);
		assert_string_equal(a->words, cases[i].words);
		assert_int_equal(a->npos, cases[i].npos);
		if (!str_eq(args_value(a, cases[i].opt), cases[i].value))
			fail_msg("%s: --%s is not %s", cases[i].line, cases[i].opt, cases[i].value);
	}
}

static void refuses(void **state)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{ "dunlin lanch", "did you mean \"dunlin launch\"" },
		{ "dunlin image lits", "did you mean \"dunlin image list\"" },
		{ "dunlin clu list", "did you mean \"dunlin cluster\"" },
		{ "dunlin zzzzzz", "unknown command \"zzzzzz\"" },
		{ "dunlin list --nope", "unknown option --nope" },
		{ "dunlin list -Z", "unknown option -Z" },
		{ "dunlin list --format", "needs a value" },
		{ "dunlin list --fast=maybe", "true or false" },
		{ "dunlin launch", "too few arguments. Usage: dunlin launch" },
		{ "dunlin rename a b c", "too many arguments" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct args *a;

		if (parse(cases[i].line, &a, &err) == 0)
			fail_msg("accepted: %s", cases[i].line);
		assert_int_equal(err.kind, ERR_INVALID);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: said \"%s\"", cases[i].line, err.msg);
	}
}

static void leaves_foreign_options_alone(void **state)
{
	static const char *const lines[] = { "dunlin exec c1 --env A=1 ls -la --help",
					     "dunlin exec c1 --env A=1 -- ls -la --help",
					     "dunlin exec --env A=1 c1 -- ls -la --help" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct err err = { 0 };
		struct args *a;

		assert_int_equal(parse(lines[i], &a, &err), 0);
		assert_false(a->help);
		assert_int_equal(a->npos, 4);
		assert_string_equal(args_pos(a, 1), "ls");
		assert_string_equal(args_pos(a, 3), "--help");
		assert_string_equal(args_value(a, "env"), "A=1");
	}
}

static void repeats(void **state)
{
	struct err err = { 0 };
	struct args *a;

	assert_int_equal(parse("dunlin launch i -c a=1 -c b=2 -p x", &a, &err), 0);
	assert_string_equal(args_nth(a, "config", 0), "a=1");
	assert_string_equal(args_nth(a, "config", 1), "b=2");
	assert_null(args_nth(a, "config", 2));
	assert_null(args_pos(a, 1));
}

/* A misspelt option id in a row ends the command's list early; every id must resolve. */
static void tables_are_whole(void **state)
{
	for (const struct cmd *c = commands.cmds; c->words; c++) {
		size_t want = 0, have = 0;
		const struct opt *o;

		for (const char *p = c->opts; *p; p += strspn(p, " ")) {
			p += strcspn(p, " ");
			want++;
		}
		while ((o = cmd_opt(c, have)))
			have++;
		if (want != have)
			fail_msg("%s: %zu of %zu options are in opts.def", c->words, have, want);
		assert_true(c->min >= 0 && (c->max < 0 || c->max >= c->min));
		assert_non_null(c->run);
		assert_true(*c->summary);
	}
}

static void options_do_not_clash(void **state)
{
	for (const struct cmd *c = commands.cmds; c->words; c++) {
		const struct opt *a, *b;

		for (size_t i = 0; (a = cmd_opt(c, i)); i++)
			for (size_t k = i + 1; (b = cmd_opt(c, k)); k++)
				if (strcmp(a->name, b->name) == 0 ||
				    (a->letter && a->letter == b->letter))
					fail_msg("%s: --%s and --%s", c->words, a->name, b->name);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts),
		cmocka_unit_test(refuses),
		cmocka_unit_test(leaves_foreign_options_alone),
		cmocka_unit_test(repeats),
		cmocka_unit_test(tables_are_whole),
		cmocka_unit_test(options_do_not_clash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
