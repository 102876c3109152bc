/* SPDX-License-Identifier: Apache-2.0 */
/* A connection from its requests' heads to their answers, as a client sees it. */
#include "api/http/req_int.h"
#include "tests/unit/api/http/http_world.h"

static int say_hello(struct req *r)
{
	return reply_bytes(r, 200, "text/plain", "hello", 5);
}

/* What was sent, or that nothing was. */
static int say_body(struct req *r)
{
	const struct sbuf *b = &r->body;

	return reply_bytes(r, 200, "text/plain", b->len ? b->data : "nothing", b->len ? b->len : 7);
}

static int say_why(struct req *r)
{
	return err_set(req_err(r), ERR_CONFLICT, "the \"reason\"");
}

static int say_nothing(struct req *r)
{
	return 0;
}

static int say_it_late(struct req *r)
{
	struct late *l = reply_late(r, NULL, NULL);

	reply_late_end(l, "{\"late\":1}", 10);
	return 0;
}

static const struct route routes[] = {
	{ "GET", "/hello", say_hello, .flags = F_INLINE },
	{ "GET", "/worker", say_hello, .flags = F_SHUTDOWN },
	{ "POST", "/body", say_body, .body = BODY_MEM, .body_max = 100 },
	{ "GET", "/why", say_why, .flags = 0 },
	{ "GET", "/nothing", say_nothing, .flags = 0 },
	{ "GET", "/late", say_it_late, .flags = 0 },
	{ 0 },
};

static struct http_world world;

static int open_world(void **state)
{
	http_world_open(&world, routes);
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	return 0;
}

#define CLOSE "Host: here\r\nConnection: close\r\n"

