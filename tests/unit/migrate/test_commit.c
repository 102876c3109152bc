/* SPDX-License-Identifier: Apache-2.0 */
/* What a move writes into the database, and when it may no longer. */
#include "tests/unit/migrate/mover_world.h"

#include "cluster/model/state.h"
#include "tests/unit/base/patience.h"

static void there_and_back(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };
	char phase[32];

	put_instance(t, "c1", "m1", 3);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_string_equal(phase_of(t, &mv, phase), "open");
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	assert_string_equal(phase_of(t, &mv, phase), "committed");
	assert_owner(t, "m2", 4);
	assert_int_equal(commit_back(t->m, &mv, &err), 1);
	assert_string_equal(phase_of(t, &mv, phase), "back");
	assert_owner(t, "m1", 5);
	assert_int_equal(mv.id.epoch, 5);
	assert_true(mv.back);
}

/* Once both sides have acted on the commit, its row is gone, and the way back with it. */
static void no_way_back_after_the_end(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	put_instance(t, "c1", "m1", 3);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	commit_forget(t->m, &mv);
	assert_int_equal(commit_back(t->m, &mv, &err), 0);
	assert_owner(t, "m2", 4);
	assert_int_equal(mv.id.epoch, 3);
}

static void no_way_back_before_the_commit(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };
	char phase[32];

	put_instance(t, "c1", "m1", 3);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_back(t->m, &mv, &err), 0);
	assert_int_equal(err.kind, ERR_PRECONDITION);
	assert_false(mv.back);
	assert_string_equal(phase_of(t, &mv, phase), "open");
	assert_owner(t, "m1", 3);
}

/* A source that may have asked for it makes sure that it never happens before it lets go. */
static void the_way_back_is_fenced(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move(), late;
	struct err err = { 0 };

	put_instance(t, "c1", "m1", 3);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	late = mv;
	mv.back = true;
	assert_int_equal(commit_fence(t->m, &mv, PATIENCE, &err), 1);
	assert_int_equal(commit_back(t->m, &late, &err), 0);
	assert_owner(t, "m2", 4);
}

static void the_commit_is_fenced(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };

	put_instance(t, "c1", "m1", 3);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_fence(t->m, &mv, PATIENCE, &err), 1);
	assert_int_equal(commit_move(t->m, &mv, &err), 0);
	assert_non_null(strstr(err.msg, "the move was called off"));
	assert_owner(t, "m1", 3);
	/* Where no row is, nothing can happen any more. */
	assert_int_equal(commit_fence(t->m, &mv, PATIENCE, &err), 1);
}

/* What has happened is not undone by who comes to fence it. */
static void a_fence_comes_too_late(void **state)
{
	static const struct {
		bool returned; /* what has happened: the commit, or the way back as well */
		bool back;     /* what the note says */
		int fenced;
		const char *phase;
	} cases[] = {
		{ false, false, 0, "committed" },
		{ false, true, 1, "" },
		{ true, false, 0, "back" },
		{ true, true, 0, "back" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mover_world *t = *state;
		struct move mv = a_move(), note = mv;
		struct err err = { 0 };
		char phase[32];

		put_instance(t, "c1", "m1", 3);
		assert_int_equal(commit_begin(t->m, &mv, &err), 0);
		assert_int_equal(commit_move(t->m, &mv, &err), 1);
		if (cases[i].returned)
			assert_int_equal(commit_back(t->m, &mv, &err), 1);
		note.back = cases[i].back;
		assert_int_equal(commit_fence(t->m, &note, PATIENCE, &err), cases[i].fenced);
		assert_string_equal(phase_of(t, &mv, phase), cases[i].phase);
		commit_forget(t->m, &mv);
	}
}

static void an_instance_moves_once_at_a_time(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move(), second = a_move(), other = a_move();
	struct err err = { 0 };
	char phase[32];

	put_instance(t, "c1", "m1", 3);
	str_copy(other.id.name, sizeof(other.id.name), "c2");
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_begin(t->m, &second, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.msg, mv.id.op));
	assert_non_null(strstr(err.msg, "moved to m2"));
	assert_string_equal(phase_of(t, &second, phase), "");
	assert_int_equal(commit_begin(t->m, &other, &err), 0);
	/* A committed one is over, even while its source has not tidied up. */
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	assert_int_equal(commit_begin(t->m, &second, &err), 0);
}

