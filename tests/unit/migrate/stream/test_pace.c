/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "migrate/stream/pace.h"
#include "tests/unit/migrate/stream/channel_pair.h"

#define MIB ((int64_t)1 << 20)

static void a_bucket_fills_with_time_and_owes_what_it_did_not_hold(void **state)
{
	static const struct {
		int64_t at_ms, rate, bytes, wait_ms;
	} steps[] = {
		{ 0, 8 * MIB, 0, 0 },
		{ 125, 8 * MIB, MIB, 0 },           /* what has come meanwhile */
		{ 125, 8 * MIB, MIB, 125 },         /* a debt */
		{ 125, 8 * MIB, MIB, 250 },         /* of somebody else, too */
		{ 250, 8 * MIB, 0, 125 },           /* half of it is paid */
		{ 375, 8 * MIB, 1, 1 },             /* no less than a millisecond */
		{ 10000, 8 * MIB, 2 * MIB, 125 },   /* a long rest gives no more than a burst */
		{ INT64_MAX / 2, 8 * MIB, MIB, 0 }, /* nor does a longer one */
		{ INT64_MAX / 2 + 500, PACE_RATE_MIN, PACE_RATE_MIN, 875 },
		{ INT64_MAX / 2 + 5000, PACE_RATE_MAX, PACE_RATE_MAX / 8, 0 },
		{ INT64_MAX / 2 + 900000000, PACE_RATE_MAX, PACE_RATE_MAX / 4, 125 },
	};
	struct bucket b = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int64_t wait = bucket_take(&b, steps[i].rate, steps[i].bytes, steps[i].at_ms);

		if (wait != steps[i].wait_ms)
			fail_msg("step %zu: %lld ms", i, (long long)wait);
	}
}

static int64_t ask(void *arg)
{
	return *(int64_t *)arg;
}

static void no_bound_takes_all_at_once(void **state)
{
	int64_t rate = 0;
	struct pace *p = pace_new(ask, &rate);

	assert_int_equal(pace_take(p, 1 << 30), 1 << 30);
	assert_int_equal(pace_rate(p), 0);
	pace_free(p);
	pace_free(NULL);
}

static void a_piece_is_no_larger_than_a_burst(void **state)
{
	int64_t rate = PACE_RATE_MIN;
	struct pace *p = pace_new(ask, &rate);

	assert_int_equal(pace_take(p, 1 << 30), PACE_RATE_MIN * PACE_BURST_MS / 1000);
	assert_int_equal(pace_take(p, 10), 10);
	assert_int_equal(pace_rate(p), PACE_RATE_MIN);
	pace_free(p);
}

struct sender {
	struct pair p;
	pthread_t thread;
};

static void *send_main(void *arg)
{
	static const uint8_t data[200 << 10];
	struct sender *s = arg;
	struct err err;

	if (frame_send(s->p.a, FR_SYNC_DATA, data, sizeof(data), &err) < 0)
		return NULL;
	return frame_flush(s->p.a, &err) == 0 ? s : NULL;
}

/* What two moves send in a time, however long that is on this machine. */
static void channels_of_one_pace_share_it(void **state)
{
	int64_t rate = MIB, began = clock_ms();
	struct pace *p = pace_new(ask, &rate);
	struct sender s[2];
	struct frame f;
	struct err err;
	void *done;

	for (int i = 0; i < 2; i++) {
		s[i].p = pair_new();
		channel_pace(s[i].p.a, p);
		assert_int_equal(pthread_create(&s[i].thread, NULL, send_main, &s[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(frame_expect(s[i].p.b, FR_SYNC_DATA, &f, 0, &err), 0);
		assert_int_equal(f.len, 200 << 10);
		pthread_join(s[i].thread, &done);
		assert_non_null(done);
		pair_free(&s[i].p);
	}
	assert_true(clock_ms() - began >= 400 * 1000 / 1024);
	pace_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_fills_with_time_and_owes_what_it_did_not_hold),
		cmocka_unit_test(no_bound_takes_all_at_once),
		cmocka_unit_test(a_piece_is_no_larger_than_a_burst),
		cmocka_unit_test(channels_of_one_pace_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
