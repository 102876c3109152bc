/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/progress.h - one line on the terminal that is redrawn while something long goes on.
 *
 * Nothing is written unless stderr is a terminal and --quiet was not given.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct cli;

struct progress {
	const char *what;
	bool on, drawn;
	int64_t next_ms; /* not redrawn before */
};

bool progress_wanted(const struct cli *c);
/* `what` is borrowed; NULL is off. */
struct progress progress_begin(const struct cli *c, const char *what);
void progress_text(struct progress *p, const char *text);
void progress_share(struct progress *p, int64_t done, int64_t total);
/* Clears the line. */
void progress_end(struct progress *p);
