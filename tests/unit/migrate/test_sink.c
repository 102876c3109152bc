/* SPDX-License-Identifier: Apache-2.0 */
/* The target of a move, which is this host; the test is the source, and says what it likes. */
#include "tests/unit/migrate/mover_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "migrate/rootfs/sync.h"
#include "node/container/container.h"

#define OP "11111111-2222-4333-8444-555555555555"
#define INSTANCE "{\"name\": \"c1\", \"member\": \"m1\", \"epoch\": 3}"
#define CONFIG "{\"op\": \"" OP "\", \"name\": \"c1\", \"epoch\": 3, \"instance\": " INSTANCE "}"

struct arrival {
	struct mover_world *t;
	struct stream *stream; /* the target's end */
	struct channel *c;     /* the source's */
	pthread_t thread;
	struct move mv; /* as the source sees it */
};

static void *serve_main(void *arg)
{
	struct arrival *a = arg;

	move_serve(a->t->m, a->stream);
	return NULL;
}

/* Both have greeted each other; the instance is on m1. */
static struct arrival *arrive(struct mover_world *t)
{
	struct arrival *a = xnew(struct arrival);
	_json_ json_t *facts = NULL;
	struct err err = { 0 };
	int fd[2];

	a->t = t;
	a->mv = a_move();
	a->mv.live = false;
	str_copy(a->mv.id.op, sizeof(a->mv.id.op), OP);
	str_copy(a->mv.target, sizeof(a->mv.target), mover_member(t->m));
	put_instance(t, "c1", "m1", 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	a->stream = stream_from_fd(fd[0]);
	a->c = channel_new(stream_from_fd(fd[1]));
	assert_int_equal(pthread_create(&a->thread, NULL, serve_main, a), 0);
	facts = hello_exchange(t->m, a->c, true, &err);
	assert_non_null(facts);
	return a;
}

/* The target has ended, and has concluded what it could. */
static void depart(struct arrival *a)
{
	channel_free(take_ptr(a->c));
	pthread_join(a->thread, NULL);
	commit_forget(a->t->m, &a->mv);
	free(a);
}

static void say(struct arrival *a, enum frame_type type, const char *text)
{
	struct err err = { 0 };

	if (frame_send(a->c, type, text, strlen(text), &err) < 0 || frame_flush(a->c, &err) < 0)
		fail_msg("%s", err.msg);
}

static void hear(struct arrival *a, enum frame_type type)
{
	struct frame f;
	struct err err = { 0 };

	if (frame_expect(a->c, type, &f, 0, &err) < 0)
		fail_msg("%s: %s", frame_name(type), err.msg);
}

static void open_row(struct arrival *a)
{
	struct err err = { 0 };

	if (commit_begin(a->t->m, &a->mv, &err) < 0)
		fail_msg("%s", err.msg);
}

static char *volume_file(struct mover_world *t, const char *file)
{
	_json_ json_t *pool = world_pool();
	_free_ char *dir = volume_data_path(t->node, pool, "c1");

	return xasprintf("%s/%s", dir ? dir : "/nowhere", file);
}

/* A root file system with one file. */
static void send_root(struct arrival *a)
{
	_free_ char *dir = xasprintf("%s/from", a->t->w.dir), *file = xasprintf("%s/greeting", dir);
	struct sync_source *source;
	struct err err = { 0 };
	int64_t changes = 0;

	assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
	assert_int_equal(io_write_file(file, "ahoi", 4, 0644, &err), 0);
	source = sync_source_new(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), NULL);
	if (sync_pass(source, a->c, NULL, NULL, &changes, &err) < 0 || frame_flush(a->c, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(changes > 0);
	sync_source_free(source);
	hear(a, FR_SYNCED);
}

static void assert_nothing_left(struct mover_world *t)
{
	_free_ char *root = volume_file(t, "");

	assert_false(io_exists(root));
	assert_false(move_is_pending(t->m, "c1"));
	assert_false(container_is_closed(t->node, "c1"));
	assert_null(t->m->active);
}

static void a_stopped_instance_arrives(void **state)
{
	struct mover_world *t = *state;
	struct arrival *a = arrive(t);
	_free_ char *file = NULL, *text = NULL;
	struct err err = { 0 };

	open_row(a);
	say(a, FR_CONFIG, CONFIG);
	hear(a, FR_READY);
	assert_true(move_is_pending(t->m, "c1"));
	assert_true(container_is_closed(t->node, "c1"));
	send_root(a);
	assert_int_equal(commit_move(t->m, &a->mv, &err), 1);
	say(a, FR_COMMITTED, "");
	hear(a, FR_RESUMED);
	hear(a, FR_DONE);
	depart(a);
	file = volume_file(t, "greeting");
	text = io_read_file(file, 100, NULL, &err);
	assert_string_equal(text, "ahoi");
	assert_owner(t, mover_member(t->m), 4);
	assert_false(move_is_pending(t->m, "c1"));
	assert_false(container_is_closed(t->node, "c1"));
}

/* Whatever the source said last: the row tells whose the instance is. */
static void the_row_decides_when_the_source_is_lost(void **state)
{
	static const bool committed[] = { false, true };
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(committed); i++) {
		struct arrival *a = arrive(t);
		_free_ char *file = NULL;
		struct move mv = a->mv;
		struct err err = { 0 };
		char phase[32];

		open_row(a);
		say(a, FR_CONFIG, CONFIG);
		hear(a, FR_READY);
		send_root(a);
		if (committed[i])
			assert_int_equal(commit_move(t->m, &mv, &err), 1);
		channel_free(take_ptr(a->c));
		pthread_join(a->thread, NULL);
		file = volume_file(t, "greeting");
		assert_int_equal(io_exists(file), committed[i]);
		assert_false(move_is_pending(t->m, "c1"));
		/* One that is not made can't be made any more. */
		assert_string_equal(phase_of(t, &mv, phase), committed[i] ? "committed" : "");
		commit_forget(t->m, &mv);
		free(a);
	}
}

static void odd_descriptions_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{}",
		"{\"op\": \"" OP "\", \"name\": \"c1\"}",
		"{\"op\": \"" OP "\", \"name\": \"c1\", \"instance\": {}}",
		"{\"op\": \"" OP "\", \"name\": \"c2\", \"instance\": " INSTANCE "}",
		"{\"op\": \"" OP "\", \"name\": \"../c1\", \"instance\": {\"name\": \"../c1\"}}",
		"{\"op\": \"../" OP "\", \"name\": \"c1\", \"instance\": " INSTANCE "}",
		"{\"name\": \"c1\", \"instance\": " INSTANCE "}",
	};
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arrival *a = arrive(t);
		struct err err = { 0 };
		struct frame f;

		say(a, FR_CONFIG, cases[i]);
		assert_int_equal(frame_recv(a->c, &f, 0, &err), -1);
		if (err.kind != ERR_INVALID)
			fail_msg("%s: %s", cases[i], err.msg);
		depart(a);
		assert_nothing_left(t);
	}
}

