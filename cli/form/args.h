/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/args.h - the command line, read by the tables cmds.def and opts.def.
 *
 * Options may stand anywhere before "--". A command is one or more words; its row names its
 * options. Everything in struct args points into argv or into the tables.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define ARGS_MAX 4096
#define WORDS_MAX 80

struct cli;

enum opt_type { OPT_FLAG, OPT_ONE, OPT_MANY };

struct opt {
	const char *id; /* what a row of cmds.def calls it */
	const char *name;
	char letter; /* 0 for none */
	enum opt_type type;
	const char *arg; /* how help names the value; NULL for a flag */
	const char *help;
};

struct cmd {
	const char *words;
	int min, max; /* arguments; max -1 for no limit */
	const char *opts;
	/* The exit status, or -1 with err set. */
	int (*run)(struct cli *c, struct err *err);
	const char *usage, *summary;
	bool tail; /* options end at the second argument: it begins a foreign command line */
};

struct cmd_group {
	const char *words, *summary;
};

/* Each ends with words NULL. */
struct cmd_table {
	const struct cmd *cmds;
	const struct cmd_group *groups;
};

extern const struct opt opts_global[]; /* ends with name NULL */

struct args {
	const struct cmd_table *table;
	const struct cmd *cmd; /* NULL when only a group was named */
	char words[WORDS_MAX]; /* of the command or group; "" for the root */
	bool help, version;
	const char *pos[ARGS_MAX];
	int npos;
	struct {
		const struct opt *opt;
		const char *value; /* "true" or "false" for a flag */
	} vals[ARGS_MAX];
	int nvals;
};

/* ERR_INVALID says what is wrong, with the usage line or the nearest spelling. */
int args_parse(const struct cmd_table *t, struct args *ret, int argc, char **argv, struct err *err);
/* The same of a line that is not complete yet: nothing is missing but, perhaps, the value of the
 * last option (NULL: none). */
int args_begin(const struct cmd_table *t, struct args *ret, int argc, char **argv,
	       const struct opt **ret_wants, struct err *err);
/* By long name. The last one given counts. */
bool args_flag(const struct args *a, const char *name);
const char *args_value(const struct args *a, const char *name); /* NULL when absent */
/* The i-th value of an option that may be repeated; NULL after the last. */
const char *args_nth(const struct args *a, const char *name, int i);
const char *args_pos(const struct args *a, int i); /* NULL when absent */

/* The i-th option of a command (without the global ones); NULL after the last. */
const struct opt *cmd_opt(const struct cmd *cmd, size_t i);
const struct cmd *cmd_find(const struct cmd_table *t, const char *words);
const struct cmd_group *cmd_group_find(const struct cmd_table *t, const char *words);
/* The sub-command or command whose spelling is nearest, NULL when none is near. `group` is "" or
 * the words before. */
const char *cmd_nearest(const struct cmd_table *t, const char *group, const char *word,
			char buf[WORDS_MAX]);
