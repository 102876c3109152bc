/* SPDX-License-Identifier: Apache-2.0 */
/* A bridge in a network namespace of the test; the neighbour is the far end of its one port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "node/network/network_int.h"
#include "tests/unit/base/patience.h"

#define OLD "00:16:3e:00:00:01"
#define NEW "00:16:3e:00:00:02"

static int ip_command(struct sbuf *out, const char *line)
{
	_free_ char *copy = xstrdup(line);
	const char *argv[24] = { "/sbin/ip" };
	struct err err;
	size_t n;

	n = str_split(copy, ' ', (char **)argv + 1, ARRAY_SIZE(argv) - 2);
	argv[n + 1] = NULL;
	return proc_run(argv, out, PATIENCE, &err);
}

static void await(const char *line, const char *text)
{
	int64_t deadline = PATIENCE;

	for (;;) {
		_sbuf_ struct sbuf out = SBUF(64 << 10);

		if (ip_command(&out, line) == 0 && out.data && strstr(out.data, text))
			return;
		if (deadline_left(deadline) == 0)
			fail_msg("%s: %s", line, out.data ? out.data : "");
		poll(NULL, 0, 20);
	}
}

static void neighbours_learn_the_new_owner(void **state)
{
	static const char *const setup[] = {
		"link add br0 type bridge",
		"link add v0 type veth peer name w0",
		"link set v0 master br0 up",
		"link set br0 up",
		"link set w0 up",
		"addr add 10.9.0.1/24 dev w0",
		"addr add fd09::1/64 dev w0 nodad",
		"neigh add 10.9.0.5 lladdr " OLD " dev w0 nud stale",
		"neigh add fd09::5 lladdr " OLD " dev w0 nud stale",
		"neigh add 10.9.0.5 lladdr " OLD " dev br0 nud stale",
	};
	static const char *const addresses[] = { "10.9.0.5", "fd09::5" };
	_close_ int fd = -1;
	uint8_t mac[MAC_LEN];
	struct err err;

	if (geteuid() != 0)
		skip();
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	for (size_t i = 0; i < ARRAY_SIZE(setup); i++) {
		if (ip_command(NULL, setup[i]) < 0)
			fail_msg("ip %s", setup[i]);
	}
	fd = announce_open(&err);
	assert_true(fd >= 0);
	await("link show v0", "state UP");
	assert_true(mac_parse(NEW, mac));
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct ip ip;

		assert_true(ip_parse(addresses[i], &ip));
		if (announce_address(fd, "br0", mac, &ip, &err) < 0)
			fail_msg("%s", err.msg);
	}
	await("neigh show 10.9.0.5 dev w0", NEW);
	await("neigh show fd09::5 dev w0", NEW);
	await("neigh show 10.9.0.5 dev br0", NEW);
	assert_int_equal(announce_address(fd, "nowhere", mac, &(struct ip){ 0 }, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(neighbours_learn_the_new_owner) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
