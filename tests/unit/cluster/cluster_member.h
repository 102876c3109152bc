/* SPDX-License-Identifier: Apache-2.0 */
/* A member of a cluster as a process of its own: the cluster's parts behind a small HTTPS server.
 *
 * `PROGRAM member DIR HOST:PORT` runs one until it is killed. Besides the members' endpoints it
 * serves POST /test/VERB, by which the test makes it act.
 */
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/net/address.h"
#include "base/net/connect.h"
#include "base/net/http1.h"
#include "base/net/httpc.h"
#include "base/net/tls.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/cluster.h"
#include "cluster/store/store.h"

#define HELD_MS 1500

extern char **environ;

struct member_server {
	struct cluster *cluster;
	const char *address;
	struct tls_ctx *tls;
	pthread_mutex_t lock;
	/* The next calls of /internal/tx: so many are done and not answered, those after them
	 * turned away. */
	int lose, refuse;
	char lose_path[64]; /* "": of transactions */
	enum err_kind refuse_kind;
};

struct member_conn {
	struct member_server *server;
	int fd;
};

/* --- what the test asks for ------------------------------------------------------------------- */

struct commit_load {
	struct cluster *cluster;
	int count, id;
	int failed;
	char message[200];
};

static void *commit_many(void *arg)
{
	struct commit_load *l = arg;
	struct err err = { 0 };

	for (int i = 0; i < l->count; i++) {
		_free_ char *key = xasprintf("load-%d-%d-%d", (int)getpid(), l->id, i);
		_json_ json_t *doc =
			json_pack("{s:s,s:i,s:s}", "member", "none", "n", i, "text",
				  "a row of the usual size, about two hundred bytes long, "
				  "as a profile or a small instance would be, more or less");
		_tx_ struct tx *t = tx_new();

		tx_put(t, ENT_INSTANCE, key, REV_ANY, doc);
		if (store_commit(cluster_store(l->cluster), t, 0, NULL, &err) < 0) {
			l->failed++;
			str_copy(l->message, sizeof(l->message), err.msg);
		}
	}
	return NULL;
}

static json_t *do_load(struct cluster *c, const json_t *body)
{
	int threads = (int)json_int(body, "threads", 1), failed = 0;
	struct commit_load l[128];
	pthread_t t[128];
	char message[200] = "";
	int64_t start = clock_us();

	for (int i = 0; i < threads; i++) {
		l[i] = (struct commit_load){ .cluster = c,
					     .count = (int)json_int(body, "count", 1),
					     .id = i };
		pthread_create(&t[i], NULL, commit_many, &l[i]);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		failed += l[i].failed;
		if (l[i].failed)
			str_copy(message, sizeof(message), l[i].message);
	}
	return json_pack("{s:I,s:i,s:s}", "us", (json_int_t)(clock_us() - start), "failed", failed,
			 "message", message);
}

static json_t *do_put(struct cluster *c, const json_t *body, struct err *err)
{
	_tx_ struct tx *t = tx_new();
	_json_ json_t *doc = json_pack("{s:s}", "value", json_str(body, "value", ""));
	int64_t rev, ms = json_int(body, "timeout_ms", 15000);

	tx_put(t, ENT_CONFIG, json_str(body, "key", ""), json_int(body, "seen", REV_ANY), doc);
	if (store_commit(cluster_store(c), t, deadline_in(ms), &rev, err) < 0)
		return NULL;
	return json_pack("{s:I}", "revision", (json_int_t)rev);
}

static json_t *do_get(struct cluster *c, const json_t *body, struct err *err)
{
	_row_ struct row row = { 0 };
	const char *key = json_str(body, "key", "");
	int rc = json_bool(body, "latest", false)
			 ? store_get_latest(cluster_store(c), ENT_CONFIG, key, &row, 0, err)
			 : store_get(cluster_store(c), ENT_CONFIG, key, &row, err);

	if (rc < 0)
		return NULL;
	return json_pack("{s:s,s:I}", "value", json_str(row.doc, "value", ""), "rev",
			 (json_int_t)row.rev);
}

