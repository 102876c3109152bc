/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/self/calls.h"

#include <assert.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define IDLE_MAX 128
#define IDLE_MS 30000
#define REPLY_MAX (64u << 20)
#define CONNECT_MS 2000

struct idle {
	struct idle *next;
	struct httpc *http;
	struct stream *stream; /* http's */
	char address[ADDRESS_SIZE];
	int64_t since;
};

struct calls {
	pthread_mutex_t lock;
	struct idle *idle; /* latest first */
	size_t n;
	struct tls_ctx *tls;
	unsigned generation; /* connections of an earlier one are not kept */
};

struct calls *calls_new(void)
{
	struct calls *k = xnew(struct calls);

	pthread_mutex_init(&k->lock, NULL);
	return k;
}

static void idle_free(struct idle *i)
{
	httpc_free(i->http);
	free(i);
}

static void free_list(struct idle *i)
{
	while (i) {
		struct idle *next = i->next;

		idle_free(i);
		i = next;
	}
}

void calls_reset(struct calls *k)
{
	struct tls_ctx *tls;
	struct idle *list;

	pthread_mutex_lock(&k->lock);
	list = take_ptr(k->idle);
	tls = take_ptr(k->tls);
	k->n = 0;
	k->generation++;
	pthread_mutex_unlock(&k->lock);
	free_list(list);
	tls_unref(tls);
}

