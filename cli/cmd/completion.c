/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/form/complete.h"

/* Bash ends words at "=" and ":", and replaces only what comes after. */
static const char bash[] =
	"_dunlin()\n"
	"{\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT}\n"
	"\tlocal word=${line##*[[:blank:]]}\n"
	"\tmapfile -t COMPREPLY < <(\"$1\" completion bash \"$line\" 2>/dev/null)\n"
	"\t[[ ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace\n"
	"\tCOMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*[=:]}\"}\"}\")\n"
	"}\n"
	"complete -o default -F _dunlin dunlin\n";

static void print_word(void *arg, const char *text)
{
	puts(text);
}

int c_completion(struct cli *c, struct err *err)
{
	const char *shell = args_pos(&c->args, 0), *line = args_pos(&c->args, 1);

	if (!str_eq(shell, "bash"))
		return err_set(err, ERR_UNSUPPORTED, "no completion for \"%.40s\": only bash",
			       shell);
	if (line)
		complete_line(c->args.table, line, print_word, NULL);
	else
		fputs(bash, stdout);
	return 0;
}
