/* SPDX-License-Identifier: Apache-2.0 */
/* What is made of a stateful stop or start that was cut off: what is on disk decides. */
#include "tests/unit/migrate/mover_world.h"

#include "cluster/model/state.h"
#include "node/storage/kept.h"
#include "tests/unit/base/patience.h"

static struct move begun(struct mover_world *t, bool stop)
{
	struct move mv = a_move();
	struct err err = { 0 };

	mv.id.source = stop;
	mv.suspends = true;
	str_copy(mv.source, sizeof(mv.source), mover_member(t->m));
	str_copy(mv.target, sizeof(mv.target), mover_member(t->m));
	mv.spec = world_spec("c1");
	mv.pool = world_pool();
	if (pool_create(t->node, mv.pool, &err) < 0 ||
	    volume_create(t->node, mv.pool, "c1", NULL, &err) < 0 ||
	    journal_note(t->m, &mv, &err) < 0)
		fail_msg("%s", err.msg);
	return mv;
}

static void put_row(struct mover_world *t, bool stateful)
{
	json_t *doc = json_pack("{ss,ss,si,s{}}", "name", "c1", "member", mover_member(t->m),
				"epoch", 3, "config");

	inst_set_power(doc, !stateful);
	inst_set_suspended(doc, stateful);
	world_put(&t->w, ENT_INSTANCE, "c1", doc);
}

/* As far as it came. */
static void make(const char *path, const char *stage)
{
	struct err err = { 0 };

	if (!*stage)
		return;
	assert_int_equal(kept_begin(path, &err), 0);
	if (str_eq(stage, "new"))
		return;
	assert_int_equal(kept_finish(path, &err), 0);
	if (str_eq(stage, "taken"))
		assert_int_equal(kept_take(path, &err), 0);
}

static void the_disk_says_what_became_of_it(void **state)
{
	static const struct {
		bool stop;
		const char *stage; /* of the memory */
		bool row, kept;    /* what the row says then; what is kept, and the row says */
	} cases[] = {
		{ true, "", false, false },       { true, "new", false, false },
		{ true, "there", false, true },   { true, "there", true, true },
		{ false, "there", true, true },   { false, "taken", true, false },
		{ false, "taken", false, false }, { false, "", true, false },
	};
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move mv = begun(t, cases[i].stop);
		_free_ char *path = move_kept(t->m, &mv), *new = kept_new(path);
		_row_ struct row row = { 0 };
		struct err err = { 0 };

		put_row(t, cases[i].row);
		make(path, cases[i].stage);
		if (move_conclude(t->m, &mv, PATIENCE, &err) < 0)
			fail_msg("case %zu: %s", i, err.msg);
		assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c1", &row, &err), 0);
		if (inst_is_suspended(row.doc) != cases[i].kept ||
		    kept_is_there(path) != cases[i].kept)
			fail_msg("case %zu", i);
		if (cases[i].kept)
			assert_false(inst_shall_run(row.doc));
		assert_false(io_exists(new));
		assert_false(kept_is_taken(path));
		assert_false(move_is_pending(t->m, "c1"));
		world_drop(t, ENT_INSTANCE, "c1");
		assert_int_equal(volume_delete(t->node, mv.pool, "c1", &err), 0);
		json_decref(mv.spec);
		json_decref(mv.pool);
	}
}

static void an_instance_that_is_gone_has_no_row_to_be_written(void **state)
{
	struct mover_world *t = *state;
	struct move mv = begun(t, true);
	struct err err = { 0 };

	if (move_conclude(t->m, &mv, PATIENCE, &err) < 0)
		fail_msg("%s", err.msg);
	assert_false(move_is_pending(t->m, "c1"));
	json_decref(mv.spec);
	json_decref(mv.pool);
}

/* It could not be told where its memory is. */
static void a_note_without_a_pool_is_skipped(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	mv.suspends = true;
	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	assert_null(journal_load(t->m, &err));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(the_disk_says_what_became_of_it),
		T(an_instance_that_is_gone_has_no_row_to_be_written),
		T(a_note_without_a_pool_is_skipped),
	};

	return mover_world_main(argc, argv, tests);
}
