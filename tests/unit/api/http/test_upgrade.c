/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that leave the loop and become a stream in a thread of their own. */
#include "tests/unit/api/http/http_world.h"

#include "base/net/stream.h"
#include "tests/unit/base/patience.h"

static struct box begun, ended;

/* Says back what it hears, until there is no more. */
static void echo(void *arg, struct stream *own)
{
	char buf[1000];
	struct err err;
	ssize_t n;

	box_put(&begun, arg);
	while ((n = stream_read(own, buf, sizeof(buf), &err)) > 0)
		stream_write(own, buf, (size_t)n, &err);
	stream_free(own);
	box_put(&ended, "");
}

static int become(struct req *r)
{
	static char word[] = "become";

	return reply_upgrade(r, "echo", echo, word);
}

static const struct route routes[] = {
	{ "GET", "/echo", become, .flags = F_UPGRADE },
	{ 0 },
};

static struct http_world world;

static int open_world(void **state)
{
	box_init(&begun);
	box_init(&ended);
	http_world_open(&world, routes);
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	return 0;
}

#define ASK "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

static int join(const char *ahead)
{
	_free_ char *text = xasprintf(ASK "%s", ahead), *head = NULL;
	int fd = http_connect(&world);

	http_say_text(fd, text);
	head = http_hear_head(fd);
	assert_true(str_starts(head, "HTTP/1.1 101 "));
	assert_non_null(strstr(head, "Upgrade: echo\r\n"));
	assert_non_null(strstr(head, "Connection: Upgrade\r\n"));
	return fd;
}

static void becomes_a_stream(void **state)
{
	char buf[20] = "";
	int fd = join("");

	http_say_text(fd, "one");
	http_hear(fd, buf, 3);
	assert_string_equal(buf, "one");
	assert_string_equal(begun.last, "become");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_true(box_wait(&ended, 1, PATIENCE_MS));
	assert_int_equal(recv(fd, buf, 1, 0), 0);
	close(fd);
}

/* What came with the request is the beginning of the stream. */
static void what_was_sent_ahead_is_not_lost(void **state)
{
	char buf[20] = "";
	int fd = join("ahead");

	http_hear(fd, buf, 5);
	assert_string_equal(buf, "ahead");
	close(fd);
	assert_true(box_wait(&ended, 1, PATIENCE_MS));
}

static void only_who_asks_for_it_gets_it(void **state)
{
	http_expect(&world, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 400,
		    "needs the headers");
	http_expect(&world,
		    "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\n"
		    "Upgrade: tea\r\n\r\n",
		    400, "needs the headers");
	assert_int_equal(begun.count, 0);
}

/* A stop of the server ends it, too. */
static void the_end_of_the_server_is_its_end(void **state)
{
	int fd = join("x");
	char c;

	http_hear(fd, &c, 1);
	server_stop(world.server);
	assert_true(box_wait(&ended, 1, PATIENCE_MS));
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(becomes_a_stream),
		T(what_was_sent_ahead_is_not_lost),
		T(only_who_asks_for_it_gets_it),
		T(the_end_of_the_server_is_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
