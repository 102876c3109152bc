/* SPDX-License-Identifier: Apache-2.0 */
/* Two members in one namespace: the container is on br0 as v0 and comes to br1 as v1. */
#include "tests/unit/node/network/wire.h"

#include "migrate/traffic.h"
#include "tests/unit/migrate/stream/channel_pair.h"
#include "tests/unit/base/patience.h"

#define MAC "02:00:00:00:00:07"

struct members {
	json_t *here, *there;
	struct traffic *source, *target;
	struct pair ch; /* a: the source's */
	int peer, inside_here, inside_there;
};

static int set_up(void **state)
{
	netns_set_up(state);
	wire_silence();
	for (int i = 0; i < 2; i++) {
		must("ip link add br%d type bridge", i);
		must("ip link set br%d up", i);
	}
	must("ip link add w0 type veth peer name w0p");
	must("ip link set w0 master br0 up");
	must("ip link set w0p up");
	return 0;
}

/* The container stands still, and is restored on the other side. */
static struct members begin(void)
{
	struct members m = { .here = wire_container("v0", MAC, "br0"),
			     .there = wire_container("v1", MAC, "br1"),
			     .ch = pair_new() };
	struct err err;

	m.source = traffic_new(m.here);
	m.target = traffic_new(m.there);
	m.peer = wire_open("w0p");
	m.inside_here = wire_open("v0p");
	m.inside_there = wire_open("v1p");
	assert_int_equal(devices_connect(m.here, true, &err), 0);
	assert_int_equal(devices_connect(m.here, false, &err), 0);
	traffic_listen(m.target);
	return m;
}

static void end(struct members *m)
{
	traffic_free(m->source);
	traffic_free(m->target);
	pair_free(&m->ch);
	close(m->peer);
	close(m->inside_here);
	close(m->inside_there);
	json_decref(m->here);
	json_decref(m->there);
	must("ip link del v0");
	must("ip link del v1");
}

/* The next message of the source, which is to be of that type; false: none yet. */
static bool arrived(struct members *m, enum frame_type type, struct frame *ret)
{
	struct err err = { 0 };
	int rc = frame_poll(m->ch.b, ret, &err);

	if (rc < 0)
		fail_msg("%s", err.msg);
	if (rc)
		assert_int_equal(ret->type, type);
	return rc;
}

/* A new port of a bridge forwards a moment later. */
static struct frame send_until_forwarded(struct members *m, uint8_t number)
{
	int64_t deadline = PATIENCE;
	struct err err = { 0 };
	struct frame f;

	do {
		assert_true(clock_ms() < deadline);
		wire_send(m->peer, MAC, number);
		assert_int_equal(traffic_send(m->source, m->ch.a, &err), 0);
	} while (!arrived(m, FR_TRAFFIC, &f));
	return f;
}

static void it_goes_along(void **state)
{
	struct members m = begin();
	struct err err = { 0 };
	struct frame f = send_until_forwarded(&m, 1);

	traffic_take(m.target, &f);
	/* before the sockets are there nothing reaches them */
	assert_int_equal(wire_next(m.inside_there, 0), -1);
	assert_int_equal(traffic_plug(m.target, &err), 0);
	assert_int_equal(wire_next(m.inside_there, PATIENCE_MS), 1);
	assert_true(says(-1, "bridge link show dev v1", "master br1"));
	/* what comes late is given at once */
	wire_send(m.peer, MAC, 2);
	assert_int_equal(traffic_end(m.source, m.ch.a, &err), 0);
	traffic_drain(m.target, m.ch.b);
	while (wire_next(m.inside_there, PATIENCE_MS) == 1)
		;
	assert_false(arrived(&m, FR_PING, &f)); /* the end was read, too */
	assert_int_equal(wire_next(m.inside_here, 0), -1);
	end(&m);
}

static void it_comes_back(void **state)
{
	struct members m = begin();

	send_until_forwarded(&m, 1);
	wire_send(m.peer, MAC, 2);
	traffic_back(m.source);
	assert_int_equal(wire_next(m.inside_here, PATIENCE_MS), 1);
	while (wire_next(m.inside_here, PATIENCE_MS) != 2)
		;
	assert_true(says(-1, "bridge link show dev v0", "master br0"));
	assert_int_equal(wire_next(m.inside_there, 0), -1);
	end(&m);
}

/* The source waits for the target's word, and what comes meanwhile is on its way before. */
static void follows_until_the_target_speaks(void **state)
{
	struct members m = begin();
	struct err err = { 0 };
	struct frame f;

	send_until_forwarded(&m, 1);
	assert_int_equal(traffic_follow(m.source, m.ch.a, clock_ms(), &f, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_int_equal(frame_send(m.ch.b, FR_PING, NULL, 0, &err), 0);
	assert_int_equal(frame_send(m.ch.b, FR_RESUMED, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(m.ch.b, &err), 0);
	assert_int_equal(traffic_follow(m.source, m.ch.a, PATIENCE, &f, &err), 0);
	assert_int_equal(f.type, FR_RESUMED);
	end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_along),
		cmocka_unit_test(it_comes_back),
		cmocka_unit_test(follows_until_the_target_speaks),
	};

	return cmocka_run_group_tests(tests, set_up, netns_tear_down);
}
