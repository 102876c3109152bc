/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/form/cli.h"
#include "cli/form/progress.h"
#include "cli/form/term.h"

/* Standard input has this text from here on. */
static void type_in(const char *text)
{
	_close_ int fd = memfd_create("text", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	clearerr(stdin);
}

static void reads_all_up_to_the_limit(void **state)
{
	struct err err = { 0 };
	_free_ char *text = NULL, *empty = NULL;
	size_t len;

	type_in("line 1\nline 2\n");
	text = term_read_all(1024, &len, &err);
	assert_string_equal(text, "line 1\nline 2\n");
	assert_int_equal(len, 14);
	type_in("");
	empty = term_read_all(1024, &len, &err);
	assert_string_equal(empty, "");
	assert_int_equal(len, 0);
	type_in("too much of it");
	assert_null(term_read_all(8, &len, &err));
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

/* Its script gets the file's name as its only argument. */
static char *edited(const char *script, const char *text, struct err *err)
{
	char path[] = "/tmp/dunlin-test-editor-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	char *result;
	size_t len;

	assert_true(fd >= 0);
	assert_int_equal(io_write_full(fd, script, strlen(script)), 0);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	setenv("VISUAL", path, 1);
	result = term_edit(text, ".yaml", &len, err);
	unlink(path);
	return result;
}

static void runs_the_users_editor(void **state)
{
	struct err err = { 0 };
	_free_ char *changed = edited("#!/bin/sh\necho more >> $1\n", "begin\n", &err);
	_free_ char *same = edited("#!/bin/sh\ncase $1 in *.yaml) ;; *) exit 1; esac\n", "x", &err);

	assert_string_equal(changed, "begin\nmore\n");
	assert_string_equal(same, "x");
}

static void tells_when_the_editor_failed(void **state)
{
	struct err err = { 0 };
	size_t len;

	assert_null(edited("#!/bin/sh\nexit 3\n", "x", &err));
	assert_int_equal(err.kind, ERR_CANCELLED);
	assert_non_null(strstr(err.msg, "nothing was changed"));
	setenv("VISUAL", "/nowhere/editor", 1);
	assert_null(term_edit("x", ".yaml", &len, &err));
	assert_non_null(strstr(err.msg, "editor"));
	setenv("VISUAL", "a b c d e f g h i j k l m n o p q r", 1);
	assert_null(term_edit("x", ".yaml", &len, &err));
	assert_int_equal(err.kind, ERR_INVALID);
}

static void draws_no_progress_for_files(void **state)
{
	_free_ struct cli *c = xnew(struct cli);
	struct progress p, none;
	FILE *was = stderr;
	char *text = NULL;
	size_t len = 0;

	p = progress_begin(c, "Working");
	none = progress_begin(c, NULL);
	assert_false(none.on);
	p.on = false;
	stderr = open_memstream(&text, &len);
	progress_text(&p, "half");
	progress_share(&p, 1, 2);
	progress_end(&p);
	fclose(stderr);
	stderr = was;
	assert_int_equal(len, 0);
	free(text);
}

static void draws_how_much_is_done(void **state)
{
	static const struct {
		int64_t done, total;
		const char *text;
	} cases[] = {
		{ 50, 100, "\r\033[KCopying: 50%\r\033[K" },
		{ 0, 100, "\r\033[KCopying\r\033[K" },
		{ 100, 100, "\r\033[KCopying: 100%\r\033[K" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct progress p = { .what = "Copying", .on = true };
		FILE *was = stderr;
		char *text = NULL;
		size_t len = 0;

		stderr = open_memstream(&text, &len);
		progress_share(&p, cases[i].done, cases[i].total);
		progress_share(&p, cases[i].done, cases[i].total); /* too soon */
		progress_end(&p);
		progress_end(&p);
		fclose(stderr);
		stderr = was;
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_up_to_the_limit),
		cmocka_unit_test(runs_the_users_editor),
		cmocka_unit_test(tells_when_the_editor_failed),
		cmocka_unit_test(draws_no_progress_for_files),
		cmocka_unit_test(draws_how_much_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
