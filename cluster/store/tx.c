/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/store/tx.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster/model/schema.h"

#define CHANGES_MAX 100000

static const char *const ops[] = {
	[TX_PUT] = "put",
	[TX_DELETE] = "delete",
	[TX_CHECK] = "check",
	[TX_STILL] = "still",
};

struct tx *tx_new(void)
{
	struct tx *t = xnew(struct tx);

	t->refs = 1;
	rng_hex(t->id, (TX_ID_SIZE - 1) / 2);
	return t;
}

struct tx *tx_ref(struct tx *t)
{
	int refs = __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);

	assert(refs > 1);
	return t;
}

void tx_free(struct tx *t)
{
	int left = t ? __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) : 1;

	assert(left >= 0);
	if (left > 0)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].key);
		free(t->v[i].doc);
	}
	free(t->v);
	free(t);
}

static void add(struct tx *t, enum tx_op op, enum entity e, const char *key, int64_t seen,
		char *own_doc)
{
	assert(e < ENT_MAX);
	assert((op == TX_PUT) == (own_doc != NULL));
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 4;
		t->v = xrealloc(t->v, t->room * sizeof(*t->v));
	}
	t->v[t->n++] = (struct tx_change){ op, e, xstrdup(key), seen, own_doc };
	t->bytes += strlen(key) + (own_doc ? strlen(own_doc) : 0) + 64;
}

void tx_put(struct tx *t, enum entity e, const char *key, int64_t seen, const json_t *doc)
{
	add(t, TX_PUT, e, key, seen, json_text(doc));
}

void tx_delete(struct tx *t, enum entity e, const char *key, int64_t seen)
{
	add(t, TX_DELETE, e, key, seen, NULL);
}

void tx_check(struct tx *t, enum entity e, const char *key, int64_t seen)
{
	add(t, TX_CHECK, e, key, seen, NULL);
}

void tx_check_still(struct tx *t, enum entity e, int64_t revision)
{
	add(t, TX_STILL, e, "*", revision, NULL);
}

/* --- text ------------------------------------------------------------------------------------- */

void tx_append(struct sbuf *b, const struct tx *t)
{
	sbuf_printf(b, "{\"id\":\"%s\",\"base\":%lld,\"changes\":[", t->id, (long long)t->base);
	for (size_t i = 0; i < t->n; i++) {
		const struct tx_change *c = &t->v[i];

		sbuf_printf(b, "%s[\"%s\",\"%s\",", i ? "," : "", ops[c->op], entity_table(c->e));
		sbuf_json_string(b, c->key);
		sbuf_printf(b, ",%lld", (long long)c->seen);
		if (c->op == TX_PUT) {
			sbuf_putc(b, ',');
			sbuf_json_string(b, c->doc);
		}
		sbuf_putc(b, ']');
	}
	sbuf_puts(b, "]}");
}

static int op_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (str_eq(ops[i], name))
			return (int)i;
	}
	return -1;
}

static bool decode_change(struct tx *t, const json_t *c)
{
	int op = op_of(json_string_value(json_array_get(c, 0)));
	enum entity e = entity_by_table(json_string_value(json_array_get(c, 1)));
	const char *key = json_string_value(json_array_get(c, 2));
	const json_t *seen = json_array_get(c, 3);
	const char *doc = json_string_value(json_array_get(c, 4));

	if (op < 0 || e == ENT_MAX || str_empty(key) || !json_is_integer(seen))
		return false;
	if (json_integer_value(seen) < REV_ANY || (op == TX_PUT) != (doc != NULL))
		return false;
	add(t, (enum tx_op)op, e, key, json_integer_value(seen), xstrdup(doc));
	return true;
}

struct tx *tx_decode(const json_t *j, struct err *err)
{
	_tx_ struct tx *t = tx_new();
	const char *id = json_str(j, "id", "");
	json_t *changes = json_arr(j, "changes"), *c;
	size_t i;

	if (!str_is_hex(id, TX_ID_SIZE - 1) || !changes || json_array_size(changes) > CHANGES_MAX) {
		err_set(err, ERR_INVALID, "transaction: an id and a list of changes are needed");
		return NULL;
	}
	str_copy(t->id, sizeof(t->id), id);
	t->base = json_int(j, "base", 0);
	json_array_foreach(changes, i, c) {
		if (!decode_change(t, c)) {
			err_set(err, ERR_INVALID, "transaction %s: change %zu is malformed", id, i);
			return NULL;
		}
	}
	return take_ptr(t);
}
