/* SPDX-License-Identifier: Apache-2.0 */
/* What a move keeps on disk. */
#include "tests/unit/migrate/mover_world.h"
#include "migrate/memory/images.h"

#include <stddef.h>
#include <sys/stat.h>

static char *in_notes(struct mover_world *t, const char *file)
{
	return xasprintf("%s/%s", t->m->notes, file);
}

static void put_note(struct mover_world *t, const char *file, const char *text)
{
	_free_ char *path = in_notes(t, file);
	struct err err;

	assert_int_equal(io_write_file(path, text, strlen(text), 0600, &err), 0);
}

static void assert_same(const struct move *got, const struct move *want)
{
	assert_string_equal(got->id.op, want->id.op);
	assert_string_equal(got->id.name, want->id.name);
	assert_string_equal(got->source, want->source);
	assert_string_equal(got->target, want->target);
	assert_string_equal(got->was, want->was);
	assert_int_equal(got->id.epoch, want->id.epoch);
	assert_int_equal(got->id.source, want->id.source);
	assert_int_equal(got->live, want->live);
	assert_int_equal(got->frozen, want->frozen);
	assert_int_equal(got->start, want->start);
	assert_int_equal(got->back, want->back);
	assert_int_equal(got->stopping, want->stopping);
	assert_int_equal(got->suspends, want->suspends);
	assert_true(json_equal(got->spec, want->spec) || (!got->spec && !want->spec));
	assert_true(json_equal(got->pool, want->pool) || (!got->pool && !want->pool));
}

/* Each flag alone, so that none is taken for another. */
static void a_note_holds_all_of_a_move(void **state)
{
	struct mover_world *t = *state;
	struct err err = { 0 };

	for (int flag = 0; flag < 7; flag++) {
		struct move mv = a_move(), *got;
		_json_ json_t *spec = world_spec("c1"), *pool = world_pool();

		mv.spec = spec;
		mv.pool = flag ? pool : NULL;
		mv.id.source = flag == 0;
		mv.live = flag == 1;
		mv.frozen = flag == 2;
		mv.start = flag == 3;
		mv.back = flag == 4;
		mv.stopping = flag == 5;
		mv.suspends = flag == 6;
		str_copy(mv.was, sizeof(mv.was), flag ? "blue~old" : "");
		assert_false(move_is_pending(t->m, "c1"));
		assert_int_equal(journal_note(t->m, &mv, &err), 0);
		assert_true(move_is_pending(t->m, "c1"));
		assert_false(move_is_pending(t->m, "c2"));
		got = journal_load(t->m, &err);
		assert_non_null(got);
		assert_null(got->next);
		assert_same(got, &mv);
		move_free(got);
		journal_drop(t->m, &mv);
	}
}

/* The last word counts. */
static void a_note_is_written_over(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move(), *got;
	struct err err = { 0 };

	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	mv.back = true;
	mv.id.epoch = 5;
	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	got = journal_load(t->m, &err);
	assert_non_null(got);
	assert_null(got->next);
	assert_same(got, &mv);
	move_free(got);
}

static void what_is_no_note_is_skipped(void **state)
{
	static const struct {
		const char *file, *text;
	} cases[] = {
		{ "empty.json", "" },
		{ "odd.json", "{" },
		{ "list.json", "[]" },
		{ "nothing.json", "{}" },
		{ "op.json", "{\"op\": \"../x\", \"name\": \"c1\"}" },
		{ "name.json", "{\"op\": \"11111111-2222-4333-8444-555555555555\", "
			       "\"name\": \"../c1\"}" },
		{ "notes.txt", "{\"op\": \"11111111-2222-4333-8444-555555555555\", "
			       "\"name\": \"c1\"}" },
	};
	struct mover_world *t = *state;
	struct move mv = a_move(), *got;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		put_note(t, cases[i].file, cases[i].text);
	assert_null(journal_load(t->m, &err));
	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	got = journal_load(t->m, &err);
	assert_non_null(got);
	assert_null(got->next);
	assert_same(got, &mv);
	move_free(got);
}

