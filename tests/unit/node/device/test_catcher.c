/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer on a bridge sends while a container's port is off it. */
#include "tests/unit/node/network/wire.h"

#include <string.h>

#include "node/device/catcher.h"
#include "tests/unit/base/patience.h"

#define MAC "02:00:00:00:00:07"
#define ALL "ff:ff:ff:ff:ff:ff"
#define ROOM (4 * CATCHER_RECORD_MAX)

static uint8_t caught[ROOM];

static int set_up(void **state)
{
	netns_set_up(state);
	wire_silence();
	must("ip link add br0 type bridge");
	must("ip link set br0 up");
	must("ip link add w0 type veth peer name w0p");
	must("ip link set w0 master br0 up");
	must("ip link set w0p up");
	return 0;
}

static void connect_it(const json_t *spec, bool on)
{
	struct err err;

	if (devices_connect(spec, on, &err) < 0)
		fail_msg("%s", err.msg);
}

static int master_of(const char *name)
{
	struct link_info l;
	struct err err;

	return link_get(name, &l, &err) < 0 ? -1 : l.master;
}

static bool has_come(struct catcher *c, int ms)
{
	struct pollfd pf = { .fd = catcher_fd(c), .events = POLLIN };

	return poll(&pf, 1, ms) > 0;
}

/* Those that the test sent: others come, too, as the kernel's own for its groups. */
static size_t only_sent(size_t n)
{
	size_t kept = 0, len;

	for (size_t at = 0; at + CATCHER_HEAD + ETH_HLEN < n; at += len) {
		const uint8_t *r = caught + at;

		len = CATCHER_HEAD + (size_t)(r[MAC_LEN] | r[MAC_LEN + 1] << 8);
		if (r[CATCHER_HEAD + 12] != WIRE_TYPE >> 8 ||
		    r[CATCHER_HEAD + 13] != (WIRE_TYPE & 0xff))
			continue;
		memmove(caught + kept, r, len);
		kept += len;
	}
	return kept;
}

/* A new port of a bridge forwards a moment later. */
static size_t read_sent(struct catcher *c, int peer, const char *to, uint8_t number)
{
	int64_t deadline = PATIENCE;
	size_t n;

	do {
		assert_true(clock_ms() < deadline);
		wire_send(peer, to, number);
	} while (!has_come(c, 50) || !(n = only_sent(catcher_read(c, caught, ROOM))));
	return n;
}

static void what_comes_meanwhile_is_given_later(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int bridge = (int)if_nametoindex("br0"), inside = wire_open("v0p"), peer = wire_open("w0p");
	struct catcher *c;
	size_t n;

	connect_it(spec, true);
	c = catcher_new(spec);
	assert_int_equal(master_of("v0h"), 0);
	connect_it(spec, false);
	assert_int_equal(master_of("v0"), 0);
	assert_int_equal(master_of("v0h"), bridge);
	assert_true(says(-1, "bridge fdb show br br0", MAC " dev v0h master br0"));
	n = read_sent(c, peer, MAC, 5);
	assert_true(n >= CATCHER_HEAD + 64);
	assert_int_equal(caught[5], 7); /* whose it is */
	assert_int_equal(caught[MAC_LEN] | caught[MAC_LEN + 1] << 8, 64);
	assert_int_equal(caught[CATCHER_HEAD + ETH_HLEN], 5);
	assert_int_equal(wire_next(inside, 0), -1);
	catcher_give(c, caught, CATCHER_HEAD + 64);
	assert_int_equal(wire_next(inside, PATIENCE_MS), 5);

	connect_it(spec, true);
	assert_int_equal(master_of("v0"), bridge);
	assert_int_equal(master_of("v0h"), 0);
	assert_true(says(-1, "bridge fdb show br br0", MAC " dev v0 master br0"));
	catcher_free(c);
	assert_int_equal(if_nametoindex("v0h"), 0);
	close(inside);
	close(peer);
	must("ip link del v0");
}

static void plugging_keeps_the_order(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int inside = wire_open("v0p"), peer = wire_open("w0p"), got;
	struct catcher *c = catcher_new(spec);
	struct err err = { 0 };

	connect_it(spec, false);
	read_sent(c, peer, MAC, 1);
	while (has_come(c, 0) && catcher_read(c, caught, ROOM))
		;
	for (uint8_t i = 2; i < 100; i++)
		wire_send(peer, MAC, i);
	assert_int_equal(catcher_plug(c, &err), 0);
	for (uint8_t i = 2; i < 100; i++) {
		/* some of the first may have been late */
		while ((got = wire_next(inside, PATIENCE_MS)) == 1)
			;
		assert_int_equal(got, i);
	}
	assert_int_equal(master_of("v0"), (int)if_nametoindex("br0"));
	catcher_free(c);
	close(inside);
	close(peer);
	must("ip link del v0");
}

