/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/client.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/defaults.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/form/progress.h"
#include "cli/net/remote.h"

#define CONNECT_MS 10000
/* Servers close idle connections; one that waited for a user is opened anew. */
#define IDLE_MS 3000
#define HEADERS_MAX 16

struct client {
	struct client *next;
	struct cli *cli;
	char *remote;
	char *address, *pin; /* NULL for the unix socket */
	char *project;
	char *peer;
	struct tls_ctx *tls;
	struct httpc *http;
	int64_t idle_since; /* when the last answer came */
	bool known;         /* a remote of the configuration */
	bool warned;
};

const char *client_remote(const struct client *cl)
{
	return cl->remote;
}

bool client_is_remote(const struct client *cl)
{
	return cl->address;
}

const char *client_peer(const struct client *cl)
{
	return cl->peer ? cl->peer : "";
}

struct cli *client_cli(const struct client *cl)
{
	return cl->cli;
}

static struct stream *connect_local(struct client *cl, struct err *err)
{
	const char *path = cl->cli->conf->socket;
	struct stream *s = stream_connect_unix(path, err);

	if (!s && (err->sys == EACCES || err->sys == EPERM))
		err_set(err, ERR_FORBIDDEN,
			"cannot reach dunlind at %s: permission denied (root and the socket's "
			"group may)",
			path);
	else if (!s)
		err_set(err, ERR_UNAVAILABLE,
			"cannot reach dunlind at %s: is it running? (systemctl start dunlind)",
			path);
	return s;
}

static struct stream *connect_tls(struct client *cl, struct err *err)
{
	struct stream *s;

	if (!cl->tls) {
		_free_ char *cert = NULL, *key = NULL;

		if (conf_identity(cl->cli->conf, &cert, &key, err) < 0)
			return NULL;
		cl->tls = tls_client_new(cert, key, err);
		if (!cl->tls)
			return NULL;
	}
	s = stream_connect_tls(cl->tls, cl->address, cl->pin, deadline_in(CONNECT_MS), err);
	if (!s && err->kind == ERR_STRANGER && cl->known)
		err_wrap(err,
			 "server \"%s\" is not the one that was added, or its cluster has a new "
			 "certificate, as after the removal of a member; compare the fingerprint "
			 "with \"dunlin info\" there, then run \"dunlin remote accept %s\"",
			 cl->remote, cl->remote);
	else if (!s)
		err_wrap(err, "cannot reach server \"%s\"", cl->remote);
	else if (!cl->peer)
		cl->peer = xstrdup(stream_peer(s));
	return s;
}

static struct httpc *connect_http(struct client *cl, struct err *err)
{
	struct stream *s = cl->address ? connect_tls(cl, err) : connect_local(cl, err);

	return s ? httpc_new(s, cl->address ? cl->address : "unix.socket") : NULL;
}

static int ensure_open(struct client *cl, struct err *err)
{
	if (cl->http && httpc_reusable(cl->http) && clock_ms() - cl->idle_since < IDLE_MS)
		return 0;
	httpc_free(cl->http);
	cl->http = connect_http(cl, err);
	cl->idle_since = clock_ms();
	return cl->http ? 0 : -1;
}

static struct client *keep(struct cli *c, struct client *own)
{
	own->cli = c;
	own->next = c->clients;
	c->clients = own;
	return own;
}

struct client *client_open(struct cli *c, const char *remote, struct err *err)
{
	const json_t *r;
	struct client *cl;

	for (cl = c->clients; cl; cl = cl->next)
		if (strcmp(cl->remote, remote) == 0)
			return cl;
	if (conf_remote(c->conf, remote, &r, err) < 0)
		return NULL;
	cl = keep(c, xnew(struct client));
	cl->remote = xstrdup(remote);
	cl->project = xstrdup(c->conf->project ? c->conf->project : json_str(r, "project", NULL));
	if (r) {
		cl->known = true;
		cl->address = remote_address(json_str(r, "addr", ""), err);
		cl->pin = xstrdup(json_str(r, "fingerprint", NULL));
		if (!cl->address)
			return NULL;
	}
	return cl;
}

struct client *client_open_address(struct cli *c, const char *address, const char *pin,
				   struct err *err)
{
	struct client *cl = keep(c, xnew(struct client));

	cl->remote = xstrdup(address);
	cl->address = xstrdup(address);
	cl->pin = xstrdup(pin);
	return ensure_open(cl, err) < 0 ? NULL : cl;
}

struct client *client_beside(struct client *cl, const char *url, struct err *err)
{
	_free_ char *address = remote_address(url, err);
	struct client *beside = cl->cli->clients;

