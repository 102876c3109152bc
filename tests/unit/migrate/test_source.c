/* SPDX-License-Identifier: Apache-2.0 */
/* A move that its source does not even begin. */
#include "tests/unit/migrate/mover_world.h"

#include "cluster/op/operation.h"
#include "tests/unit/base/patience.h"

struct source_world {
	struct mover_world t;
	struct ops *ops;
	struct op *op;
};

static int open_world(void **state)
{
	struct source_world *s = xnew(struct source_world);
	struct op_spec spec = { .class = OP_TASK, .description = "Moving" };
	struct err err = { 0 };

	mover_world_open(&s->t);
	s->ops = ops_new(s->t.w.store, s->t.w.pool, world_location, s->t.w.cluster);
	s->op = op_start(s->ops, &spec, &err);
	assert_non_null(s->op);
	*state = s;
	return 0;
}

static int close_world(void **state)
{
	struct source_world *s = *state;

	op_end(s->op, NULL);
	op_unref(s->op);
	assert_true(ops_drain(s->ops, PATIENCE));
	ops_free(s->ops);
	mover_world_close(&s->t);
	free(s);
	return 0;
}

/* Nothing is noted, nothing is changed, and nobody has to be told. */
static void what_cannot_be_moved_stays_as_it_is(void **state)
{
	static const struct {
		const char *name, *target; /* NULL: this member */
		enum err_kind kind;
		const char *words[2];
	} cases[] = {
		{ "no-such", "m2", ERR_NOT_FOUND, { "no-such" } },
		{ "away", "m2", ERR_CONFLICT, { "away is on m3" } },
		{ "c1", NULL, ERR_INVALID, { "c1 is already on" } },
		{ "c1", "m7", ERR_NOT_FOUND, { "m7" } },
	};
	struct source_world *s = *state;
	const char *me = mover_member(s->t.m);

	put_instance(&s->t, "c1", me, 3);
	put_instance(&s->t, "away", "m3", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unsigned modes = 1; modes <= MOVE_BEST; modes++) {
			struct err err = { 0 };
			_rows_ struct rows rows = { 0 };

			struct move_order o = { .name = cases[i].name,
						.target = cases[i].target ? cases[i].target : me,
						.modes = modes };

			assert_int_equal(move_run(s->t.m, &o, s->op, &err), -1);
			if (err.kind != cases[i].kind || !strstr(err.msg, cases[i].words[0]))
				fail_msg("%s: %s: %s", cases[i].name, err_name(err.kind), err.msg);
			assert_false(move_is_pending(s->t.m, cases[i].name));
			assert_null(s->t.m->active);
			assert_null(s->t.m->later);
			assert_int_equal(store_list(s->t.w.store, ENT_MIGRATION, NULL, &rows, &err),
					 0);
			assert_int_equal(rows.n, 0);
			assert_owner(&s->t, me, 3);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_cannot_be_moved_stays_as_it_is, open_world,
						close_world),
	};

	return mover_world_main(argc, argv, tests);
}
