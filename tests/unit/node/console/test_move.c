/* SPDX-License-Identifier: Apache-2.0 */
/* A console's way to another member: the image, and what CRIU is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/console/console.h"
#include "node/console/wire.h"

#define IMAGE "dunlin-console.img"
#define RESTORED 100 /* where CRIU inherits it */

/* Two members: each with the folder of the container, and a terminal of its own. */
struct world {
	char dir[64], images[96], options[96];
	struct member {
		char folder[96];
		int master, tty;
	} source, target;
};

static void make_member(struct world *w, struct member *m, const char *name)
{
	_free_ char *link = NULL;
	struct err err = { 0 };
	char tty[64];

	snprintf(m->folder, sizeof(m->folder), "%s/%s", w->dir, name);
	assert_int_equal(io_mkdirs(m->folder, 0700, &err), 0);
	m->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(m->master >= 0);
	assert_int_equal(unlockpt(m->master), 0);
	assert_int_equal(ptsname_r(m->master, tty, sizeof(tty)), 0);
	m->tty = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(m->tty >= 0);
	link = xasprintf("%s/" CONSOLE_TTY, m->folder);
	assert_int_equal(symlink(tty, link), 0);
}

static void put(const char *dir, const char *file, const char *text)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static char *get(const char *dir, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", dir, file);
	struct err err;

	return io_read_file(path, CONSOLE_LOG_MAX, NULL, &err);
}

static int setup(void **state)
{
	struct world *w = xnew(struct world);

	str_copy(w->dir, sizeof(w->dir), "/tmp/test-console-move-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	make_member(w, &w->source, "source");
	make_member(w, &w->target, "target");
	str_copy(w->images, sizeof(w->images), w->dir);
	snprintf(w->options, sizeof(w->options), "%s/criu.conf", w->dir);
	put(w->dir, "criu.conf", "first\n");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct err err;

	close(w->source.master);
	close(w->source.tty);
	close(w->target.master);
	close(w->target.tty);
	close(RESTORED);
	io_remove_tree(w->dir, &err);
	free(w);
	return 0;
}

static int dump(struct world *w, struct err *err)
{
	return console_dump(w->source.folder, w->images, w->options, "dunlin-no-such", "c1", err);
}

static int restore(struct world *w, struct err *err)
{
	return console_lend(w->target.folder, err) < 0
		       ? -1
		       : console_restore(w->target.folder, w->images, w->options, err);
}

static void the_console_is_as_it_was(void **state)
{
	struct world *w = *state;
	struct winsize size = { .ws_row = 33, .ws_col = 121 }, got = { 0 };
	_free_ char *options = NULL, *log = NULL, *want = NULL;
	struct console_tty tty;
	struct termios modes;
	struct stat st, end;
	struct err err = { 0 };

	assert_int_equal(tcgetattr(w->source.tty, &modes), 0);
	modes.c_lflag &= (tcflag_t)~ECHO;
	assert_int_equal(tcsetattr(w->source.tty, TCSANOW, &modes), 0);
	assert_int_equal(ioctl(w->source.tty, TIOCSWINSZ, &size), 0);
	put(w->source.folder, CONSOLE_LOG, "booted\n");
	put(w->target.folder, CONSOLE_LOG, "what is no longer true, and longer\n");
	if (dump(w, &err) < 0 || restore(w, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(tcgetattr(w->target.tty, &modes), 0);
	assert_false(modes.c_lflag & ECHO);
	assert_int_equal(ioctl(w->target.tty, TIOCGWINSZ, &got), 0);
	assert_int_equal(got.ws_row, size.ws_row);
	assert_int_equal(got.ws_col, size.ws_col);
	log = get(w->target.folder, CONSOLE_LOG);
	assert_string_equal(log, "booted\n");
	/* CRIU finds the target's under the numbers of the source's. */
	assert_int_equal(fstat(RESTORED, &st), 0);
	assert_int_equal(fstat(w->target.tty, &end), 0);
	assert_int_equal(st.st_rdev, end.st_rdev);
	assert_true(console_find(w->source.folder, &tty));
	want = xasprintf("first\nexternal tty[%llx:%llx]\ninherit-fd fd[100]:tty[%llx:%llx]\n",
			 (unsigned long long)tty.rdev, (unsigned long long)tty.dev,
			 (unsigned long long)tty.rdev, (unsigned long long)tty.dev);
	options = get(w->dir, "criu.conf");
	assert_string_equal(options, want);
}

/* A container works without one, too: then nothing is dumped, and nothing restored. */
static void without_a_console_nothing_is_done(void **state)
{
	struct world *w = *state;
	_free_ char *link = xasprintf("%s/" CONSOLE_TTY, w->source.folder);
	_free_ char *image = xasprintf("%s/" IMAGE, w->images), *options = NULL;
	struct err err = { 0 };

	assert_int_equal(unlink(link), 0);
	assert_int_equal(dump(w, &err), 0);
	assert_false(io_exists(image));
	assert_int_equal(restore(w, &err), 0);
	options = get(w->dir, "criu.conf");
	assert_string_equal(options, "first\n");
}

/* It has come from another member. */
static void what_is_no_image_is_refused(void **state)
{
	struct world *w = *state;
	_free_ char *image = xasprintf("%s/" IMAGE, w->images), *whole = NULL, *options = NULL;
	struct err err = { 0 };
	size_t len = 0;

	put(w->source.folder, CONSOLE_LOG, "booted\n");
	put(w->target.folder, CONSOLE_LOG, "");
	assert_int_equal(dump(w, &err), 0);
	whole = io_read_file(image, 1 << 20, &len, &err);
	assert_non_null(whole);
	for (int i = 0; i < 3; i++) {
		char was = whole[0];

		if (i == 0)
			whole[0] = 'x';
		assert_int_equal(io_write_file(image, whole,
					       i == 1   ? 20
					       : i == 2 ? 0
							: len,
					       0600, &err),
				 0);
		whole[0] = was;
		assert_int_equal(restore(w, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "not the image of a console"));
	}
	options = get(w->dir, "criu.conf");
	assert_null(strstr(options, "inherit-fd"));
}

static void a_target_without_a_console_says_so(void **state)
{
	struct world *w = *state;
	_free_ char *link = xasprintf("%s/" CONSOLE_TTY, w->target.folder);
	struct err err = { 0 };

	assert_int_equal(dump(w, &err), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(restore(w, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	/* The name of something else is none either. */
	assert_int_equal(symlink(w->options, link), 0);
	assert_int_equal(restore(w, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_console_is_as_it_was),
		T(without_a_console_nothing_is_done),
		T(what_is_no_image_is_refused),
		T(a_target_without_a_console_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
