/* SPDX-License-Identifier: Apache-2.0 */
/* The client towards a node that answers as a script says: what is concluded from what. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "cluster/db/dqclient.h"

/* Reads one request and answers with these bytes; then the next. */
struct script {
	const struct sbuf *answers;
	size_t n;
	bool hold; /* keeps the connection open behind the last */
	int listener;
	char name[108];
	pthread_t thread;
};

static bool skip_request(int fd)
{
	unsigned char head[WIRE_HEAD];
	_free_ char *body = NULL;
	uint8_t type;
	size_t len;

	if (io_read_full(fd, head, sizeof(head)) < 0 || !wire_head(head, &type, &len))
		return false;
	body = xcalloc(len, 1);
	return io_read_full(fd, body, len) == 0;
}

static void *serve(void *arg)
{
	struct script *s = arg;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
	uint64_t protocol;
	char rest[512];

	if (io_read_full(fd, &protocol, sizeof(protocol)) < 0)
		return NULL;
	for (size_t i = 0; i < s->n && skip_request(fd); i++)
		send(fd, s->answers[i].data, s->answers[i].len, MSG_NOSIGNAL);
	while (s->hold && read(fd, rest, sizeof(rest)) > 0)
		;
	close(fd);
	return NULL;
}

static struct dqclient *start(struct script *s)
{
	static int counter;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct err err = { 0 };
	struct dqclient *c;
	size_t len;

	snprintf(s->name, sizeof(s->name), "@dunlin-test-%d-%d", (int)getpid(), counter++);
	len = strlen(s->name);
	memcpy(sa.sun_path, s->name, len);
	sa.sun_path[0] = '\0';
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	assert_int_equal(listen(s->listener, 1), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	c = dq_connect(s->name, 5000, &err);
	assert_non_null(c);
	return c;
}

static void finish(struct script *s, struct dqclient *own)
{
	dq_free(own);
	pthread_join(s->thread, NULL);
	close(s->listener);
}

/* An answer of this type whose body is built by the wire_ functions behind its head. */
static struct sbuf begin(uint8_t type)
{
	struct sbuf b = SBUF(1 << 20);

	wire_begin(&b, type);
	return b;
}

static struct sbuf failure(uint64_t code, const char *text)
{
	struct sbuf b = begin(WIRE_RES_FAILURE);

	wire_u64(&b, code);
	wire_text(&b, text);
	wire_end(&b);
	return b;
}

/* One transaction of the client against one answer. */
static enum err_kind exec_against(struct sbuf own, bool hold, bool *ret_broken, struct err *err)
{
	struct script s = { .answers = &own, .n = 1, .hold = hold };
	struct dqclient *c = start(&s);
	int rc = dq_exec(c, 0, NULL, 0, err);

