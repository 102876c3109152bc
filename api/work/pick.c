/* SPDX-License-Identifier: Apache-2.0 */
/* Which address of a network is given out next. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/work/address_int.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"

#define ROWS_MAX (1 << 20)
/* How many freed addresses of a network are remembered; those before count as never used. */
#define FREED_MAX 1024
#define FORGET_AT_ONCE 16
#define SPREAD_FIRST 16
#define SPREAD_DOUBLINGS 16

/* --- the book of picks that wait for their commit -------------------------------------------- */

struct address_book {
	pthread_mutex_t lock;
	json_t *keys;
};

struct address_book *address_book_new(void)
{
	struct address_book *b = xnew(struct address_book);

	pthread_mutex_init(&b->lock, NULL);
	b->keys = json_object();
	return b;
}

void address_book_free(struct address_book *b)
{
	if (!b)
		return;
	json_decref(b->keys);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

void address_picks_done(struct address_picks *p)
{
	const char *key;
	json_t *v;

	if (!p->book)
		return;
	pthread_mutex_lock(&p->book->lock);
	json_object_foreach(p->keys, key, v)
		json_object_del(p->book->keys, key);
	pthread_mutex_unlock(&p->book->lock);
	json_decref(p->keys);
	*p = (struct address_picks){ 0 };
}

bool address_reserve(struct address_picks *p, const char *key)
{
	bool ok;

	pthread_mutex_lock(&p->book->lock);
	ok = !json_object_get(p->book->keys, key);
	if (ok)
		json_object_set_new(p->book->keys, key, json_true());
	pthread_mutex_unlock(&p->book->lock);
	if (ok)
		json_object_set_new(p->keys, key, json_true());
	return ok;
}

/* --- the addresses of a network that rows tell of ----------------------------------------- */

struct known {
	uint32_t ip;
	int64_t freed; /* the revision that freed it; 0: it is leased */
};

struct candidates {
	const struct net4 *net;
	const char *network, *prefix;
	struct known *v; /* by address */
	size_t n, room;
	struct known **freed; /* the longest free first */
	size_t nfreed;
	uint64_t fresh; /* addresses without a row */
};

static bool in_range(const struct net4 *n, uint32_t ip)
{
	for (size_t i = 0; i < n->nranges; i++) {
		if (ip >= n->ranges[i].first && ip <= n->ranges[i].last)
			return true;
	}
	return false;
}

static void collect(void *arg, const char *key, int64_t rev, const char *instance)
{
	struct candidates *c = arg;
	size_t len = strlen(c->prefix);
	uint32_t ip;

	if (strncmp(key, c->prefix, len) != 0 || !net4_parse_ip(key + len, &ip) ||
	    !in_range(c->net, ip) || ip == c->net->gateway || c->n >= ROWS_MAX)
		return;
	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->v = xrealloc(c->v, c->room * sizeof(*c->v));
	}
	c->v[c->n++] = (struct known){ ip, *instance ? 0 : rev };
}

static int by_address(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

static int by_freed(const void *a, const void *b)
{
	const struct known *x = *(struct known *const *)a, *y = *(struct known *const *)b;

	return x->freed < y->freed ? -1 : x->freed > y->freed ? 1 : by_address(x, y);
}

static void candidates_load(struct candidates *c, struct store *s)
{
	bool gateway = in_range(c->net, c->net->gateway);

	store_each_index(s, ENT_ADDRESS, collect, c);
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), by_address);
	c->freed = xcalloc(c->n + 1, sizeof(struct known *));
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].freed)
			c->freed[c->nfreed++] = &c->v[i];
	}
	if (c->nfreed)
		qsort(c->freed, c->nfreed, sizeof(struct known *), by_freed);
	for (size_t i = 0; i < c->net->nranges; i++)
		c->fresh += (uint64_t)c->net->ranges[i].last - c->net->ranges[i].first + 1;
	c->fresh -= c->n + gateway;
}

static void candidates_done(struct candidates *c)
{
	free(c->v);
	free(c->freed);
}

/* --- walking over what is free, the longest free first ------------------------------------ */

struct walk {
	const struct candidates *c;
	size_t range;
	uint64_t ip;  /* next to look at in it, of those without a row */
	size_t known; /* the first row that is not below it */
	size_t freed; /* next of the freed ones */
};

