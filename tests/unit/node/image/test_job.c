/* SPDX-License-Identifier: Apache-2.0 */
/* What a helper that reads tarballs is told, what it tells, and what its death means. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "node/helper/helper.h"
#include "node/image/image_int.h"

/* The request comes back, with what was open; progress before. */
static json_t *echo(const json_t *request, struct err *err)
{
	json_t *answer = json_deep_copy(request);

	for (int64_t done = 100; done <= 300; done += 100) {
		if (write(HELPER_FD_EXTRA, &done, sizeof(done)) != sizeof(done))
			return err_sys(err, "tell"), NULL;
	}
	json_put_bool(answer, "second", fcntl(HELPER_FD_EXTRA + 2, F_GETFD) >= 0);
	return answer;
}

static json_t *die(const json_t *request, struct err *err)
{
	_exit(3);
}

static json_t *refuse(const json_t *request, struct err *err)
{
	return err_set(err, ERR_NO_SPACE, "the disk is full"), NULL;
}

static const struct helper_verb verbs[] = {
	{ "helper-echo", echo },
	{ "helper-die", die },
	{ "helper-refuse", refuse },
	{ NULL, NULL },
};

static const struct image_limits odd = { .stored = 1,
					 .unpacked = 2,
					 .ratio = 3,
					 .ratio_from = 4,
					 .entries = 5,
					 .path = 6,
					 .depth = 7,
					 .metadata = 8,
					 .template = 9,
					 .templates = 10 };

struct told {
	int64_t done[8];
	int n;
};

static void on_progress(void *arg, int64_t done)
{
	struct told *t = arg;

	assert_true(t->n < (int)ARRAY_SIZE(t->done));
	t->done[t->n++] = done;
}

/* Each limit arrives under its own name. */
static void limits_arrive(void **state)
{
	struct image_job job = { .verb = "helper-echo",
				 .fp = "0123456789abcdef",
				 .limits = &odd,
				 .fds = { STDIN_FILENO, -1 } };
	struct err err = { 0 };
	_json_ json_t *answer = image_job_run(&job, &err);
	_free_ char *text = NULL;
	struct image_limits l;

	if (!answer)
		fail_msg("%s", err.msg);
	text = json_text(json_obj(answer, "limits"));
	assert_string_equal(text, "{\"stored\":1,\"unpacked\":2,\"ratio\":3,\"ratio_from\":4,"
				  "\"entries\":5,\"path\":6,\"depth\":7,\"metadata\":8,"
				  "\"template\":9,\"templates\":10}");
	l = image_limits_of(json_obj(answer, "limits"));
	assert_memory_equal(&l, &odd, sizeof(l));
}

/* Who says nothing of a limit gets nothing. */
static void unknown_limits_are_none(void **state)
{
	static const struct image_limits none;
	_json_ json_t *empty = json_object(), *texts = json_pack("{ss}", "path", "6");
	struct image_limits a = image_limits_of(empty), b = image_limits_of(texts);

	assert_memory_equal(&a, &none, sizeof(a));
	assert_memory_equal(&b, &none, sizeof(b));
}

static void passes_on(void **state)
{
	static const struct {
		const char *prefix;
		int second;
	} cases[] = { { NULL, -1 }, { "rootfs", -1 }, { "", STDIN_FILENO } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct told told = { .n = 0 };
		struct image_job job = { .verb = "helper-echo",
					 .fp = "0123456789abcdef",
					 .limits = &image_limits_default,
					 .prefix = cases[i].prefix,
					 .fds = { STDIN_FILENO, cases[i].second },
					 .progress = on_progress,
					 .arg = &told };
		struct err err = { 0 };
		_json_ json_t *answer = image_job_run(&job, &err);

		if (!answer)
			fail_msg("%s", err.msg);
		assert_string_equal(json_str(answer, "prefix", "NULL"),
				    cases[i].prefix ? cases[i].prefix : "NULL");
		assert_int_equal(json_bool(answer, "pair", false), cases[i].second >= 0);
		assert_int_equal(json_bool(answer, "second", false), cases[i].second >= 0);
		assert_int_equal(told.n, 3);
		for (int k = 0; k < told.n; k++)
			assert_int_equal(told.done[k], (k + 1) * 100);
	}
}

/* Its death is the archive's fault; what it says of itself is not. */
static void judges_its_end(void **state)
{
	static const struct {
		const char *verb;
		enum err_kind kind;
		const char *says;
	} cases[] = {
		{ "helper-die", ERR_INVALID, "image 0123456789ab: its archive could not be read" },
		{ "helper-refuse", ERR_NO_SPACE, "the disk is full" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image_job job = { .verb = cases[i].verb,
					 .fp = "0123456789abcdef",
					 .limits = &image_limits_default,
					 .fds = { STDIN_FILENO, -1 } };
		struct err err = { 0 };

		assert_null(image_job_run(&job, &err));
		assert_int_equal(err.kind, cases[i].kind);
		if (!str_starts(err.msg, cases[i].says))
			fail_msg("%s", err.msg);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_arrive),
		cmocka_unit_test(unknown_limits_are_none),
		cmocka_unit_test(passes_on),
		cmocka_unit_test(judges_its_end),
	};
	int rc = helper_main(verbs, argc, argv);

	return rc >= 0 ? rc : cmocka_run_group_tests(tests, NULL, NULL);
}
