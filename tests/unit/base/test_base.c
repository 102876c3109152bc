/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/proc.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/undo.h"

static void every_error_kind_has_a_status_and_a_sentence(void **state)
{
	for (int k = 1; k < ERR_MAX; k++) {
		assert_in_range(err_http(k), 400, 599);
		assert_non_null(err_sentence(k));
		assert_int_equal(err_from_name(err_name(k)), k);
	}
	assert_int_equal(err_from_name("nonsense"), ERR_INTERNAL);
	assert_int_equal(err_from_http(404), ERR_NOT_FOUND);
	assert_int_equal(err_from_http(418), ERR_INVALID);
}

static void errors_wrap_outermost_first(void **state)
{
	struct err err;

	assert_int_equal(err_set(&err, ERR_CONFLICT, "no %d", 7), -1);
	err_wrap(&err, "start %s", "c1");
	assert_string_equal(err.msg, "start c1: no 7");
	assert_int_equal(err.kind, ERR_CONFLICT);
}

static void numbers_and_sizes(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		uint64_t want;
	} sizes[] = {
		{ "0", true, 0 },
		{ "512", true, 512 },
		{ "64MiB", true, 64 << 20 },
		{ "1GB", true, 1000000000 },
		{ "2kB", true, 2000 },
		{ "1TiB", true, 1ULL << 40 },
		{ "", false, 0 },
		{ "-1", false, 0 },
		{ " 1", false, 0 },
		{ "1 MiB", false, 0 },
		{ "1mib", false, 0 },
		{ "MiB", false, 0 },
		{ "99999999TiB", false, 0 },
		{ "1.5GiB", false, 0 },
		{ "99999999999999999999", false, 0 },
	};
	uint64_t v;
	int64_t i;

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		assert_int_equal(str_to_size(sizes[k].in, &v), sizes[k].ok);
		if (sizes[k].ok)
			assert_int_equal(v, sizes[k].want);
	}
	assert_true(str_to_u64("18446744073709551615", UINT64_MAX, &v));
	assert_false(str_to_u64("+1", 10, &v));
	assert_false(str_to_u64("11", 10, &v));
	assert_true(str_to_i64("-5", -5, 5, &i));
	assert_false(str_to_i64("-6", -5, 5, &i));
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: refused */
	} t[] = { { "30", 30 },      { "30S", 30 },      { "10M", 600 },
		  { "3H", 10800 },   { "1d", 86400 },    { "2w", 1209600 },
		  { "1m", 2592000 }, { "1y", 31536000 }, { "100y", 100 * 31536000LL },
		  { "101y", 0 },     { "", 0 },          { "H", 0 },
		  { "1x", 0 },       { "-1H", 0 },       { "0", 0 },
		  { "0d", 0 },       { " 1d", 0 },       { "1 d", 0 },
		  { "1dd", 0 },      { NULL, 0 },        { "99999999999999999999S", 0 },
		  { "1H 30M", 5400 }, { "1d  2H", 0 },   { "1d ", 0 },
		  { "99y 2y", 0 },   { "1H30M", 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		int64_t s = 0;

		if (str_to_duration(t[i].text, &s) != (t[i].seconds != 0) || s != t[i].seconds)
			fail_msg("%s: %lld", t[i].text ? t[i].text : "NULL", (long long)s);
	}
}

static void names(void **state)
{
	static const struct {
		const char *in;
		bool host, name, ifname;
	} t[] = {
		{ "c1", true, true, true },      { "a-b", true, true, true },
		{ "-a", false, false, false },   { "a-", false, true, true },
		{ "9a", false, true, true },     { "a_b", false, true, true },
		{ "a/b", false, false, false },  { "..", false, false, false },
		{ "", false, false, false },     { "abcdefghijklmnop", true, true, false },
		{ "a b", false, true, false },   { " a", false, false, false },
		{ "a\nb", false, false, false }, { "all", true, true, false },
		{ "default", true, true, false },
	};

	for (size_t k = 0; k < ARRAY_SIZE(t); k++) {
		assert_int_equal(str_is_hostname(t[k].in), t[k].host);
		assert_int_equal(str_is_name(t[k].in, 63), t[k].name);
		assert_int_equal(str_is_ifname(t[k].in), t[k].ifname);
	}
}

