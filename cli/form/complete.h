/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/complete.h - what may come next on a command line: commands, options, and configuration
 * keys with their words.
 */
#pragma once
#include "cli/form/args.h"

/* Hands over each word that may stand where `line`, which begins with "dunlin", ends; each begins
 * with what of it is there already. A word that ends in "=" or "." goes on. Hands over nothing when
 * the line is none of ours, or names come next, which the server knows. */
void complete_line(const struct cmd_table *t, const char *line,
		   void (*word)(void *arg, const char *text), void *arg);
