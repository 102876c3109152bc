/* SPDX-License-Identifier: Apache-2.0 */
/* version, completion. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/net/client.h"

int c_version(struct cli *c, struct err *err)
{
	struct client *cl = client_of_remote(c, args_pos(&c->args, 0), err);
	_json_ json_t *server = cl ? api_get(cl, "/1.0", err) : NULL;
	const json_t *env = json_obj(server, "environment");

	if (!cl)
		return -1;
	printf("Client version: %s\n", DUNLIN_VERSION);
	printf("Server version: %s\n",
	       server ? json_str(env, "server_version", "unknown") : "unreachable");
	return 0;
}

/* The words that may follow the words `group`. */
static void print_next(const struct cmd_table *t, const char *group)
{
	size_t skip = *group ? strlen(group) + 1 : 0;

	for (const struct cmd *c = t->cmds; c->words; c++)
		if ((!skip || (str_starts(c->words, group) && c->words[skip - 1] == ' ')) &&
		    !strchr(c->words + skip, ' '))
			printf(" %s", c->words + skip);
	for (const struct cmd_group *g = t->groups; g->words; g++)
		if ((!skip || (str_starts(g->words, group) && g->words[skip - 1] == ' ')) &&
		    !strchr(g->words + skip, ' '))
			printf(" %s", g->words + skip);
}

static void print_options(const struct cmd *cmd)
{
	const struct opt *o;

	for (size_t i = 0; (o = cmd_opt(cmd, i)); i++)
		printf(" --%s", o->name);
	for (o = opts_global; o->name; o++)
		printf(" --%s", o->name);
}

static const char bash_head[] = "_dunlin()\n{\n"
				"\tlocal cur=${COMP_WORDS[COMP_CWORD]} words= w next= opts=\n"
				"\tlocal i=1\n"
				"\twhile ((i < COMP_CWORD)); do\n"
				"\t\tw=${COMP_WORDS[i++]}\n"
				"\t\t[[ $w == -* ]] || words=\"${words:+$words }$w\"\n"
				"\tdone\n"
				"\twhile :; do\n"
				"\t\tcase $words in\n";

static const char bash_tail[] = "\t\t*\" \"*) words=${words% *}; continue ;;\n"
				"\t\tesac\n"
				"\t\tbreak\n"
				"\tdone\n"
				"\t[[ $cur == -* ]] && next=$opts\n"
				"\tCOMPREPLY=($(compgen -W \"$next\" -- \"$cur\"))\n"
				"}\n"
				"complete -o default -F _dunlin dunlin\n";

/* Arguments stand after a command's words: the loop drops words from the end until a row fits. */
int c_completion(struct cli *c, struct err *err)
{
	const struct cmd_table *t = c->args.table;
	const char *shell = args_pos(&c->args, 0);

	if (strcmp(shell, "bash") != 0)
		return err_set(err, ERR_UNSUPPORTED, "no completion for \"%.40s\": only bash",
			       shell);
	fputs(bash_head, stdout);
	for (const struct cmd *cmd = t->cmds; cmd->words; cmd++) {
		printf("\t\t\"%s\") opts=\"", cmd->words);
		print_options(cmd);
		puts("\" ;;");
	}
	for (const struct cmd_group *g = t->groups; g->words; g++) {
		printf("\t\t\"%s\") next=\"", g->words);
		print_next(t, g->words);
		puts("\" ;;");
	}
	fputs("\t\t\"\") next=\"", stdout);
	print_next(t, "");
	puts("\" ;;");
	fputs(bash_tail, stdout);
	return 0;
}
