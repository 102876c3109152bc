/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: how large and of which type they may be, and where they are when the handler looks. */
#include "api/http/req_int.h"
#include "tests/unit/api/http/http_world.h"

#define MEM_MAX 100
#define FILE_MAX (3 << 20)

/* "N of C": bytes in memory, or in the file, all of them the same. */
static int tell(struct req *r)
{
	int64_t size = -1;
	int fd = req_body_fd(r, &size);
	_free_ char *data = NULL, *text = NULL;
	const char *at = r->body.data;

	if (fd < 0) {
		size = (int64_t)r->body.len;
	} else {
		at = data = xcalloc(1, (size_t)size + 1);
		if (pread(fd, data, (size_t)size, 0) != size)
			return err_sys(req_err(r), "read the body");
	}
	for (int64_t i = 1; i < size; i++) {
		if (at[i] != at[0])
			return err_set(req_err(r), ERR_INTERNAL, "byte %lld", (long long)i);
	}
	text = xasprintf("%lld of %c%s", (long long)size, size ? at[0] : '-',
			 fd < 0 ? "" : " in a file");
	return reply_bytes(r, 200, "text/plain", text, strlen(text));
}

static const struct route routes[] = {
	{ "POST", "/mem", tell, .body = BODY_MEM, .body_max = MEM_MAX },
	{ "POST", "/file", tell, .body = BODY_FILE, .body_max = FILE_MAX },
	{ "POST", "/none", tell, .body = BODY_NONE },
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

#define CHUNK 4000

/* So many bytes to this path, in one piece or in chunks. The caller frees. */
static char *post(const char *path, const char *type, size_t size, bool chunked)
{
	_free_ char *framing = chunked ? xstrdup("Transfer-Encoding: chunked")
				       : xasprintf("Content-Length: %zu", size);
	_free_ char *head = xasprintf("POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s%s%s"
				      "\r\n\r\n",
				      path, type ? type : "", type ? "\r\n" : "", framing);
	char piece[CHUNK + 16];
	int fd = http_connect(&world);

	http_say_text(fd, head);
	for (size_t at = 0; at < size;) {
		size_t n = size - at < CHUNK ? size - at : CHUNK;
		size_t begin = 0;

		if (chunked)
			begin = (size_t)snprintf(piece, sizeof(piece), "%zx\r\n", n);
		memset(piece + begin, 'b', n);
		if (chunked)
			memcpy(piece + begin + n, "\r\n", 2);
		http_say(fd, piece, begin + n + (chunked ? 2 : 0));
		at += n;
	}
	if (chunked)
		http_say_text(fd, "0\r\n\r\n");
	return http_hear_all(fd);
}

static void sizes(void **state)
{
	static const struct {
		const char *path;
		size_t size;
		int status;
		const char *words;
	} cases[] = {
		{ "/mem", 0, 200, "0 of -" },
		{ "/mem", 1, 200, "1 of b" },
		{ "/mem", MEM_MAX, 200, "100 of b" },
		{ "/mem", MEM_MAX + 1, 413, "POST /mem may have 100 bytes at most" },
		{ "/file", 0, 200, "0 of - in a file" },
		{ "/file", 1, 200, "1 of b in a file" },
		{ "/file", 262144, 200, "262144 of b in a file" },
		{ "/file", 1000003, 200, "1000003 of b in a file" },
		{ "/file", FILE_MAX, 200, "3145728 of b in a file" },
		{ "/file", FILE_MAX + 1, 413, "3145728 bytes at most" },
		/* nobody asked for it: what is small is dropped */
		{ "/none", 0, 200, "0 of -" },
		{ "/none", 65536, 200, "0 of -" },
		{ "/none", 65537, 413, "65536 bytes at most" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int chunked = 0; chunked < 2; chunked++) {
			_free_ char *answer =
				post(cases[i].path, NULL, cases[i].size, chunked);
			_free_ char *line = xasprintf("HTTP/1.1 %d ", cases[i].status);

			if (!str_starts(answer, line) || !strstr(answer, cases[i].words))
				fail_msg("%s, %zu bytes: %.600s", cases[i].path, cases[i].size,
					 answer);
		}
	}
}

/* A page of another site can make a browser send forms and text; on this socket are none. */
static void types(void **state)
{
	static const struct {
		const char *path, *type;
		size_t size;
		int status;
	} cases[] = {
		{ "/mem", "Content-Type: application/json", 3, 200 },
		{ "/mem", "Content-Type: Application/JSON; charset=utf-8", 3, 200 },
		{ "/mem", "Content-Type: application/x-www-form-urlencoded", 3, 200 },
		{ "/mem", "Content-Type:", 3, 200 },
		{ "/mem", "Content-Type: text/plain", 3, 415 },
		{ "/mem", "Content-Type: application/jsonp", 3, 415 },
		{ "/mem", "Content-Type: multipart/form-data; boundary=x", 3, 415 },
		{ "/mem", "Content-Type: text/plain", 0, 200 },
		/* what goes into a file, or nowhere, is of any type */
		{ "/file", "Content-Type: text/plain", 3, 200 },
		{ "/none", "Content-Type: text/plain", 3, 200 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *answer = post(cases[i].path, cases[i].type, cases[i].size, false);
		_free_ char *line = xasprintf("HTTP/1.1 %d ", cases[i].status);

		if (!str_starts(answer, line))
			fail_msg("%s %s: %.600s", cases[i].path, cases[i].type, answer);
	}
}

/* A client that leaves in the middle leaves nothing behind that the next one would notice. */
static void a_client_that_leaves(void **state)
{
	_free_ char *half = xcalloc(1, 600001), *answer = NULL;
	int fd = http_connect(&world);

	memset(half, 'h', 600000);
	http_say_text(fd, "POST /file HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	http_say(fd, half, 600000);
	close(fd);
	answer = post("/file", NULL, 600000, false);
	assert_non_null(strstr(answer, "600000 of b in a file"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(types),
		cmocka_unit_test(a_client_that_leaves),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
