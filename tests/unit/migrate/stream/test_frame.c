/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/unit/migrate/stream/channel_pair.h"

static size_t build(uint8_t *buf, enum frame_type type, const char *text)
{
	frame_head(buf, type, text, strlen(text));
	memcpy(buf + FRAME_HEAD, text, strlen(text));
	return FRAME_HEAD + strlen(text);
}

static void whole_frames_are_taken(void **state)
{
	uint8_t buf[256];
	size_t len = build(buf, FR_FAIL, "{\"kind\":1}");
	struct frame f;
	struct err err;

	for (size_t part = 0; part < len; part++)
		assert_int_equal(frame_parse(buf, part, &f, &err), 0);
	assert_int_equal(frame_parse(buf, sizeof(buf), &f, &err), len);
	assert_int_equal(f.type, FR_FAIL);
	assert_int_equal(f.len, len - FRAME_HEAD);
	assert_memory_equal(f.data, "{\"kind\":1}", f.len);
}

static void broken_frames_are_refused(void **state)
{
	static const struct {
		int at, value;
		const char *word;
	} cases[] = {
		{ 0, 99, "no message of type 99" },
		{ 3, 1, "no message of type" },
		{ 8, 0x55, "wrong checksum" },
		{ FRAME_HEAD, 'x', "wrong checksum" },
		{ 4, 9, "wrong checksum" },
		{ 6, 1, "of 65546 bytes" },
		{ 7, 255, "bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t buf[256] = { 0 };
		struct frame f;
		struct err err;

		build(buf, FR_FAIL, "0123456789");
		buf[cases[i].at] = (uint8_t)cases[i].value;
		assert_int_equal(frame_parse(buf, sizeof(buf), &f, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].word));
	}
}

static void each_type_has_its_bound(void **state)
{
	struct pair p = pair_new();
	struct err err;

	assert_int_equal(frame_send(p.a, FR_READY, "x", 1, &err), -1);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "READY of 1 bytes"));
	pair_free(&p);
}

static void frames_travel_in_order(void **state)
{
	struct pair p = pair_new();
	struct frame f;
	struct err err;

	assert_int_equal(frame_send(p.a, FR_PING, NULL, 0, &err), 0);
	assert_int_equal(frame_send2(p.a, FR_SYNC, "ab", 2, "cd", 2, &err), 0);
	assert_int_equal(frame_send(p.a, FR_SYNC_DONE, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_recv(p.b, &f, 0, &err), 0);
	assert_int_equal(f.type, FR_SYNC);
	assert_memory_equal(f.data, "abcd", 4);
	assert_int_equal(frame_expect(p.b, FR_SYNC_DONE, &f, 0, &err), 0);
	assert_int_equal(frame_send(p.a, FR_READY, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_expect(p.b, FR_PREPARED, &f, 0, &err), -1);
	assert_non_null(strstr(err.msg, "READY where PREPARED was due"));
	pair_free(&p);
}

static void a_reason_becomes_the_error(void **state)
{
	struct pair p = pair_new();
	struct err why, err;
	struct frame f;

	err_set(&why, ERR_NO_SPACE, "no room for c1");
	assert_int_equal(frame_send_error(p.a, FR_FAIL, &why, &err), 0);
	assert_int_equal(frame_recv(p.b, &f, 0, &err), -1);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_string_equal(err.msg, "no room for c1");
	assert_false(channel_is_lost(p.b));
	pair_free(&p);
}

static void the_end_is_an_error(void **state)
{
	struct pair p = pair_new();
	struct frame f;
	struct err err;

	channel_free(p.a);
	p.a = NULL;
	assert_int_equal(frame_recv(p.b, &f, 0, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_true(channel_is_lost(p.b));
	assert_int_equal(frame_check(p.b, &err), -1);
	pair_free(&p);
}

static void a_check_takes_pings_only(void **state)
{
	struct pair p = pair_new();
	struct err err;

	assert_int_equal(frame_check(p.b, &err), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(frame_send(p.a, FR_PING, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_check(p.b, &err), 0);
	assert_int_equal(frame_send(p.a, FR_READY, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_check(p.b, &err), -1);
	assert_non_null(strstr(err.msg, "unexpected READY"));
	pair_free(&p);
}

static void a_poll_takes_what_has_come(void **state)
{
	static const char half[] = "one and a half";
	struct pair p = pair_new();
	struct frame f;
	struct err err;

	assert_int_equal(frame_poll(p.b, &f, &err), 0);
	assert_int_equal(frame_send(p.a, FR_PING, NULL, 0, &err), 0);
	assert_int_equal(frame_send(p.a, FR_TRAFFIC, half, sizeof(half), &err), 0);
	assert_int_equal(frame_send(p.a, FR_TRAFFIC, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_poll(p.b, &f, &err), 1);
	assert_int_equal(f.type, FR_TRAFFIC);
	assert_int_equal(f.len, sizeof(half));
	assert_int_equal(frame_poll(p.b, &f, &err), 1);
	assert_int_equal(f.len, 0);
	assert_int_equal(frame_poll(p.b, &f, &err), 0);
	assert_int_equal(frame_send_error(p.a, FR_FAIL, &(struct err){ .msg = "no" }, &err), 0);
	assert_int_equal(frame_poll(p.b, &f, &err), -1);
	assert_string_equal(err.msg, "no");
	pair_free(&p);
}

static void who_is_busy_is_heard(void **state)
{
	struct pair p = pair_new();
	struct pollfd pf = { .fd = p.raw, .events = POLLIN };
	struct frame f;
	struct err err;

	frame_busy(p.a, true);
	frame_busy(p.a, true);
	assert_int_equal(poll(&pf, 1, 3 * FRAME_PING_MS), 1);
	assert_int_equal(frame_check(p.b, &err), 0);
	frame_busy(p.a, false);
	assert_int_equal(frame_send(p.a, FR_READY, NULL, 0, &err), 0);
	assert_int_equal(frame_flush(p.a, &err), 0);
	assert_int_equal(frame_expect(p.b, FR_READY, &f, 0, &err), 0);
	pair_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_frames_are_taken),
		cmocka_unit_test(broken_frames_are_refused),
		cmocka_unit_test(each_type_has_its_bound),
		cmocka_unit_test(frames_travel_in_order),
		cmocka_unit_test(a_reason_becomes_the_error),
		cmocka_unit_test(the_end_is_an_error),
		cmocka_unit_test(a_check_takes_pings_only),
		cmocka_unit_test(a_poll_takes_what_has_come),
		cmocka_unit_test(who_is_busy_is_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
