/* SPDX-License-Identifier: Apache-2.0 */
/* row_edit() on a real store: races that are lost, ends, and what goes with a change. */
#include "tests/unit/cluster/store_world.h"

#include "cluster/store/edit.h"

struct fixture {
	struct store_world w;
	int calls, lose; /* attempts that somebody else's change shall defeat */
	int rc;
	bool other; /* put an alias too */
};

static int setup(void **state)
{
	struct fixture *f = xnew(struct fixture);

	world_open(&f->w);
	world_start(&f->w);
	world_put(&f->w, ENT_PROFILE, "p", json_pack("{s:i}", "n", 1));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	world_close(&f->w);
	free(f);
	return 0;
}

static int add_ten(void *arg, struct row *row, struct edit_try *t, struct err *err)
{
	struct fixture *f = arg;

	assert_int_equal(t->n, f->calls);
	f->calls++;
	if (f->rc < 0)
		return err_set(err, ERR_FORBIDDEN, "not this one");
	json_put_int(row->doc, "n", json_int(row->doc, "n", 0) + 10);
	if (f->other) {
		_json_ json_t *alias = json_pack("{s:s}", "target", "f");

		tx_put(t->tx, ENT_ALIAS, "a", REV_NONE, alias);
	}
	if (f->lose-- > 0)
		world_put(&f->w, ENT_PROFILE, "p", json_pack("{s:i}", "n", f->calls));
	return f->rc;
}

static int edit(struct fixture *f, const char *key, json_t *made, struct err *err)
{
	struct row_edit e = {
		.e = ENT_PROFILE, .key = key, .made = made, .change = add_ten, .arg = f
	};

	return row_edit(f->w.store, &e, err);
}

static int64_t number_of(struct fixture *f, const char *key)
{
	_row_ struct row row = { 0 };
	struct err err;

	if (store_get(f->w.store, ENT_PROFILE, key, &row, &err) < 0)
		return -1;
	return json_int(row.doc, "n", -2);
}

static void test_once(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(edit(f, "p", NULL, &err), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(number_of(f, "p"), 11);
}

/* Each attempt sees what the others have written. */
static void test_lost_races(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->lose = 3;
	assert_int_equal(edit(f, "p", NULL, &err), 0);
	assert_int_equal(f->calls, 4);
	assert_int_equal(number_of(f, "p"), 13);
}

static void test_bound(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->lose = 1000;
	assert_int_equal(edit(f, "p", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_int_equal(f->calls, EDIT_TRIES);
	assert_int_equal(number_of(f, "p"), EDIT_TRIES);
}

static void test_keep(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->rc = EDIT_KEEP;
	assert_int_equal(edit(f, "p", NULL, &err), 0);
	assert_int_equal(f->calls, 1);
	assert_int_equal(number_of(f, "p"), 1);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct err err;

	f->rc = -1;
	assert_int_equal(edit(f, "p", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_int_equal(f->calls, 1);
	assert_int_equal(number_of(f, "p"), 1);
}

static void test_missing(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(edit(f, "q", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(f->calls, 0);
}

static void test_made(void **state)
{
	struct fixture *f = *state;
	_json_ json_t *doc = json_pack("{s:i}", "n", 5), *again = json_pack("{s:i}", "n", 6);
	struct err err;

	assert_int_equal(edit(f, "q", doc, &err), 0);
	assert_int_equal(number_of(f, "q"), 15);
	f->calls = 0;
	assert_int_equal(edit(f, "q", again, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(number_of(f, "q"), 15);
}

/* Other rows are changed with it, or not at all. */
static void test_together(void **state)
{
	struct fixture *f = *state;
	_row_ struct row alias = { 0 };
	struct err err;

	f->other = true;
	f->lose = 2;
	assert_int_equal(edit(f, "p", NULL, &err), 0);
	assert_int_equal(store_get(f->w.store, ENT_ALIAS, "a", &alias, &err), 0);
	f->calls = 0;
	assert_int_equal(edit(f, "p", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_int_equal(number_of(f, "p"), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_races, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_together, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
