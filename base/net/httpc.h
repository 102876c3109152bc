/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/httpc.h - a blocking HTTP client over a stream: the CLI, and calls between members.
 *
 * One connection a struct; the caller keeps idle ones. Bodies are in memory or files. An answer
 * that comes while the body is still being sent (413) ends the sending. Without a Content-Type of
 * the caller, a body in memory goes as JSON and a file as bytes.
 */
#pragma once
#include "base/json.h"
#include "base/net/http1.h"
#include "base/net/stream.h"
#include "base/sbuf.h"

struct httpc;

struct http_call {
	const char *method, *path;  /* path with query, already escaped */
	const char *const *headers; /* "Name: value", NULL-terminated; or NULL */
	const char *body;
	size_t body_len;
	int body_fd; /* used when >= 0 and body is NULL: sent from offset 0, with its size */
	/* Called with the bytes of the body sent so far; may be NULL. */
	void (*progress)(void *arg, int64_t done, int64_t total);
	void *progress_arg;
	int64_t deadline;
};
#define HTTP_CALL(m, p) ((struct http_call){ .method = (m), .path = (p), .body_fd = -1 })

struct http_reply {
	struct http_head head;
	struct sbuf body; /* at most the cap given */
};

/* `own_stream` is closed by httpc_free. host is sent as the Host header. */
struct httpc *httpc_new(struct stream *own_stream, const char *host);
void httpc_free(struct httpc *c);
/* The whole answer in memory (at most max bytes). The HTTP status is not an error here. */
int httpc_do(struct httpc *c, const struct http_call *call, size_t max, struct http_reply *ret,
	     struct err *err);
/* The answer's body goes to out_fd as it comes. An answer with status >= 400 lands in ret->body
 * instead. `progress` of the call then counts received bytes. */
int httpc_download(struct httpc *c, const struct http_call *call, int out_fd,
		   struct http_reply *ret, struct err *err);
/* Sends an Upgrade request; on 101 the stream is handed over (with bytes that followed the head),
 * c stays to be freed. Any other status is an error with the answer's message. */
struct stream *httpc_upgrade(struct httpc *c, const char *path, const char *protocol,
			     const char *const *headers, int64_t deadline, struct err *err);
/* The same, with the answer's head for the caller to check; http_head_free() it. */
struct stream *httpc_upgrade_head(struct httpc *c, const char *path, const char *protocol,
				  const char *const *headers, int64_t deadline,
				  struct http_head *ret_head, struct err *err);
/* False once the connection cannot take another call. */
bool httpc_reusable(const struct httpc *c);
void http_reply_free(struct http_reply *r);

/* LXD's envelope: returns metadata (new reference; json null when empty), or NULL with the kind and
 * message the server sent. The kind is exact when the server is ours (header HTTPC_KIND_HEADER). */
#define HTTPC_KIND_HEADER "X-Dunlin-Error"
/* On each answer of a member that hears no leader: for how many seconds. */
#define HTTPC_ISLAND_HEADER "X-Dunlin-Island"
json_t *http_reply_metadata(const struct http_reply *r, struct err *err);
