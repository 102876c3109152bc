/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd/cmds.h - the command functions that cmds.def names; each is in a file of cli/cmd by its
 * subject. */
#pragma once
#include "cli/form/cli.h"

#define CMD(words, min, max, opts, run, usage, summary) int run(struct cli *c, struct err *err);
#include "cli/cmds.def"
