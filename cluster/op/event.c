/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/op/event.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/op/operation.h"

#define EVENT_MAX_BYTES (256 << 10)
#define END_MAX_BYTES 1024
#define SEEN_SLOTS 512

struct event_listener {
	unsigned types;
	char *end; /* of the texts of its project, or NULL */
	void (*deliver)(void *arg, const char *text, size_t len);
	void *arg;
	struct event_listener *next;
};

/* The newest version of an operation that was told; a copy that came by another way is older or
 * the same, and stays untold. */
struct seen {
	char id[40];
	char updated_at[CLOCK_TEXT_SIZE];
	struct seen *next;
};

struct events {
	struct store *store;
	const char *(*location)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	struct event_listener *listeners;
	struct seen *seen[SEEN_SLOTS];
};

/* The project ends a text, so that listeners need not read it. */
static void end_text(struct sbuf *b, const char *project)
{
	sbuf_puts(b, ",\"project\":");
	sbuf_json_string(b, project);
	sbuf_putc(b, '}');
}

static bool hears(const struct event_listener *l, enum event_type type, const char *text,
		  size_t len)
{
	size_t n = l->end ? strlen(l->end) : 0;

	if (!(l->types & type))
		return false;
	return !n || type == EV_LOGGING || (len > n && memcmp(text + len - n, l->end, n) == 0);
}

static void tell(struct events *e, enum event_type type, const char *text, size_t len)
{
	pthread_mutex_lock(&e->lock);
	for (struct event_listener *l = e->listeners; l; l = l->next) {
		if (hears(l, type, text, len))
			l->deliver(l->arg, text, len);
	}
	pthread_mutex_unlock(&e->lock);
}

/* --- operations ------------------------------------------------------------------------------ */

static size_t slot_of(const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return h % SEEN_SLOTS;
}

static void forget(struct events *e, const char *id)
{
	struct seen **pp = &e->seen[slot_of(id)], *gone;

	pthread_mutex_lock(&e->lock);
	for (; *pp && !str_eq((*pp)->id, id); pp = &(*pp)->next)
		;
	gone = *pp;
	if (gone)
		*pp = gone->next;
	pthread_mutex_unlock(&e->lock);
	free(gone);
}

static bool is_news(struct events *e, const char *id, const char *updated_at)
{
	struct seen **slot = &e->seen[slot_of(id)], *s;
	bool news;

	pthread_mutex_lock(&e->lock);
	for (s = *slot; s && !str_eq(s->id, id); s = s->next)
		;
	news = !s || strcmp(updated_at, s->updated_at) > 0;
	if (!s) {
		s = xnew(struct seen);
		str_copy(s->id, sizeof(s->id), id);
		s->next = *slot;
		*slot = s;
	}
	if (news)
		str_copy(s->updated_at, sizeof(s->updated_at), updated_at);
	pthread_mutex_unlock(&e->lock);
	return news;
}

static bool wanted(struct events *e, enum event_type type)
{
	bool yes = false;

	pthread_mutex_lock(&e->lock);
	for (struct event_listener *l = e->listeners; l; l = l->next)
		yes |= (l->types & type) != 0;
	pthread_mutex_unlock(&e->lock);
	return yes;
}

static void tell_operation(struct events *e, const json_t *op, const char *member,
			   const char *text)
{
	_sbuf_ struct sbuf b = SBUF(EVENT_MAX_BYTES);
	char now[CLOCK_TEXT_SIZE], project[PROJECT_SIZE];

	sbuf_printf(&b, "{\"type\":\"operation\",\"timestamp\":\"%s\",\"metadata\":",
		    clock_now_text(now));
	sbuf_puts(&b, text);
	sbuf_puts(&b, ",\"location\":");
	sbuf_json_string(&b, json_str(op, "location", member));
	op_project(op, project);
	end_text(&b, project);
	if (!b.overflow)
		tell(e, EV_OPERATION, b.data, b.len);
}

