/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/client.h - requests to the servers: connections, LXD's envelopes, operations.
 *
 * One connection a remote is kept for the life of the command; websockets open their own. Paths
 * are built with api_path(); the project is added to each request. A failed connection says
 * which daemon was not reached and what to do.
 */
#pragma once
#include "base/json.h"
#include "base/net/httpc.h"
#include "base/net/ws.h"
#include "cli/form/cli.h"

#define ANSWER_MAX ((size_t)512 << 20)

struct client;

/* Borrowed: closed with the command. */
struct client *client_open(struct cli *c, const char *remote, struct err *err);
/* The remote and object of an argument: client_open() of conf_split(). */
struct client *client_of(struct cli *c, const char *arg, const char **ret_name, struct err *err);
/* The argument is "REMOTE:" or absent. */
struct client *client_of_remote(struct cli *c, const char *arg, struct err *err);
/* An address that is not in the configuration, with a pinned fingerprint or NULL. */
struct client *client_open_address(struct cli *c, const char *address, const char *pin,
				   struct err *err);
/* A member of the same cluster at its URL, which shows the same certificate, for the same project.
 * One that has been opened is kept. */
struct client *client_beside(struct client *cl, const char *url, struct err *err);
void client_close_all(struct cli *c);

bool client_is_remote(const struct client *cl); /* not by the unix socket */
const char *client_remote(const struct client *cl);
const char *client_peer(const struct client *cl); /* fingerprint of the server; "" locally */
struct cli *client_cli(const struct client *cl);

/* "/1.0/" and the format, whose %s (nothing else) are escaped. The caller frees. */
char *api_path(const char *fmt, ...);
/* Adds a query parameter; an empty value adds nothing. Takes the path over. */
char *api_query(char *own_path, const char *key, const char *value);

struct api_call {
	const char *method, *path;
	const json_t *json; /* body, borrowed; or */
	int body_fd;        /* a file, when >= 0 */
	const char *const *headers;
	const char *etag;     /* sent as If-Match; or NULL */
	const char *progress; /* what the upload is called on the terminal; or NULL */
	bool raw;             /* the path is as somebody typed it */
	bool stranger;        /* it asks to be trusted: a refusal says why not */
};
#define API_CALL(m, p) ((struct api_call){ .method = (m), .path = (p), .body_fd = -1 })

/* Answers with an error status fail with the server's message. The caller frees the reply. */
int api_send(struct client *cl, const struct api_call *call, struct http_reply *ret,
	     struct err *err);
json_t *api_get(struct client *cl, const char *path, struct err *err);
/* *ret_etag (may be NULL when the server sent none) is freed by the caller. */
json_t *api_get_etag(struct client *cl, const char *path, char **ret_etag, struct err *err);
/* The operation as the server first answered it, without waiting; its "id" is set. */
json_t *api_begin(struct client *cl, const struct api_call *call, struct err *err);
/* The body of a GET to a file; *ret holds the headers, and is freed by the caller. */
int api_download(struct client *cl, const char *path, int fd, const char *progress,
		 struct http_reply *ret, struct err *err);
struct ws *api_websocket(struct client *cl, const char *path, struct err *err);

/* cli/net/wait.c: metadata of the answer; of an operation, its final object, when it succeeded. */
json_t *api_run(struct client *cl, const struct api_call *call, struct err *err);
/* api_run() without the result. `body` may be NULL. */
int api_do(struct client *cl, const char *method, const char *path, const json_t *body,
	   struct err *err);
/* Waits for the operation to end, with its progress on the terminal; Ctrl-C cancels
 * it when it may be. The final operation object, or NULL with the operation's error; ERR_UNKNOWN
 * when the server does not tell any more how it ends. */
json_t *api_wait(struct client *cl, const json_t *op, struct err *err);
/* Of one that has ended. Takes it over, and gives it back, or NULL with its error. */
json_t *api_ended(json_t *own_op, struct err *err);
/* Without progress and cancelling: for threads. */
json_t *api_wait_quietly(struct client *cl, const json_t *op, struct err *err);

static inline void cleanup_reply(struct http_reply *r)
{
	http_reply_free(r);
}
#define _reply_ __attribute__((cleanup(cleanup_reply)))
