/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/feed/list.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/schema.h"

#define END_MAX 256 /* what closes a list */

/* --- building --------------------------------------------------------------------------------- */

void feed_list_free(struct feed_list *l)
{
	sbuf_free(&l->text);
}

static void begin(struct feed_list *l)
{
	assert(l->put);
	l->text.cap = FRAME_MAX;
	sbuf_reset(&l->text);
	sbuf_puts(&l->text,
		  l->rows ? "{\"t\":\"rows\",\"rows\":[" : "{\"t\":\"facts\",\"facts\":[");
}

static const char *bool_text(bool v)
{
	return v ? "true" : "false";
}

static void end(struct feed_list *l, int64_t rev, bool more, bool last)
{
	struct sbuf *b = &l->text;

	assert(b->len > 0);
	sbuf_printf(b, "],\"full\":%s,\"first\":%s,\"more\":%s", bool_text(l->head.full),
		    bool_text(l->head.first), bool_text(more));
	if (l->rows)
		sbuf_printf(b, ",\"rev\":%lld,\"floor\":%lld", (long long)rev,
			    (long long)l->head.floor);
	sbuf_putc(b, '}');
	l->head.first = false;
	l->put(l->arg, frame_new(b), last);
}

static void item_begin(struct feed_list *l)
{
	if (l->text.len >= FEED_CHUNK) {
		end(l, 0, true, false);
		begin(l);
	}
	if (l->text.data[l->text.len - 1] == ']')
		sbuf_putc(&l->text, ',');
}

/* Takes the item back that made the list too long; `len` is how long it was before. */
static bool item_fits(struct feed_list *l, size_t len, const char *kind, const char *key)
{
	struct sbuf *b = &l->text;

	if (!b->overflow && b->len + END_MAX <= FRAME_MAX)
		return true;
	log_error("too large for the feed: other members do not see it", "kind", kind, "key", key);
	b->overflow = false;
	b->len = len;
	b->data[len] = '\0';
	return false;
}

static void add_text(struct sbuf *b, const char *text)
{
	sbuf_putc(b, ',');
	if (text)
		sbuf_json_string(b, text);
	else
		sbuf_puts(b, "null");
	sbuf_putc(b, ']');
}

void rows_begin(struct feed_list *l, const struct list_head *h)
{
	l->rows = true;
	l->head = *h;
	begin(l);
}

bool rows_add(struct feed_list *l, const struct change *c)
{
	struct sbuf *b = &l->text;
	size_t len = b->len;

	item_begin(l);
	len = b->len < len ? b->len : len;
	sbuf_printf(b, "[\"%s\",", entity_table(c->e));
	sbuf_json_string(b, c->key);
	sbuf_printf(b, ",%lld", (long long)c->rev);
	add_text(b, c->text);
	return item_fits(l, len, entity_name(c->e), c->key);
}

void rows_end(struct feed_list *l, int64_t rev, bool more)
{
	end(l, rev, more, true);
}

void facts_begin(struct feed_list *l, const struct list_head *h)
{
	l->rows = false;
	l->head = *h;
	begin(l);
}

bool facts_add(struct feed_list *l, enum fact f, const char *key, const char *member,
	       const char *text)
{
	struct sbuf *b = &l->text;
	size_t len = b->len;

	item_begin(l);
	len = b->len < len ? b->len : len;
	sbuf_printf(b, "[\"%s\",", fact_kind_name(f));
	sbuf_json_string(b, key);
	if (member) {
		sbuf_putc(b, ',');
		sbuf_json_string(b, member);
	}
	add_text(b, text);
	return item_fits(l, len, fact_kind_name(f), key);
}

void facts_end(struct feed_list *l, bool more)
{
	if (l->head.full || l->text.data[l->text.len - 1] == ']')
		end(l, 0, more, true);
}

struct frame *event_frame(const char *text)
{
	_sbuf_ struct sbuf b = SBUF(FRAME_MAX);

	sbuf_puts(&b, "{\"t\":\"event\",\"text\":");
	sbuf_json_string(&b, text);
	sbuf_putc(&b, '}');
	if (!b.overflow)
		return frame_new(&b);
	log_error("an event is too large for the feed: other members do not see it");
	return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *item_str(const json_t *item, size_t i)
{
	return json_string_value(json_array_get(item, i));
}

static bool text_or_null(const json_t *item, size_t i)
{
	const json_t *v = json_array_get(item, i);

	return json_is_string(v) || json_is_null(v);
}

bool rows_item(const json_t *item, struct change *ret)
{
	const json_t *rev = json_array_get(item, 2);

	if (!item_str(item, 0) || !item_str(item, 1) || !json_is_integer(rev) ||
	    !text_or_null(item, 3))
		return false;
	*ret = (struct change){ entity_by_table(item_str(item, 0)), item_str(item, 1),
				json_integer_value(rev), item_str(item, 3) };
	return true;
}

bool facts_item(const json_t *item, bool with_member, struct fact_item *ret)
{
	size_t last = with_member ? 3 : 2;

	if (!item_str(item, 0) || !item_str(item, 1) || (with_member && !item_str(item, 2)) ||
	    !text_or_null(item, last))
		return false;
	*ret = (struct fact_item){ fact_by_name(item_str(item, 0)), item_str(item, 1),
				   with_member ? item_str(item, 2) : NULL, item_str(item, last) };
	return true;
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* Names one member's claim on one fact. */
static char *fact_id(enum fact f, const char *key, const char *member)
{
	return xasprintf("%d/%s/%s", (int)f, member, key);
}

void fact_round_add(struct fact_round *r, const json_t *msg, const char *member)
{
	struct fact_item k;
	json_t *item;
	size_t i;

	if (!json_bool(msg, "full", false))
		return;
	if (json_bool(msg, "first", false)) {
		fact_round_free(r);
		r->named = json_object();
	}
	json_array_foreach(json_arr(msg, "facts"), i, item) {
		_free_ char *id = NULL;

		if (!r->named || !facts_item(item, !member, &k))
			continue;
		id = fact_id(k.f, k.key, member ? member : k.member);
		json_object_set_new(r->named, id, json_true());
	}
}

struct search {
	const json_t *named;
	const char *except;
	json_t *gone;
};

static void find_gone(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct search *s = arg;
	_free_ char *id = NULL;

	if (s->except && str_eq(member, s->except))
		return;
	id = fact_id(f, key, member);
	if (!json_object_get(s->named, id))
		json_array_append_new(s->gone, json_pack("[i,s,s]", (int)f, key, member));
}

void fact_round_end(struct fact_round *r, const json_t *msg, struct replica *replica,
		    const char *member, const char *except, replica_fact_fn gone, void *arg)
{
	_json_ json_t *list = json_array();
	struct search s = { r->named, except, list };
	json_t *item;
	size_t i;

	if (!r->named || !json_bool(msg, "full", false) || json_bool(msg, "more", false))
		return;
	replica_member_facts(replica, member, find_gone, &s);
	json_array_foreach(list, i, item) {
		gone(arg, (enum fact)json_integer_value(json_array_get(item, 0)), item_str(item, 1),
		     item_str(item, 2), NULL);
	}
	fact_round_free(r);
}

void fact_round_free(struct fact_round *r)
{
	json_decref(r->named);
	r->named = NULL;
}
