/* SPDX-License-Identifier: Apache-2.0 */
/* Help of every command and group that the table has. */
#include "tests/unit/cli/server_world.h"

#define WIDTH 79

/* What help prints about these words; the caller frees. */
static char *help_of(const char *words)
{
	struct args a = { .table = &commands };
	_close_ int out = world_file("");
	int old = fcntl(1, F_DUPFD_CLOEXEC, 3);
	char *text = xcalloc(1 << 16, 1);

	str_copy(a.words, sizeof(a.words), words);
	fflush(stdout);
	dup2(out, 1);
	help_print(&a);
	fflush(stdout);
	dup2(old, 1);
	close(old);
	assert_true(pread(out, text, (1 << 16) - 1, 0) > 0);
	return text;
}

static void has(const char *words, const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("help of \"%s\" has no \"%s\":\n%s", words, part, text);
}

static void every_command_is_explained(void **state)
{
	for (const struct cmd *c = commands.cmds; c->words; c++) {
		_free_ char *text = help_of(c->words);
		_free_ char *usage = xasprintf("Usage: dunlin %s", c->words);
		const struct opt *o;

		assert_true(str_starts(text, usage));
		has(c->words, text, c->usage);
		has(c->words, text, "Global options:\n");
		for (size_t k = 0; (o = cmd_opt(c, k)); k++) {
			_free_ char *name = xasprintf("--%s", o->name);

			has(c->words, text, name);
			has(c->words, text, o->help);
		}
	}
}

static void every_group_lists_its_commands(void **state)
{
	for (const struct cmd_group *g = commands.groups; g->words; g++) {
		_free_ char *text = help_of(g->words), *first = xasprintf("%s ", g->words);
		bool any = false;

		has(g->words, text, "\nCommands:\n");
		for (const struct cmd *c = commands.cmds; c->words; c++) {
			const char *rest = c->words + strlen(first);

			if (!str_starts(c->words, first) || strchr(rest, ' '))
				continue;
			any = true;
			has(g->words, text, rest);
			has(g->words, text, c->summary);
		}
		assert_true(any);
	}
}

/* "config" is a group with groups in it; what is two floors down is no child of it. */
static void lists_children_only(void **state)
{
	_free_ char *top = help_of(""), *config = help_of("config");

	has("", top, "\n  launch ");
	has("", top, "\n  config ");
	assert_null(strstr(top, "\n  device "));
	has("config", config, "\n  device ");
	has("config", config, "\n  trust ");
	assert_null(strstr(config, "override"));
	has("config", config, "\"dunlin help config COMMAND\" explains a command.\n");
}

static void texts_are_wrapped(void **state)
{
	for (const struct cmd *c = commands.cmds; c->words; c++) {
		_free_ char *text = help_of(c->words);
		char *at = strstr(text, "\n\n"), *end = at ? strstr(at + 2, "\n\n") : NULL;

		/* the paragraph after the usage; rows of a table below it are indented */
		assert_non_null(end);
		*end = '\0';
		for (char *line = at + 2, *next; *line; line = next) {
			size_t len = strcspn(line, "\n");

			next = line + len + (line[len] != '\0');
			if (*line != ' ' && len > WIDTH)
				fail_msg("%s: %s", c->words, line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_is_explained),
		cmocka_unit_test(every_group_lists_its_commands),
		cmocka_unit_test(lists_children_only),
		cmocka_unit_test(texts_are_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
