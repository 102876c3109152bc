/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/store/commit.h"
#include "cluster/store/verdict.h"

#define CALLS_MAX 4 /* on their way at once */
#define CALL_TX_MAX 128
#define CALL_BYTES_MAX (1u << 20)
#define CALL_MS 3000 /* a leader that is silent for longer is given up */
#define BODY_MAX (64u << 20)

struct item {
	int refs;
	struct item *next;
	struct tx *tx;
	int64_t deadline, revision;
	bool queued, answered;
	struct err err;
};

struct outbox {
	struct cluster *c;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct item *head, **tail;
	int calls;
};

struct outbox *outbox_new(struct cluster *c)
{
	struct outbox *o = xnew(struct outbox);

	o->c = c;
	pthread_mutex_init(&o->lock, NULL);
	cond_init(&o->changed);
	o->tail = &o->head;
	return o;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	assert(!o->head);
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->changed);
	free(o);
}

static void item_unref(struct item *i)
{
	int left = __atomic_sub_fetch(&i->refs, 1, __ATOMIC_ACQ_REL);

	assert(left >= 0);
	if (left > 0)
		return;
	tx_free(i->tx);
	free(i);
}

/* --- one call --------------------------------------------------------------------------------- */

static void fail(struct item **v, size_t n, const struct err *err)
{
	for (size_t i = 0; i < n; i++)
		v[i]->err = *err;
}

static void build(struct sbuf *b, struct item **v, size_t n, int64_t timeout_ms)
{
	sbuf_printf(b, "{\"timeout_ms\":%lld,\"txs\":[", (long long)timeout_ms);
	for (size_t i = 0; i < n; i++) {
		if (i)
			sbuf_putc(b, ',');
		tx_append(b, v[i]->tx);
	}
	sbuf_puts(b, "]}");
}

static void take_results(const json_t *answer, struct item **v, size_t n)
{
	const json_t *list = json_arr(answer, "results");

	if (json_array_size(list) != n) {
		fail(v, n, &(struct err){ ERR_UNKNOWN, 0, "the leader's answer is malformed" });
		return;
	}
	for (size_t i = 0; i < n; i++)
		verdict_of_result(json_array_get(list, i), &v[i]->revision, &v[i]->err);
}

static int64_t call_deadline(struct item **v, size_t n)
{
	int64_t d = deadline_in(CALL_MS);

	for (size_t i = 0; i < n; i++)
		d = v[i]->deadline < d ? v[i]->deadline : d;
	return d;
}

static void call_leader(struct cluster *c, struct item **v, size_t n)
{
	int64_t deadline = call_deadline(v, n);
	_sbuf_ struct sbuf b = SBUF(BODY_MAX);
	char address[ADDRESS_SIZE] = "";
	struct member_call m = { address, "POST", "/internal/tx", NULL, 0, deadline };
	struct err err = { ERR_UNAVAILABLE, 0, "no member leads the cluster" };
	_json_ json_t *answer = NULL;
	enum call_stage stage = CALL_UNSENT;

	build(&b, v, n, deadline_left(deadline));
	m.body = b.data;
	m.body_len = b.len;
	if (cluster_leader_address(c, address, sizeof(address)))
		answer = calls_do(c, &m, &stage, &err);
	if (answer) {
		take_results(answer, v, n);
		return;
	}
	err.kind = verdict_of_call(stage, err.kind);
	if (*address)
		cluster_forget_leader(c, address);
	fail(v, n, &err);
}

/* --- together --------------------------------------------------------------------------------- */

static size_t take(struct outbox *o, struct item **v)
{
	size_t n = 0, bytes = 0;

	while (o->head && n < CALL_TX_MAX) {
		struct item *i = o->head;

		if (n && bytes + i->tx->bytes > CALL_BYTES_MAX)
			break;
		o->head = i->next;
		i->queued = false;
		bytes += i->tx->bytes;
		v[n++] = i;
	}
	if (!o->head)
		o->tail = &o->head;
	return n;
}

/* Under the lock: makes one call for those that wait. */
static void send_waiting(struct outbox *o)
{
	struct item *v[CALL_TX_MAX];
	size_t n = take(o, v);

	o->calls++;
	pthread_mutex_unlock(&o->lock);
	call_leader(o->c, v, n);
	pthread_mutex_lock(&o->lock);
	o->calls--;
	for (size_t i = 0; i < n; i++) {
		v[i]->answered = true;
		item_unref(v[i]);
	}
	pthread_cond_broadcast(&o->changed);
}

static void unqueue(struct outbox *o, struct item *i)
{
	for (struct item **pp = &o->head; *pp; pp = &(*pp)->next) {
		if (*pp != i)
			continue;
		*pp = i->next;
		if (!i->next)
			o->tail = pp;
		i->queued = false;
		item_unref(i);
		return;
	}
}

static void wait_answer(struct outbox *o, struct item *i)
{
	while (!i->answered) {
		if (i->queued && o->calls < CALLS_MAX) {
			send_waiting(o);
			continue;
		}
		if (cond_wait_until(&o->changed, &o->lock, i->deadline) || clock_ms() < i->deadline)
			continue;
		if (i->queued) {
			unqueue(o, i);
			err_set(&i->err, ERR_UNAVAILABLE, "the leader could not be asked in time");
		} else if (!i->answered) {
			err_set(&i->err, ERR_UNKNOWN, "no answer from the leader in time");
		}
		return;
	}
}

int outbox_commit(struct outbox *o, struct tx *t, int64_t deadline, int64_t *ret_rev,
		  struct err *err)
{
	struct item *i = xnew(struct item);
	int rc = 0;

	i->refs = 2;
	i->tx = tx_ref(t);
	i->deadline = deadline;
	i->queued = true;
	pthread_mutex_lock(&o->lock);
	*o->tail = i;
	o->tail = &i->next;
	wait_answer(o, i);
	*ret_rev = i->revision;
	if (i->revision <= 0) {
		*err = i->err;
		rc = -1;
	}
	pthread_mutex_unlock(&o->lock);
	item_unref(i);
	return rc;
}