/* It hears an answer, and neighbours that it asks where they are answer it. */
static void it_is_heard_before_what_comes_later_comes(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int bridge = (int)if_nametoindex("br0"), inside = wire_open("v0p"), peer = wire_open("w0p");
	struct catcher *c = catcher_new(spec);
	int64_t deadline = PATIENCE;
	struct err err = { 0 };
	int got;

	connect_it(spec, false);
	read_sent(c, peer, MAC, 1);
	catcher_open(c);
	assert_int_equal(master_of("v0"), bridge);
	assert_true(says(-1, "bridge fdb show br br0", MAC " dev v0h"));
	do {
		assert_true(clock_ms() < deadline);
		wire_send_from(inside, MAC, ALL, 7);
	} while (wire_next(peer, 50) < 0);
	wire_send(peer, MAC, 2); /* not to where the bridge has just heard it */
	catcher_give(c, caught, CATCHER_HEAD + 64);
	assert_int_equal(wire_next(inside, PATIENCE_MS), 1);
	assert_int_equal(catcher_plug(c, &err), 0);
	/* Some of the first may have been late; it never hears itself. */
	while ((got = wire_next(inside, PATIENCE_MS)) == 1)
		;
	assert_int_equal(got, 2);
	assert_true(says(-1, "bridge fdb show br br0", MAC " dev v0 master br0"));
	wire_send(peer, MAC, 3);
	assert_int_equal(wire_next(inside, PATIENCE_MS), 3);
	catcher_free(c);
	close(inside);
	close(peer);
	must("ip link del v0");
}

static void queues_have_an_end(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int peer = wire_open("w0p");
	struct catcher *c = catcher_new(spec);
	size_t n, records = 0;

	connect_it(spec, false);
	read_sent(c, peer, MAC, 1);
	for (int i = 0; i < 4 * CATCHER_FRAMES; i++)
		wire_send(peer, MAC, 2);
	while ((n = catcher_read(c, caught, ROOM)) > 0)
		records += n / (CATCHER_HEAD + 64);
	/* Other queues of the kernel on the way come on top. */
	assert_in_range(records, CATCHER_FRAMES - 50, 3 * CATCHER_FRAMES);
	catcher_free(c);
	close(peer);
	must("ip link del v0");
}

/* The other member catches what goes to all. */
static void listens_for_its_own_only(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int peer = wire_open("w0p");
	struct catcher *c = catcher_new(spec);
	size_t n;

	catcher_listen(c);
	assert_int_equal(master_of("v0"), 0);
	for (int i = 0; i < 3; i++)
		wire_send(peer, ALL, 9);
	n = read_sent(c, peer, MAC, 3);
	for (size_t at = 0; at < n; at += CATCHER_HEAD + 64)
		assert_int_equal(caught[at + CATCHER_HEAD + ETH_HLEN], 3);
	catcher_free(c);
	close(peer);
	must("ip link del v0");
}

static void odd_records_are_passed_over(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0");
	int inside = wire_open("v0p");
	struct catcher *c = catcher_new(spec);
	uint8_t r[CATCHER_HEAD + 60] = { [5] = 8, [MAC_LEN] = 60 };

	catcher_give(c, r, sizeof(r)); /* nobody's */
	mac_parse(MAC, r);
	catcher_give(c, r, sizeof(r) - 1); /* cut off */
	catcher_give(c, r, 3);
	r[MAC_LEN] = 5;
	catcher_give(c, r, sizeof(r)); /* shorter than its own head */
	r[MAC_LEN] = 60;
	r[CATCHER_HEAD + 12] = WIRE_TYPE >> 8;
	r[CATCHER_HEAD + 13] = WIRE_TYPE & 0xff;
	r[CATCHER_HEAD + ETH_HLEN] = 77;
	catcher_give(c, r, sizeof(r));
	assert_int_equal(wire_next(inside, PATIENCE_MS), 77);
	catcher_free(c);
	close(inside);
	must("ip link del v0");
}

/* Nothing is caught then, and everything else is as it was. */
static void a_name_that_is_taken_is_no_obstacle(void **state)
{
	_json_ json_t *spec = wire_container("v0", MAC, "br0"), *none = json_object();
	struct catcher *c;

	must("ip tuntap add dev v0h mode tap");
	c = catcher_new(spec);
	assert_int_equal(catcher_read(c, caught, ROOM), 0);
	connect_it(spec, true);
	assert_int_equal(master_of("v0"), (int)if_nametoindex("br0"));
	catcher_free(c);
	must("ip link del v0h");
	must("ip link del v0");
	c = catcher_new(spec); /* the interface itself is gone */
	assert_int_equal(catcher_read(c, caught, ROOM), 0);
	catcher_free(c);
	c = catcher_new(none);
	assert_int_equal(catcher_fd(c), -1);
	catcher_free(c);
	catcher_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_meanwhile_is_given_later),
		cmocka_unit_test(plugging_keeps_the_order),
		cmocka_unit_test(it_is_heard_before_what_comes_later_comes),
		cmocka_unit_test(queues_have_an_end),
		cmocka_unit_test(listens_for_its_own_only),
		cmocka_unit_test(odd_records_are_passed_over),
		cmocka_unit_test(a_name_that_is_taken_is_no_obstacle),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