static void only_the_target_of_an_open_move_takes_it(void **state)
{
	static const struct {
		const char *target, *name, *phase; /* what the row says; NULL: as it should */
		bool none;
		enum err_kind kind;
	} cases[] = {
		{ .none = true, .kind = ERR_NOT_FOUND },
		{ .target = "m2", .kind = ERR_CONFLICT },
		{ .name = "c2", .kind = ERR_CONFLICT },
		{ .phase = "committed", .kind = ERR_CONFLICT },
		{ .phase = "back", .kind = ERR_CONFLICT },
	};
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arrival *a = arrive(t);
		struct err err = { 0 };
		struct frame f;

		if (!cases[i].none)
			world_put(&t->w, ENT_MIGRATION, OP,
				  json_pack("{ss,ss,ss,ss,si,ss}", "op", OP, "instance",
					    cases[i].name ? cases[i].name : "c1", "source", "m1",
					    "target",
					    cases[i].target ? cases[i].target : a->mv.target,
					    "epoch", 3, "phase",
					    cases[i].phase ? cases[i].phase : "open"));
		say(a, FR_CONFIG, CONFIG);
		assert_int_equal(frame_recv(a->c, &f, 0, &err), -1);
		if (err.kind != cases[i].kind)
			fail_msg("case %zu: %s: %s", i, err_name(err.kind), err.msg);
		depart(a);
		assert_nothing_left(t);
	}
}

