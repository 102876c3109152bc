/* SPDX-License-Identifier: Apache-2.0 */
/* Links that CRIU makes anew, and those it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "migrate/plan.h"

static void kinds_are_told_apart(void **state)
{
	static const struct {
		const char *name, *kind;
		bool carried;
	} cases[] = {
		{ "lo", "", true },
		{ "eth0", "veth", true },
		{ "br0", "bridge", true },
		{ "tun0", "tun", true },
		{ "sit0", "sit", true },
		{ "gre0", "gre", true },
		{ "gre7", "gre", false },
		{ "gretap0", "gretap", true },
		{ "gretap7", "gretap", false },
		{ "mv0", "macvlan", false },
		{ "vx0", "vxlan", false },
		{ "d0", "dummy", false },
		{ "wg0", "wireguard", false },
		{ "eth0.7", "vlan", false },
		{ "tunl0", "ipip", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (plan_link_is_carried(cases[i].name, cases[i].kind) != cases[i].carried)
			fail_msg("%s, of type %s", cases[i].name, cases[i].kind);
	}
}

/* The network of this process has at least what each has. */
static void a_network_is_entered_and_left(void **state)
{
	const pid_t pids[] = { getpid() };
	struct plan_tasks t = { .proc = "/proc", .pids = pids, .npids = 1, .init = getpid() };
	struct move_plan plan = { .kind = MOVE_LIVE };

	plan_links(&t, &plan);
	for (size_t i = 0; i < plan.kept; i++)
		assert_non_null(strstr(plan.reasons[i].text, " in its network"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(a_network_is_entered_and_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
