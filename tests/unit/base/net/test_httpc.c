/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/httpc.h"
#include "base/str.h"
#include "tests/unit/base/patience.h"

/* A server that reads `requests` heads (and what follows them at once), answers each with the next
 * text and closes; `seen` gets all that it read. */
struct script {
	const char *const *answers;
	int fd;
	bool linger; /* keep reading until the client closes */
	struct sbuf seen;
	pthread_t thread;
};

static size_t heads_in(const struct sbuf *b)
{
	size_t n = 0;

	for (const char *p = b->data; p && (p = strstr(p, "\r\n\r\n")); p += 4)
		n++;
	return n;
}

static bool read_more(struct script *s)
{
	char buf[65536];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	if (n > 0)
		sbuf_add(&s->seen, buf, n);
	return n > 0;
}

static void *serve(void *arg)
{
	struct script *s = arg;

	for (size_t i = 0; s->answers[i]; i++) {
		while (heads_in(&s->seen) <= i) {
			if (!read_more(s))
				break;
		}
		if (send(s->fd, s->answers[i], strlen(s->answers[i]), MSG_NOSIGNAL) < 0)
			break;
	}
	while (s->linger && read_more(s))
		;
	close(s->fd);
	return NULL;
}

static struct httpc *start(struct script *s, const char *const *answers)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	s->answers = answers;
	s->fd = pair[1];
	s->seen = SBUF(64 << 20);
	pthread_create(&s->thread, NULL, serve, s);
	return httpc_new(stream_from_fd(pair[0]), "host");
}

static void finish(struct script *s, struct httpc *c)
{
	httpc_free(c);
	pthread_join(s->thread, NULL);
	sbuf_free(&s->seen);
}

/* What the server has read stays to be looked at. */
static void finish_keeping(struct script *s, struct httpc *c)
{
	httpc_free(c);
	pthread_join(s->thread, NULL);
}

static void keeps_the_connection(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab",
		"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nuntil close",
		NULL,
	};
	static const struct {
		const char *method, *body;
		int status;
	} want[] = {
		{ "GET", "ab", 200 },
		{ "PUT", "cde", 404 },
		{ "HEAD", "", 200 },
		{ "GET", "until close", 200 },
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct http_reply r;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct http_call call = HTTP_CALL(want[i].method, "/x");

		assert_true(httpc_reusable(c));
		assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
		assert_int_equal(r.head.status, want[i].status);
		assert_string_equal(r.body.data ? r.body.data : "", want[i].body);
		http_reply_free(&r);
	}
	assert_false(httpc_reusable(c));
	assert_non_null(strstr(s.seen.data, "GET /x HTTP/1.1\r\nHost: host\r\nUser-Agent: "));
	assert_non_null(strstr(s.seen.data, "PUT /x HTTP/1.1\r\nHost: host\r\n"));
	assert_non_null(strstr(s.seen.data, "Content-Length: 0\r\n"));
	finish(&s, c);
}

static void sends_bodies(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL,
	};
	struct script s = { .linger = true };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("POST", "/x");
	struct http_reply r;
	struct err err;

	call.body = "{}";
	call.body_len = 2;
	call.headers = (const char *const[]){ "X-A: b", NULL };
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	http_reply_free(&r);
	assert_non_null(strstr(s.seen.data, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(s.seen.data, "X-A: b\r\n\r\n{}"));
	finish(&s, c);
}

static void stops_at_an_early_answer(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n"
		"Connection: close\r\n\r\nbig",
		NULL,
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("POST", "/x");
	struct http_reply r;
	struct err err;

	call.body_fd = io_temp_fd("/tmp", &err);
	assert_int_equal(ftruncate(call.body_fd, 100 << 20), 0);
	call.deadline = PATIENCE;
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	assert_int_equal(r.head.status, 413);
	assert_string_equal(r.body.data, "big");
	assert_false(httpc_reusable(c));
	http_reply_free(&r);
	close(call.body_fd);
	finish(&s, c);
}

