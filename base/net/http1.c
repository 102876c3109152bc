/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/http1.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

#define METHOD_MAX 32
#define LENGTH_DIGITS_MAX 18

enum { C_TOKEN = 1, C_VALUE = 2, C_TARGET = 4 };

#define C_VT (C_VALUE | C_TARGET)
#define C_ALL (C_TOKEN | C_VALUE | C_TARGET)

/* Which bytes may stand where: RFC 9110 tchar, field-content, and visible ASCII without '#'. */
/* clang-format off */
static const unsigned char classes[256] = {
	['\t'] = C_VALUE, [' '] = C_VALUE, ['!'] = C_ALL, ['"'] = C_VT, ['#'] = C_TOKEN | C_VALUE,
	['$' ... '\''] = C_ALL, ['(' ... ')'] = C_VT, ['*' ... '+'] = C_ALL, [','] = C_VT,
	['-' ... '.'] = C_ALL, ['/'] = C_VT, ['0' ... '9'] = C_ALL, [':' ... '@'] = C_VT,
	['A' ... 'Z'] = C_ALL, ['[' ... ']'] = C_VT, ['^' ... 'z'] = C_ALL, ['{'] = C_VT,
	['|'] = C_ALL, ['}'] = C_VT, ['~'] = C_ALL, [0x80 ... 0xff] = C_VALUE,
};
/* clang-format on */

static int class_of(char c)
{
	return classes[(unsigned char)c];
}

static size_t span(const char *s, int class)
{
	size_t n = 0;

	while (s[n] && (class_of(s[n]) & class))
		n++;
	return n;
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_INVALID, "malformed HTTP: %s", what);
}

/* Length of the head with its empty line, 0 when it is not complete, -1 when it can never be one. A
 * line feed without its carriage return is found as soon as it arrives. */
static int head_length(const char *data, size_t len, struct err *err)
{
	size_t start = 0, max = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;

	if (len && !(class_of(data[0]) & C_TOKEN))
		return bad(err, "no request or status line");
	while (start < max) {
		const char *lf = memchr(data + start, '\n', max - start);
		size_t end;

		if (!lf)
			break;
		end = lf - data;
		if (end == start || data[end - 1] != '\r')
			return bad(err, "a line does not end with CR LF");
		if (end - start == 1)
			return (int)end + 1;
		start = end + 1;
	}
	if (len >= HTTP_HEAD_MAX)
		return err_set(err, ERR_TOO_LARGE, "the HTTP head is larger than %d bytes",
			       HTTP_HEAD_MAX);
	return 0;
}

/* Ends the line in place and moves *p behind it. */
static char *next_line(char **p)
{
	char *line = *p;
	char *end = strstr(line, "\r\n");

	*end = '\0';
	*p = end + 2;
	return line;
}

static int parse_header(struct http_head *h, char *line, struct err *err)
{
	size_t n = span(line, C_TOKEN);
	char *value = line + n + 1;
	char *end;

	if (n == 0 || line[n] != ':')
		return bad(err, "a header's name");
	if (h->nheaders == HTTP_HEADERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d HTTP headers", HTTP_HEADERS_MAX);
	line[n] = '\0';
	value += strspn(value, " \t");
	if (value[span(value, C_VALUE)] != '\0')
		return bad(err, "a control byte in a header's value");
	end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	h->headers[h->nheaders++] = (struct http_header){ line, value };
	return 0;
}

static int parse_headers(struct http_head *h, char *p, struct err *err)
{
	for (;;) {
		char *line = next_line(&p);

		if (!*line)
			return 0;
		if (parse_header(h, line, err) < 0)
			return -1;
	}
}

static int count_headers(const struct http_head *h, const char *name, const char **ret_value)
{
	int n = 0;

	for (int i = 0; i < h->nheaders; i++) {
		if (strcasecmp(h->headers[i].name, name) != 0)
			continue;
		if (n++ == 0)
			*ret_value = h->headers[i].value;
	}
	return n;
}

const char *http_header(const struct http_head *h, const char *name)
{
	const char *value = NULL;

	count_headers(h, name, &value);
	return value;
}

/* Is `word` an element of the comma-separated list? */
static bool list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

bool http_connection_has(const struct http_head *h, const char *word)
{
	for (int i = 0; i < h->nheaders; i++) {
		if (strcasecmp(h->headers[i].name, "Connection") == 0 &&
		    list_has(h->headers[i].value, word))
			return true;
	}
	return false;
}

static int parse_length(const char *text, int64_t *ret)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > LENGTH_DIGITS_MAX || text[n])
		return -1;
	*ret = 0;
	for (; *text; text++)
		*ret = *ret * 10 + (*text - '0');
	return 0;
}