static void answers(void **state)
{
	static const struct {
		const char *bytes;
		int status;
		const char *words;
	} cases[] = {
		{ "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 200, "\r\n\r\nhello" },
		{ "GET /worker HTTP/1.1\r\n" CLOSE "\r\n", 200, "\r\n\r\nhello" },
		{ "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 200, "Content-Length: 5\r\n" },
		{ "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 200, "Content-Type: text/plain\r\n" },
		{ "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 200, "Connection: close\r\n" },
		{ "GET /hello HTTP/1.1\r\n" CLOSE "\r\n", 200,
		  "X-Content-Type-Options: nosniff\r\n" },
		{ "GET /why HTTP/1.1\r\n" CLOSE "\r\n", 409, "the \\\"reason\\\"" },
		{ "GET /nothing HTTP/1.1\r\n" CLOSE "\r\n", 500, "gave no reply" },
		{ "GET /else HTTP/1.1\r\n" CLOSE "\r\n", 404, "\"error_code\":404" },
		{ "PUT /hello HTTP/1.1\r\n" CLOSE "\r\n", 405, "\"error_code\":405" },
		{ "GET /hello?a=%zz HTTP/1.1\r\n" CLOSE "\r\n", 400, "%-escape" },
		{ "GET /hello?refuse=me HTTP/1.1\r\n" CLOSE "\r\n", 400, "refused: me" },
		{ "GET /hello HTTP/1.1\r\n" CLOSE "Origin: https://evil\r\n\r\n", 403,
		  "other sites" },
		/* not HTTP: said so, and the connection is over */
		{ "hello\r\n\r\n", 400, "Connection: close\r\n" },
		{ "GET /hello HTTP/1.1\n\n", 400, "\"error_code\":400" },
		{ "GET /hello HTTP/1.1\r\n\r\n", 400, "\"error_code\":400" },
		{ "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "\"error_code\":400" },
		{ "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n",
		  400, "\"error_code\":400" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		http_expect(&world, cases[i].bytes, cases[i].status, cases[i].words);
}

static void a_body_comes_in_pieces(void **state)
{
	static const struct {
		const char *bytes;
		int status;
		const char *words;
	} cases[] = {
		{ "POST /body HTTP/1.1\r\n" CLOSE "\r\n", 200, "nothing" },
		{ "POST /body HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n", 200, "nothing" },
		{ "POST /body HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc", 200,
		  "\r\n\r\nabc" },
		{ "POST /body HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
		  200, "\r\n\r\nabc" },
		{ "POST /body HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400,
		  "\"error_code\":400" },
		{ "POST /body HTTP/1.1\r\n" CLOSE "Content-Length: 101\r\n\r\n", 413,
		  "100 bytes at most" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		http_expect(&world, cases[i].bytes, cases[i].status, cases[i].words);
}

/* Without what it waits for it would be sent for nothing. */
static void a_client_that_asks_first_is_told_to_go_on(void **state)
{
	int fd = http_connect(&world);
	_free_ char *go_on = NULL, *rest = NULL;

	http_say_text(fd, "POST /body HTTP/1.1\r\n" CLOSE
			  "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	go_on = http_hear_head(fd);
	assert_string_equal(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
	http_say_text(fd, "abc");
	rest = http_hear_all(fd);
	assert_true(str_starts(rest, "HTTP/1.1 200 "));
	assert_non_null(strstr(rest, "\r\n\r\nabc"));
	/* and one whose body is refused is not */
	http_expect(&world,
		    "POST /body HTTP/1.1\r\n" CLOSE
		    "Content-Length: 999\r\nExpect: 100-continue\r\n\r\n",
		    413, "100 bytes at most");
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

/* In the order in which they came, whoever answers them. */
static void requests_that_are_sent_ahead(void **state)
{
	_free_ char *all = http_exchange(&world, "GET /worker HTTP/1.1\r\nHost: a\r\n\r\n"
						 "POST /body HTTP/1.1\r\nHost: a\r\n"
						 "Content-Length: 2\r\n\r\nxy"
						 "GET /why HTTP/1.1\r\nHost: a\r\n\r\n"
						 "GET /hello HTTP/1.1\r\n" CLOSE "\r\n");
	const char *first = strstr(all, "\r\n\r\nhello"), *second = strstr(all, "\r\n\r\nxy");
	const char *third = strstr(all, "HTTP/1.1 409 ");

	assert_int_equal(count(all, "HTTP/1.1 "), 4);
	assert_int_equal(count(all, "Connection: close"), 1);
	assert_true(first && second && third && first < second && second < third);
}

/* A refused body is where the next request would begin: nothing after it is a request. */
static void nothing_follows_a_refused_body(void **state)
{
	_free_ char *all = http_exchange(&world, "POST /body HTTP/1.1\r\nHost: a\r\n"
						 "Content-Length: 200\r\n\r\n"
						 "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");

	assert_true(str_starts(all, "HTTP/1.1 413 "));
	assert_int_equal(count(all, "HTTP/1.1 "), 1);
	assert_non_null(strstr(all, "Connection: close"));
}

static void a_client_that_has_said_all_is_answered(void **state)
{
	int fd = http_connect(&world);
	_free_ char *all = NULL;

	http_say_text(fd, "GET /worker HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	all = http_hear_all(fd);
	assert_non_null(strstr(all, "\r\n\r\nhello"));
}

static void a_head_byte_by_byte(void **state)
{
	static const char bytes[] = "GET /hello HTTP/1.1\r\n" CLOSE "\r\n";
	int fd = http_connect(&world);
	_free_ char *all = NULL;

	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		http_say(fd, bytes + i, 1);
	all = http_hear_all(fd);
	assert_non_null(strstr(all, "\r\n\r\nhello"));
}

static void a_head_may_be_so_long(void **state)
{
	_sbuf_ struct sbuf b = SBUF(1 << 20);
	_free_ char *all = NULL;

	sbuf_puts(&b, "GET /hello HTTP/1.1\r\n" CLOSE "X: ");
	for (int i = 0; i < 70000; i++)
		sbuf_putc(&b, 'x');
	all = http_exchange(&world, b.data);
	assert_true(str_starts(all, "HTTP/1.1 413 "));
}

static void answers_for_old_clients(void **state)
{
	_free_ char *old = http_exchange(&world, "GET /late HTTP/1.0\r\n\r\n");
	_free_ char *new = http_exchange(&world, "GET /late HTTP/1.1\r\n" CLOSE "\r\n");
	_free_ char *kept = NULL;
	int fd = http_connect(&world);

	/* HTTP/1.0 knows no chunks */
	assert_null(strstr(old, "Transfer-Encoding"));
	assert_non_null(strstr(old, "\r\n\r\n{\"late\":1}"));
	assert_non_null(strstr(new, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(new, "\r\n\r\na\r\n{\"late\":1}\r\n0\r\n\r\n"));
	/* and has to be told what is usual since */
	http_say_text(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	kept = http_hear_head(fd);
	assert_non_null(strstr(kept, "Connection: keep-alive\r\n"));
	close(fd);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(answers),
		T(a_body_comes_in_pieces),
		T(a_client_that_asks_first_is_told_to_go_on),
		T(requests_that_are_sent_ahead),
		T(nothing_follows_a_refused_body),
		T(a_client_that_has_said_all_is_answered),
		T(a_head_byte_by_byte),
		T(a_head_may_be_so_long),
		T(answers_for_old_clients),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