static json_t *do_info(struct cluster *c)
{
	json_t *members = json_array(), *j;
	_rows_ struct rows rows = { 0 };
	struct err ignored;
	char leader[300] = "";

	cluster_leader_address(c, leader, sizeof(leader));
	if (store_list(cluster_store(c), ENT_MEMBER, NULL, &rows, &ignored) == 0) {
		for (size_t i = 0; i < rows.n; i++)
			json_array_append_new(members, cluster_member_json(c, &rows.v[i]));
	}
	j = json_pack("{s:s,s:s,s:b,s:b,s:b,s:I,s:I,s:o,s:s}", "name", cluster_member_name(c),
		      "leader", leader, "leading", cluster_is_leader(c), "island",
		      cluster_is_island(c), "enabled", cluster_enabled(c), "revision",
		      (json_int_t)store_revision(cluster_store(c)), "instances",
		      (json_int_t)store_count(cluster_store(c), ENT_INSTANCE, NULL), "members",
		      members, "fingerprint", cluster_fingerprint(c));
	return j;
}

static json_t *do_fact(struct cluster *c, const json_t *body, struct err *err)
{
	const char *key = json_str(body, "key", "");
	json_t *doc = json_obj(body, "doc");
	char member[64] = "";
	json_t *now;

	if (json_object_get(body, "doc"))
		store_fact_put(cluster_store(c), FACT_INSTANCE, key, doc);
	now = store_fact_get(cluster_store(c), FACT_INSTANCE, key, member);
	return json_pack("{s:o?,s:s}", "doc", now, "member", member);
}

static void do_lose(struct member_server *s, const json_t *body)
{
	pthread_mutex_lock(&s->lock);
	s->lose = (int)json_int(body, "lose", 0);
	str_copy(s->lose_path, sizeof(s->lose_path), json_str(body, "path", ""));
	s->refuse = (int)json_int(body, "refuse", 0);
	s->refuse_kind = err_from_name(json_str(body, "kind", ""));
	pthread_mutex_unlock(&s->lock);
}

/* Many facts of the usual size of a running instance. */
static json_t *do_facts(struct cluster *c, const json_t *body)
{
	_json_ json_t *doc = json_pack("{s:s,s:s}", "status", json_str(body, "status", ""),
				       "filler", json_str(body, "filler", ""));
	int n = (int)json_int(body, "n", 0);

	for (int i = 0; i < n; i++) {
		_free_ char *key = xasprintf("%s-%06d", json_str(body, "prefix", ""), i);

		store_fact_put(cluster_store(c), FACT_INSTANCE, key,
			       json_bool(body, "gone", false) ? NULL : doc);
	}
	return json_object();
}

struct tally {
	const char *prefix, *status;
	int n;
};

static void count_fact(void *arg, const char *key, const char *member, const char *text)
{
	struct tally *t = arg;

	t->n += str_starts(key, t->prefix) && strstr(text, t->status);
}

static json_t *do_count_facts(struct cluster *c, const json_t *body)
{
	struct tally t = { json_str(body, "prefix", ""), json_str(body, "status", ""), 0 };

	store_each_fact(cluster_store(c), FACT_INSTANCE, count_fact, &t);
	return json_pack("{s:i}", "n", t.n);
}

static json_t *do_wide_rows(struct cluster *c, const json_t *body, struct err *err)
{
	size_t bytes = (size_t)json_int(body, "bytes", 0);
	_free_ char *filler = xcalloc(1, bytes + 1);

	memset(filler, 'x', bytes);
	for (int i = 0; i < (int)json_int(body, "n", 0); i++) {
		_free_ char *key = xasprintf("wide-%06d", i);
		_json_ json_t *doc = json_pack("{s:s,s:s}", "member", "m1", "text", filler);
		_tx_ struct tx *t = tx_new();

		tx_put(t, ENT_INSTANCE, key, REV_ANY, doc);
		if (store_commit(cluster_store(c), t, 0, NULL, err) < 0)
			return NULL;
	}
	return json_object();
}