static void refuses_bad_answers(void **state)
{
	static const struct {
		const char *answers[2];
		enum err_kind kind;
	} cases[] = {
		{ { "", NULL }, ERR_UNAVAILABLE },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", NULL }, ERR_UNAVAILABLE },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
		  ERR_TOO_LARGE },
		{ { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", NULL },
		  ERR_INVALID },
		{ { "SSH-2.0\r\n\r\n", NULL }, ERR_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script s = { 0 };
		struct httpc *c = start(&s, cases[i].answers);
		struct http_call call = HTTP_CALL("GET", "/");
		struct http_reply r;
		struct err err = { 0 };

		call.deadline = PATIENCE;
		assert_int_equal(httpc_do(c, &call, 100, &r, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_false(httpc_reusable(c));
		finish(&s, c);
	}
}

struct seen {
	int64_t done, total;
};

static void on_progress(void *arg, int64_t done, int64_t total)
{
	*(struct seen *)arg = (struct seen){ done, total };
}

static void downloads(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", NULL,
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("GET", "/f");
	struct seen seen = { 0 };
	struct http_reply r;
	char buf[10] = "";
	struct err err;
	int fd = io_temp_fd("/tmp", &err);

	call.progress = on_progress;
	call.progress_arg = &seen;
	assert_int_equal(httpc_download(c, &call, fd, &r, &err), 0);
	assert_int_equal(pread(fd, buf, 9, 0), 6);
	assert_string_equal(buf, "abcdef");
	assert_int_equal(seen.done, 6);
	assert_int_equal(seen.total, 6);
	http_reply_free(&r);
	assert_int_equal(httpc_download(c, &call, fd, &r, &err), 0);
	assert_int_equal(r.head.status, 403);
	assert_string_equal(r.body.data, "no");
	http_reply_free(&r);
	close(fd);
	finish(&s, c);
}

static void upgrades(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: Echo\r\n\r\nahead", NULL,
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	char buf[6] = "";
	struct stream *st;
	struct err err;

	st = httpc_upgrade(c, "/up", "echo", NULL, PATIENCE, &err);
	assert_non_null(st);
	assert_false(httpc_reusable(c));
	assert_int_equal(stream_read_full(st, buf, 5, &err), 0);
	assert_string_equal(buf, "ahead");
	assert_non_null(strstr(s.seen.data, "Connection: Upgrade\r\nUpgrade: echo\r\n"));
	stream_free(st);
	finish(&s, c);
}

static void upgrade_refused(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 409 Conflict\r\nContent-Length: 64\r\nX-Dunlin-Error: ERR_BUSY\r\n\r\n"
		"{\"type\":\"error\",\"error_code\":409,\"error\":\"c1 is busy elsewhere\"}",
		NULL,
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct err err = { 0 };

	assert_null(httpc_upgrade(c, "/up", "echo", NULL, PATIENCE, &err));
	assert_int_equal(err.kind, ERR_BUSY);
	assert_string_equal(err.msg, "c1 is busy elsewhere");
	finish(&s, c);
}

static void reads_envelopes(void **state)
{
	static const struct {
		int status;
		const char *body, *metadata;
		enum err_kind kind;
		const char *message;
	} cases[] = {
		{ 200, "{\"type\":\"sync\",\"metadata\":{\"a\":1}}", "{\"a\":1}", 0, NULL },
		{ 200, "{\"type\":\"sync\",\"metadata\":null}", "null", 0, NULL },
		{ 200, "{\"type\":\"sync\"}", "null", 0, NULL },
		{ 404, "{\"type\":\"error\",\"error_code\":404,\"error\":\"no c1\"}", NULL,
		  ERR_NOT_FOUND, "no c1" },
		{ 200, "{\"type\":\"error\",\"error_code\":412,\"error\":\"\"}", NULL,
		  ERR_PRECONDITION, "OK" },
		{ 502, "<html>", NULL, ERR_INTERNAL,
		  "the server answered HTTP 502 without a readable message" },
		{ 200, "", NULL, ERR_INTERNAL,
		  "the server answered HTTP 200 without a readable message" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_reply r = { .head = { .status = cases[i].status }, .body = SBUF(1000) };
		_json_ json_t *m = NULL;
		_free_ char *text = NULL;
		struct err err = { 0 };

		sbuf_puts(&r.body, cases[i].body);
		m = http_reply_metadata(&r, &err);
		text = m ? json_text(m) : NULL;
		assert_true(str_eq(text, cases[i].metadata));
		assert_int_equal(err.kind, cases[i].kind);
		if (cases[i].message)
			assert_string_equal(err.msg, cases[i].message);
		http_reply_free(&r);
	}
}

static void a_file_goes_with_its_size_and_progress(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	struct script s = { .linger = true };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("PUT", "/f");
	struct seen seen = { 0 };
	struct http_reply r;
	struct err err;
	const char *body;

	call.body_fd = io_temp_fd("/tmp", &err);
	assert_int_equal(io_write_full(call.body_fd, "0123456789", 10), 0);
	call.progress = on_progress;
	call.progress_arg = &seen;
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	http_reply_free(&r);
	assert_int_equal(seen.done, 10);
	assert_int_equal(seen.total, 10);
	finish_keeping(&s, c);
	assert_non_null(strstr(s.seen.data, "Content-Type: application/octet-stream\r\n"));
	assert_non_null(strstr(s.seen.data, "Content-Length: 10\r\n"));
	body = strstr(s.seen.data, "\r\n\r\n");
	assert_string_equal(body + 4, "0123456789");
	close(call.body_fd);
	sbuf_free(&s.seen);
}

/* The caller's own headers take the place of ours. */
static void headers_of_the_caller_win(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	struct script s = { .linger = true };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("POST", "/x?y=z");
	struct http_reply r;
	struct err err;

	call.body = "a: b";
	call.body_len = 4;
	call.headers = (const char *const[]){ "content-type: text/x", "USER-AGENT: me", NULL };
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	http_reply_free(&r);
	finish_keeping(&s, c);
	assert_true(str_starts(s.seen.data, "POST /x?y=z HTTP/1.1\r\nHost: host\r\n"));
	assert_non_null(strstr(s.seen.data, "content-type: text/x\r\n"));
	assert_null(strstr(s.seen.data, "application/json"));
	assert_null(strstr(s.seen.data, "dunlin/"));
	sbuf_free(&s.seen);
}

static void too_many_headers_are_not_sent(void **state)
{
	static const char *const answers[] = { NULL };
	_free_ char *big = xcalloc(200001, 1);
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("GET", "/");
	struct http_reply r;
	struct err err = { 0 };

	memset(big, 'x', 200000);
	call.headers = (const char *const[]){ big, NULL };
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	finish(&s, c);
}

static void a_connection_that_cannot_go_on_says_so(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
		NULL,
	};
	struct script s = { 0 };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("GET", "/");
	struct http_reply r;
	struct err err = { 0 };

	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	http_reply_free(&r);
	assert_false(httpc_reusable(c));
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.msg, "the connection cannot be used again");
	finish(&s, c);
}

/* Bytes behind an answer are nobody's: the connection is not used again. */
static void bytes_behind_an_answer_end_the_connection(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n\r\n",
		NULL,
	};
	struct script s = { .linger = true };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("GET", "/");
	struct http_reply r;
	struct err err = { 0 };

	assert_int_equal(httpc_do(c, &call, 100, &r, &err), 0);
	assert_string_equal(r.body.data, "ab");
	http_reply_free(&r);
	assert_false(httpc_reusable(c));
	finish(&s, c);
}

static void silence_ends_at_the_deadline(void **state)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
					       NULL };
	struct script s = { .linger = true };
	struct httpc *c = start(&s, answers);
	struct http_call call = HTTP_CALL("GET", "/");
	struct http_reply r;
	struct err err = { 0 };

	call.deadline = deadline_in(50);
	assert_int_equal(httpc_do(c, &call, 100, &r, &err), -1);
	assert_int_equal(err.kind, ERR_TIMEOUT);
	assert_false(httpc_reusable(c));
	finish(&s, c);
}