/* An instance may have come here and left again: the same name, even the same operation. */
static void a_side_is_found_among_others(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move(), second = a_move(), *got;
	struct hold_id other = mv.id, missing = mv.id;
	struct err err = { 0 };

	second.id.source = false;
	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	assert_int_equal(journal_note(t->m, &second, &err), 0);
	got = journal_find(t->m, &second.id);
	assert_non_null(got);
	assert_null(got->next);
	assert_same(got, &second);
	move_free(got);
	other.source = false;
	assert_null(journal_find(t->m, &other));
	rng_uuid(missing.op);
	assert_null(journal_find(t->m, &missing));
}

static void a_copy_is_independent(void **state)
{
	struct move mv = a_move(), *copy;
	_json_ json_t *spec = world_spec("c1");

	mv.spec = spec;
	mv.next = &mv;
	copy = move_copy(&mv);
	assert_null(copy->next);
	assert_same(copy, &mv);
	json_put_str(copy->spec, "name", "c2");
	assert_string_equal(json_str(spec, "name", ""), "c1");
	move_free(copy);
	move_free(NULL);
}

/* The action script looks for this mark: it goes with the note at the latest. */
static void the_mark_of_a_commit_goes_with_the_note(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move();
	_free_ char *mark = xasprintf("%s/%s.sent", t->m->run, mv.id.op);
	struct err err = { 0 };

	for (int drop = 0; drop < 2; drop++) {
		assert_int_equal(journal_note(t->m, &mv, &err), 0);
		assert_int_equal(journal_sent(t->m, &mv, &err), 0);
		assert_int_equal(journal_sent(t->m, &mv, &err), 0);
		assert_true(io_exists(mark));
		if (drop)
			journal_drop(t->m, &mv);
		else
			journal_unsent(t->m, &mv);
		assert_false(io_exists(mark));
		assert_int_equal(move_is_pending(t->m, "c1"), !drop);
	}
	journal_drop(t->m, &mv);
}

/* Both sides of a move may be on one host: of tests, and of members in containers of it. */
static void each_side_has_images_of_its_own(void **state)
{
	struct mover_world *t = *state;
	struct move mv = a_move(), bad = a_move();
	_json_ json_t *spec = world_spec("c1"), *none = json_object();
	_free_ char *out = NULL, *in = NULL;
	struct err err = { 0 };
	struct stat st;

	mv.spec = spec;
	for (int source = 0; source < 2; source++) {
		char **dir = source ? &out : &in;

		mv.id.source = source;
		*dir = move_images(t->m, &mv);
		if (move_images_make(t->m, &mv, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(stat(*dir, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
		assert_int_equal(st.st_mode & 0007, 0);
	}
	assert_string_not_equal(in, out);
	images_drop(t->m->shm, in);
	assert_true(io_exists(out));
	images_drop(t->m->shm, out);
	assert_false(io_exists(t->m->shm));
	/* Of nobody knows which ids. */
	json_put_str(none, "idmap", "odd");
	bad.spec = none;
	assert_int_equal(move_images_make(t->m, &bad, &err), -1);
}

/* Their processes may be waiting for a word from the database: none of them is to be ended. */
static void cut_off_moves_are_kept(void **state)
{
	struct mover_world *t = *state;
	_json_ json_t *keep = json_pack("{sb,sb}", "c1", 1, "c3", 1);
	struct move mv = a_move();
	struct err err = { 0 };

	assert_int_equal(journal_note(t->m, &mv, &err), 0);
	move_keep(t->m, keep);
	assert_true(json_is_false(json_object_get(keep, "c1")));
	assert_true(json_is_true(json_object_get(keep, "c3")));
	assert_int_equal(json_object_size(keep), 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_note_holds_all_of_a_move),      T(a_note_is_written_over),
		T(what_is_no_note_is_skipped),      T(a_side_is_found_among_others),
		T(a_copy_is_independent),           T(the_mark_of_a_commit_goes_with_the_note),
		T(each_side_has_images_of_its_own), T(cut_off_moves_are_kept),
	};

	return mover_world_main(argc, argv, tests);
}
