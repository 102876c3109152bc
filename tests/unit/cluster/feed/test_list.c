/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "cluster/feed/list.h"

/* The frames of a list, read back through a connection. */
struct taken {
	struct feed_list list;
	struct fconn *out, *in;
	json_t *msgs;
	int last; /* how many were the last of a list */
};

static int got(void *arg, json_t *msg, struct err *err)
{
	json_array_append(((struct taken *)arg)->msgs, msg);
	return 0;
}

static void put(void *arg, struct frame *own_frame, bool last)
{
	struct taken *t = arg;
	struct err err;

	t->last += last;
	fconn_send(t->out, own_frame);
	do {
		assert_int_equal(fconn_flush(t->out, &err), 0);
		assert_int_equal(fconn_fill(t->in, got, t, &err), 0);
	} while (fconn_queued(t->out));
}

static int setup(void **state)
{
	struct taken *t = xnew(struct taken);
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	t->out = fconn_new(stream_from_fd(fds[0]));
	t->in = fconn_new(stream_from_fd(fds[1]));
	t->msgs = json_array();
	t->list.put = put;
	t->list.arg = t;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct taken *t = *state;

	feed_list_free(&t->list);
	fconn_free(t->out);
	fconn_free(t->in);
	json_decref(t->msgs);
	free(t);
	return 0;
}

static void expect(const struct taken *t, size_t i, const char *want)
{
	_free_ char *text = json_text(json_array_get(t->msgs, i));

	assert_string_equal(text, want);
}

static void rows_are_told_in_one_frame(void **state)
{
	struct taken *t = *state;

	rows_begin(&t->list, &(struct list_head){ .floor = 3 });
	assert_true(rows_add(&t->list, &(struct change){ ENT_PROFILE, "a \"b\"", 7, "{\"x\":1}" }));
	assert_true(rows_add(&t->list, &(struct change){ ENT_POOL, "p", 8, NULL }));
	rows_end(&t->list, 8, false);
	assert_int_equal(json_array_size(t->msgs), 1);
	assert_int_equal(t->last, 1);
	expect(t, 0,
	       "{\"t\":\"rows\",\"rows\":[[\"profiles\",\"a \\\"b\\\"\",7,\"{\\\"x\\\":1}\"],"
	       "[\"pools\",\"p\",8,null]],\"full\":false,\"first\":false,\"more\":false,"
	       "\"rev\":8,\"floor\":3}");
}

static void an_empty_list_of_rows_moves_the_revision(void **state)
{
	struct taken *t = *state;

	rows_begin(&t->list, &(struct list_head){ .full = true, .first = true });
	rows_end(&t->list, 9, true);
	expect(t, 0,
	       "{\"t\":\"rows\",\"rows\":[],\"full\":true,\"first\":true,\"more\":true,"
	       "\"rev\":9,\"floor\":0}");
}

/* In as many frames as it takes: only the first is the first, only the last has the revision. */
static void long_lists_are_parted(void **state)
{
	struct taken *t = *state;
	char text[5001] = "";
	size_t n, rows = 0;

	memset(text, 'x', 5000);
	rows_begin(&t->list, &(struct list_head){ .full = true, .first = true, .floor = 2 });
	for (int i = 0; i < 100; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		assert_true(rows_add(&t->list, &(struct change){ ENT_INSTANCE, key, i, text }));
	}
	rows_end(&t->list, 99, false);
	n = json_array_size(t->msgs);
	assert_in_range(n, 7, 12);
	assert_int_equal(t->last, 1);
	for (size_t i = 0; i < n; i++) {
		const json_t *m = json_array_get(t->msgs, i);
		json_t *item;
		size_t k;

		assert_true(json_bool(m, "full", false));
		assert_int_equal(json_bool(m, "first", false), i == 0);
		assert_int_equal(json_bool(m, "more", true), i + 1 < n);
		assert_int_equal(json_int(m, "rev", -1), i + 1 < n ? 0 : 99);
		json_array_foreach(json_arr(m, "rows"), k, item) {
			struct change c;

			assert_true(rows_item(item, &c));
			assert_int_equal(c.rev, rows++);
			assert_string_equal(c.text, text);
		}
	}
	assert_int_equal(rows, 100);
}