static void another_protocol_is_no_upgrade(void **state)
{
	static const struct {
		const char *answers[2];
		const char *says;
	} cases[] = {
		{ { "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n" },
		  "switched to another protocol" },
		{ { "HTTP/1.1 101 S\r\nUpgrade: echo\r\n\r\n" }, "switched to another protocol" },
		{ { "HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n"
		    "{\"type\":\"sync\",\"metadata\":1}" },
		  "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct script s = { 0 };
		struct httpc *c = start(&s, cases[i].answers);
		struct err err = { 0 };

		assert_null(httpc_upgrade(c, "/up", "echo", NULL, PATIENCE, &err));
		assert_true(err.kind != ERR_NONE);
		assert_non_null(strstr(err.msg, cases[i].says));
		assert_false(httpc_reusable(c));
		finish(&s, c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_connection),
		cmocka_unit_test(sends_bodies),
		cmocka_unit_test(stops_at_an_early_answer),
		cmocka_unit_test(refuses_bad_answers),
		cmocka_unit_test(downloads),
		cmocka_unit_test(upgrades),
		cmocka_unit_test(upgrade_refused),
		cmocka_unit_test(reads_envelopes),
		cmocka_unit_test(a_file_goes_with_its_size_and_progress),
		cmocka_unit_test(headers_of_the_caller_win),
		cmocka_unit_test(too_many_headers_are_not_sent),
		cmocka_unit_test(a_connection_that_cannot_go_on_says_so),
		cmocka_unit_test(bytes_behind_an_answer_end_the_connection),
		cmocka_unit_test(silence_ends_at_the_deadline),
		cmocka_unit_test(another_protocol_is_no_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