/* Content-Length and Transfer-Encoding; h->length is -1 when neither is there. */
static int framing(struct http_head *h, struct err *err)
{
	const char *te = NULL, *cl = NULL;
	int nte = count_headers(h, "Transfer-Encoding", &te);
	int ncl = count_headers(h, "Content-Length", &cl);

	h->length = -1;
	if (nte + ncl > 1)
		return bad(err, "more than one of Content-Length and Transfer-Encoding");
	if (nte && (h->http10 || strcasecmp(te, "chunked") != 0))
		return bad(err, "a Transfer-Encoding other than chunked");
	h->chunked = nte == 1;
	if (ncl && parse_length(cl, &h->length) < 0)
		return bad(err, "Content-Length");
	return 0;
}

static int connection(struct http_head *h, struct err *err)
{
	const char *upgrade = NULL;

	if (http_connection_has(h, "close"))
		h->keep_alive = false;
	else
		h->keep_alive = !h->http10 || http_connection_has(h, "keep-alive");
	if (!http_connection_has(h, "upgrade"))
		return 0;
	if (count_headers(h, "Upgrade", &upgrade) > 1)
		return bad(err, "more than one Upgrade header");
	h->upgrade = upgrade;
	return 0;
}

static bool parse_version(const char *s, bool *ret_http10)
{
	*ret_http10 = strcmp(s, "HTTP/1.0") == 0;
	return *ret_http10 || strcmp(s, "HTTP/1.1") == 0;
}

static int request_line(struct http_head *h, char *line, struct err *err)
{
	size_t m = span(line, C_TOKEN), t;
	char *target = line + m + 1;

	if (m == 0 || m > METHOD_MAX || line[m] != ' ')
		return bad(err, "the request's method");
	t = span(target, C_TARGET);
	if (target[0] != '/' || target[t] != ' ')
		return bad(err, "the request's target is not a path");
	if (!parse_version(target + t + 1, &h->http10))
		return bad(err, "neither HTTP/1.1 nor HTTP/1.0");
	line[m] = target[t] = '\0';
	h->method = line;
	h->target = target;
	return 0;
}

static int check_host(const struct http_head *h, struct err *err)
{
	const char *host = "";
	int n = count_headers(h, "Host", &host);

	if (n > 1 || (n == 0 && !h->http10))
		return bad(err, "exactly one Host header is needed");
	if (strpbrk(host, " \t,/"))
		return bad(err, "the Host header");
	return 0;
}

static int parse_request(struct http_head *h, struct err *err)
{
	char *p = h->store;

	if (request_line(h, next_line(&p), err) < 0 || parse_headers(h, p, err) < 0 ||
	    check_host(h, err) < 0 || framing(h, err) < 0 || connection(h, err) < 0)
		return -1;
	if (h->length < 0 && !h->chunked)
		h->length = 0;
	return 0;
}

/* Copies a whole head into the head's store. 0: more bytes are needed. */
static int take_head(struct http_head *h, const char *data, size_t len, struct err *err)
{
	int n;

	memset(h, 0, sizeof(*h));
	n = head_length(data, len, err);
	if (n <= 0)
		return n;
	if (memchr(data, '\0', n))
		return bad(err, "a NUL byte");
	h->store = xstrndup(data, n);
	return n;
}

int http_parse_request(struct http_head *h, const char *data, size_t len, struct err *err)
{
	int n = take_head(h, data, len, err);

	if (n > 0 && parse_request(h, err) < 0) {
		http_head_free(h);
		return -1;
	}
	return n;
}

static int status_line(struct http_head *h, char *line, struct err *err)
{
	char *code = strchr(line, ' ');
	uint64_t status;
	size_t n;

	if (!code)
		return bad(err, "the status line");
	*code++ = '\0';
	n = strcspn(code, " ");
	h->reason = code[n] ? code + n + 1 : "";
	code[n] = '\0';
	if (!parse_version(line, &h->http10) || n != 3 || !str_to_u64(code, 999, &status) ||
	    status < 100 || h->reason[span(h->reason, C_VALUE)])
		return bad(err, "the status line");
	h->status = (int)status;
	return 0;
}

static bool has_no_body(int status, bool head_request)
{
	return head_request || status < 200 || status == 204 || status == 304;
}

static int parse_response(struct http_head *h, bool head_request, struct err *err)
{
	char *p = h->store;

	if (status_line(h, next_line(&p), err) < 0 || parse_headers(h, p, err) < 0 ||
	    framing(h, err) < 0 || connection(h, err) < 0)
		return -1;
	if (has_no_body(h->status, head_request)) {
		h->chunked = false;
		h->length = 0;
	} else if (h->length < 0 && !h->chunked) {
		h->keep_alive = false;
	}
	return 0;
}

int http_parse_response(struct http_head *h, const char *data, size_t len, bool head_request,
			struct err *err)
{
	int n = take_head(h, data, len, err);

	if (n > 0 && parse_response(h, head_request, err) < 0) {
		http_head_free(h);
		return -1;
	}
	return n;
}

void http_head_free(struct http_head *h)
{
	free(h->store);
	h->store = NULL;
	h->method = h->target = h->reason = h->upgrade = NULL;
	h->nheaders = 0;
}

const char *http_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} table[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 423, "Locked" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 499, "Client Closed Request" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 507, "Insufficient Storage" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].status == status)
			return table[i].text;
	}
	return "Unknown";
}
