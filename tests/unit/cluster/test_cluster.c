/* SPDX-License-Identifier: Apache-2.0 */
/* Members as processes of their own, on loopback addresses: enabling, joining, failing over,
 * removing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/cluster/cluster_world.h"
#include "tests/unit/base/patience.h"

/* --- tests ------------------------------------------------------------------------------------ */

static void test_single_survives_kill(void **state)
{
	struct world *w = *state;
	struct member_proc *m = &w->m[0];
	_json_ json_t *info = NULL;

	start(m);
	put(m, "a", "1");
	member_kill(m);
	start(m);
	await_value(m, "a", "1");
	info = ask(m, "info", NULL);
	assert_false(json_bool(info, "enabled", true));
	assert_string_equal(json_str(info, "name", ""), "none");
	assert_int_equal(json_array_size(json_arr(info, "members")), 1);
}

static void test_enable_renames(void **state)
{
	struct world *w = *state;
	struct member_proc *m = &w->m[0];
	_json_ json_t *before = NULL, *after = NULL, *again = NULL;

	start(m);
	before = ask(m, "info", NULL);
	tell(m, "enable", json_pack("{s:s}", "name", "m1"));
	after = ask(m, "info", NULL);
	assert_string_equal(json_str(after, "name", ""), "m1");
	assert_true(json_bool(after, "enabled", false));
	/* Clients keep the certificate that they know. */
	assert_string_equal(json_str(before, "fingerprint", "b"),
			    json_str(after, "fingerprint", "a"));
	assert_int_equal(refuse(m, "enable", json_pack("{s:s}", "name", "m2")).kind, ERR_CONFLICT);
	member_kill(m);
	start(m);
	again = ask(m, "info", NULL);
	assert_string_equal(json_str(again, "name", ""), "m1");
	put(m, "a", "1");
}

static void test_tokens(void **state)
{
	struct world *w = *state;
	struct member_proc *a = &w->m[0], *b = &w->m[1], *c = &w->m[2];
	_free_ char *token = NULL;
	struct err e;

	start(a);
	start(b);
	start(c);
	e = refuse(a, "token", json_pack("{s:s}", "name", "m2"));
	assert_string_equal(e.msg, "This server is not clustered");
	tell(a, "enable", json_pack("{s:s}", "name", "m1"));
	e = refuse(b, "join", json_pack("{s:s,s:s}", "name", "m2", "token", "bm9uc2Vuc2U="));
	assert_int_equal(e.kind, ERR_INVALID);
	token = token_for(a, "m2");
	/* Bound to its name, usable once, and refused requests leave the server as it was. */
	e = refuse(c, "join", json_pack("{s:s,s:s}", "name", "m3", "token", token));
	assert_int_equal(e.kind, ERR_FORBIDDEN);
	assert_string_equal(e.msg, "No matching cluster join operation found");
	put(c, "alone", "1");
	tell(b, "join", json_pack("{s:s,s:s}", "name", "m2", "token", token));
	e = refuse(c, "join", json_pack("{s:s,s:s}", "name", "m2", "token", token));
	assert_int_equal(e.kind, ERR_FORBIDDEN);
	e = refuse(a, "token", json_pack("{s:s}", "name", "m2"));
	assert_int_equal(e.kind, ERR_CONFLICT);
	join(c, b);
}

static void test_write_everywhere(void **state)
{
	struct world *w = *state;

	make_cluster(w, 3);
	for (int i = 0; i < 3; i++) {
		_free_ char *key = xasprintf("from-%d", i);

		put(&w->m[i], key, "x");
		/* One reads one's own writes, the others see them soon. */
		tell(&w->m[i], "get", json_pack("{s:s}", "key", key));
		for (int k = 0; k < 3; k++)
			await_value(&w->m[k], key, "x");
	}
	tell(&w->m[1], "get", json_pack("{s:s,s:b}", "key", "from-2", "latest", 1));
	assert_int_equal(
		refuse(&w->m[2], "put",
		       json_pack("{s:s,s:s,s:i}", "key", "from-1", "value", "y", "seen", REV_NONE))
			.kind,
		ERR_CONFLICT);
	assert_int_equal(
		refuse(&w->m[2], "put",
		       json_pack("{s:s,s:s,s:i}", "key", "from-1", "value", "y", "seen", 1))
			.kind,
		ERR_PRECONDITION);
}

static void test_leader_killed(void **state)
{
	struct world *w = *state;
	struct member_proc *old, *other;
	int64_t began;

	make_cluster(w, 3);
	put(&w->m[0], "before", "1");
	old = leader_of(w);
	other = other_than(w, old);
	began = clock_ms();
	member_kill(old);
	put(other, "after", "2");
	print_message("next write after %lld ms\n", (long long)(clock_ms() - began));
	assert_true(clock_ms() - began < 30000);
	await_value(other, "before", "1");
	/* Who comes back catches up. */
	start(old);
	await_value(old, "after", "2");
	put(old, "again", "3");
	await_value(other, "again", "3");
}

