/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a request that waits for an operation of another member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/rest/wait_remote.h"
#include "base/mem.h"

static void goes_on_until_something_is_known(void **state)
{
	static const struct {
		struct wait_view v;
		enum wait_step next;
	} cases[] = {
		{ { .known = true }, WAIT_ON },
		{ { .known = true, .seen = true, .overdue = true }, WAIT_ON },
		{ { .known = true, .ended = true }, WAIT_ANSWER },
		{ { .known = true, .late = true }, WAIT_ANSWER },
		/* its fact may still come */
		{ { .known = false }, WAIT_ON },
		{ { .overdue = true }, WAIT_GONE },
		/* the fact has gone with its member */
		{ { .seen = true }, WAIT_GONE },
		{ { .late = true }, WAIT_GONE },
		/* what is known is told all the same, else nothing more will be */
		{ { .known = true, .ended = true, .cut_off = true }, WAIT_ANSWER },
		{ { .known = true, .late = true, .cut_off = true }, WAIT_ANSWER },
		{ { .known = true, .cut_off = true }, WAIT_CUT_OFF },
		{ { .cut_off = true }, WAIT_CUT_OFF },
		{ { .seen = true, .cut_off = true }, WAIT_GONE },
		/* a move ends without its member */
		{ { .seen = true, .fate = FATE_OPEN }, WAIT_ON },
		{ { .overdue = true, .fate = FATE_OPEN }, WAIT_ON },
		{ { .seen = true, .fate = FATE_ARRIVES }, WAIT_ON },
		{ { .seen = true, .late = true, .fate = FATE_ARRIVES }, WAIT_GONE },
		{ { .seen = true, .late = true, .fate = FATE_OPEN }, WAIT_GONE },
		{ { .seen = true, .cut_off = true, .fate = FATE_OPEN }, WAIT_CUT_OFF },
		{ { .seen = true, .fate = FATE_MADE }, WAIT_MADE },
		{ { .overdue = true, .fate = FATE_MADE }, WAIT_MADE },
		{ { .seen = true, .fate = FATE_GIVEN_UP }, WAIT_GIVEN_UP },
		/* its fact may still come, or has not gone */
		{ { .fate = FATE_MADE }, WAIT_ON },
		{ { .known = true, .fate = FATE_MADE }, WAIT_ON },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (wait_next(&cases[i].v) != cases[i].next)
			fail_msg("case %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_until_something_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