static void url_coding(void **state)
{
	char good[] = "a%20b+c%2F";
	char bad[] = "a%2", nul[] = "a%00b";
	_free_ char *enc = str_url_encode("a b/ü");

	assert_true(str_url_decode(good, true));
	assert_string_equal(good, "a b c/");
	assert_false(str_url_decode(bad, false));
	assert_false(str_url_decode(nul, false));
	assert_string_equal(enc, "a%20b/%C3%BC");
}

static void json_bodies_are_checked(void **state)
{
	static const struct json_field fields[] = { { "name", JW_STR, true },
						    { "config", JW_STR_MAP, false },
						    { NULL, 0, 0 } };
	static const struct {
		const char *in, *word;
	} t[] = {
		{ "{\"Name\":\"x\",\"CONFIG\":{\"a\":\"b\"}}", NULL },
		{ "{\"name\":\"x\",\"config\":null}", NULL },
		{ "{}", "\"name\" is missing" },
		{ "{\"name\":null}", "\"name\" is missing" },
		{ "{\"name\":1}", "must be a string" },
		{ "{\"name\":\"x\",\"config\":{\"a\":1}}", "values are strings" },
		{ "{\"name\":\"x\",\"colour\":1}", "\"colour\"" },
		{ "[]", "must be a JSON object" },
	};
	struct err err;

	for (size_t k = 0; k < ARRAY_SIZE(t); k++) {
		_json_ json_t *j = json_parse(t[k].in, strlen(t[k].in), "body", &err);

		assert_non_null(j);
		assert_int_equal(json_check(j, fields, "profile", &err), t[k].word ? -1 : 0);
		if (t[k].word)
			assert_non_null(strstr(err.msg, t[k].word));
		else
			assert_string_equal(json_str(j, "name", ""), "x");
	}
	assert_null(json_parse("{\"a\":1,\"a\":2}", 13, "body", &err));
	assert_null(json_parse("{} x", 4, "body", &err));
}

static void json_depth_is_limited(void **state)
{
	char deep[2 * 200 + 1];
	struct err err;

	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	deep[400] = '\0';
	assert_null(json_parse(deep, 400, "body", &err));
	assert_non_null(strstr(err.msg, "nested"));
}

static void times(void **state)
{
	char buf[CLOCK_TEXT_SIZE];

	assert_string_equal(clock_text(1700000000123456789LL, buf),
			    "2023-11-14T22:13:20.123456789Z");
	assert_int_equal(clock_parse(buf), 1700000000);
	assert_int_equal(clock_parse("2023-11-14T23:13:20+01:00"), 1700000000);
	assert_int_equal(clock_parse("yesterday"), -1);
}

struct counter {
	pthread_mutex_t lock;
	int inside, most, order_broken, next;
};

static struct counter shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void count_item(void *arg)
{
	pthread_mutex_lock(&shared.lock);
	if (++shared.inside > shared.most)
		shared.most = shared.inside;
	if ((int)(intptr_t)arg != shared.next++)
		shared.order_broken = 1;
	pthread_mutex_unlock(&shared.lock);
	sched_yield();
	pthread_mutex_lock(&shared.lock);
	shared.inside--;
	pthread_mutex_unlock(&shared.lock);
}

static void pool_runs_a_key_in_order_one_at_a_time(void **state)
{
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_FAST] = { 8, 4096 } };
	struct pool *p = pool_new(bounds);
	struct err err;

	for (intptr_t i = 0; i < 500; i++)
		assert_int_equal(
			pool_submit(p, POOL_FAST, pool_key("c1"), count_item, (void *)i, &err), 0);
	pool_free(p);
	assert_int_equal(shared.next, 500);
	assert_int_equal(shared.most, 1);
	assert_int_equal(shared.order_broken, 0);
}

static void hold(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
}

static void pool_refuses_when_full(void **state)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	static const struct pool_bound bounds[POOL_LANES] = { [POOL_JOB] = { 1, 4096 } };
	struct pool *p = pool_new(bounds);
	struct err err;
	int accepted = 0;

	pthread_mutex_lock(&gate);
	while (pool_submit(p, POOL_JOB, 0, hold, &gate, &err) == 0)
		accepted++;
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_in_range(accepted, 4096, 4098);
	pthread_mutex_unlock(&gate);
	pool_free(p);
}