/* What a member says of another: its status. */
static void status_of(struct member_proc *m, const char *name, char ret[20])
{
	_json_ json_t *info = ask(m, "info", NULL);
	json_t *v;
	size_t i;

	*ret = '\0';
	json_array_foreach(json_arr(info, "members"), i, v) {
		if (str_eq(json_str(v, "server_name", ""), name))
			str_copy(ret, 20, json_str(v, "status", ""));
	}
}

/* Until it says so; it must never say `never` meanwhile. */
static void await_status(struct member_proc *m, const char *name, const char *status,
			 const char *never)
{
	int64_t deadline = PATIENCE;
	char now[20];

	for (status_of(m, name, now); !str_eq(now, status); status_of(m, name, now)) {
		if (clock_ms() > deadline || str_eq(now, never))
			fail_msg("%s shows %s as %s", m->name, name, now);
		poll(NULL, 0, 20);
	}
}

static void test_no_quorum(void **state)
{
	struct world *w = *state;
	_json_ json_t *info = NULL;
	int64_t began;
	struct err e;

	make_cluster(w, 3);
	put(&w->m[0], "a", "1");
	await_value(&w->m[2], "a", "1");
	member_kill(&w->m[0]);
	member_kill(&w->m[1]);
	began = clock_ms();
	await_status(&w->m[2], "m1", "Offline", "");
	await_status(&w->m[2], "m2", "Offline", "");
	print_message("both are offline after %lld ms\n", (long long)(clock_ms() - began));
	/* Now it is known that nothing can be changed. */
	began = clock_ms();
	e = refuse(&w->m[2], "put",
		   json_pack("{s:s,s:s,s:i}", "key", "b", "value", "2", "timeout_ms", 15000));
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(e.msg, "no quorum"));
	assert_non_null(strstr(e.msg, "(m1, m2 and m3)"));
	assert_true(clock_ms() - began < 12000);
	await_value(&w->m[2], "a", "1");
	info = ask(&w->m[2], "info", NULL);
	assert_true(json_bool(info, "island", false));
	tell(&w->m[2], "fact", json_pack("{s:s,s:{s:s}}", "key", "c1", "doc", "status", "Running"));
	/* Alone it starts from its copy on disk. */
	member_kill(&w->m[2]);
	start(&w->m[2]);
	start(&w->m[0]);
	start(&w->m[1]);
	await_value(&w->m[2], "a", "1");
	put(&w->m[2], "c", "3");
}

/* However long a member may be silent, a change without a majority does not wait for it. */
static void test_no_quorum_with_a_long_threshold(void **state)
{
	struct world *w = *state;
	int64_t began;
	struct err e;

	make_cluster(w, 3);
	put(&w->m[0], "cluster.offline_threshold", "60");
	await_value(&w->m[2], "cluster.offline_threshold", "60");
	member_kill(&w->m[0]);
	member_kill(&w->m[1]);
	began = clock_ms();
	e = refuse(&w->m[2], "put", json_pack("{s:s,s:s}", "key", "b", "value", "2"));
	while (!strstr(e.msg, "no quorum")) {
		assert_true(clock_ms() - began < 40000);
		e = refuse(&w->m[2], "put", json_pack("{s:s,s:s}", "key", "b", "value", "2"));
	}
	began = clock_ms();
	e = refuse(&w->m[2], "put", json_pack("{s:s,s:s}", "key", "b", "value", "2"));
	assert_int_equal(e.kind, ERR_UNAVAILABLE);
	assert_true(clock_ms() - began < 15000);
	await_status(&w->m[2], "m1", "Unknown", "Offline");
}

/* Who has just come, or has just come to lead, claims nothing that it does not know. */
static void test_nobody_guesses(void **state)
{
	struct world *w = *state;
	struct member_proc *old, *other, *third;

	make_cluster(w, 3);
	old = leader_of(w);
	other = other_than(w, old);
	third = &w->m[3 - (old - w->m) - (other - w->m)];
	for (int i = 0; i < 3; i++) {
		await_status(other, w->m[i].name, "Online", "Offline");
		await_status(third, w->m[i].name, "Online", "Offline");
	}
	/* A member that restarts never takes those that live for dead. */
	member_kill(third);
	start(third);
	await_status(third, other->name, "Online", "Offline");
	await_status(third, old->name, "Online", "Offline");
	/* A dead leader does not live on in the words of the next one. */
	member_kill(old);
	put(other, "after", "1");
	await_status(leader_of(w), old->name, "Offline", "Online");
	await_status(other, old->name, "Offline", "Online");
	await_status(third, old->name, "Offline", "Online");
	await_status(other, third->name, "Online", "Offline");
}