static json_t *test_verb(struct member_server *s, const char *verb, const json_t *body,
			 struct err *err)
{
	struct cluster *c = s->cluster;
	const char *name = json_str(body, "name", "");
	struct removal removal;
	int rc = 0;

	if (str_eq(verb, "enable"))
		rc = cluster_enable(c, name, s->address, err);
	else if (str_eq(verb, "join"))
		rc = cluster_join(c, name, s->address, json_str(body, "token", ""), err);
	else if (str_eq(verb, "remove"))
		rc = cluster_remove(c, name, json_bool(body, "force", false), &removal, err);
	else if (str_eq(verb, "token"))
		return cluster_token_new(c, name, 3600, NULL, err);
	else if (str_eq(verb, "put"))
		return do_put(c, body, err);
	else if (str_eq(verb, "get"))
		return do_get(c, body, err);
	else if (str_eq(verb, "info"))
		return do_info(c);
	else if (str_eq(verb, "fact"))
		return do_fact(c, body, err);
	else if (str_eq(verb, "load"))
		return do_load(c, body);
	else if (str_eq(verb, "facts"))
		return do_facts(c, body);
	else if (str_eq(verb, "count_facts"))
		return do_count_facts(c, body);
	else if (str_eq(verb, "wide_rows"))
		return do_wide_rows(c, body, err);
	else if (str_eq(verb, "stop"))
		cluster_stop(c);
	else if (str_eq(verb, "lose"))
		do_lose(s, body);
	return rc < 0 ? NULL : json_object();
}

/* --- the server ------------------------------------------------------------------------------- */

static json_t *member_dispatch(struct member_server *s, const char *path, const json_t *body,
			       const char *peer, struct err *err)
{
	struct cluster *c = s->cluster;
	char name[64];

	if (str_starts(path, "/test/"))
		return test_verb(s, path + strlen("/test/"), body, err);
	if (str_eq(path, "/internal/cluster/join"))
		return cluster_serve_join(c, body, peer, err);
	if (str_eq(path, "/internal/membership"))
		return cluster_serve_membership(c, peer);
	if (!cluster_is_member_cert(c, peer, name)) {
		err_set(err, ERR_FORBIDDEN, "not a member");
		return NULL;
	}
	if (str_eq(path, "/internal/leader"))
		return cluster_serve_leader(c, err);
	if (str_eq(path, "/internal/tx"))
		return cluster_serve_tx(c, body, err);
	if (str_eq(path, "/internal/outcome"))
		return cluster_serve_outcome(c, body, err);
	if (str_eq(path, "/internal/row"))
		return cluster_serve_row(c, body, err);
	if (str_eq(path, "/internal/raft"))
		return cluster_serve_raft(c, body, err);
	err_set(err, ERR_NOT_FOUND, "no such path");
	return NULL;
}

/* True when the answer is not to be given: the request is done all the same. */
static bool member_loses(struct member_server *s, const char *path, struct err *ret_refused)
{
	bool lost = false;

	pthread_mutex_lock(&s->lock);
	if (!str_eq(path, *s->lose_path ? s->lose_path : "/internal/tx"))
		lost = false;
	else if (s->lose > 0)
		lost = s->lose-- > 0;
	else if (s->refuse > 0 && s->refuse-- > 0)
		err_set(ret_refused, s->refuse_kind, "turned away by the test");
	pthread_mutex_unlock(&s->lock);
	return lost;
}

static void member_reply(struct stream *s, json_t *metadata, const struct err *err)
{
	_json_ json_t *j = metadata ? json_pack("{s:s,s:o}", "type", "sync", "metadata", metadata)
				    : json_pack("{s:s,s:i,s:s}", "type", "error", "error_code",
						err_http(err->kind), "error", err->msg);
	_sbuf_ struct sbuf b = SBUF(64 << 20);
	_free_ char *text = json_text(j);
	struct err ignored;

	sbuf_printf(&b, "HTTP/1.1 %d x\r\nContent-Length: %zu\r\n",
		    metadata ? 200 : err_http(err->kind), strlen(text));
	if (!metadata)
		sbuf_printf(&b, "%s: %s\r\n", HTTPC_KIND_HEADER, err_name(err->kind));
	sbuf_puts(&b, "\r\n");
	sbuf_puts(&b, text);
	stream_write(s, b.data, b.len, &ignored);
}