void calls_free(struct calls *k)
{
	if (!k)
		return;
	calls_reset(k);
	assert(!k->idle);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

void calls_expire(struct calls *k)
{
	int64_t before = clock_ms() - IDLE_MS;
	struct idle *old = NULL;

	pthread_mutex_lock(&k->lock);
	for (struct idle **pp = &k->idle; *pp; pp = &(*pp)->next) {
		if ((*pp)->since > before)
			continue;
		/* The latest come first: all behind this one are older. */
		old = take_ptr(*pp);
		for (struct idle *i = old; i; i = i->next)
			k->n--;
		break;
	}
	pthread_mutex_unlock(&k->lock);
	free_list(old);
}

struct tls_ctx *cluster_client_tls(struct cluster *c)
{
	struct calls *k = c->calls;
	struct err err = { 0 };
	struct tls_ctx *t;

	pthread_mutex_lock(&k->lock);
	if (!k->tls) {
		pthread_mutex_lock(&c->lock);
		k->tls = tls_client_new(c->creds.server_cert, c->creds.server_key, &err);
		pthread_mutex_unlock(&c->lock);
		if (k->tls)
			tls_client_ask(k->tls, MEMBER_SNI);
	}
	t = k->tls ? tls_ref(k->tls) : NULL;
	pthread_mutex_unlock(&k->lock);
	return t;
}

struct tls_ctx *cluster_server_tls(struct cluster *c, struct err *err)
{
	const struct creds *k = &c->creds;
	struct tls_ctx *t;

	pthread_mutex_lock(&c->lock);
	t = tls_server_new(k->cluster_cert, k->cluster_key, err);
	if (t && tls_server_add(t, MEMBER_SNI, k->server_cert, k->server_key, err) < 0) {
		tls_unref(t);
		t = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	return t;
}

/* --- whom to expect --------------------------------------------------------------------------- */

struct wanted {
	const char *address;
	char *pin;
};

static void match_address(void *arg, const char *key, int64_t rev, const char *text)
{
	struct wanted *w = arg;
	struct err ignored;
	_json_ json_t *doc = json_parse(text, strlen(text), "member", &ignored);

	if (str_eq(json_str(doc, "address", ""), w->address))
		str_copy(w->pin, SHA256_HEX_SIZE, json_str(doc, "fingerprint", ""));
}

/* One that leads, and joined while this member was away, is known by the word of others. */
static void pin_of_leader(struct cluster *c, const char *address, char ret[SHA256_HEX_SIZE])
{
	pthread_mutex_lock(&c->lock);
	if (str_eq(c->leader_address, address))
		str_copy(ret, SHA256_HEX_SIZE, c->leader_fingerprint);
	pthread_mutex_unlock(&c->lock);
}

int cluster_pin(struct cluster *c, const char *address, char ret[SHA256_HEX_SIZE], struct err *err)
{
	struct peer_info p;

	*ret = '\0';
	if (peers_by_address(c->peers, address, &p))
		str_copy(ret, SHA256_HEX_SIZE, p.fingerprint);
	else
		replica_each(c->replica, ENT_MEMBER, NULL, match_address,
			     &(struct wanted){ address, ret });
	if (!*ret)
		pin_of_leader(c, address, ret);
	return *ret ? 0 : err_set(err, ERR_UNAVAILABLE, "no member with the address %s is known",
				  address);
}

/* --- vouching --------------------------------------------------------------------------------- */

static void proof_of(const char *key, const char *from, const char *to, const char *caller,
		     char ret[SHA256_HEX_SIZE])
{
	_free_ char *text = xasprintf("forward\n%s\n%s\n%s", from, to, caller);

	hmac_hex(key, text, ret);
}

void cluster_vouch(struct cluster *c, const char *to, const char *caller,
		   char ret_proof[VOUCH_SIZE])
{
	const struct creds *k = &c->creds;
	char now[SHA256_HEX_SIZE], before[SHA256_HEX_SIZE] = "";

	pthread_mutex_lock(&c->lock);
	proof_of(k->cluster_key, k->server_fp, to, caller, now);
	if (k->previous_key)
		proof_of(k->previous_key, k->server_fp, to, caller, before);
	pthread_mutex_unlock(&c->lock);
	snprintf(ret_proof, VOUCH_SIZE, "%s%s%s", now, *before ? "," : "", before);
}

/* Whether one of the proofs is made with this key. */
static bool fits(const char *key, const char *from, const char *to, const char *caller,
		 const char *proofs)
{
	_free_ char *text = xstrdup(proofs);
	char right[SHA256_HEX_SIZE], *parts[2];
	size_t n = str_split(text, ',', parts, ARRAY_SIZE(parts));
	bool any = false;

	if (!key)
		return false;
	proof_of(key, from, to, caller, right);
	for (size_t i = 0; i < n && i < ARRAY_SIZE(parts); i++)
		any |= secret_equal(right, parts[i]);
	return any;
}

bool cluster_is_vouched(struct cluster *c, const char *from, const char *caller,
			const char *proof)
{
	const struct creds *k = &c->creds;
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = fits(k->cluster_key, from, k->server_fp, caller, proof) ||
	     fits(k->previous_key, from, k->server_fp, caller, proof);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

/* --- kept connections ------------------------------------------------------------------------- */

/* An idle connection that the other side has not closed. */
static struct idle *take_idle(struct calls *k, const char *address)
{
	struct idle *i = NULL;

	pthread_mutex_lock(&k->lock);
	for (struct idle **pp = &k->idle; *pp; pp = &(*pp)->next) {
		if (strcmp((*pp)->address, address) != 0)
			continue;
		i = *pp;
		*pp = i->next;
		k->n--;
		break;
	}
	pthread_mutex_unlock(&k->lock);
	return i;
}

static bool still_open(const struct idle *i)
{
	struct pollfd p = { stream_fd(i->stream), POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

static struct stream *dial(struct cluster *c, const char *address, int64_t deadline,
			   struct err *err)
{
	struct tls_ctx *t = cluster_client_tls(c);
	char pin[SHA256_HEX_SIZE];
	struct stream *s = NULL;

	if (!t)
		err_set(err, ERR_INTERNAL, "this member's certificate cannot be used");
	else if (cluster_pin(c, address, pin, err) == 0)
		s = stream_connect_tls(t, address, pin, deadline, err);
	tls_unref(t);
	return s;
}

static int64_t connect_deadline(int64_t deadline)
{
	int64_t soon = deadline_in(CONNECT_MS);

	return deadline && deadline < soon ? deadline : soon;
}

static struct idle *connect_to(struct cluster *c, const char *address, int64_t deadline,
			       struct err *err)
{
	struct idle *i;
	struct stream *s;

	while ((i = take_idle(c->calls, address))) {
		if (still_open(i))
			return i;
		idle_free(i);
	}
	s = dial(c, address, connect_deadline(deadline), err);
	if (!s)
		return NULL;
	i = xnew(struct idle);
	i->stream = s;
	i->http = httpc_new(s, address);
	str_copy(i->address, sizeof(i->address), address);
	return i;
}

static void keep(struct calls *k, struct idle *i, unsigned generation)
{
	bool kept = false;

	if (httpc_reusable(i->http)) {
		pthread_mutex_lock(&k->lock);
		kept = k->n < IDLE_MAX && k->generation == generation;
		if (kept) {
			i->since = clock_ms();
			i->next = k->idle;
			k->idle = i;
			k->n++;
		}
		pthread_mutex_unlock(&k->lock);
	}
	if (!kept)
		idle_free(i);
}

static unsigned generation_of(struct calls *k)
{
	unsigned g;

	pthread_mutex_lock(&k->lock);
	g = k->generation;
	pthread_mutex_unlock(&k->lock);
	return g;
}

json_t *calls_do(struct cluster *c, const struct member_call *m, enum call_stage *ret_stage,
		 struct err *err)
{
	struct http_call call = HTTP_CALL(m->method, m->path);
	unsigned generation = generation_of(c->calls);
	struct http_reply reply;
	json_t *metadata;
	struct idle *i;

	*ret_stage = CALL_UNSENT;
	i = connect_to(c, m->address, m->deadline, err);
	if (!i)
		return NULL;
	call.body = m->body;
	call.body_len = m->body_len;
	call.deadline = m->deadline;
	*ret_stage = CALL_SENT;
	if (httpc_do(i->http, &call, REPLY_MAX, &reply, err) < 0) {
		idle_free(i);
		return NULL;
	}
	metadata = http_reply_metadata(&reply, err);
	if (metadata)
		*ret_stage = CALL_ANSWERED;
	else if (reply.head.status >= 400)
		*ret_stage = CALL_REFUSED;
	http_reply_free(&reply);
	keep(c->calls, i, generation);
	return metadata;
}

json_t *cluster_call(struct cluster *c, const char *address, const char *method, const char *path,
		     const json_t *body, int64_t deadline, struct err *err)
{
	_free_ char *text = body ? json_text(body) : NULL;
	struct member_call m = { address, method, path, text, text ? strlen(text) : 0, deadline };
	enum call_stage stage;
	json_t *metadata;

	metadata = calls_do(c, &m, &stage, err);
	if (metadata)
		return metadata;
	if (stage == CALL_SENT && !str_eq(method, "GET")) {
		err->kind = ERR_UNKNOWN;
		err_wrap(err, "it is not known whether it was done");
	}
	err_wrap(err, "member at %s", address);
	return NULL;
}

/* Whether a failed call may be made again without doing a thing twice. */
static bool may_repeat(const char *method, enum call_stage stage, const struct err *err)
{
	assert(err->kind != ERR_NONE);
	if (stage == CALL_UNSENT)
		return true;
	if (stage == CALL_REFUSED)
		return err->kind == ERR_UNAVAILABLE;
	return strcmp(method, "GET") == 0;
}

/* The same; the outcome of one that was sent, and may not, is not known. */
static bool goes_on(const char *method, enum call_stage stage, struct err *err)
{
	if (may_repeat(method, stage, err))
		return true;
	if (stage == CALL_SENT && !str_eq(method, "GET"))
		err->kind = ERR_UNKNOWN;
	return false;
}

json_t *cluster_call_leader(struct cluster *c, const char *method, const char *path,
			    const json_t *body, int64_t deadline, struct err *err)
{
	_free_ char *text = body ? json_text(body) : NULL;
	char address[ADDRESS_SIZE];
	enum call_stage stage;

	if (cluster_check_member(c, err) < 0)
		return NULL;
	for (;;) {
		struct member_call m = { address, method, path, text, text ? strlen(text) : 0,
					 deadline };
		json_t *metadata;

		err_set(err, ERR_UNAVAILABLE, "no member leads the cluster");
		if (cluster_leader_address(c, address, sizeof(address))) {
			metadata = calls_do(c, &m, &stage, err);
			if (metadata)
				return metadata;
			if (!goes_on(method, stage, err))
				return NULL;
			cluster_forget_leader(c, address);
		}
		if (cluster_explain_cut_off(c, err) || cluster_stopping(c) ||
		    !cluster_wait_leader(c, deadline))
			return NULL;
	}
}

struct stream *cluster_connect(struct cluster *c, const char *address, const char *path,
			       const char *protocol, int64_t deadline, struct err *err)
{
	struct stream *s = dial(c, address, deadline, err);
	struct httpc *http;

	if (!s)
		return NULL;
	http = httpc_new(s, address);
	s = httpc_upgrade(http, path, protocol, NULL, deadline, err);
	httpc_free(http);
	if (s)
		stream_set_deadline(s, 0);
	return s;
}

static int download(struct httpc *http, const char *path, int out_fd, int64_t deadline,
		    struct err *err)
{
	struct http_call call = HTTP_CALL("GET", path);
	struct http_reply reply;
	json_t *none;

	call.deadline = deadline;
	if (httpc_download(http, &call, out_fd, &reply, err) < 0)
		return -1;
	if (reply.head.status >= 400) {
		none = http_reply_metadata(&reply, err);
		json_decref(none);
		http_reply_free(&reply);
		return -1;
	}
	http_reply_free(&reply);
	return 0;
}

int cluster_download(struct cluster *c, const char *address, const char *path, int out_fd,
		     int64_t deadline, struct err *err)
{
	struct stream *s = dial(c, address, connect_deadline(deadline), err);
	struct httpc *http;
	int rc;

	if (!s)
		return err_wrap(err, "member at %s", address);
	http = httpc_new(s, address);
	rc = download(http, path, out_fd, deadline, err);
	httpc_free(http);
	return rc < 0 ? err_wrap(err, "member at %s", address) : 0;
}