static void what_fits_no_frame_is_left_out(void **state)
{
	struct taken *t = *state;
	_free_ char *big = xcalloc(FRAME_MAX + 1, 1);

	memset(big, 'b', FRAME_MAX);
	facts_begin(&t->list, &(struct list_head){ 0 });
	assert_true(facts_add(&t->list, FACT_INSTANCE, "a", "n1", "1"));
	assert_false(facts_add(&t->list, FACT_INSTANCE, "big", "n1", big));
	assert_true(facts_add(&t->list, FACT_INSTANCE, "c", "n1", "3"));
	facts_end(&t->list, false);
	expect(t, 0,
	       "{\"t\":\"facts\",\"facts\":[[\"FACT_INSTANCE\",\"a\",\"n1\",\"1\"],"
	       "[\"FACT_INSTANCE\",\"c\",\"n1\",\"3\"]],\"full\":false,\"first\":false,"
	       "\"more\":false}");
	assert_null(event_frame(big));
}

static void facts_name_their_member_or_not(void **state)
{
	struct taken *t = *state;

	facts_begin(&t->list, &(struct list_head){ .full = true, .first = true });
	assert_true(facts_add(&t->list, FACT_MEMBER, "n1", NULL, "{}"));
	assert_true(facts_add(&t->list, FACT_OPERATION, "o", NULL, NULL));
	facts_end(&t->list, true);
	expect(t, 0,
	       "{\"t\":\"facts\",\"facts\":[[\"FACT_MEMBER\",\"n1\",\"{}\"],"
	       "[\"FACT_OPERATION\",\"o\",null]],\"full\":true,\"first\":true,\"more\":true}");
}

static void an_empty_list_of_facts_is_sent_only_of_a_full_copy(void **state)
{
	struct taken *t = *state;

	facts_begin(&t->list, &(struct list_head){ .full = false });
	facts_end(&t->list, false);
	assert_int_equal(json_array_size(t->msgs), 0);
	facts_begin(&t->list, &(struct list_head){ .full = true });
	facts_end(&t->list, false);
	assert_int_equal(json_array_size(t->msgs), 1);
}

static void events_are_frames(void **state)
{
	struct taken *t = *state;

	put(t, event_frame("{\"type\":\"x \\\" \"}"), true);
	assert_string_equal(json_str(json_array_get(t->msgs, 0), "text", ""),
			    "{\"type\":\"x \\\" \"}");
	assert_string_equal(json_str(json_array_get(t->msgs, 0), "t", ""), "event");
}

/* --- reading ---------------------------------------------------------------------------------- */

