/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "cli/cmd/cmds.h"

static const struct cmd cmds[] = {
#define CMD(words, min, max, opts, run, usage, summary) \
	{ words, min, max, opts, run, usage, summary, false },
#define CMD_TAIL(words, min, max, opts, run, usage, summary) \
	{ words, min, max, opts, run, usage, summary, true },
#include "cli/cmds.def"
	{ .words = NULL },
};

static const struct cmd_group groups[] = {
#define GROUP(words, summary) { words, summary },
#include "cli/cmds.def"
	{ .words = NULL },
};

const struct cmd_table commands = { cmds, groups };
