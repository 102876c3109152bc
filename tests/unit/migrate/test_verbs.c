/* SPDX-License-Identifier: Apache-2.0 */
/* The helper processes of a move: from their start until they are left alone. */
#include "tests/unit/migrate/mover_world.h"

#include <sys/socket.h>

/* Of a container that is not here: it tells so before it may begin. */
static void a_helper_that_cannot_begin_says_why(void **state)
{
	struct mover_world *t = *state;

	for (int source = 0; source < 2; source++) {
		_json_ json_t *spec = world_spec("c1");
		struct move_helper h = { .sock = -1 };
		struct move mv = a_move();
		struct err err = { 0 };

		mv.id.source = source;
		mv.spec = spec;
		assert_int_equal(move_helper_start(t->m, &h, &mv, &err), -1);
		assert_non_null(strstr(err.msg, source ? "criu.conf" : "the restore"));
		move_helper_leave(&h);
		assert_false(h.runs);
		assert_int_equal(h.sock, -1);
		assert_int_equal(move_helper_fd(&h), -1);
	}
}

static void one_that_has_ended_has_no_answer(void **state)
{
	struct move_helper h = { .sock = -1 };
	struct err err = { 0 };

	assert_int_equal(move_helper_fd(&h), -1);
	assert_null(move_helper_end(&h, deadline_in(WAIT_MS), &err));
	assert_int_equal(err.kind, ERR_INTERNAL);
	move_helper_leave(&h);
	move_helper_leave(&h);
}

/* Its word to begin is the last that it hears: whoever waits for more finds the end. */
static void the_go_is_said_once(void **state)
{
	struct move_helper h = { .sock = -1 };
	struct err err = { 0 };
	int pair[2];
	char c[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	assert_int_equal(move_helper_go(&h, &err), 0);
	assert_int_equal(h.sock, -1);
	assert_int_equal(read(pair[1], c, 2), 1);
	assert_int_equal(c[0], 'g');
	assert_int_equal(read(pair[1], c, 1), 0);
	close(pair[1]);
	/* One that is gone. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	h.sock = pair[0];
	close(pair[1]);
	assert_int_equal(move_helper_go(&h, &err), -1);
	assert_int_equal(h.sock, -1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(a_helper_that_cannot_begin_says_why),
		cmocka_unit_test(one_that_has_ended_has_no_answer),
		cmocka_unit_test(the_go_is_said_once),
	};

	return mover_world_main(argc, argv, tests);
}
