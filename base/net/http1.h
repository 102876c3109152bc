/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/http1.h - strict incremental HTTP/1.1 heads and bodies (RFC 9112), both directions.
 *
 * Refuses what request smuggling lives on: bare LF, obs-fold, blanks before a colon, both or
 * several framings, missing or repeated Host, signs and overlong numbers in lengths, chunk
 * extensions with control bytes. Never allocates more than HTTP_HEAD_MAX for a head.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_HEAD_MAX (64 << 10)
#define HTTP_HEADERS_MAX 100

struct http_header {
	const char *name; /* as sent; compare with strcasecmp */
	const char *value;
};

/* A parsed head; strings point into `store`, which the head owns. */
struct http_head {
	char *store;
	const char *method, *target; /* requests */
	int status;                  /* responses */
	const char *reason;
	struct http_header headers[HTTP_HEADERS_MAX];
	int nheaders;
	bool chunked;
	int64_t length; /* of the body; -1 unknown (chunked, or until close in a response) */
	bool keep_alive;
	bool http10;         /* the sender speaks HTTP/1.0: no chunks for it */
	const char *upgrade; /* NULL unless Connection lists upgrade */
};

/* Parses when data holds a whole head: returns its length; 0 when more is needed; -1 with
 * ERR_INVALID or ERR_TOO_LARGE. */
int http_parse_request(struct http_head *h, const char *data, size_t len, struct err *err);
int http_parse_response(struct http_head *h, const char *data, size_t len, bool head_request,
			struct err *err);
const char *http_header(const struct http_head *h, const char *name); /* NULL when absent */
/* Does a Connection header list this word? */
bool http_connection_has(const struct http_head *h, const char *word);
void http_head_free(struct http_head *h);
const char *http_status_text(int status);

/* Decodes one body. Feed bytes; *ret_out points to decoded bytes inside data. */
struct http_body {
	bool chunked;
	int64_t left; /* of the length or of the present chunk; -1 until close */
	int state;
	int64_t total;
	unsigned trailer;
	bool done;
};
void http_body_init(struct http_body *b, const struct http_head *h);
/* Consumes up to len bytes; returns how many, or -1 with ERR_INVALID. May produce at most one run
 * of decoded bytes a call. */
int64_t http_body_feed(struct http_body *b, const char *data, size_t len, const char **ret_out,
		       size_t *ret_out_len, struct err *err);