/* Serves a feed whose socket stays open in another's hands for long after its end. */
static void member_feed(struct member_server *srv, struct stream *own)
{
	int held = fcntl(stream_fd(own), F_DUPFD_CLOEXEC, 3);
	struct pollfd p = { held, POLLRDHUP, 0 };

	cluster_serve_feed(srv->cluster, own);
	poll(&p, 1, -1);
	poll(NULL, 0, HELD_MS);
	close(held);
}

static void member_upgrade(struct member_server *srv, struct stream *own, const char *protocol)
{
	_free_ char *head = xasprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
				      "Upgrade: %s\r\n\r\n",
				      protocol);
	struct err ignored;

	stream_write(own, head, strlen(head), &ignored);
	if (str_eq(protocol, "dqlite"))
		cluster_serve_raft_stream(srv->cluster, own);
	else
		member_feed(srv, own);
}

/* The next request's head and body into b. */
static bool member_read(struct stream *s, struct sbuf *b, struct http_head *h, size_t *ret_head)
{
	struct err err = { 0 };
	char buf[16384];
	int n = 0;

	for (;;) {
		ssize_t got;

		if (!n)
			n = http_parse_request(h, b->data ? b->data : "", b->len, &err);
		if (n < 0)
			return false;
		if (n && b->len >= (size_t)n + (size_t)(h->length > 0 ? h->length : 0)) {
			*ret_head = (size_t)n;
			return true;
		}
		got = stream_read(s, buf, sizeof(buf), &err);
		if (got <= 0)
			return false;
		sbuf_add(b, buf, (size_t)got);
	}
}

/* False when the connection is over or was given away. */
static bool member_serve_one(struct member_server *srv, struct stream **s, struct sbuf *b)
{
	struct http_head h = { 0 };
	struct err err = { 0 };
	_json_ json_t *body = NULL;
	char peer[SHA256_HEX_SIZE], name[64], path[200];
	json_t *answer;
	size_t head, len;
	bool lost;

	if (!member_read(*s, b, &h, &head))
		return false;
	len = h.length > 0 ? (size_t)h.length : 0;
	str_copy(peer, sizeof(peer), stream_peer(*s));
	str_copy(path, sizeof(path), h.target);
	if (h.upgrade && cluster_is_member_cert(srv->cluster, peer, name)) {
		sbuf_consume(b, head);
		stream_unread(*s, b->data, b->len);
		member_upgrade(srv, take_ptr(*s), h.upgrade);
		http_head_free(&h);
		return false;
	}
	body = len ? json_parse(b->data + head, len, "body", &err) : NULL;
	sbuf_consume(b, head + len);
	http_head_free(&h);
	lost = member_loses(srv, path, &err);
	answer = err.kind ? NULL : member_dispatch(srv, path, body, peer, &err);
	if (lost)
		json_decref(answer);
	else
		member_reply(*s, answer, &err);
	return !lost;
}

static struct stream *member_accept(struct member_server *srv, int fd)
{
	struct ssl_st *ssl;
	struct tls_ctx *t;
	int r;

	pthread_mutex_lock(&srv->lock);
	t = tls_ref(srv->tls);
	pthread_mutex_unlock(&srv->lock);
	socket_tune(fd);
	io_set_nonblock(fd, true);
	ssl = tls_session_new(t, fd, true);
	tls_unref(t);
	while ((r = tls_handshake(ssl)) != 1) {
		struct pollfd p = { fd, r == TLS_WANT_WRITE ? POLLOUT : POLLIN, 0 };

		if (r == TLS_FAILED || r == 0 || poll(&p, 1, 5000) <= 0) {
			tls_session_free(ssl);
			close(fd);
			return NULL;
		}
	}
	return stream_from_ssl(ssl, fd, NULL, 0);
}

