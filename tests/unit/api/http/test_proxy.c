/* SPDX-License-Identifier: Apache-2.0 */
/* What is passed on to another member, over TLS. The other member is this very server: what comes
 * in by the unix socket goes to its own address, and is answered there. */
#include "tests/unit/cluster/member/guest.h"

#include <arpa/inet.h>

#include "api/http/req_int.h"
#include "base/net/stream.h"
#include "tests/unit/api/http/http_world.h"
#include "tests/unit/base/patience.h"

#define LARGE (700 << 10)
#define ID "00000000-0000-4000-8000-000000000001"

static struct http_world world;
static char address[64]; /* of the server */
static const char *target; /* where requests go */

/* --- the member that answers ------------------------------------------------------------------ */

static int say_who(struct req *r)
{
	const struct caller *c = req_caller(r);
	_free_ char *text = xasprintf("%d %s %s, %s", c->kind, c->name, c->address,
				      r->forwarded ? "passed on" : "itself");

	return reply_bytes(r, 200, "text/plain", text, strlen(text));
}

static int say_headers(struct req *r)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);

	for (int i = 0; i < r->head.nheaders; i++)
		sbuf_printf(&b, "<%s: %s>", r->head.headers[i].name, r->head.headers[i].value);
	return reply_bytes(r, 200, "text/plain", b.data, b.len);
}

static int say_size(struct req *r)
{
	_free_ char *text = xasprintf("%zu bytes", r->body.len);

	return reply_bytes(r, 200, "text/plain", text, strlen(text));
}

static int say_large(struct req *r)
{
	_free_ char *data = xcalloc(1, LARGE + 1);

	memset(data, 'l', LARGE);
	return reply_bytes(r, 200, "text/plain", data, LARGE);
}

static int say_late(struct req *r)
{
	struct late *l = reply_late(r, NULL, NULL);

	reply_late_end(l, "{\"late\":1}", 10);
	return 0;
}

static int say_why(struct req *r)
{
	return err_set(req_err(r), ERR_CONFLICT, "the reason");
}

static int begin_operation(struct req *r)
{
	reply_header(r, "Location", "/1.0/operations/" ID);
	return reply_bytes(r, 202, "text/plain", "begun", 5);
}

/* The connection breaks when it has been done. */
static struct box done;

static int do_and_die(struct req *r)
{
	box_put(&done, "");
	server_drop_certificate(world.server, world.w.cluster->creds.server_fp);
	return reply_bytes(r, 200, "text/plain", "done", 4);
}

static void echo(void *arg, struct stream *own)
{
	char buf[1000];
	struct err err;
	ssize_t n;

	while ((n = stream_read(own, buf, sizeof(buf), &err)) > 0)
		stream_write(own, buf, (size_t)n, &err);
	stream_free(own);
}

static int become_echo(struct req *r)
{
	return reply_upgrade(r, "echo", echo, NULL);
}

static const struct route routes[] = {
	{ "GET", "/who", say_who, .flags = 0 },
	{ "GET", "/headers", say_headers, .flags = 0 },
	{ "POST", "/size", say_size, .body = BODY_MEM, .body_max = 1 << 20 },
	{ "GET", "/large", say_large, .flags = 0 },
	{ "GET", "/late", say_late, .flags = 0 },
	{ "GET", "/why", say_why, .flags = 0 },
	{ "POST", "/operation", begin_operation, .body = BODY_MEM, .body_max = 100 },
	{ "POST", "/die", do_and_die, .body = BODY_MEM, .body_max = 100 },
	{ "GET", "/die", do_and_die, .flags = 0 },
	{ "GET", "/echo", become_echo, .flags = F_UPGRADE },
	{ 0 },
};

/* --- the server ------------------------------------------------------------------------------- */

static enum caller_kind identify(const struct api_env *env, const char *fingerprint,
				 char ret_name[64])
{
	if (!str_eq(fingerprint, world.w.cluster->creds.server_fp))
		return CALLER_NOBODY;
	str_copy(ret_name, 64, FIRST);
	return CALLER_MEMBER;
}

static int locate(struct req *r, struct where *w)
{
	if (r->forwarded || !target)
		return 0;
	str_copy(w->member, sizeof(w->member), FIRST);
	str_copy(w->address, sizeof(w->address), target);
	return 0;
}

