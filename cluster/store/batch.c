/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/batch.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

#define BUCKETS 1024
#define PARAM_BYTES_MAX (32u << 20)

/* The state of a row after the transactions taken in so far. */
struct overlay {
	struct overlay *next;
	struct change now; /* text NULL: deleted */
};

struct batch {
	struct replica *replica;
	int64_t base, revision;
	struct overlay *rows[BUCKETS];
	struct change *changes;
	size_t n, room;
	struct sbuf done, list;
};

struct batch *batch_new(struct replica *borrowed)
{
	struct batch *b = xnew(struct batch);

	b->replica = borrowed;
	b->done = SBUF(PARAM_BYTES_MAX);
	b->list = SBUF(PARAM_BYTES_MAX);
	return b;
}

static void clear(struct batch *b)
{
	for (int i = 0; i < BUCKETS; i++) {
		while (b->rows[i]) {
			struct overlay *o = b->rows[i];

			b->rows[i] = o->next;
			free(o);
		}
	}
	sbuf_free(&b->done);
	sbuf_free(&b->list);
	b->n = 0;
}

void batch_free(struct batch *b)
{
	clear(b);
	free(b->changes);
	free(b);
}

void batch_reset(struct batch *b)
{
	clear(b);
	b->base = b->revision = replica_revision(b->replica);
}

static struct overlay **bucket(struct batch *b, enum entity e, const char *key)
{
	uint32_t h = 2166136261u ^ (uint32_t)e;

	for (const char *p = key; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return &b->rows[h % BUCKETS];
}

static struct overlay *find(struct batch *b, enum entity e, const char *key)
{
	struct overlay *o = *bucket(b, e, key);

	while (o && (o->now.e != e || strcmp(o->now.key, key) != 0))
		o = o->next;
	return o;
}

static int64_t row_rev(struct batch *b, enum entity e, const char *key)
{
	const struct overlay *o = find(b, e, key);

	if (o)
		return o->now.text ? o->now.rev : 0;
	return replica_row_rev(b->replica, e, key);
}

static int check_still(struct batch *b, const struct tx_change *c, struct err *err)
{
	bool newer = replica_newest_rev(b->replica, c->e) > c->seen;

	for (size_t i = 0; i < b->n && !newer; i++)
		newer = b->changes[i].e == c->e && b->changes[i].text;
	return newer ? err_set(err, ERR_PRECONDITION, "another %s was made or changed meanwhile",
			       entity_name(c->e))
		     : 0;
}

static int check(struct batch *b, const struct tx_change *c, struct err *err)
{
	int64_t rev;

	if (c->op == TX_STILL)
		return check_still(b, c, err);
	if (c->seen == REV_ANY)
		return 0;
	rev = row_rev(b, c->e, c->key);
	if (rev == c->seen)
		return 0;
	if (c->seen == REV_NONE)
		return err_set(err, ERR_CONFLICT, "%s \"%s\" already exists", entity_name(c->e),
			       c->key);
	return err_set(err, ERR_PRECONDITION,
		       rev ? "%s \"%s\" was changed meanwhile" : "%s \"%s\" was deleted meanwhile",
		       entity_name(c->e), c->key);
}

static void record(struct batch *b, const struct change *c)
{
	struct overlay *o = find(b, c->e, c->key);

	if (!o) {
		struct overlay **head = bucket(b, c->e, c->key);

		o = xnew(struct overlay);
		o->next = *head;
		*head = o;
	}
	o->now = *c;
	if (b->n == b->room) {
		b->room = b->room ? b->room * 2 : 64;
		b->changes = xrealloc(b->changes, b->room * sizeof(*b->changes));
	}
	b->changes[b->n++] = *c;
}

static int64_t next_revision(struct batch *b, const char *id, bool burnt)
{
	b->revision++;
	sbuf_printf(&b->done, "%s[%lld,\"%s\",%d]", b->done.len ? "," : "[", (long long)b->revision,
		    id, burnt);
	return b->revision;
}

int batch_add(struct batch *b, const struct tx *t, int64_t *ret_rev, struct err *err)
{
	for (size_t i = 0; i < t->n; i++) {
		if (check(b, &t->v[i], err) < 0)
			return -1;
	}
	assert(b->revision >= b->base);
	*ret_rev = next_revision(b, t->id, false);
	for (size_t i = 0; i < t->n; i++) {
		const struct tx_change *c = &t->v[i];

		if (c->op == TX_PUT)
			record(b, &(struct change){ c->e, c->key, *ret_rev, c->doc });
		else if (c->op == TX_DELETE && row_rev(b, c->e, c->key) != 0)
			record(b, &(struct change){ c->e, c->key, *ret_rev, NULL });
	}
	return 0;
}

void batch_add_burnt(struct batch *b, const char *id, int64_t *ret_rev)
{
	*ret_rev = next_revision(b, id, true);
}

bool batch_empty(const struct batch *b)
{
	return b->revision == b->base;
}

int64_t batch_base(const struct batch *b)
{
	return b->base;
}

int64_t batch_revision(const struct batch *b)
{
	return b->revision;
}

static void list_row(struct sbuf *l, const struct change *c)
{
	sbuf_printf(l, "%s[\"%s\",", l->len ? "," : "[", entity_table(c->e));
	sbuf_json_string(l, c->key);
	sbuf_printf(l, ",%lld,", (long long)c->rev);
	if (c->text)
		sbuf_json_string(l, c->text);
	else
		sbuf_puts(l, "null");
	sbuf_putc(l, ']');
}

static struct wire_value list_value(struct sbuf *l)
{
	if (l->len == 0)
		return WIRE_N;
	sbuf_putc(l, ']');
	return WIRE_T(l->data);
}

int batch_params(struct batch *b, struct wire_value params[BATCH_PARAMS], struct err *err)
{
	for (int i = 0; i < BUCKETS; i++) {
		for (const struct overlay *o = b->rows[i]; o; o = o->next)
			list_row(&b->list, &o->now);
	}
	params[BATCH_BASE] = WIRE_I(b->base);
	params[BATCH_DONE] = list_value(&b->done);
	params[BATCH_ROWS] = list_value(&b->list);
	if (b->list.overflow)
		return err_set(err, ERR_TOO_LARGE, "the transaction is too large");
	return 0;
}

const struct change *batch_changes(const struct batch *b, size_t *ret_n)
{
	*ret_n = b->n;
	return b->changes;
}