static void children_get_only_their_descriptors(void **state)
{
	const char *const argv[] = { "sh", "-c", "ls /proc/self/fd | wc -l; echo $VAR", NULL };
	const char *const fails[] = { "sh", "-c", "echo first; echo the reason >&2; exit 3", NULL };
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const sleeps[] = { "sleep", "100", NULL };
	const char *const cats[] = { "cat", NULL };
	_sbuf_ struct sbuf out = SBUF(4096);
	struct err err;

	assert_int_equal(proc_run(argv, &out, deadline_in(10000), &err), 0);
	assert_int_equal(strtol(out.data, NULL, 10), 4); /* 0 1 2 and the folder itself */
	assert_int_equal(proc_run(fails, NULL, deadline_in(10000), &err), -1);
	assert_non_null(strstr(err.msg, "the reason"));
	assert_int_equal(proc_run(missing, NULL, deadline_in(10000), &err), -1);
	assert_non_null(strstr(err.msg, "cannot be run"));
	assert_int_equal(proc_run(sleeps, NULL, deadline_in(50), &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	sbuf_reset(&out);
	assert_int_equal(proc_run_input(cats, "given", &out, deadline_in(10000), &err), 0);
	assert_string_equal(out.data, "given");
}

static char undone[8];

static int remember(void *arg, struct err *err)
{
	size_t n = strlen(undone);

	undone[n] = *(char *)arg;
	return 0;
}

static void undo_runs_backwards_unless_kept(void **state)
{
	{
		_undo_ struct undo u = { 0 };

		undo_push(&u, "one", remember, xstrdup("1"));
		undo_push(&u, "two", remember, xstrdup("2"));
	}
	assert_string_equal(undone, "21");
	{
		_undo_ struct undo u = { 0 };

		undo_push(&u, "three", remember, xstrdup("3"));
		undo_keep(&u);
	}
	assert_string_equal(undone, "21");
}

static void faults_fire_once(void **state)
{
	struct err err;

	setenv("DUNLIN_FAULT", "stop_after_runtime=error", 1);
	assert_int_equal(fault_init(&err), 0);
	assert_int_equal(fault_point(create_after_row, &err), 0);
	assert_int_equal(fault_point(stop_after_runtime, &err), -1);
	assert_non_null(strstr(err.msg, "stop_after_runtime"));
	assert_int_equal(fault_point(stop_after_runtime, &err), 0);
	setenv("DUNLIN_FAULT", "stop_after_runtime=late", 1);
	assert_int_equal(fault_init(&err), 0);
	assert_int_equal(fault_point(stop_after_runtime, &err), 0);
	setenv("DUNLIN_FAULT", "nonsense=error", 1);
	assert_int_equal(fault_init(&err), -1);
	setenv("DUNLIN_FAULT", "stop_after_runtime=dance", 1);
	assert_int_equal(fault_init(&err), -1);
}

static void uuids_are_well_formed_and_differ(void **state)
{
	char a[UUID_SIZE], b[UUID_SIZE];

	assert_true(str_is_uuid(rng_uuid(a)));
	assert_int_equal(a[14], '4');
	assert_string_not_equal(a, rng_uuid(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_kind_has_a_status_and_a_sentence),
		cmocka_unit_test(errors_wrap_outermost_first),
		cmocka_unit_test(numbers_and_sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(names),
		cmocka_unit_test(url_coding),
		cmocka_unit_test(json_bodies_are_checked),
		cmocka_unit_test(json_depth_is_limited),
		cmocka_unit_test(times),
		cmocka_unit_test(pool_runs_a_key_in_order_one_at_a_time),
		cmocka_unit_test(pool_refuses_when_full),
		cmocka_unit_test(children_get_only_their_descriptors),
		cmocka_unit_test(undo_runs_backwards_unless_kept),
		cmocka_unit_test(faults_fire_once),
		cmocka_unit_test(uuids_are_well_formed_and_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