static void rows_are_read_strictly(void **state)
{
	static const struct {
		const char *item;
		bool ok;
		enum entity e;
		const char *text;
	} cases[] = {
		{ "[\"pools\",\"p\",7,\"{}\"]", true, ENT_POOL, "{}" },
		{ "[\"pools\",\"p\",7,null]", true, ENT_POOL, NULL },
		{ "[\"of a newer release\",\"p\",7,null]", true, ENT_MAX, NULL },
		{ "[\"pools\",\"p\",7,\"{}\",1]", true, ENT_POOL, "{}" },
		{ "[\"pools\",\"p\",7]", false, 0, NULL },
		{ "[\"pools\",\"p\",\"7\",\"{}\"]", false, 0, NULL },
		{ "[\"pools\",\"p\",7,{}]", false, 0, NULL },
		{ "[\"pools\",5,7,\"{}\"]", false, 0, NULL },
		{ "[null,\"p\",7,\"{}\"]", false, 0, NULL },
		{ "[]", false, 0, NULL },
		{ "{}", false, 0, NULL },
		{ "7", false, 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *item = json_parse(cases[i].item, strlen(cases[i].item), "item",
						 &(struct err){ 0 });
		struct change c = { .rev = -1 };

		assert_int_equal(rows_item(item, &c), cases[i].ok);
		assert_int_equal(c.rev, cases[i].ok ? 7 : -1);
		if (!cases[i].ok)
			continue;
		assert_int_equal(c.e, cases[i].e);
		assert_string_equal(c.key, "p");
		assert_true(str_eq(c.text, cases[i].text));
	}
}

static void facts_are_read_strictly(void **state)
{
	static const struct {
		const char *item;
		bool alone, with_member; /* is it one of either form? */
	} cases[] = {
		{ "[\"FACT_MEMBER\",\"k\",\"m\",\"t\"]", true, true },
		{ "[\"FACT_MEMBER\",\"k\",\"m\",null]", true, true },
		{ "[\"FACT_NEWER\",\"k\",\"m\",null]", true, true },
		{ "[\"FACT_MEMBER\",\"k\",\"t\"]", true, false },
		{ "[\"FACT_MEMBER\",\"k\",null]", true, false },
		{ "[\"FACT_MEMBER\",\"k\",null,\"t\"]", true, false },
		{ "[\"FACT_MEMBER\",\"k\"]", false, false },
		{ "[\"FACT_MEMBER\",\"k\",7,7]", false, false },
		{ "[1,\"k\",\"m\",\"t\"]", false, false },
		{ "[\"FACT_MEMBER\",null,\"m\",\"t\"]", false, false },
		{ "{}", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_json_ json_t *item = json_parse(cases[i].item, strlen(cases[i].item), "item",
						 &(struct err){ 0 });
		struct fact_item f;

		assert_int_equal(facts_item(item, false, &f), cases[i].alone);
		if (cases[i].alone)
			assert_null(f.member);
		assert_int_equal(facts_item(item, true, &f), cases[i].with_member);
		if (cases[i].with_member)
			assert_string_equal(f.member, "m");
	}
}

/* --- rounds ----------------------------------------------------------------------------------- */

static void collect(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	assert_null(text);
	sbuf_printf(arg, "%s/%s ", member, key);
}

/* Full lists in messages, and what the replica has besides: a and b of n1, c of n2. */
static const struct {
	const char *what, *member, *except, *msgs[3], *gone;
} rounds[] = {
	{ "of one member",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":true,"
	    "\"facts\":[[\"FACT_INSTANCE\",\"a\",\"1\"]]}",
	    "{\"full\":true,\"more\":false,\"facts\":[[\"FACT_INSTANCE\",\"z\",\"1\"]]}" },
	  "n1/b " },
	{ "of all",
	  NULL,
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":false,"
	    "\"facts\":[[\"FACT_INSTANCE\",\"a\",\"n1\",\"1\"],"
	    "[\"FACT_INSTANCE\",\"c\",\"n2\",\"1\"]]}" },
	  "n1/b " },
	{ "of all but one",
	  NULL,
	  "n1",
	  { "{\"full\":true,\"first\":true,\"more\":false,\"facts\":[]}" },
	  "n2/c " },
	{ "an empty one",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":false,\"facts\":[]}" },
	  "n1/a n1/b " },
	{ "not yet at its end",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":true,\"facts\":[]}" },
	  "" },
	{ "changes are no round",
	  "n1",
	  NULL,
	  { "{\"full\":false,\"first\":true,\"more\":false,\"facts\":[]}" },
	  "" },
	{ "one without a beginning",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"more\":false,\"facts\":[]}" },
	  "" },
	{ "begun anew",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":true,"
	    "\"facts\":[[\"FACT_INSTANCE\",\"b\",\"1\"]]}",
	    "{\"full\":true,\"first\":true,\"more\":false,"
	    "\"facts\":[[\"FACT_INSTANCE\",\"a\",\"1\"]]}" },
	  "n1/b " },
	{ "changes between its frames",
	  "n1",
	  NULL,
	  { "{\"full\":true,\"first\":true,\"more\":true,"
	    "\"facts\":[[\"FACT_INSTANCE\",\"b\",\"1\"]]}",
	    "{\"full\":false,\"more\":false,\"facts\":[]}",
	    "{\"full\":true,\"more\":false,\"facts\":[7]}" },
	  "n1/a " },
};

static void what_a_round_does_not_name_is_gone(void **state)
{
	struct notifier *n = notifier_new();
	struct replica *r = replica_new(n, &(struct err){ 0 });

	replica_fact_put(r, FACT_INSTANCE, "a", "n1", "1", false);
	replica_fact_put(r, FACT_INSTANCE, "b", "n1", "1", false);
	replica_fact_put(r, FACT_INSTANCE, "c", "n2", "1", false);
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++) {
		_sbuf_ struct sbuf gone = SBUF(1000);
		struct fact_round round = { 0 };

		for (size_t k = 0; k < 3 && rounds[i].msgs[k]; k++) {
			_json_ json_t *msg = json_parse(rounds[i].msgs[k],
							strlen(rounds[i].msgs[k]), "msg",
							&(struct err){ 0 });

			assert_non_null(msg);
			fact_round_add(&round, msg, rounds[i].member);
			fact_round_end(&round, msg, r, rounds[i].member, rounds[i].except, collect,
				       &gone);
		}
		if (!str_eq(gone.data ? gone.data : "", rounds[i].gone))
			fail_msg("%s: %s", rounds[i].what, gone.data);
		fact_round_free(&round);
		fact_round_free(&round);
	}
	replica_free(r);
	notifier_free(n);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(rows_are_told_in_one_frame),
		test(an_empty_list_of_rows_moves_the_revision),
		test(long_lists_are_parted),
		test(what_fits_no_frame_is_left_out),
		test(facts_name_their_member_or_not),
		test(an_empty_list_of_facts_is_sent_only_of_a_full_copy),
		test(events_are_frames),
		cmocka_unit_test(rows_are_read_strictly),
		cmocka_unit_test(facts_are_read_strictly),
		cmocka_unit_test(what_a_round_does_not_name_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