	while (address && beside && !(str_eq(beside->remote, address) && !beside->known))
		beside = beside->next;
	if (!address)
		return NULL;
	if (!beside) {
		beside = keep(cl->cli, xnew(struct client));
		beside->remote = xstrdup(address);
		beside->address = xstrdup(address);
		beside->pin = xstrdup(cl->pin);
		beside->project = xstrdup(cl->project);
	}
	return ensure_open(beside, err) < 0 ? NULL : beside;
}

struct client *client_of(struct cli *c, const char *arg, const char **ret_name, struct err *err)
{
	_free_ char *remote = NULL;

	if (conf_split(c->conf, arg, &remote, ret_name, err) < 0)
		return NULL;
	return client_open(c, remote, err);
}

struct client *client_of_remote(struct cli *c, const char *arg, struct err *err)
{
	_free_ char *remote = NULL;

	if (arg && !conf_is_remote(c->conf, arg, &remote)) {
		err_set(err, ERR_INVALID, "\"%.80s\" is no remote: write \"%.80s:\"", arg, arg);
		return NULL;
	}
	return client_open(c, remote ? remote : conf_default(c->conf), err);
}

void client_close_all(struct cli *c)
{
	while (c->clients) {
		struct client *cl = c->clients;

		c->clients = cl->next;
		httpc_free(cl->http);
		tls_unref(cl->tls);
		free(cl->remote);
		free(cl->address);
		free(cl->pin);
		free(cl->project);
		free(cl->peer);
		free(cl);
	}
}

static void add_escaped(struct sbuf *b, const char *s)
{
	_free_ char *enc = str_url_encode(s);

	for (const char *p = enc; *p; p++) {
		if (*p == '/')
			sbuf_puts(b, "%2F");
		else
			sbuf_putc(b, *p);
	}
}

char *api_path(const char *fmt, ...)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);
	va_list ap;

	sbuf_puts(&b, "/1.0");
	if (*fmt)
		sbuf_putc(&b, '/');
	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (fmt[0] == '%' && fmt[1] == 's') {
			add_escaped(&b, va_arg(ap, const char *));
			fmt++;
		} else {
			sbuf_putc(&b, *fmt);
		}
	}
	va_end(ap);
	return sbuf_take(&b);
}

char *api_query(char *own_path, const char *key, const char *value)
{
	_sbuf_ struct sbuf b = SBUF(64 << 10);

	assert(own_path);
	if (str_empty(value))
		return own_path;
	sbuf_printf(&b, "%s%c%s=", own_path, strchr(own_path, '?') ? '&' : '?', key);
	add_escaped(&b, value);
	free(own_path);
	return sbuf_take(&b);
}

static char *with_project(const struct client *cl, const char *path)
{
	if (str_empty(cl->project) || str_eq(cl->project, PROJECT_DEFAULT))
		return xstrdup(path);
	return api_query(xstrdup(path), "project", cl->project);
}

static void say_request(const struct client *cl, const char *method, const char *path, int status,
			int64_t began)
{
	if (cl->cli->debug)
		fprintf(stderr, "debug: %s: %s %s -> %d (%.1f ms)\n", cl->remote, method, path,
			status, (clock_us() - began) / 1000.0);
}

/* What a server says of itself to anybody. */
static bool is_trusted(struct client *cl)
{
	struct err ignored;
	_json_ json_t *server = api_get(cl, "/1.0", &ignored);

	return !str_eq(json_str(server, "auth", ""), "untrusted");
}

static int answer_error(struct client *cl, const struct http_reply *r, bool stranger,
			struct err *err)
{
	_json_ json_t *none = NULL;

	if (r->head.status < 400)
		return 0;
	none = http_reply_metadata(r, err);
	if (none)
		err_set(err, err_from_http(r->head.status), "the server answered %d",
			r->head.status);
	if (err->kind == ERR_FORBIDDEN && cl->address && !stranger && !is_trusted(cl))
		err_set(err, ERR_FORBIDDEN,
			"server \"%s\" does not trust this client: get a token there (dunlin "
			"config trust add --name NAME) and add it with \"dunlin remote add\"",
			cl->remote);
	return -1;
}

static void show_upload(void *arg, int64_t done, int64_t total)
{
	progress_share(arg, done, total);
}

static void fill_headers(const struct api_call *call, const char *etag,
			 const char *headers[HEADERS_MAX])
{
	int n = 0;

	for (int i = 0; call->headers && call->headers[i] && n < HEADERS_MAX - 4; i++)
		headers[n++] = call->headers[i];
	if (call->json)
		headers[n++] = "Content-Type: application/json";
	if (etag)
		headers[n++] = etag;
	headers[n++] = "User-Agent: dunlin " DUNLIN_VERSION;
	headers[n] = NULL;
}

