/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image/image.h"
#include "tests/unit/node/storage/storage_world.h"

#define LONE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What is asked about users, and what they answer: 'u' used, '-' not. */
static const char *answers;

static bool answer(struct node *n, const char *fingerprint)
{
	assert_string_equal(fingerprint, FP);
	assert_true(*answers);
	return *answers++ == 'u';
}

static void add_parts(struct world *w)
{
	put_file(w->dir, "images/" FP ".meta.json", "{}", 0600);
	put_file(w->dir, "images/" FP ".mine", "", 0600);
}

static int count_images(struct world *w)
{
	_free_ char *folder = path_in(w, "images");

	return count_all(folder);
}

/* Users come and go while an image is deleted. */
static void goes_with_its_last_user(void **state)
{
	static const struct {
		const char *answers;
		bool stays;
	} rows[] = {
		{ "--", false },  /* nobody needs it */
		{ "uu", true },   /* somebody does */
		{ "u--", false }, /* who needed it left before it was known to be deleted */
		{ "-uu", true },  /* who needs it came after the first look */
		{ "-u--", false }, { "u-u", true },
	};
	struct world *w = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!io_exists(w->image)) {
			free(w->image);
			make_image(w);
		}
		add_parts(w);
		answers = rows[i].answers;
		check_ok(image_delete(&w->n, FP, answer, &err), &err);
		assert_string_equal(answers, "");
		assert_int_equal(image_present(&w->n, FP), rows[i].stays);
		assert_int_equal(io_exists(w->image), rows[i].stays);
		assert_int_equal(count_images(w), rows[i].stays ? 5 : 0);
		if (rows[i].stays)
			check_copy(w->image);
	}
	answers = "";
	check_ok(image_delete(&w->n, LONE, answer, &err), &err);
	assert_int_equal(image_delete(&w->n, "../x", answer, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
}

static void is_released(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	add_parts(w);
	answers = "";
	image_released(&w->n, FP, answer); /* nobody deleted it */
	assert_true(image_present(&w->n, FP));
	answers = "uu";
	check_ok(image_delete(&w->n, FP, answer, &err), &err);
	answers = "uu";
	image_released(&w->n, FP, answer); /* not by the last one */
	assert_true(image_present(&w->n, FP));
	answers = "--";
	image_released(&w->n, FP, answer);
	assert_int_equal(count_images(w), 0);
}

static void recovers(void **state)
{
	static const char *const left[] = {
		"import.tmp-0011223344556677", LONE ".rootfs",       LONE ".meta.json",
		LONE ".meta.json.x1y2z3",      FP ".root.tmp-00112", LONE ".mine",
		FP ".meta.json.x1y2z3",
	};
	struct world *w = *state;
	_free_ char *folder = path_in(w, "images"), *half = path_in(w, "images/" FP ".root.tmp-1");
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		put_file(folder, left[i], "x", 0600);
	add_parts(w);
	put_file(folder, "readme", "not ours", 0600);
	assert_int_equal(mkdir(half, 0755), 0);
	check_ok(image_recover(&w->n, &err), &err);
	assert_int_equal(count_images(w), 5);
	assert_true(image_present(&w->n, FP));
	check_copy(w->image);
}

static void is_disowned(void **state)
{
	struct world *w = *state;
	struct err err = { 0 };

	assert_false(image_is_mine(&w->n, FP));
	add_parts(w);
	assert_true(image_is_mine(&w->n, FP));
	check_ok(image_disown_all(&w->n, &err), &err);
	assert_false(image_is_mine(&w->n, FP));
	assert_int_equal(count_images(w), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(goes_with_its_last_user),
		T(is_released),
		T(recovers),
		T(is_disowned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
