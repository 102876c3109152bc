/* SPDX-License-Identifier: Apache-2.0 */
/* Making a member fit to the owner that the database names, of an instance that does not run. */
#include "tests/unit/migrate/mover_world.h"
#include "migrate/memory/images.h"

#include <poll.h>

#include "cluster/model/state.h"
#include "tests/unit/base/patience.h"

/* What this member has of the instance. */
static void make_volume(struct mover_world *t, const char *name)
{
	_json_ json_t *pool = world_pool();
	struct err err = { 0 };

	if (pool_create(t->node, pool, &err) < 0 ||
	    volume_create(t->node, pool, name, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static bool has_volume(struct mover_world *t, const char *name)
{
	_json_ json_t *pool = world_pool();
	_free_ char *path = volume_path(t->node, pool, name);

	return path && io_exists(path);
}

/* A move of which this member is one side, with its note, its files and its images. */
static struct move begun(struct mover_world *t, bool source)
{
	struct move mv = a_move();
	const char *me = mover_member(t->m);
	struct err err = { 0 };

	mv.id.source = source;
	mv.live = false;
	str_copy(source ? mv.source : mv.target, sizeof(mv.source), me);
	mv.spec = world_spec("c1");
	mv.pool = world_pool();
	make_volume(t, "c1");
	if (move_images_make(t->m, &mv, &err) < 0 || journal_note(t->m, &mv, &err) < 0 ||
	    (source && journal_sent(t->m, &mv, &err) < 0))
		fail_msg("%s", err.msg);
	return mv;
}

static void forget(struct mover_world *t, struct move *mv)
{
	_free_ char *containers = xasprintf("%s/storage-pools", t->node_dir);
	_free_ char *images = move_images(t->m, mv);
	struct err err;

	io_remove_tree(containers, &err);
	images_drop(t->m->shm, images);
	commit_forget(t->m, mv);
	journal_drop(t->m, mv);
	json_decref(mv->spec);
	json_decref(mv->pool);
}

static void conclude(struct mover_world *t, const struct move *mv)
{
	struct err err = { 0 };

	if (move_conclude(t->m, mv, PATIENCE, &err) < 0)
		fail_msg("%s", err.msg);
}

/* How far a move came, and what that leaves on this member. */
static void the_row_says_who_has_it(void **state)
{
	static const struct {
		const char *what;
		bool source;       /* this member's side */
		const char *row;   /* "source", "target": whose the row is; "": there is none */
		int64_t epoch;     /* of that row */
		const char *phase; /* of the move's row; "": there is none */
		bool back;         /* what the note says */
		bool stays;        /* the volume */
		bool goes_on;      /* what was stopped for the move is started here */
		const char *phase_after;
	} cases[] = {
		{ "called off", true, "source", 3, "open", false, true, true, "" },
		{ "called off before it had a row", true, "source", 3, "", false, true, true, "" },
		{ "made", true, "target", 4, "committed", false, false, false, "" },
		{ "made, and tidied up", true, "target", 4, "", false, false, false, "" },
		{ "made, perhaps taken back", true, "target", 4, "committed", true, false, false,
		  "" },
		{ "moved on", true, "m3", 6, "", false, false, false, "" },
		{ "came back", true, "source", 6, "", false, true, false, "" },
		{ "deleted", true, "", 0, "", false, true, false, "" },
		{ "called off", false, "source", 3, "open", false, false, false, "" },
		{ "made", false, "target", 4, "committed", false, true, true, "committed" },
		{ "moved on", false, "m3", 6, "", false, false, false, "" },
		{ "came again", false, "target", 7, "", false, true, false, "" },
		{ "taken back", false, "source", 5, "back", false, false, false, "back" },
		{ "deleted", false, "", 0, "", false, true, false, "" },
	};
	struct mover_world *t = *state;

	t->closed = "this member is being emptied";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move mv = begun(t, cases[i].source);
		_free_ char *images = move_images(t->m, &mv);
		_free_ char *sent = xasprintf("%s/%s.sent", t->m->run, mv.id.op);
		const char *member = str_eq(cases[i].row, "source")   ? mv.source
				     : str_eq(cases[i].row, "target") ? mv.target
								      : cases[i].row;
		char phase[32];

		mv.back = cases[i].back;
		mv.start = true;
		mv.stopping = cases[i].source && cases[i].goes_on;
		t->asked = 0;
		if (*cases[i].row)
			put_instance(t, "c1", member, cases[i].epoch);
		else
			world_drop(t, ENT_INSTANCE, "c1");
		if (*cases[i].phase)
			world_put(&t->w, ENT_MIGRATION, mv.id.op,
				  json_pack("{ss,ss,ss,ss,si,ss}", "op", mv.id.op, "instance", "c1",
					    "source", mv.source, "target", mv.target, "epoch", 3,
					    "phase", cases[i].phase));
		conclude(t, &mv);
		if (has_volume(t, "c1") != cases[i].stays)
			fail_msg("%s: the volume %s", cases[i].what,
				 cases[i].stays ? "is gone" : "is left");
		if (!str_eq(phase_of(t, &mv, phase), cases[i].phase_after))
			fail_msg("%s: the row says \"%s\"", cases[i].what, phase);
		assert_false(io_exists(images));
		assert_false(io_exists(sent));
		assert_false(move_is_pending(t->m, "c1"));
		assert_int_equal(t->asked, cases[i].goes_on);
		/* Who was interrupted does it again. */
		conclude(t, &mv);
		assert_int_equal(has_volume(t, "c1"), cases[i].stays);
		forget(t, &mv);
	}
}

/* A move under a new name that is not made gives the old one back; its row is found by that. */
static void the_old_name_is_looked_up(void **state)
{
	static const struct {
		bool source;
		const char *uuid; /* of what has the old name now */
		bool stays;
	} cases[] = { { true, "u-1", true }, { false, "u-1", false }, { false, "u-2", true } };
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move mv = begun(t, cases[i].source);

		str_copy(mv.was, sizeof(mv.was), "old");
		world_drop(t, ENT_INSTANCE, "c1");
		world_put(&t->w, ENT_INSTANCE, "old",
			  json_pack("{ss,ss,si,ss}", "name", "old", "member", mv.source, "epoch", 3,
				    "uuid", cases[i].uuid));
		conclude(t, &mv);
		assert_int_equal(has_volume(t, "c1"), cases[i].stays);
		assert_false(move_is_pending(t->m, "c1"));
		forget(t, &mv);
	}
}

/* While somebody works on it nobody else concludes it, and it says so. */
static void a_move_under_way_is_waited_for(void **state)
{
	struct mover_world *t = *state;
	struct move mv = begun(t, true);
	struct err err = { 0 };
	int64_t began;

	put_instance(t, "c1", mv.source, 3);
	assert_int_equal(move_conclude_name(t->m, "c2", &err), 0);
	move_begin(t->m, &mv);
	began = clock_ms();
	assert_int_equal(move_conclude_ended(t->m, "c1", 50, &err), -1);
	assert_true(clock_ms() >= began + 50);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_non_null(strstr(err.msg, "an earlier move of c1 is not settled"));
	assert_true(move_is_pending(t->m, "c1"));
	move_end(t->m, &mv);
	assert_int_equal(move_conclude_name(t->m, "c1", &err), 0);
	assert_false(move_is_pending(t->m, "c1"));
	assert_true(has_volume(t, "c1"));
	forget(t, &mv);
}

struct ending {
	struct mover_world *t;
	const struct move *mv;
	int rc;
	struct err err;
};

static void *conclude_main(void *arg)
{
	struct ending *e = arg;

	e->rc = move_conclude_ended(e->t->m, "c1", PATIENCE_MS, &e->err);
	return NULL;
}

static void the_end_of_a_move_wakes_who_waits(void **state)
{
	struct mover_world *t = *state;
	struct move mv = begun(t, true);
	struct ending e = { .t = t, .mv = &mv, .rc = 1 };
	pthread_t thread;

	put_instance(t, "c1", mv.source, 3);
	move_begin(t->m, &mv);
	assert_int_equal(pthread_create(&thread, NULL, conclude_main, &e), 0);
	move_end(t->m, &mv);
	pthread_join(thread, NULL);
	if (e.rc < 0)
		fail_msg("%s", e.err.msg);
	assert_false(move_is_pending(t->m, "c1"));
	forget(t, &mv);
}

static bool is_settled(struct mover_world *t)
{
	for (int64_t until = PATIENCE; clock_ms() < until; poll(NULL, 0, 5)) {
		if (!move_is_pending(t->m, "c1"))
			return true;
	}
	return false;
}

/* After a crash: nothing happens before it is known what runs here, then all notes are settled. */
static void what_was_cut_off_is_settled_in_the_background(void **state)
{
	struct mover_world *t = *state;
	struct move mv = begun(t, false);
	struct err err = { 0 };

	put_instance(t, "c1", "m3", 9);
	move_conclude_later(t->m, &mv);
	assert_true(move_is_pending(t->m, "c1"));
	assert_int_equal(move_recover(t->m, &err), 0);
	assert_true(is_settled(t));
	assert_false(has_volume(t, "c1"));
	forget(t, &mv);
}

/* What is here after a move was concluded is not of that move. */
static void what_is_concluded_is_left_alone(void **state)
{
	struct mover_world *t = *state;
	struct move mv = begun(t, false);
	struct err err = { 0 };

	put_instance(t, "c1", "m3", 9);
	for (int i = 0; i < 2; i++) {
		if (move_conclude_alone(t->m, &mv, 0, PATIENCE, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(has_volume(t, "c1"), i);
		if (i == 0)
			make_volume(t, "c1");
	}
	assert_null(t->m->claims);
	forget(t, &mv);
}

/* Both find it open; one of them concludes it, and the other waits for that. */
static void two_that_conclude_take_turns(void **state)
{
	struct mover_world *t = *state;
	struct ending e[4];
	pthread_t threads[ARRAY_SIZE(e)];
	struct move mv = begun(t, false);

	put_instance(t, "c1", "m3", 9);
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct ending){ .t = t, .mv = &mv, .rc = 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, conclude_main, &e[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		pthread_join(threads[i], NULL);
		if (e[i].rc < 0)
			fail_msg("%s", e[i].err.msg);
	}
	assert_false(has_volume(t, "c1"));
	assert_false(move_is_pending(t->m, "c1"));
	forget(t, &mv);
}

/* An action script of which there is no note: its move was given up before CRIU began. */
static void a_script_without_a_note_is_settled(void **state)
{
	struct mover_world *t = *state;
	struct hold_id id = { .source = true, .name = "c1", .epoch = 3 };
	struct err err = { 0 };
	bool queued;

	rng_uuid(id.op);
	put_instance(t, "c1", mover_member(t->m), 3);
	recover_stray(t->m, &id);
	pthread_mutex_lock(&t->m->lock);
	queued = t->m->later && str_eq(t->m->later->id.op, id.op) && t->m->later->live &&
		 str_eq(t->m->later->source, mover_member(t->m));
	pthread_mutex_unlock(&t->m->lock);
	assert_true(queued);
	/* Once is enough. */
	recover_stray(t->m, &id);
	pthread_mutex_lock(&t->m->lock);
	queued = t->m->later->next;
	pthread_mutex_unlock(&t->m->lock);
	assert_false(queued);
	assert_int_equal(move_recover(t->m, &err), 0);
}

static void only_what_was_stopped_for_its_move_is_started(void **state)
{
	static const struct {
		bool source, live, start, stopping;
		int rc; /* -1: it is tried */
	} cases[] = {
		{ true, true, false, false, 0 },  { true, true, true, true, 0 },
		{ true, false, false, false, 0 }, { true, false, true, false, 0 },
		{ false, true, true, false, 0 },  { false, false, false, false, 0 },
		{ true, false, true, true, -1 },  { false, false, true, false, -1 },
	};
	struct mover_world *t = *state;
	struct err err = { 0 };

	t->closed = "this member is being emptied";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct move mv = a_move();

		mv.live = cases[i].live;
		mv.id.source = cases[i].source;
		mv.start = cases[i].start;
		mv.stopping = cases[i].stopping;
		assert_int_equal(move_start(t->m, &mv, &err), cases[i].rc);
	}
	assert_non_null(strstr(err.msg, "start c1 after its move"));
	assert_non_null(strstr(err.msg, t->closed));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(the_row_says_who_has_it),
		T(the_old_name_is_looked_up),
		T(a_move_under_way_is_waited_for),
		T(the_end_of_a_move_wakes_who_waits),
		T(what_was_cut_off_is_settled_in_the_background),
		T(what_is_concluded_is_left_alone),
		T(two_that_conclude_take_turns),
		T(a_script_without_a_note_is_settled),
		T(only_what_was_stopped_for_its_move_is_started),
	};

	return mover_world_main(argc, argv, tests);
}