static void on_fact(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct events *e = arg;
	_json_ json_t *op = NULL;
	struct err err;

	if (f != FACT_OPERATION)
		return;
	if (!text) {
		forget(e, key);
		return;
	}
	if (!wanted(e, EV_OPERATION))
		return;
	op = json_parse(text, strlen(text), "operation", &err);
	if (op && is_news(e, key, json_str(op, "updated_at", "")))
		tell_operation(e, op, member, text);
}

/* --- lifecycle and logging ------------------------------------------------------------------- */

/* Events are made by event_lifecycle here or on another member: the type comes first. */
static void on_event(void *arg, const char *text)
{
	if (str_starts(text, "{\"type\":\"lifecycle\""))
		tell(arg, EV_LIFECYCLE, text, strlen(text));
	else if (str_starts(text, "{\"type\":\"logging\""))
		tell(arg, EV_LOGGING, text, strlen(text));
}

static json_t *lifecycle_metadata(const struct event_source *src)
{
	struct ref ref = ref_of(src->key ? src->key : "");
	json_t *m = json_object();

	json_put_str(m, "action", src->action);
	json_put_str(m, "source", src->url);
	if (src->context)
		json_object_set(m, "context", (json_t *)src->context);
	if (src->username || src->protocol)
		json_object_set_new(m, "requestor",
				    json_pack("{s:s, s:s}", "username",
					      src->username ? src->username : "", "protocol",
					      src->protocol ? src->protocol : ""));
	json_put_str(m, "name", src->key ? ref.name : NULL);
	json_put_str(m, "project", ref.project);
	return m;
}

void event_lifecycle(struct events *e, const struct event_source *src)
{
	_json_ json_t *metadata = lifecycle_metadata(src);
	_sbuf_ struct sbuf b = SBUF(EVENT_MAX_BYTES);
	char now[CLOCK_TEXT_SIZE];

	sbuf_printf(&b, "{\"type\":\"lifecycle\",\"timestamp\":\"%s\",\"metadata\":",
		    clock_now_text(now));
	json_append(&b, metadata);
	sbuf_puts(&b, ",\"location\":");
	sbuf_json_string(&b, e->location(e->arg));
	end_text(&b, json_str(metadata, "project", ""));
	if (!b.overflow)
		store_event(e->store, b.data);
}

/* --- listeners ------------------------------------------------------------------------------- */

struct events *events_new(struct store *s, const char *(*location)(void *arg), void *arg)
{
	struct events *e = xnew(struct events);
	struct store_watch w = { .fact = on_fact, .event = on_event, .arg = e };

	e->store = s;
	e->location = location;
	e->arg = arg;
	pthread_mutex_init(&e->lock, NULL);
	store_watch(s, &w);
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	while (e->listeners)
		event_unlisten(e, e->listeners);
	for (size_t i = 0; i < SEEN_SLOTS; i++) {
		while (e->seen[i]) {
			struct seen *s = e->seen[i];

			e->seen[i] = s->next;
			free(s);
		}
	}
	pthread_mutex_destroy(&e->lock);
	free(e);
}

struct event_listener *event_listen(struct events *e, const struct event_filter *f,
				    void (*deliver)(void *arg, const char *text, size_t len),
				    void *arg)
{
	struct event_listener *l = xnew(struct event_listener);

	l->types = f->types;
	if (f->project) {
		struct sbuf b = SBUF(END_MAX_BYTES);

		end_text(&b, f->project);
		l->end = sbuf_take(&b);
	}
	l->deliver = deliver;
	l->arg = arg;
	pthread_mutex_lock(&e->lock);
	l->next = e->listeners;
	e->listeners = l;
	pthread_mutex_unlock(&e->lock);
	return l;
}

void event_unlisten(struct events *e, struct event_listener *l)
{
	struct event_listener **pp = &e->listeners;

	pthread_mutex_lock(&e->lock);
	while (*pp && *pp != l)
		pp = &(*pp)->next;
	if (*pp)
		*pp = l->next;
	pthread_mutex_unlock(&e->lock);
	free(l->end);
	free(l);
}
