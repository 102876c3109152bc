/* SPDX-License-Identifier: Apache-2.0 */
/* The leader's side of the feed, towards members that are played by the test over real TLS. */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/net/tls.h"
#include "cluster/feed/frame.h"
#include "tests/unit/cluster/member/guest.h"
#include "tests/unit/base/patience.h"

static struct store_world world;
static struct guest guests[2]; /* n2 and n3, members */

static int open_world(void **state)
{
	static const char *const names[] = { "n2", "n3" };
	static const char *const addresses[] = { "127.0.0.1:2", "127.0.0.1:3" };
	struct err err = { 0 };

	signal(SIGPIPE, SIG_IGN);
	world_enable(&world);
	world_calm(&world);
	for (int i = 0; i < 2; i++) {
		_json_ json_t *body = NULL, *answer = NULL;

		guest_init(&guests[i], &world, names[i]);
		body = guest_request(&guests[i], names[i], addresses[i]);
		answer = cluster_serve_join(world.cluster, body, guests[i].fingerprint, &err);
		assert_non_null(answer);
	}
	return 0;
}

static int close_world(void **state)
{
	world_close(&world);
	for (int i = 0; i < 2; i++)
		guest_done(&guests[i]);
	return 0;
}

/* --- a member that the test plays ------------------------------------------------------------- */

struct visitor {
	struct fconn *conn;
	json_t *msgs; /* as they came, those that were looked at taken out */
	bool greeted, ended;
};

static struct stream *connect_as(const char *cert, const char *key)
{
	struct err err = { 0 };
	struct tls_ctx *client = tls_client_new(cert, key, &err);
	struct tls_ctx *server = cluster_server_tls(world.cluster, &err);
	struct ssl_st *c, *s;
	int fds[2], rc = 0, rs = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 2; i++)
		io_set_nonblock(fds[i], true);
	c = tls_session_new(client, fds[0], false);
	s = tls_session_new(server, fds[1], true);
	tls_unref(client);
	tls_unref(server);
	for (int i = 0; i < 20 && (rc != 1 || rs != 1); i++) {
		rc = rc == 1 ? 1 : tls_handshake(c);
		rs = rs == 1 ? 1 : tls_handshake(s);
	}
	assert_true(rc == 1 && rs == 1);
	cluster_serve_feed(world.cluster, stream_from_ssl(s, fds[1], NULL, 0));
	return stream_from_ssl(c, fds[0], NULL, 0);
}

static void visit(struct visitor *v, const struct guest *g)
{
	*v = (struct visitor){ .conn = fconn_new(connect_as(g->cert, g->key)),
			       .msgs = json_array() };
}

static void leave(struct visitor *v)
{
	fconn_free(v->conn);
	json_decref(v->msgs);
}

static int got(void *arg, json_t *msg, struct err *err)
{
	return json_array_append(((struct visitor *)arg)->msgs, msg);
}

static void say(struct visitor *v, const char *text)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);
	struct err err = { 0 };

	sbuf_puts(&b, text);
	fconn_send(v->conn, frame_new(&b));
	while (fconn_queued(v->conn))
		assert_int_equal(fconn_flush(v->conn, &err), 0);
}

/* As a member does every second: one that says nothing for long is given up. */
static void ping(struct visitor *v)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);
	struct err ignored;

	sbuf_puts(&b, "{\"t\":\"ping\"}");
	fconn_send(v->conn, frame_new(&b));
	fconn_flush(v->conn, &ignored);
}

/* The first message of this type (NULL: of any), or NULL when the connection ended before. */
static json_t *await(struct visitor *v, const char *type)
{
	int64_t deadline = PATIENCE;

	if (v->greeted)
		ping(v);
	for (;;) {
		struct pollfd p = { stream_fd(fconn_stream(v->conn)), POLLIN, 0 };
		struct err err = { 0 };
		json_t *msg;
		size_t i;

		json_array_foreach(v->msgs, i, msg) {
			if (type && !str_eq(json_str(msg, "t", ""), type))
				continue;
			json_incref(msg);
			json_array_remove(v->msgs, i);
			return msg;
		}
		if (v->ended)
			return NULL;
		if (!fconn_pending(v->conn))
			assert_true(poll(&p, 1, deadline_left(deadline)) > 0);
		v->ended = fconn_fill(v->conn, got, v, &err) < 0;
	}
}

