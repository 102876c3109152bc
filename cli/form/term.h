/* SPDX-License-Identifier: Apache-2.0 */
/* cli/form/term.h - the terminal: raw mode, size, questions, the user's editor. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "base/err.h"

struct term_mode {
	bool raw;
	struct termios saved;
};

/* Puts standard input into raw mode until term_restore(). */
int term_raw(struct term_mode *ret, struct err *err);
void term_restore(struct term_mode *m);
/* 0 x 0 without a terminal. */
void term_size(int *ret_width, int *ret_height);

/* Asks until the answer is yes or no; nothing, and the end of the input, are no. */
bool term_confirm(const char *question);
/* One line of standard input without its end; NULL at the end. The caller frees. */
char *term_line(void);
/* All of standard input; the caller frees. */
char *term_read_all(size_t max, size_t *ret_len, struct err *err);
/* Opens the text in $VISUAL, $EDITOR or vi; what was saved. The caller frees. */
char *term_edit(const char *text, const char *suffix, size_t *ret_len, struct err *err);
/* Runs the editor on a file. */
int term_edit_file(const char *path, struct err *err);