static void await_fact(struct member_proc *m, const char *key, const char *status)
{
	int64_t deadline = PATIENCE;

	for (;;) {
		_json_ json_t *j = ask(m, "fact", json_pack("{s:s}", "key", key));

		if (str_eq(json_str(json_obj(j, "doc"), "status", NULL), status))
			return;
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 50);
	}
}

static void test_facts_and_offline(void **state)
{
	struct world *w = *state;
	struct member_proc *gone, *leader;

	make_cluster(w, 3);
	for (int i = 0; i < 3; i++)
		tell(&w->m[i], "fact",
		     json_pack("{s:s,s:{s:s}}", "key", w->m[i].name, "doc", "status", "Running"));
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 3; k++)
			await_fact(&w->m[i], w->m[k].name, "Running");
	}
	leader = leader_of(w);
	gone = other_than(w, leader);
	member_kill(gone);
	await_fact(leader, gone->name, "Error");
	start(gone);
	tell(gone, "fact",
	     json_pack("{s:s,s:{s:s}}", "key", gone->name, "doc", "status", "Frozen"));
	await_fact(leader, gone->name, "Frozen");
}

static void test_remove(void **state)
{
	struct world *w = *state;
	_json_ json_t *info = NULL;

	make_cluster(w, 4);
	await_role(&w->m[0], "database-standby", 1);
	/* One that is dead, then one that is there. */
	member_kill(&w->m[3]);
	tell(&w->m[1], "remove", json_pack("{s:s,s:b}", "name", "m4", "force", 1));
	tell(&w->m[1], "remove", json_pack("{s:s}", "name", "m3"));
	info = ask(&w->m[1], "info", NULL);
	assert_int_equal(json_array_size(json_arr(info, "members")), 2);
	await_role(&w->m[1], "database", 1);
	await_role(&w->m[1], "database-standby", 1);
	put(&w->m[1], "a", "1");
	assert_int_equal(
		refuse(&w->m[2], "put",
		       json_pack("{s:s,s:s,s:i}", "key", "b", "value", "2", "timeout_ms", 2000))
			.kind,
		ERR_FORBIDDEN);
}

/* The leader hands over before its role and then its trust go. */
static void test_remove_leader(void **state)
{
	struct world *w = *state;
	struct member_proc *leader, *other;

	make_cluster(w, 3);
	leader = leader_of(w);
	other = other_than(w, leader);
	put(other, "before", "1");
	tell(other, "remove", json_pack("{s:s}", "name", leader->name));
	put(other, "after", "1");
	await_role(other, "database", 1);
	await_role(other, "database-standby", 1);
	await_value(other, "before", "1");
}

/* Whatever the leader says to the second attempt, the first one counts. */
static void test_lost_then_refused(void **state)
{
	static const enum err_kind kinds[] = { ERR_LIMIT,     ERR_FORBIDDEN, ERR_TOO_LARGE,
					       ERR_NOT_FOUND, ERR_INTERNAL,  ERR_UNAVAILABLE };
	struct world *w = *state;
	struct member_proc *leader, *other;

	make_cluster(w, 2);
	leader = leader_of(w);
	other = other_than(w, leader);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_free_ char *key = xasprintf("k%zu", i);

		tell(leader, "lose",
		     json_pack("{s:i,s:i,s:s}", "lose", 1, "refuse", 1, "kind",
			       err_name(kinds[i])));
		put(other, key, "new");
		await_value(leader, key, "new");
	}
}

static void test_lost_answer(void **state)
{
	char fault[] = "DUNLIN_FAULT=commit_reply_lost=error";
	struct world *w = *state;
	struct member_proc *m = &w->m[0];

	/* The row of the single host is committed at the first start; the next commit is hit. */
	start(m);
	member_kill(m);
	member_spawn(m, fault);
	await_up(m);
	tell(m, "put", json_pack("{s:s,s:s,s:i}", "key", "a", "value", "1", "seen", REV_NONE));
	await_value(m, "a", "1");
}

/* One that was admitted and did not hear of it, or met a member too busy to answer, asks again. */
static void test_join_is_repeated(void **state)
{
	struct world *w = *state;

	make_cluster(w, 1);
	start(&w->m[1]);
	start(&w->m[2]);
	tell(&w->m[0], "lose", json_pack("{s:i,s:s}", "lose", 1, "path", "/internal/cluster/join"));
	join(&w->m[1], &w->m[0]);
	tell(&w->m[0], "lose",
	     json_pack("{s:i,s:s,s:s}", "refuse", 3, "kind", err_name(ERR_LIMIT), "path",
		       "/internal/cluster/join"));
	join(&w->m[2], &w->m[0]);
	put(&w->m[1], "a", "1");
	await_value(&w->m[2], "a", "1");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_single_survives_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enable_renames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_then_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_join_is_repeated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leader_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_quorum, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_quorum_with_a_long_threshold, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nobody_guesses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_facts_and_offline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_leader, setup, teardown),
	};

	if (argc == 4 && str_eq(argv[1], "member"))
		return member_main(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
