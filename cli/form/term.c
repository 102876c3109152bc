/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form/term.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/sbuf.h"
#include "base/str.h"

#define EDIT_MAX (16 << 20)
#define EDITOR_WORDS 16

int term_raw(struct term_mode *ret, struct err *err)
{
	struct termios t;

	*ret = (struct term_mode){ 0 };
	if (tcgetattr(STDIN_FILENO, &ret->saved) < 0)
		return err_sys(err, "cannot read the terminal's settings");
	t = ret->saved;
	cfmakeraw(&t);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t) < 0)
		return err_sys(err, "cannot put the terminal into raw mode");
	ret->raw = true;
	return 0;
}

void term_restore(struct term_mode *m)
{
	if (m->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &m->saved);
	m->raw = false;
}

void term_size(int *ret_width, int *ret_height)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 &&
	    ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){ 0 };
	*ret_width = size.ws_col;
	*ret_height = size.ws_row;
}

char *term_line(void)
{
	_free_ char *line = NULL;
	size_t room = 0;
	ssize_t len = getline(&line, &room, stdin);

	if (len <= 0)
		return NULL;
	if (line[len - 1] == '\n')
		line[len - 1] = '\0';
	return take_ptr(line);
}

bool term_confirm(const char *question)
{
	for (;;) {
		_free_ char *answer = NULL;
		int yes;

		fprintf(stderr, "%s (yes/no) [default=no]: ", question);
		answer = term_line();
		if (!answer)
			fputc('\n', stderr);
		yes = str_empty(answer) ? 0 : str_yes_no(answer);
		if (yes >= 0)
			return yes;
		fputs("Please answer yes or no.\n", stderr);
	}
}

char *term_read_all(size_t max, size_t *ret_len, struct err *err)
{
	_sbuf_ struct sbuf b = SBUF(max);
	char buf[16384];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		sbuf_add(&b, buf, n);
	if (n < 0) {
		err_sys(err, "cannot read standard input");
		return NULL;
	}
	if (b.overflow) {
		err_set(err, ERR_TOO_LARGE, "standard input is larger than %zu KiB", max >> 10);
		return NULL;
	}
	*ret_len = b.len;
	return sbuf_take(&b);
}

static const char *editor(void)
{
	const char *visual = getenv("VISUAL"), *plain = getenv("EDITOR");

	if (!str_empty(visual))
		return visual;
	return str_empty(plain) ? "vi" : plain;
}

/* The editor is a process group of its own, so it needs to be made the terminal's foreground; it
 * may have been stopped by reading before that. */
static void give_terminal(pid_t pgrp)
{
	void (*old)(int) = signal(SIGTTOU, SIG_IGN);

	if (isatty(STDIN_FILENO))
		tcsetpgrp(STDIN_FILENO, pgrp);
	signal(SIGTTOU, old);
	if (pgrp != getpgrp())
		kill(-pgrp, SIGCONT);
}

static int run_editor(const char *const *argv, struct err *err)
{
	struct proc_spec spec = { .argv = argv, .fds = { 0, 1, 2 }, .nfds = 3 };
	struct proc p;
	int status, r;

	if (proc_spawn(&spec, &p, err) < 0)
		return err_wrap(err, "cannot run the editor (see $EDITOR)");
	give_terminal(p.pid);
	r = proc_wait(&p, 0, &status, err);
	give_terminal(getpgrp());
	if (r < 0)
		return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_CANCELLED,
			       "the editor \"%.80s\" failed: nothing was changed", argv[0]);
	return 0;
}

int term_edit_file(const char *path, struct err *err)
{
	_free_ char *words = xstrdup(editor());
	char *parts[EDITOR_WORDS];
	const char *argv[EDITOR_WORDS + 2];
	size_t n = str_split(words, ' ', parts, EDITOR_WORDS), used = 0;

	if (n > EDITOR_WORDS)
		return err_set(err, ERR_INVALID, "$EDITOR has more than %d words", EDITOR_WORDS);
	for (size_t i = 0; i < n; i++)
		if (*parts[i])
			argv[used++] = parts[i];
	argv[used++] = path;
	argv[used] = NULL;
	return run_editor(argv, err);
}

char *term_edit(const char *text, const char *suffix, size_t *ret_len, struct err *err)
{
	const char *dir = getenv("TMPDIR");
	_free_ char *path = xasprintf("%s/dunlin-XXXXXX%s", str_empty(dir) ? "/tmp" : dir, suffix);
	_close_ int fd = mkostemps(path, strlen(suffix), O_CLOEXEC);
	char *edited = NULL;

	if (fd < 0) {
		err_sys(err, "cannot make a temporary file \"%s\"", path);
		return NULL;
	}
	if (io_write_full(fd, text, strlen(text)) < 0)
		err_sys(err, "cannot write \"%s\"", path);
	else if (term_edit_file(path, err) == 0)
		edited = io_read_file(path, EDIT_MAX, ret_len, err);
	unlink(path);
	return edited;
}