/* Once a command: what such a server shows may be old. */
static void warn_of_island(struct client *cl, const struct http_reply *r)
{
	const char *seconds = http_header(&r->head, HTTPC_ISLAND_HEADER);

	if (!seconds || cl->warned)
		return;
	cl->warned = true;
	fprintf(stderr,
		"Warning: the member that answers has heard of no leader for %.10s s: what it "
		"shows may be old, and what needs a majority of the members fails\n",
		seconds);
}

/* An empty name would make the path of one object that of the list. */
static int check_names(const struct api_call *call, struct err *err)
{
	size_t len = strcspn(call->path, "?");
	const char *empty = strstr(call->path, "//");

	if (call->raw || (call->path[len - 1] != '/' && (!empty || empty > call->path + len)))
		return 0;
	return err_set(err, ERR_INVALID, "a name is empty (%s %.*s)", call->method, (int)len,
		       call->path);
}

int api_send(struct client *cl, const struct api_call *call, struct http_reply *ret,
	     struct err *err)
{
	_free_ char *path = with_project(cl, call->path);
	_free_ char *body = call->json ? json_text(call->json) : NULL;
	_free_ char *etag = call->etag ? xasprintf("If-Match: %s", call->etag) : NULL;
	const char *headers[HEADERS_MAX];
	struct progress progress = progress_begin(cl->cli, call->progress);
	struct http_call hc = HTTP_CALL(call->method, path);
	int64_t began = clock_us();
	int r;

	*ret = (struct http_reply){ 0 };
	if (check_names(call, err) < 0 || ensure_open(cl, err) < 0)
		return -1;
	fill_headers(call, etag, headers);
	hc.headers = headers;
	hc.body = body;
	hc.body_len = body ? strlen(body) : 0;
	hc.body_fd = call->body_fd;
	if (call->progress) {
		hc.progress = show_upload;
		hc.progress_arg = &progress;
	}
	r = httpc_do(cl->http, &hc, ANSWER_MAX, ret, err);
	cl->idle_since = clock_ms();
	progress_end(&progress);
	say_request(cl, call->method, path, r < 0 ? 0 : ret->head.status, began);
	if (r < 0)
		return -1;
	warn_of_island(cl, ret);
	return answer_error(cl, ret, call->stranger, err);
}

json_t *api_begin(struct client *cl, const struct api_call *call, struct err *err)
{
	_reply_ struct http_reply reply = { 0 };

	if (api_send(cl, call, &reply, err) < 0)
		return NULL;
	return http_reply_metadata(&reply, err);
}

json_t *api_get_etag(struct client *cl, const char *path, char **ret_etag, struct err *err)
{
	struct api_call call = API_CALL("GET", path);
	_reply_ struct http_reply reply = { 0 };
	json_t *meta;

	*ret_etag = NULL;
	if (api_send(cl, &call, &reply, err) < 0)
		return NULL;
	meta = http_reply_metadata(&reply, err);
	if (meta)
		*ret_etag = xstrdup(http_header(&reply.head, "ETag"));
	return meta;
}

json_t *api_get(struct client *cl, const char *path, struct err *err)
{
	_free_ char *etag = NULL;

	return api_get_etag(cl, path, &etag, err);
}

int api_download(struct client *cl, const char *path, int fd, const char *progress,
		 struct http_reply *ret, struct err *err)
{
	_free_ char *full = with_project(cl, path);
	struct progress bar = progress_begin(cl->cli, progress);
	struct http_call hc = HTTP_CALL("GET", full);
	int64_t began = clock_us();
	int r;

	*ret = (struct http_reply){ 0 };
	if (ensure_open(cl, err) < 0)
		return -1;
	if (progress) {
		hc.progress = show_upload;
		hc.progress_arg = &bar;
	}
	r = httpc_download(cl->http, &hc, fd, ret, err);
	cl->idle_since = clock_ms();
	progress_end(&bar);
	say_request(cl, "GET", full, r < 0 ? 0 : ret->head.status, began);
	if (r < 0)
		return -1;
	warn_of_island(cl, ret);
	return answer_error(cl, ret, false, err);
}

struct ws *api_websocket(struct client *cl, const char *path, struct err *err)
{
	_free_ char *full = with_project(cl, path);
	struct httpc *http = connect_http(cl, err);
	struct ws *w;

	if (!http)
		return NULL;
	w = ws_connect(http, full, deadline_in(CONNECT_MS), err);
	httpc_free(http);
	if (cl->cli->debug)
		fprintf(stderr, "debug: %s: websocket %s -> %s\n", cl->remote, full,
			w ? "open" : err->msg);
	return w;
}