#define HELLO(rev) "{\"t\":\"hello\",\"protocol\":2,\"rev\":" rev "}"

/* Greets with nothing, and takes the copies of rows and facts. */
static void greet(struct visitor *v, const struct guest *g)
{
	json_t *msg;
	bool more = true;

	visit(v, g);
	say(v, HELLO("0"));
	v->greeted = true;
	for (; more; json_decref(msg)) {
		msg = await(v, "facts");
		assert_non_null(msg);
		more = json_bool(msg, "more", false);
	}
	for (more = true; more; json_decref(msg)) {
		msg = await(v, "rows");
		assert_non_null(msg);
		more = json_bool(msg, "more", false);
	}
}

static bool names_row(const json_t *msg, const char *table, const char *key)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_arr(msg, "rows"), i, item)
		if (str_eq(json_string_value(json_array_get(item, 0)), table) &&
		    str_eq(json_string_value(json_array_get(item, 1)), key))
			return true;
	return false;
}

/* The next rows in which this one is: others change at any time, as the roles of members. */
static json_t *await_row(struct visitor *v, const char *table, const char *key)
{
	json_t *rows;

	while ((rows = await(v, "rows")) && !names_row(rows, table, key))
		json_decref(rows);
	assert_non_null(rows);
	return rows;
}

/* Until the leader shows this fact so. */
static void await_fact(const char *key, const char *member, const char *status)
{
	int64_t deadline = PATIENCE;

	for (;;) {
		char claimed[NAME_SIZE] = "";
		_json_ json_t *j = store_fact_get(world.store, FACT_INSTANCE, key, claimed);

		if (str_eq(json_str(j, "status", NULL), status) && (!j || str_eq(claimed, member)))
			return;
		assert_true(clock_ms() < deadline);
		poll(NULL, 0, 2);
	}
}

/* --- coming ----------------------------------------------------------------------------------- */

static void a_greeting_is_answered_with_all_there_is(void **state)
{
	_json_ json_t *ping = NULL, *rows = NULL, *facts = NULL;
	struct visitor v;

	visit(&v, &guests[0]);
	say(&v, HELLO("0"));
	ping = await(&v, "ping");
	assert_string_equal(json_str(json_obj(ping, "leader"), "name", ""), FIRST);
	assert_string_equal(json_str(json_obj(ping, "leader"), "address", ""), FIRST_ADDRESS);
	rows = await(&v, "rows");
	assert_true(json_bool(rows, "full", false));
	assert_true(json_bool(rows, "first", false));
	assert_true(names_row(rows, "members", FIRST));
	assert_true(names_row(rows, "members", "n3"));
	assert_int_equal(json_int(rows, "rev", 0), store_revision(world.store));
	facts = await(&v, "facts");
	assert_true(json_bool(facts, "full", false));
	leave(&v);
}

/* Who has been here before is told only what it missed. */
static void who_knows_something_is_told_the_rest(void **state)
{
	_free_ char *hello = NULL;
	_json_ json_t *rows = NULL;
	struct visitor v;

	world_put(&world, ENT_PROFILE, "known", json_object());
	hello = xasprintf(HELLO("%lld"), (long long)store_revision(world.store));
	world_put(&world, ENT_PROFILE, "missed", json_object());
	visit(&v, &guests[0]);
	say(&v, hello);
	rows = await(&v, "rows");
	assert_false(json_bool(rows, "full", true));
	assert_true(names_row(rows, "profiles", "missed"));
	assert_false(names_row(rows, "profiles", "known"));
	leave(&v);
}

/* A revision that this leader has not reached is another history's. */
static void who_knows_more_than_the_leader_starts_over(void **state)
{
	_json_ json_t *rows = NULL;
	struct visitor v;

	visit(&v, &guests[0]);
	say(&v, HELLO("999999999"));
	rows = await(&v, "rows");
	assert_true(json_bool(rows, "full", false));
	leave(&v);
}

static void strangers_are_sent_away(void **state)
{
	_free_ char *cert = NULL, *key = NULL;
	_json_ json_t *bye = NULL;
	struct visitor v = { .msgs = json_array() };
	struct err err;

	assert_int_equal(x509_make("n2", &cert, &key, &err), 0);
	v.conn = fconn_new(connect_as(cert, key));
	bye = await(&v, "bye");
	assert_string_equal(json_str(bye, "why", ""), "removed");
	assert_null(await(&v, "rows"));
	leave(&v);
}