	*ret_broken = dq_broken(c);
	finish(&s, c);
	sbuf_free(&own);
	assert_int_equal(rc, err->kind ? -1 : 0);
	return err->kind;
}

static void failures_say_what_became_of_it(void **state)
{
	static const struct {
		uint64_t code;
		enum err_kind kind;
		bool broken;
	} cases[] = {
		{ 10250, ERR_UNAVAILABLE, false }, /* not the leader */
		{ 5, ERR_BUSY, false },            /* busy */
		{ 19, ERR_CONFLICT, false },       /* a constraint */
		{ 1, ERR_INTERNAL, false },        /* an error in the text */
		{ 999999, ERR_UNKNOWN, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		bool broken;

		assert_int_equal(exec_against(failure(cases[i].code, "the reason"), true, &broken,
					      &err),
				 cases[i].kind);
		assert_int_equal(dq_error_kind(cases[i].code), cases[i].kind);
		assert_int_equal(broken, cases[i].broken);
		assert_non_null(strstr(err.msg, "the reason"));
	}
}

static void what_is_no_answer_is_unknown(void **state)
{
	struct sbuf empty = begin(WIRE_RES_EMPTY), bare = SBUF(100), huge = SBUF(100);
	struct sbuf cut = begin(WIRE_RES_RESULT), bad_failure = begin(WIRE_RES_FAILURE);
	struct err err;
	bool broken;

	wire_end(&empty);
	sbuf_add(&huge, "\xff\xff\xff\xff\x06\0\0\0", 8);
	wire_u64(&cut, 1);
	wire_end(&cut);
	cut.data[0] = 9; /* says more than there is */
	wire_u64(&bad_failure, 1);
	wire_end(&bad_failure);
	err = (struct err){ 0 };
	assert_int_equal(exec_against(empty, true, &broken, &err), ERR_UNKNOWN);
	assert_true(broken);
	err = (struct err){ 0 };
	assert_int_equal(exec_against(bare, false, &broken, &err), ERR_UNKNOWN);
	assert_non_null(strstr(err.msg, "closed the connection"));
	err = (struct err){ 0 };
	assert_int_equal(exec_against(huge, true, &broken, &err), ERR_UNKNOWN);
	assert_non_null(strstr(err.msg, "malformed"));
	err = (struct err){ 0 };
	assert_int_equal(exec_against(cut, false, &broken, &err), ERR_UNKNOWN);
	err = (struct err){ 0 };
	assert_int_equal(exec_against(bad_failure, true, &broken, &err), ERR_UNKNOWN);
	assert_true(broken);
}

static void silence_is_unknown(void **state)
{
	struct script s = { .hold = true };
	struct dqclient *c = start(&s);
	struct err err = { 0 };

	dq_timeout(c, 30);
	assert_int_equal(dq_exec(c, 0, NULL, 0, &err), -1);
	assert_int_equal(err.kind, ERR_UNKNOWN);
	assert_non_null(strstr(err.msg, "no answer in time"));
	assert_true(dq_broken(c));
	finish(&s, c);
}

static void nobody_there_is_unavailable(void **state)
{
	struct err err = { 0 };

	assert_null(dq_connect("@dunlin-test-nobody", 100, &err));
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	dq_free(NULL);
}

static void count_rows(void *arg, const struct wire_value *v, size_t columns)
{
	*(int *)arg += (int)v[0].i;
}

static struct sbuf rows_of(int64_t value, uint64_t end)
{
	struct sbuf b = begin(WIRE_RES_ROWS);

	wire_u64(&b, 1);
	wire_text(&b, "n");
	wire_u64(&b, WIRE_INT);
	wire_u64(&b, (uint64_t)value);
	wire_u64(&b, end);
	wire_end(&b);
	return b;
}

#define DONE UINT64_MAX
#define MORE 0xeeeeeeeeeeeeeeeeULL

static void rows_in_several_parts_are_put_together(void **state)
{
	struct sbuf parts[] = { rows_of(1, MORE), rows_of(20, MORE), rows_of(300, DONE) };
	struct sbuf joined = SBUF(1 << 20);
	struct script s = { .answers = &joined, .n = 1, .hold = true };
	struct dqclient *c;
	struct err err = { 0 };
	int sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		sbuf_add(&joined, parts[i].data, parts[i].len);
		sbuf_free(&parts[i]);
	}
	c = start(&s);
	assert_int_equal(dq_query(c, 0, NULL, 0, count_rows, &sum, &err), 0);
	assert_int_equal(sum, 321);
	finish(&s, c);
	sbuf_free(&joined);
}

static void rows_that_end_badly_are_unknown(void **state)
{
	struct sbuf bad[] = { rows_of(1, 7), begin(WIRE_RES_ROWS), begin(WIRE_RES_EMPTY) };

	wire_end(&bad[1]);
	wire_end(&bad[2]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct script s = { .answers = &bad[i], .n = 1 };
		struct dqclient *c = start(&s);
		struct err err = { 0 };
		int sum = 0;

		assert_int_equal(dq_query_sql(c, "SELECT 1", NULL, 0, count_rows, &sum, &err), -1);
		assert_int_equal(err.kind, ERR_UNKNOWN);
		assert_true(dq_broken(c));
		finish(&s, c);
		sbuf_free(&bad[i]);
	}
}

static struct sbuf nodes_of(uint64_t role, const char *address)
{
	struct sbuf b = begin(WIRE_RES_SERVERS);

	wire_u64(&b, 1);
	wire_u64(&b, 7);
	wire_text(&b, address);
	wire_u64(&b, role);
	wire_end(&b);
	return b;
}

static void nodes_are_read_strictly(void **state)
{
	static const char long_address[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		uint64_t role;
		const char *address;
		bool ok;
	} cases[] = { { 0, "uuid", true },        { 2, "uuid", true },
		      { 3, "uuid", false },       { UINT64_MAX, "uuid", false },
		      { 0, long_address, false }, { 0, long_address + 1, true } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sbuf b = nodes_of(cases[i].role, cases[i].address);
		struct script s = { .answers = &b, .n = 1, .hold = true };
		struct dqclient *c = start(&s);
		struct dq_node v[DQ_NODES_MAX];
		struct err err = { 0 };
		size_t n = 0;

		assert_int_equal(dq_nodes(c, v, &n, &err), cases[i].ok ? 0 : -1);
		if (cases[i].ok) {
			assert_int_equal(n, 1);
			assert_int_equal(v[0].id, 7);
			assert_string_equal(v[0].address, cases[i].address);
		} else {
			assert_int_equal(err.kind, ERR_UNKNOWN);
		}
		finish(&s, c);
		sbuf_free(&b);
	}
}

static void a_client_goes_on_after_a_refusal(void **state)
{
	struct sbuf answers[] = { failure(5, "busy"), begin(WIRE_RES_EMPTY) };
	struct script s = { .answers = answers, .n = 2, .hold = true };
	struct dqclient *c;
	struct err err = { 0 };

	wire_end(&answers[1]);
	c = start(&s);
	assert_int_equal(dq_assign(c, 7, DQ_VOTER, &err), -1);
	assert_int_equal(err.kind, ERR_BUSY);
	assert_false(dq_broken(c));
	assert_int_equal(dq_assign(c, 7, DQ_VOTER, &err), 0);
	finish(&s, c);
	sbuf_free(&answers[0]);
	sbuf_free(&answers[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_say_what_became_of_it),
		cmocka_unit_test(what_is_no_answer_is_unknown),
		cmocka_unit_test(silence_is_unknown),
		cmocka_unit_test(nobody_there_is_unavailable),
		cmocka_unit_test(rows_in_several_parts_are_put_together),
		cmocka_unit_test(rows_that_end_badly_are_unknown),
		cmocka_unit_test(nodes_are_read_strictly),
		cmocka_unit_test(a_client_goes_on_after_a_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
