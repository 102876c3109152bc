/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/cli/server_world.h"

static void completes(void **state)
{
	struct world *w = *state;

	assert_string_equal(world_says(w, "completion zsh"),
			    "Error: no completion for \"zsh\": only bash\n");
	assert_non_null(strstr(world_says(w, "completion bash"),
			       "complete -o default -F _dunlin dunlin\n"));
	assert_string_equal(world_says(w, "completion bash dunl"), "");
	assert_string_equal(world_asked(w), "");
}

/* A word a line, as the script reads them. The line has blanks, so it is no line of a test's. */
static void prints_a_word_a_line(void **state)
{
	char dunlin[] = "dunlin", words[] = "completion", bash[] = "bash", line[] = "dunlin sto";
	char *argv[] = { dunlin, words, bash, line, NULL };
	struct err err = { 0 };
	int out = world_file(""), old = fcntl(1, F_DUPFD_CLOEXEC, 3);
	char text[64] = "";

	fflush(stdout);
	dup2(out, 1);
	assert_int_equal(world_command(*state, 4, argv, &err), 0);
	fflush(stdout);
	dup2(old, 1);
	close(old);
	assert_true(pread(out, text, sizeof(text) - 1, 0) > 0);
	close(out);
	assert_string_equal(text, "stop\nstorage\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completes),
		cmocka_unit_test(prints_a_word_a_line),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
