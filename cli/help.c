/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/commands.h"

/* What the words of help.def name: a line for each row of a table. */
#define KEY(...)
#define REFUSED(...)
#define DRIVER(name, version, doc) "  " #name ": " doc "\n"
#define DEVICE(type, doc) "  " #type ": " doc "\n"
#define NETWORK(type, doc) "  " #type ": " doc "\n"
static const char storage_drivers[] =
#include "node/storage/driver.def"
	;
static const char device_types[] =
#include "node/device/device.def"
	;
static const char network_types[] =
#include "node/network/type.def"
	;
#undef NETWORK
#undef DEVICE
#undef DRIVER
#undef REFUSED
#undef KEY

static const struct {
	const char *words, *text, *rows, *examples;
} texts[] = {
#define HELP(words, text, examples) { words, text, "", examples },
#define HELP_ROWS(words, text, rows, examples) { words, text, rows, examples },
#include "cli/help.def"
#undef HELP_ROWS
#undef HELP
};

static int text_of(const char *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i].words, words) == 0)
			return i;
	return -1;
}

/* Breaks a paragraph at blanks before column 80. */
static void print_wrapped(const char *text)
{
	int column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + (int)len > 79) {
			putchar('\n');
			column = 0;
		}
		column += printf("%s%.*s", column ? " " : "", (int)len, text);
		text += len + strspn(text + len, " ");
	}
	puts("");
}

static void print_opt(const struct opt *o)
{
	char left[80];

	if (o->letter)
		snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
	else
		snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
	printf("  %-32s %s\n", left, o->help);
}

static void print_globals(void)
{
	puts("\nGlobal options:");
	for (const struct opt *o = opts_global; o->name; o++)
		print_opt(o);
}

static void print_examples(const char *examples)
{
	puts("\nExamples:");
	for (const char *p = examples; *p;) {
		size_t len = strcspn(p, "\n");

		printf("  %.*s\n", (int)len, p);
		p += len + (p[len] == '\n');
	}
}

static void print_command(const struct cmd *cmd)
{
	int i = text_of(cmd->words);
	const struct opt *o = cmd_opt(cmd, 0);

	printf("Usage: dunlin %s%s%s%s%s\n\n", cmd->words, o ? " [OPTIONS]" : "",
	       *cmd->usage ? " " : "", cmd->usage, "");
	print_wrapped(i >= 0 ? texts[i].text : cmd->summary);
	if (i >= 0)
		fputs(texts[i].rows, stdout);
	if (o)
		puts("\nOptions:");
	for (size_t k = 0; (o = cmd_opt(cmd, k)); k++)
		print_opt(o);
	if (i >= 0)
		print_examples(texts[i].examples);
	print_globals();
}

static bool is_child(const char *words, const char *group)
{
	size_t skip = *group ? strlen(group) + 1 : 0;

	return (!skip || (str_starts(words, group) && words[skip - 1] == ' ')) &&
	       !strchr(words + skip, ' ');
}

static void print_children(const struct cmd_table *t, const char *group)
{
	size_t skip = *group ? strlen(group) + 1 : 0;

	puts("\nCommands:");
	for (const struct cmd *c = t->cmds; c->words; c++)
		if (is_child(c->words, group))
			printf("  %-16s %s\n", c->words + skip, c->summary);
	for (const struct cmd_group *g = t->groups; g->words; g++)
		if (is_child(g->words, group))
			printf("  %-16s %s\n", g->words + skip, g->summary);
}

void help_print(const struct args *a)
{
	const char *words = a->words;
	const struct cmd *cmd = cmd_find(a->table, words);
	const struct cmd_group *group = cmd_group_find(a->table, words);
	int i = text_of(words);

	if (cmd) {
		print_command(cmd);
		return;
	}
	printf("Usage: dunlin%s%s COMMAND\n\n", *words ? " " : "", words);
	print_wrapped(i >= 0 ? texts[i].text : group ? group->summary : "");
	print_children(a->table, words);
	if (i >= 0)
		print_examples(texts[i].examples);
	print_globals();
	printf("\n\"dunlin help%s%s COMMAND\" explains a command.\n", *words ? " " : "", words);
}