static void *member_connection(void *arg)
{
	struct member_conn *k = arg;
	struct member_server *srv = k->server;
	struct stream *s = member_accept(srv, k->fd);
	_sbuf_ struct sbuf b = SBUF(64 << 20);

	free(k);
	while (s && member_serve_one(srv, &s, &b))
		;
	stream_free(s);
	return NULL;
}

static void member_certificate(void *arg)
{
	struct member_server *srv = arg;
	struct err err = { 0 };
	struct tls_ctx *t = srv->cluster ? cluster_server_tls(srv->cluster, &err) : NULL;

	pthread_mutex_lock(&srv->lock);
	tls_unref(srv->tls);
	srv->tls = t;
	pthread_mutex_unlock(&srv->lock);
}

static int member_listen(const char *address)
{
	char host[64], port[8];
	struct err err;
	struct sockaddr_in sa = { .sin_family = AF_INET };
	uint64_t n = 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	address_split(address, host, sizeof(host), port, &err);
	str_to_u64(port, 65535, &n);
	sa.sin_port = htons((uint16_t)n);
	inet_pton(AF_INET, host, &sa.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0)
		return -1;
	return fd;
}

static int member_main(const char *dir, const char *address)
{
	static struct member_server srv;
	struct err err = { 0 };
	struct cluster_opts o = { .dir = dir,
				  .certificate_changed = member_certificate,
				  .arg = &srv };
	int listener = member_listen(address);

	log_init(LOG_INFO);
	fault_init(&err);
	signal(SIGPIPE, SIG_IGN);
	pthread_mutex_init(&srv.lock, NULL);
	srv.address = address;
	srv.cluster = cluster_new(&o, &err);
	if (!srv.cluster || cluster_start(srv.cluster, &err) < 0) {
		log_err(LOG_ERROR, "start", &err);
		return 1;
	}
	member_certificate(&srv);
	for (;;) {
		struct member_conn *k = xnew(struct member_conn);

		k->server = &srv;
		k->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (k->fd < 0 || thread_detached("conn", member_connection, k, &err) < 0)
			return 1;
	}
}

/* --- the test's side -------------------------------------------------------------------------- */

struct member_proc {
	pid_t pid;
	char dir[128], address[64], name[64];
};

static void member_spawn(struct member_proc *m, char *fault)
{
	char self[] = "/proc/self/exe", verb[] = "member";
	char *argv[] = { self, verb, m->dir, m->address, NULL };
	char *env[] = { fault, NULL };

	if (posix_spawn(&m->pid, self, NULL, NULL, argv, fault ? env : environ) != 0)
		abort();
}

static void member_kill(struct member_proc *m)
{
	if (m->pid <= 0)
		return;
	kill(m->pid, SIGKILL);
	waitpid(m->pid, NULL, 0);
	m->pid = 0;
}

static json_t *member_ask(const struct member_proc *m, const char *verb, const json_t *body,
			  struct err *err)
{
	_free_ char *path = xasprintf("/test/%s", verb);
	_free_ char *text = body ? json_text(body) : xstrdup("{}");
	struct tls_ctx *t = tls_client_new(NULL, NULL, err);
	struct stream *s = stream_connect_tls(t, m->address, NULL, deadline_in(60000), err);
	struct http_call call = HTTP_CALL("POST", path);
	struct http_reply reply;
	struct httpc *http;
	json_t *j = NULL;

	tls_unref(t);
	if (!s)
		return NULL;
	http = httpc_new(s, m->address);
	call.body = text;
	call.body_len = strlen(text);
	call.deadline = deadline_in(120000);
	if (httpc_do(http, &call, 16 << 20, &reply, err) == 0) {
		j = http_reply_metadata(&reply, err);
		http_reply_free(&reply);
	}
	httpc_free(http);
	return j;
}