static int open_world(void **state)
{
	static struct server_hooks hooks;
	struct err err = { 0 };
	int port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	hooks = http_world_hooks;
	hooks.identify = identify;
	hooks.locate = locate;
	assert_int_equal(bind(port, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(port, (struct sockaddr *)&a, &n), 0);
	close(port);
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(a.sin_port));
	box_init(&done);
	world_open(&world.w);
	world_start(&world.w);
	if (cluster_enable(world.w.cluster, FIRST, address, &err) < 0)
		fail_msg("%s", err.msg);
	http_world_serve(&world, routes, &hooks);
	server_set_tls(world.server, cluster_server_tls(world.w.cluster, &err));
	if (server_listen(world.server, address, &err) < 0)
		fail_msg("%s", err.msg);
	target = address;
	return 0;
}

static int close_world(void **state)
{
	http_world_close(&world);
	return 0;
}

/* --- cases ------------------------------------------------------------------------------------ */

#define REST " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"

static void answers_come_back(void **state)
{
	static const struct {
		const char *bytes;
		int status;
		const char *words;
	} cases[] = {
		/* who asks is known there as here */
		{ "GET /who" REST "\r\n", 200, "\r\n\r\n3 root @, passed on" },
		{ "GET /who" REST "\r\n", 200, "Connection: close\r\n" },
		{ "GET /why" REST "\r\n", 409, "the reason" },
		{ "GET /late" REST "\r\n", 200, "\r\na\r\n{\"late\":1}\r\n0\r\n\r\n" },
		{ "GET /late HTTP/1.0\r\n\r\n", 200, "\r\n\r\n{\"late\":1}" },
		{ "HEAD /who" REST "\r\n", 200, "Content-Length: 19\r\n" },
		{ "POST /size" REST "\r\n", 200, "\r\n\r\n0 bytes" },
		{ "POST /size" REST "Content-Length: 3\r\n\r\nabc", 200, "\r\n\r\n3 bytes" },
		{ "POST /size" REST "Transfer-Encoding: chunked\r\n\r\n"
		  "1\r\na\r\n3\r\nbcd\r\n0\r\n\r\n",
		  200, "\r\n\r\n4 bytes" },
		/* what curl calls all data; it came by the socket, wherever it goes then */
		{ "POST /size" REST "Content-Type: application/x-www-form-urlencoded\r\n"
		  "Content-Length: 3\r\n\r\nabc",
		  200, "\r\n\r\n3 bytes" },
		{ "POST /size" REST "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
		  415, "text/plain" },
		/* what is refused here is not sent */
		{ "POST /size" REST "Content-Length: 1048577\r\n\r\n", 413, "1048576 bytes" },
		{ "GET /none" REST "\r\n", 404, "\"error_code\":404" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		http_expect(&world, cases[i].bytes, cases[i].status, cases[i].words);
}

static void large_ones(void **state)
{
	_free_ char *answer = http_exchange(&world, "GET /large" REST "\r\n");
	_free_ char *data = xcalloc(1, LARGE + 1), *rest = NULL;
	const char *body = strstr(answer, "\r\n\r\n");
	int fd = http_connect(&world);

	assert_non_null(body);
	assert_int_equal(strspn(body + 4, "l"), LARGE);
	assert_int_equal(strlen(body + 4), LARGE);
	http_say_text(fd, "POST /size" REST "Content-Length: 716800\r\n\r\n");
	http_say(fd, data, LARGE);
	rest = http_hear_all(fd);
	assert_non_null(strstr(rest, "716800 bytes"));
}

/* Those of the connection are ours, and nobody says for us who asks. */
static void headers_that_go_on_and_that_do_not(void **state)
{
	static const char *const kept[] = { "<X-Own: 1>", "<X-LXD-uid: 7>", "<If-Match: x>" };
	static const char *const dropped[] = { "<TE:",     "<Expect:", "<X-Drop:", "<Keep-Alive:",
					       "<Host: a>", "evil" };
	_free_ char *answer = http_exchange(
		&world, "GET /headers HTTP/1.1\r\nHost: a\r\nConnection: close, X-Drop\r\n"
			"X-Drop: 1\r\nX-Own: 1\r\nX-LXD-uid: 7\r\nTE: trailers\r\n"
			"Keep-Alive: 3\r\nIf-Match: x\r\n" FORWARDED "Kind: evil\r\n" FORWARDED
			"Proof: evil\r\nx-dunlin-forwarded-name: evil\r\n\r\n");

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (!strstr(answer, kept[i]))
			fail_msg("%s is not in %s", kept[i], answer);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++) {
		if (strstr(answer, dropped[i]))
			fail_msg("%s is in %s", dropped[i], answer);
	}
	assert_non_null(strstr(answer, "<" FORWARDED "Kind: admin>"));
}

static void several_on_one_connection(void **state)
{
	int fd = http_connect(&world);

	for (int i = 0; i < 5; i++) {
		_free_ char *head = NULL;
		char body[20] = "";

		http_say_text(fd, "GET /who HTTP/1.1\r\nHost: a\r\n\r\n");
		head = http_hear_head(fd);
		assert_true(str_starts(head, "HTTP/1.1 200 "));
		assert_null(strstr(head, "Connection: close"));
		http_hear(fd, body, 19);
		assert_string_equal(body, "3 root @, passed on");
	}
	close(fd);
}

static void an_operation_is_remembered(void **state)
{
	char member[64] = "";

	assert_false(server_find_operation(world.server, ID, member));
	http_expect(&world, "POST /operation" REST "\r\n", 202, "Location: /1.0/operations/" ID);
	assert_true(server_find_operation(world.server, ID, member));
	assert_string_equal(member, FIRST);
}

static void becomes_a_relay(void **state)
{
	int fd = http_connect(&world);
	_free_ char *head = NULL;
	char ahead[6] = "", more[5] = "", c;

	http_say_text(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
			  "Upgrade: echo\r\n\r\nahead");
	head = http_hear_head(fd);
	assert_true(str_starts(head, "HTTP/1.1 101 "));
	assert_non_null(strstr(head, "Upgrade: echo\r\n"));
	http_hear(fd, ahead, 5);
	assert_string_equal(ahead, "ahead");
	http_say_text(fd, "more");
	http_hear(fd, more, 4);
	assert_string_equal(more, "more");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

/* Nothing was asked, so nothing was done. */
static void a_member_that_is_not_there(void **state)
{
	target = "127.0.0.1:1";
	http_expect(&world, "GET /who" REST "\r\n", 503,
		    "member " FIRST " (127.0.0.1:1) cannot be reached");
	http_expect(&world, "POST /size" REST "\r\n", 503, "cannot be reached");
	target = "nowhere";
	http_expect(&world, "GET /who" REST "\r\n", 503, "cannot be reached");
	target = address;
}

/* It may have done what was asked: only who reads may ask again without looking. */
static void a_member_that_breaks_off(void **state)
{
	int before = done.count;

	http_expect(&world, "POST /die" REST "\r\n", 500,
		    "it is not known whether it did what was asked: look before you ask again");
	assert_int_equal(done.count, before + 1);
	http_expect(&world, "GET /die" REST "\r\n", 503, "cannot be reached");
}

/* Whoever comes by TLS may be a browser, on a page of another site. */
static void a_form_that_comes_by_tls(void **state)
{
	static const char bytes[] = "POST /size" REST
				    "Content-Type: application/x-www-form-urlencoded\r\n"
				    "Content-Length: 3\r\n\r\nabc";
	const struct creds *own = &world.w.cluster->creds;
	struct err err = { 0 };
	struct tls_ctx *tls = tls_client_new(own->server_cert, own->server_key, &err);
	struct stream *s = stream_connect_tls(tls, address, NULL, PATIENCE, &err);
	char answer[16] = "";

	if (!s)
		fail_msg("%s", err.msg);
	assert_int_equal(stream_write(s, bytes, sizeof(bytes) - 1, &err), 0);
	assert_int_equal(stream_read_full(s, answer, 13, &err), 0);
	assert_string_equal(answer, "HTTP/1.1 415 ");
	stream_free(s);
	tls_unref(tls);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(answers_come_back),
		T(large_ones),
		T(headers_that_go_on_and_that_do_not),
		T(several_on_one_connection),
		T(an_operation_is_remembered),
		T(becomes_a_relay),
		T(a_form_that_comes_by_tls),
		T(a_member_that_is_not_there),
		T(a_member_that_breaks_off),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
