/* SPDX-License-Identifier: Apache-2.0 */
/* The feed with more to say than a frame or a queue holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/cluster/cluster_world.h"

#define ROWS 28
#define ROW_BYTES (640 << 10) /* 17 MiB */
#define FACTS 4000
#define FACT_BYTES 4500 /* 18 MB */
#define WRITE_EVERY_MS 20
#define AWAIT_MS 240000 /* with sanitizers, on a machine that others use too */

struct writer_thread {
	struct member_proc *m;
	pthread_t thread;
	bool stop;
};

static void *write_on(void *arg)
{
	struct writer_thread *w = arg;

	for (int i = 0; !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE); i++) {
		_free_ char *value = xasprintf("%d", i);
		_json_ json_t *body = json_pack("{s:s,s:s}", "key", "tick", "value", value);
		struct err ignored = { 0 };

		/* One that meets an election may fail. */
		json_decref(member_ask(w->m, "put", body, &ignored));
		poll(NULL, 0, WRITE_EVERY_MS);
	}
	return NULL;
}

static int64_t number(struct member_proc *m, const char *verb, json_t *own_body, const char *field)
{
	_json_ json_t *j = ask(m, verb, own_body);

	return json_int(j, field, -1);
}

static void await_rows(struct member_proc *m)
{
	int64_t deadline = deadline_in(AWAIT_MS);

	while (number(m, "info", NULL, "instances") != ROWS) {
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 100);
	}
}

static void await_facts(struct member_proc *m, const char *prefix, const char *status, int want)
{
	int64_t deadline = deadline_in(AWAIT_MS), n = 0;

	while ((n = number(m, "count_facts",
			   json_pack("{s:s,s:s}", "prefix", prefix, "status", status), "n")) !=
	       want) {
		if (clock_ms() > deadline)
			fail_msg("%s sees %lld facts %s that are %s, not %d", m->name, (long long)n,
				 prefix, status, want);
		poll(NULL, 0, 100);
	}
}

static void report(struct member_proc *m, const char *prefix, const char *status)
{
	char filler[FACT_BYTES + 1];

	memset(filler, 'x', FACT_BYTES);
	filler[FACT_BYTES] = '\0';
	tell(m, "facts",
	     json_pack("{s:s,s:i,s:s,s:s,s:b}", "prefix", prefix, "n", FACTS, "status", status,
		       "filler", filler, "gone", !*status));
}

static void again(struct member_proc *m)
{
	member_kill(m);
	start(m);
}

/* A first copy of more than any queue holds, while others write. */
static void test_wide_copy_under_writes(void **state)
{
	struct world *w = *state;
	struct writer_thread writer = { .m = &w->m[0] };
	_free_ char *copy = xasprintf("%s/replica.db", w->m[1].dir);

	make_cluster(w, 2);
	tell(&w->m[0], "wide_rows", json_pack("{s:i,s:i}", "n", ROWS, "bytes", ROW_BYTES));
	await_rows(&w->m[1]);
	start(&w->m[2]);
	assert_int_equal(pthread_create(&writer.thread, NULL, write_on, &writer), 0);
	join(&w->m[2], &w->m[0]);
	await_rows(&w->m[2]);
	/* Without its copy on disk one needs all of it once more. */
	member_kill(&w->m[1]);
	unlink(copy);
	start(&w->m[1]);
	await_rows(&w->m[1]);
	__atomic_store_n(&writer.stop, true, __ATOMIC_RELEASE);
	pthread_join(writer.thread, NULL);
	put(&w->m[0], "tick", "done");
	for (int i = 0; i < 3; i++)
		await_value(&w->m[i], "tick", "done");
	put(&w->m[2], "of the new one", "1");
	await_value(&w->m[1], "of the new one", "1");
}

/* More facts than a frame holds: as changes, and as a member's or the leader's whole list. */
static void test_many_facts(void **state)
{
	struct world *w = *state;
	struct member_proc *leader = &w->m[0], *other = &w->m[1];

	make_cluster(w, 2);
	report(leader, "a", "Running");
	await_facts(other, "a", "Running", FACTS);
	again(other);
	await_facts(other, "a", "Running", FACTS);
	report(other, "b", "Frozen");
	await_facts(leader, "b", "Frozen", FACTS);
	again(leader);
	await_facts(leader, "b", "Frozen", FACTS);
	/* What the leader knew is gone with it, and nobody goes on showing it. */
	await_facts(other, "a", "Running", 0);
	report(other, "b", "");
	await_facts(leader, "b", "Frozen", 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wide_copy_under_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_facts, setup, teardown),
	};

	if (argc == 4 && str_eq(argv[1], "member"))
		return member_main(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