static void a_closed_member_takes_nothing(void **state)
{
	struct mover_world *t = *state;
	struct arrival *a = arrive(t);
	struct err err = { 0 };
	struct frame f;

	t->closed = "this member is being emptied";
	open_row(a);
	say(a, FR_CONFIG, CONFIG);
	assert_int_equal(frame_recv(a->c, &f, 0, &err), -1);
	assert_string_equal(err.msg, t->closed);
	depart(a);
	assert_nothing_left(t);
}

/* Files without a row may be somebody's only copy. */
static void files_that_nobody_knows_are_kept(void **state)
{
	struct mover_world *t = *state;
	_json_ json_t *pool = world_pool();
	_free_ char *file = NULL;
	struct arrival *a;
	struct err err = { 0 };
	struct frame f;

	if (pool_create(t->node, pool, &err) < 0 ||
	    volume_create(t->node, pool, "c1", NULL, &err) < 0)
		fail_msg("%s", err.msg);
	file = volume_file(t, "only-copy");
	assert_int_equal(io_write_file(file, "x", 1, 0600, &err), 0);
	a = arrive(t);
	open_row(a);
	say(a, FR_CONFIG, CONFIG);
	assert_int_equal(frame_recv(a->c, &f, 0, &err), -1);
	assert_int_equal(err.kind, ERR_CONFLICT);
	depart(a);
	assert_true(io_exists(file));
	assert_false(move_is_pending(t->m, "c1"));
}

/* One that shall run and does not is the target's all the same, and the source hears why. */
static void one_that_does_not_start_has_moved(void **state)
{
	struct mover_world *t = *state;
	struct arrival *a = arrive(t);
	_free_ char *root = NULL;
	struct err err = { 0 };
	struct frame f;

	open_row(a);
	say(a, FR_CONFIG,
	    "{\"op\": \"" OP "\", \"name\": \"c1\", \"epoch\": 3, \"start\": true, "
	    "\"instance\": " INSTANCE "}");
	hear(a, FR_READY);
	send_root(a);
	assert_int_equal(commit_move(t->m, &a->mv, &err), 1);
	t->closed = "this member is being emptied";
	t->asked = 0;
	say(a, FR_COMMITTED, "");
	assert_int_equal(frame_recv(a->c, &f, 0, &err), 0);
	assert_int_equal(f.type, FR_LOST);
	frame_error(&f, &err);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, t->closed));
	depart(a);
	/* It is not tried again behind the source's back. */
	assert_int_equal(t->asked, 1);
	root = volume_file(t, "greeting");
	assert_true(io_exists(root));
	assert_owner(t, mover_member(t->m), 4);
}

static void what_has_no_place_in_a_cold_move_ends_it(void **state)
{
	static const enum frame_type odd[] = { FR_AGAIN, FR_READY, FR_HELLO, FR_SYNC_END };
	struct mover_world *t = *state;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct arrival *a = arrive(t);
		struct err err = { 0 };
		struct frame f;

		open_row(a);
		say(a, FR_CONFIG, CONFIG);
		hear(a, FR_READY);
		say(a, odd[i], "");
		assert_int_equal(frame_recv(a->c, &f, 0, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		depart(a);
		assert_nothing_left(t);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_stopped_instance_arrives),        T(the_row_decides_when_the_source_is_lost),
		T(odd_descriptions_are_refused),      T(only_the_target_of_an_open_move_takes_it),
		T(a_closed_member_takes_nothing),     T(files_that_nobody_knows_are_kept),
		T(one_that_does_not_start_has_moved), T(what_has_no_place_in_a_cold_move_ends_it),
	};

	return mover_world_main(argc, argv, tests);
}
