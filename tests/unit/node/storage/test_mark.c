/* SPDX-License-Identifier: Apache-2.0 */
#include "node/storage/mark.h"
#include "tests/unit/node/storage/storage_world.h"

static const struct storage_driver one = { .name = "one" }, other = { .name = "other" };

static struct storage_pool pool_named(struct world *w, const char *name,
				      const struct storage_driver *driver)
{
	return (struct storage_pool){ .node = &w->n, .driver = driver, .name = name };
}

static void is_written_and_removed(void **state)
{
	struct world *w = *state;
	struct storage_pool p = pool_named(w, "p", &one);
	_free_ char *driver = NULL;
	struct err err = { 0 };

	assert_false(pool_mark_is_ours(&p, w->dir));
	assert_null(pool_mark_driver(w->dir));
	check_ok(pool_mark_write(&p, w->dir, &err), &err);
	check_ok(pool_mark_write(&p, w->dir, &err), &err);
	assert_true(pool_mark_is_ours(&p, w->dir));
	driver = pool_mark_driver(w->dir);
	assert_string_equal(driver, "one");
	check_ok(pool_mark_remove(w->dir, &err), &err);
	check_ok(pool_mark_remove(w->dir, &err), &err);
	assert_false(pool_mark_is_ours(&p, w->dir));
}

/* Another pool's, another driver's, another daemon's. */
static void tells_whose_it_is(void **state)
{
	struct world *w = *state;
	struct world elsewhere = { .dir = "/srv/elsewhere" };
	struct storage_pool p = pool_named(w, "p", &one);
	struct storage_pool others[] = { pool_named(w, "q", &one), pool_named(w, "p", &other),
					 pool_named(&elsewhere, "p", &one) };
	struct err err = { 0 };

	elsewhere.n.dir = elsewhere.dir;
	check_ok(pool_mark_write(&p, w->dir, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(pool_mark_is_ours(&others[i], w->dir));
}

static void reads_what_stands_there(void **state)
{
	static const struct {
		const char *text, *driver;
	} rows[] = {
		{ "/var/lib/dunlin p dir\n", "dir" },
		{ "/srv/with spaces/here p dir\n", "dir" },
		{ "/var/lib/dunlin p dir", "dir" },
		{ "/var/lib/dunlin p dir\nmore words\n", "dir" },
		{ "", NULL },
		{ "\n", NULL },
		{ "dir\n", NULL },
		{ "/var/lib/dunlin p \n", NULL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_free_ char *driver = NULL;

		put_file(w->dir, POOL_MARK, rows[i].text, 0600);
		driver = pool_mark_driver(w->dir);
		if (rows[i].driver)
			assert_string_equal(driver, rows[i].driver);
		else
			assert_null(driver);
	}
}

static void says_what_fails(void **state)
{
	struct world *w = *state;
	struct storage_pool p = pool_named(w, "p", &one);
	struct err err = { 0 };

	assert_int_equal(pool_mark_write(&p, "/nowhere/at/all", &err), -1);
	assert_non_null(strstr(err.msg, "/nowhere/at/all"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(is_written_and_removed),
		T(tells_whose_it_is),
		T(reads_what_stands_there),
		T(says_what_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
