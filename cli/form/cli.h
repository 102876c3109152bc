/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/cli.h - what every command function gets.
 *
 * A command prints its result on stdout and returns its exit status, or -1 with err set; main
 * prints the error and closes everything that the command opened through `struct cli`.
 */
#pragma once
#include "base/err.h"
#include "cli/form/args.h"

struct client;
struct conf;

struct cli {
	struct args args;
	struct conf *conf;
	struct client *clients; /* one for each remote used */
	bool quiet, debug;
};

/* A remark for people on stdout; nothing with --quiet. */
void cli_say(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