static void another_protocol_is_told(void **state)
{
	_json_ json_t *bye = NULL;
	struct visitor v;

	visit(&v, &guests[0]);
	say(&v, "{\"t\":\"hello\",\"protocol\":99,\"rev\":0}");
	bye = await(&v, "bye");
	assert_string_equal(json_str(bye, "why", ""), "protocol");
	leave(&v);
}

static void without_a_greeting_nothing_is_heard(void **state)
{
	static const char *const texts[] = {
		"{\"t\":\"facts\",\"facts\":[[\"FACT_INSTANCE\",\"forged\",\"{}\"]]}",
		"{\"t\":\"event\",\"text\":\"x\"}",
		"{\"t\":\"nonsense\"}",
		"[]",
		"7",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct visitor v;

		visit(&v, &guests[0]);
		say(&v, texts[i]);
		assert_null(await(&v, "rows"));
		leave(&v);
	}
	await_fact("forged", "", NULL);
}

static void one_that_connects_again_replaces_itself(void **state)
{
	struct visitor old, new;

	greet(&old, &guests[0]);
	greet(&new, &guests[0]);
	assert_null(await(&old, "bye"));
	world_put(&world, ENT_PROFILE, "after", json_object());
	json_decref(await_row(&new, "profiles", "after"));
	leave(&old);
	leave(&new);
}

/* --- rows and facts --------------------------------------------------------------------------- */

static void every_commit_is_told(void **state)
{
	struct visitor v;
	int64_t last = 0;

	greet(&v, &guests[0]);
	for (int i = 0; i < 20; i++) {
		_free_ char *key = xasprintf("row-%d", i);
		_json_ json_t *rows = NULL;

		world_put(&world, ENT_PROFILE, key, json_object());
		rows = await_row(&v, "profiles", key);
		assert_true(json_int(rows, "rev", 0) > last);
		last = json_int(rows, "rev", 0);
	}
	assert_true(last <= store_revision(world.store));
	leave(&v);
}

static void facts_of_a_member_are_its_own(void **state)
{
	struct visitor v, other;
	_json_ json_t *passed = NULL, *gone = NULL;
	json_t *item;

	greet(&v, &guests[0]);
	greet(&other, &guests[1]);
	say(&v,
	    "{\"t\":\"facts\",\"facts\":[[\"FACT_INSTANCE\",\"c1\",\"{\\\"status\\\":\\\"R\\\"}\"],"
	    "[\"FACT_OF_A_NEWER_RELEASE\",\"x\",\"{}\"],[1,2,3],7]}");
	await_fact("c1", "n2", "R");
	/* and passed on under its name */
	passed = await(&other, "facts");
	item = json_array_get(json_arr(passed, "facts"), 0);
	assert_string_equal(json_string_value(json_array_get(item, 1)), "c1");
	assert_string_equal(json_string_value(json_array_get(item, 2)), "n2");
	say(&v, "{\"t\":\"facts\",\"facts\":[[\"FACT_INSTANCE\",\"c1\",null]]}");
	await_fact("c1", "n2", NULL);
	gone = await(&other, "facts");
	item = json_array_get(json_arr(gone, "facts"), 0);
	assert_true(json_is_null(json_array_get(item, 3)));
	leave(&v);
	leave(&other);
}

static void a_full_list_replaces_all_before(void **state)
{
	struct visitor v;

	greet(&v, &guests[0]);
	say(&v,
	    "{\"t\":\"facts\",\"facts\":[[\"FACT_INSTANCE\",\"a\",\"{\\\"status\\\":\\\"1\\\"}\"],"
	    "[\"FACT_INSTANCE\",\"b\",\"{\\\"status\\\":\\\"1\\\"}\"]]}");
	await_fact("b", "n2", "1");
	say(&v, "{\"t\":\"facts\",\"full\":true,\"first\":true,\"more\":true,"
		"\"facts\":[[\"FACT_INSTANCE\",\"c\",\"{\\\"status\\\":\\\"2\\\"}\"]]}");
	await_fact("c", "n2", "2");
	await_fact("a", "n2", "1"); /* the list is not at its end */
	say(&v, "{\"t\":\"facts\",\"full\":true,\"more\":false,"
		"\"facts\":[[\"FACT_INSTANCE\",\"b\",\"{\\\"status\\\":\\\"1\\\"}\"]]}");
	await_fact("a", "n2", NULL);
	await_fact("b", "n2", "1");
	await_fact("c", "n2", "2");
	leave(&v);
}

