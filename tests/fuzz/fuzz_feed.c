/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from other members: transactions, rows and facts are taken whole or refused, and what was
 * taken says the same after another journey as text. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/feed/list.h"
#include "cluster/store/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void transaction(const json_t *j)
{
	struct err err = { 0 };
	_tx_ struct tx *t = tx_decode(j, &err), *again = NULL;
	_sbuf_ struct sbuf b = SBUF(64 << 20);
	_json_ json_t *text = NULL;

	if (!t) {
		assert(err.kind != ERR_NONE);
		return;
	}
	tx_append(&b, t);
	text = json_parse(b.data, b.len, "tx", &err);
	again = text ? tx_decode(text, &err) : NULL;
	assert(again && again->n == t->n && strcmp(again->id, t->id) == 0);
	for (size_t i = 0; i < t->n; i++) {
		assert(t->v[i].op == again->v[i].op && t->v[i].seen == again->v[i].seen);
		assert(strcmp(t->v[i].key, again->v[i].key) == 0);
	}
}

static void drop(void *arg, struct frame *own_frame, bool last)
{
	frame_unref(own_frame);
}

static void lists(const json_t *j)
{
	struct feed_list rows = { .put = drop }, facts = { .put = drop };
	struct list_head head = { .full = true, .first = true };
	struct fact_item f;
	struct change c;
	json_t *item;
	size_t i;

	rows_begin(&rows, &head);
	facts_begin(&facts, &head);
	json_array_foreach(j, i, item) {
		if (rows_item(item, &c) && c.e != ENT_MAX)
			rows_add(&rows, &c);
		if (facts_item(item, i % 2, &f) && f.f != FACT_KINDS)
			facts_add(&facts, f.f, f.key, f.member, f.text);
	}
	rows_end(&rows, 1, false);
	facts_end(&facts, false);
	feed_list_free(&rows);
	feed_list_free(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };
	_json_ json_t *j = json_parse((const char *)data, size, "input", &err);

	if (!j)
		return 0;
	transaction(j);
	lists(j);
	return 0;
}