/* The commit is of the row that the move began with. */
static void the_owner_must_not_have_changed(void **state)
{
	static const struct {
		const char *member;
		int64_t epoch;
	} cases[] = { { "m3", 3 }, { "m1", 4 }, { "m2", 4 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct mover_world *t = *state;
		struct move mv = a_move();
		struct err err = { 0 };
		char phase[32];

		put_instance(t, "c1", "m1", 3);
		assert_int_equal(commit_begin(t->m, &mv, &err), 0);
		put_instance(t, "c1", cases[i].member, cases[i].epoch);
		assert_int_equal(commit_move(t->m, &mv, &err), 0);
		assert_int_equal(err.kind, ERR_PRECONDITION);
		assert_non_null(strstr(err.msg, cases[i].member));
		assert_owner(t, cases[i].member, cases[i].epoch);
		assert_string_equal(phase_of(t, &mv, phase), "open");
		commit_forget(t->m, &mv);
	}
}

/* One that got another name for its move keeps it from the commit on. */
static void a_commit_ends_the_renaming(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	_row_ struct row row = { 0 };
	struct err err = { 0 };

	world_put(&t->w, ENT_INSTANCE, "c1",
		  json_pack("{ss,ss,si,ss,ss}", "name", "c1", "member", "m1", "epoch", 3, "state",
			    "moving", "moving_from", "old"));
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	assert_int_equal(store_get(t->w.store, ENT_INSTANCE, "c1", &row, &err), 0);
	assert_int_equal(inst_state(row.doc), INST_READY);
	assert_string_equal(inst_moved_from(row.doc), "");
}

/* For who has lost the member that made the move: by rows and facts alone. */
static void rows_tell_what_became_of_a_move(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	struct err err = { 0 };
	_json_ json_t *row = NULL, *runs = json_pack("{ss}", "status", "Running");

	str_copy(mv.target, sizeof(mv.target), mover_member(t->m));
	mv.live = true;
	put_instance(t, "c1", "m1", 3);
	assert_null(move_row(t->w.store, mv.id.op));
	assert_int_equal(move_fate(t->w.store, NULL), FATE_NONE);
	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	row = move_row(t->w.store, mv.id.op);
	assert_int_equal(move_fate(t->w.store, row), FATE_OPEN);
	assert_int_equal(commit_fence(t->m, &mv, PATIENCE, &err), 1);
	assert_int_equal(move_fate(t->w.store, row), FATE_GIVEN_UP);

	assert_int_equal(commit_begin(t->m, &mv, &err), 0);
	assert_int_equal(commit_move(t->m, &mv, &err), 1);
	/* It ran, and has not been heard of there. */
	assert_int_equal(move_fate(t->w.store, row), FATE_OPEN);
	store_fact_put(t->w.store, FACT_INSTANCE, "c1", runs);
	assert_int_equal(move_fate(t->w.store, row), FATE_MADE);
	commit_forget(t->m, &mv);
	assert_int_equal(move_fate(t->w.store, row), FATE_MADE);
	store_fact_put(t->w.store, FACT_INSTANCE, "c1", NULL);
	assert_int_equal(move_fate(t->w.store, row), FATE_ARRIVES);
	/* Who was stopped is there when the row says so. */
	json_put_bool(row, "runs", false);
	assert_int_equal(move_fate(t->w.store, row), FATE_MADE);

	put_instance(t, "c1", "m3", 5);
	assert_int_equal(move_fate(t->w.store, row), FATE_NONE);
	world_drop(t, ENT_INSTANCE, "c1");
	assert_int_equal(move_fate(t->w.store, row), FATE_NONE);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(no_way_back_after_the_end),
		T(no_way_back_before_the_commit),
		T(the_way_back_is_fenced),
		T(the_commit_is_fenced),
		T(a_fence_comes_too_late),
		T(an_instance_moves_once_at_a_time),
		T(the_owner_must_not_have_changed),
		T(a_commit_ends_the_renaming),
		T(rows_tell_what_became_of_a_move),
	};

	return mover_world_main(argc, argv, tests);
}