static void walk_begin(struct walk *w, const struct candidates *c)
{
	*w = (struct walk){ .c = c, .ip = c->net->ranges[0].first };
}

/* False at the end. *ret_rev: the revision of its row, REV_NONE without one. */
static bool walk_next(struct walk *w, uint32_t *ret_ip, int64_t *ret_rev)
{
	const struct candidates *c = w->c;

	while (w->range < c->net->nranges) {
		uint32_t ip = (uint32_t)w->ip;

		if (w->ip++ > c->net->ranges[w->range].last) {
			w->range++;
			if (w->range < c->net->nranges)
				w->ip = c->net->ranges[w->range].first;
			continue;
		}
		if (w->known < c->n && c->v[w->known].ip == ip) {
			w->known++;
		} else if (ip != c->net->gateway) {
			*ret_ip = ip;
			*ret_rev = REV_NONE;
			return true;
		}
	}
	if (w->freed == c->nfreed)
		return false;
	*ret_ip = c->freed[w->freed]->ip;
	*ret_rev = c->freed[w->freed++]->freed;
	return true;
}

/* Members that lost a race for an address get out of each other's way: how many free ones the
 * attempt leaves out. */
static uint64_t spread(const char *instance, int attempt, uint64_t total)
{
	uint64_t most = (uint64_t)SPREAD_FIRST
			<< (attempt < SPREAD_DOUBLINGS ? attempt : SPREAD_DOUBLINGS);
	uint32_t seed = crc32c((uint32_t)attempt, instance, strlen(instance));

	if (attempt == 0 || total == 0)
		return 0;
	return seed % (most < total ? most : total);
}

static bool take(const struct candidates *c, struct address_picks *picks, uint64_t skip,
		 struct pick *ret)
{
	struct pick p;
	struct walk w;

	/* From the first that is not left out to the end, and at last those that were. */
	for (int round = 0; round < 2; round++) {
		uint64_t i = 0;

		walk_begin(&w, c);
		while (walk_next(&w, &p.ip, &p.rev)) {
			char text[16];
			_free_ char *key = NULL;

			if ((i++ < skip) != (round == 1))
				continue;
			key = xasprintf("%s%s", c->prefix, net4_text(p.ip, text));
			if (address_reserve(picks, key)) {
				*ret = p;
				return true;
			}
		}
	}
	return false;
}

/* In the transaction that takes one anyway. */
static void forget_oldest(const struct candidates *c, const struct pick *taken, struct tx *tx)
{
	for (size_t i = 0; i < FORGET_AT_ONCE && c->nfreed > FREED_MAX + i; i++) {
		char text[16];
		_free_ char *key = xasprintf("%s%s", c->prefix, net4_text(c->freed[i]->ip, text));

		if (c->freed[i]->ip != taken->ip)
			tx_delete(tx, ENT_ADDRESS, key, c->freed[i]->freed);
	}
}

int address_pick(struct store *s, const struct pick_from *from, struct address_picks *picks,
		 struct tx *tx, struct pick *ret, struct err *err)
{
	_free_ char *prefix = xasprintf("%s/", from->network);
	struct candidates c = { .net = from->net, .network = from->network, .prefix = prefix };
	bool found;

	candidates_load(&c, s);
	found = take(&c, picks, spread(from->instance, from->attempt, c.fresh + c.nfreed), ret);
	if (found)
		forget_oldest(&c, ret, tx);
	candidates_done(&c);
	return found ? 0
		     : err_set(err, ERR_LIMIT, "network \"%s\": all its addresses are taken",
			       from->network);
}

/* --- a network that goes ------------------------------------------------------------------ */

struct forgetting {
	const char *prefix;
	struct tx *tx;
};

static void forget(void *arg, const char *key, int64_t rev, const char *instance)
{
	struct forgetting *f = arg;

	if (str_starts(key, f->prefix) && !*instance)
		tx_delete(f->tx, ENT_ADDRESS, key, rev);
}

void address_forget_network(struct store *s, const char *network, struct tx *tx)
{
	_free_ char *prefix = xasprintf("%s/", network);
	struct forgetting f = { prefix, tx };

	store_each_index(s, ENT_ADDRESS, forget, &f);
}
