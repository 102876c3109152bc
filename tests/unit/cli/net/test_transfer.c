/* SPDX-License-Identifier: Apache-2.0 */
/* What is opened as a body. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/net/transfer.h"

static void chooses_a_folder(void **state)
{
	static const struct {
		const char *variable, *folder;
	} cases[] = { { NULL, "/tmp" }, { "", "/tmp" }, { "/var/tmp", "/var/tmp" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].variable)
			setenv("TMPDIR", cases[i].variable, 1);
		else
			unsetenv("TMPDIR");
		assert_string_equal(temp_dir(), cases[i].folder);
	}
	unsetenv("TMPDIR");
}

/* All of it, from its beginning, and of a length that is known. */
static void assert_body(const char *file, const char *want)
{
	struct err err = { 0 };
	_close_ int fd = open_body(file, &err);
	char text[64] = "";
	struct stat st;

	if (fd < 0)
		fail_msg("%s: %s", file, err.msg);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, strlen(want));
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), strlen(want));
	assert_string_equal(text, want);
}

static void opens_bodies(void **state)
{
	char dir[] = "/tmp/dunlin-test-body-XXXXXX";
	_free_ char *file = NULL;
	int pipefd[2], input;
	struct err err;

	assert_non_null(mkdtemp(dir));
	file = xasprintf("%s/file", dir);
	assert_int_equal(io_write_file(file, "content", 7, 0600, &err), 0);
	assert_body(file, "content");
	assert_body("/dev/null", "");
	/* A pipe is read to its end. */
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(write(pipefd[1], "typed", 5), 5);
	close(pipefd[1]);
	input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(pipefd[0], STDIN_FILENO), STDIN_FILENO);
	assert_body("-", "typed");
	dup2(input, STDIN_FILENO);
	close(input);
	close(pipefd[0]);
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

static void refuses(void **state)
{
	static const struct {
		const char *file, *says;
	} cases[] = {
		{ "/nowhere/x", "cannot open \"/nowhere/x\": No such file or directory" },
		{ "/tmp", "cannot read \"/tmp\": Is a directory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(open_body(cases[i].file, &err), -1);
		assert_string_equal(err.msg, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chooses_a_folder),
		cmocka_unit_test(opens_bodies),
		cmocka_unit_test(refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