static void the_leaders_own_facts_are_told(void **state)
{
	_json_ json_t *doc = json_pack("{s:s}", "status", "mine"), *msg = NULL;
	struct visitor v;

	greet(&v, &guests[0]);
	store_fact_put(world.store, FACT_INSTANCE, "own", doc);
	for (bool told = false; !told;) {
		json_t *item;
		size_t i;

		json_decref(msg);
		msg = await(&v, "facts");
		assert_non_null(msg);
		json_array_foreach(json_arr(msg, "facts"), i, item)
			told |= str_eq(json_string_value(json_array_get(item, 1)), "own") &&
				str_eq(json_string_value(json_array_get(item, 2)), FIRST);
	}
	store_fact_put(world.store, FACT_INSTANCE, "own", NULL);
	leave(&v);
}

static void events_go_to_all_but_who_told_them(void **state)
{
	_json_ json_t *heard = NULL, *own = NULL;
	struct visitor v, other;

	greet(&v, &guests[0]);
	greet(&other, &guests[1]);
	say(&v, "{\"t\":\"event\",\"text\":\"from n2\"}");
	heard = await(&other, "event");
	assert_string_equal(json_str(heard, "text", ""), "from n2");
	store_event(world.store, "from the leader");
	own = await(&v, "event");
	assert_string_equal(json_str(own, "text", ""), "from the leader");
	leave(&v);
	leave(&other);
}

static bool tells(const json_t *msg, const char *text)
{
	_free_ char *all = json_text(msg);

	return strstr(all, text);
}

static void an_event_comes_after_what_was_changed_before_it(void **state)
{
	struct visitor v;

	greet(&v, &guests[0]);
	for (int i = 0; i < 300; i++) {
		_free_ char *mark = xasprintf("round %d.", i);
		_json_ json_t *doc = json_pack("{s:s}", "status", mark), *msg = NULL;
		bool changed = false;

		store_fact_put(world.store, FACT_INSTANCE, "own", doc);
		store_event(world.store, mark);
		for (bool told = false; !told; json_decref(take_ptr(msg))) {
			msg = await(&v, NULL);
			assert_non_null(msg);
			changed |= str_eq(json_str(msg, "t", ""), "facts") && tells(msg, mark);
			told = str_eq(json_str(msg, "t", ""), "event");
		}
		assert_true(changed);
	}
	store_fact_put(world.store, FACT_INSTANCE, "own", NULL);
	leave(&v);
}

/* --- going ------------------------------------------------------------------------------------ */

static void one_that_is_removed_is_told(void **state)
{
	_json_ json_t *bye = NULL;
	struct removal r = { 0 };
	struct err err = { 0 };
	struct visitor v;

	greet(&v, &guests[1]);
	assert_int_equal(cluster_remove(world.cluster, "n3", false, &r, &err), 0);
	bye = await(&v, "bye");
	assert_string_equal(json_str(bye, "why", ""), "removed");
	leave(&v);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greeting_is_answered_with_all_there_is),
		cmocka_unit_test(who_knows_something_is_told_the_rest),
		cmocka_unit_test(who_knows_more_than_the_leader_starts_over),
		cmocka_unit_test(strangers_are_sent_away),
		cmocka_unit_test(another_protocol_is_told),
		cmocka_unit_test(without_a_greeting_nothing_is_heard),
		cmocka_unit_test(one_that_connects_again_replaces_itself),
		cmocka_unit_test(every_commit_is_told),
		cmocka_unit_test(facts_of_a_member_are_its_own),
		cmocka_unit_test(a_full_list_replaces_all_before),
		cmocka_unit_test(the_leaders_own_facts_are_told),
		cmocka_unit_test(events_go_to_all_but_who_told_them),
		cmocka_unit_test(an_event_comes_after_what_was_changed_before_it),
		cmocka_unit_test(one_that_is_removed_is_told),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
