/* SPDX-License-Identifier: Apache-2.0 */
/* What a move keeps in the database and on disk. */
#include "tests/unit/cluster/store_world.h"

#include "base/rng.h"
#include "cluster/store/tx.h"
#include "migrate/move_int.h"

struct world {
	struct store_world w;
	struct mover m;
	char notes[100], run[100];
};

static int setup(void **state)
{
	struct world *t = xnew(struct world);
	struct err err = { 0 };

	world_open(&t->w);
	world_start(&t->w);
	snprintf(t->notes, sizeof(t->notes), "%s/moves", t->w.dir);
	snprintf(t->run, sizeof(t->run), "%s/run", t->w.dir);
	assert_int_equal(io_mkdirs(t->notes, 0700, &err), 0);
	assert_int_equal(io_mkdirs(t->run, 0700, &err), 0);
	t->m.o.cluster = t->w.cluster;
	t->m.store = t->w.store;
	t->m.notes = t->notes;
	t->m.run = t->run;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct world *t = *state;

	world_close(&t->w);
	free(t);
	return 0;
}

static struct move a_move(void)
{
	struct move mv = { .id = { .source = true, .name = "c1", .epoch = 3 },
			   .source = "m1",
			   .target = "m2",
			   .live = true };

	rng_uuid(mv.id.op);
	return mv;
}

static void put_instance(struct world *t, const struct move *mv)
{
	world_put(&t->w, ENT_INSTANCE, mv->id.name,
		  json_pack("{ss,ss,sI}", "name", mv->id.name, "member", mv->source, "epoch",
			    (json_int_t)mv->id.epoch));
}

static void assert_owner(struct world *t, const char *member, int64_t epoch)
{
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c1", &row, &err), 0);
	assert_string_equal(json_str(row.doc, "member", ""), member);
	assert_int_equal(json_int(row.doc, "epoch", 0), epoch);
}

static void test_there_and_back(void **state)
{
	struct world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	put_instance(t, &mv);
	assert_int_equal(commit_begin(&t->m, &mv, &err), 0);
	assert_int_equal(commit_move(&t->m, &mv, &err), 1);
	assert_owner(t, "m2", 4);
	assert_int_equal(commit_back(&t->m, &mv, &err), 1);
	assert_owner(t, "m1", 5);
	assert_int_equal(mv.id.epoch, 5);
}

/* Once both sides have acted on the commit, its row is gone, and the way back with it. */
static void test_no_way_back_after_the_end(void **state)
{
	struct world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	put_instance(t, &mv);
	assert_int_equal(commit_begin(&t->m, &mv, &err), 0);
	assert_int_equal(commit_move(&t->m, &mv, &err), 1);
	commit_forget(&t->m, &mv);
	assert_int_equal(commit_back(&t->m, &mv, &err), 0);
	assert_owner(t, "m2", 4);
}

/* A source that may have asked for it makes sure that it never happens before it lets go. */
static void test_fence_of_the_way_back(void **state)
{
	struct world *t = *state;
	struct move mv = a_move(), late;
	struct err err = { 0 };

	put_instance(t, &mv);
	assert_int_equal(commit_begin(&t->m, &mv, &err), 0);
	assert_int_equal(commit_move(&t->m, &mv, &err), 1);
	late = mv;
	mv.back = true;
	assert_int_equal(commit_fence(&t->m, &mv, deadline_in(5000), &err), 1);
	assert_int_equal(commit_back(&t->m, &late, &err), 0);
	assert_owner(t, "m2", 4);
}

static void test_fence_of_the_commit(void **state)
{
	struct world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	put_instance(t, &mv);
	assert_int_equal(commit_begin(&t->m, &mv, &err), 0);
	assert_int_equal(commit_fence(&t->m, &mv, deadline_in(5000), &err), 1);
	assert_int_equal(commit_move(&t->m, &mv, &err), 0);
	assert_owner(t, "m1", 3);
}

/* A note holds all of a move. */
static void test_notes(void **state)
{
	struct world *t = *state;
	struct err err = { 0 };

	for (int flag = 0; flag < 5; flag++) {
		struct move mv = a_move(), *got;
		_json_ json_t *spec = json_pack("{ss}", "name", "c1");

		mv.spec = mv.pool = spec;
		mv.id.source = flag == 0;
		mv.live = flag == 1;
		mv.frozen = flag == 2;
		mv.start = flag == 3;
		mv.back = flag == 4;
		assert_false(move_is_pending(&t->m, "c1"));
		assert_int_equal(journal_note(&t->m, &mv, &err), 0);
		assert_true(move_is_pending(&t->m, "c1"));
		assert_false(move_is_pending(&t->m, "c2"));
		got = journal_load(&t->m, &err);
		assert_non_null(got);
		assert_null(got->next);
		assert_true(json_equal(got->spec, spec));
		assert_true(json_equal(got->pool, spec));
		assert_string_equal(got->id.op, mv.id.op);
		assert_string_equal(got->id.name, mv.id.name);
		assert_string_equal(got->source, mv.source);
		assert_string_equal(got->target, mv.target);
		assert_int_equal(got->id.epoch, mv.id.epoch);
		assert_int_equal(got->id.source, mv.id.source);
		assert_int_equal(got->live, mv.live);
		assert_int_equal(got->frozen, mv.frozen);
		assert_int_equal(got->start, mv.start);
		assert_int_equal(got->back, mv.back);
		move_free(got);
		journal_drop(&t->m, &mv);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_way_back_after_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fence_of_the_way_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fence_of_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_notes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
