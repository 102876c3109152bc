/* SPDX-License-Identifier: Apache-2.0 */
/* cli/commands.h - all commands (cmds.def), and what --help prints of them. */
#pragma once
#include "cli/form/args.h"

extern const struct cmd_table commands;

/* For the words of a command, of a group, or none. */
void help_print(const struct args *a);
