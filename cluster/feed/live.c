/* SPDX-License-Identifier: Apache-2.0 */
/* Who is there: the leader turns missing connections into facts that every member shows. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "cluster/feed/hub_int.h"

static struct absence *find(struct hub *h, const char *name)
{
	for (size_t i = 0; i < h->n_absent; i++) {
		if (strcmp(h->absent[i].name, name) == 0)
			return &h->absent[i];
	}
	return NULL;
}

static struct absence *find_or_add(struct hub *h, const char *name)
{
	struct absence *a = find(h, name);

	if (a)
		return a;
	h->absent = xrealloc(h->absent, (h->n_absent + 1) * sizeof(*h->absent));
	a = &h->absent[h->n_absent++];
	*a = (struct absence){ .since = h->unheard_ms };
	str_copy(a->name, sizeof(a->name), name);
	return a;
}

int64_t hub_absent_ms(struct hub *h, const char *name)
{
	const struct absence *a;
	int64_t ms = 0;

	pthread_mutex_lock(&h->lock);
	a = find(h, name);
	if (!a || a->since)
		ms = clock_ms() - (a ? a->since : h->unheard_ms) + 1;
	pthread_mutex_unlock(&h->lock);
	return ms;
}

void hub_live_seen(struct hub *h, const char *name)
{
	struct absence *a;

	pthread_mutex_lock(&h->lock);
	a = find_or_add(h, name);
	a->since = 0;
	a->offline = false;
	pthread_mutex_unlock(&h->lock);
}

void hub_live_lost(struct hub *h, const char *name, int64_t heard_ms)
{
	struct absence *a;

	pthread_mutex_lock(&h->lock);
	a = find_or_add(h, name);
	if (!a->since)
		a->since = heard_ms;
	pthread_mutex_unlock(&h->lock);
}

/* --- what is told of a member that is not there ----------------------------------------------- */

struct claim {
	enum fact f;
	char *key;
	json_t *doc;
};

struct claims {
	struct claim *v;
	size_t n;
};

static void collect(void *arg, enum fact f, const char *key, const char *member, const char *text)
{
	struct claims *l = arg;
	struct err ignored;
	json_t *doc = json_parse(text, strlen(text), "fact", &ignored);

	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = (struct claim){ f, xstrdup(key), doc };
}

/* What a fact of an absent member becomes; NULL removes it. A member that was offline before stays
 * so since then. */
static char *absent_text(const struct claim *k, int64_t since)
{
	if (k->f == FACT_OPERATION || k->f == FACT_MOVE || !json_is_object(k->doc))
		return NULL;
	if (k->f != FACT_MEMBER) {
		json_put_str(k->doc, "status", status_name(STATUS_ERROR));
	} else if (life_said(k->doc) != LIFE_OFFLINE) {
		life_say(k->doc, LIFE_OFFLINE);
		json_put_int(k->doc, "since", since);
	}
	return json_text(k->doc);
}

static void add_own_claim(struct claims *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].f == FACT_MEMBER)
			return;
	}
	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = (struct claim){ FACT_MEMBER, xstrdup(name), json_object() };
}

static void show_offline(struct hub *h, const char *name, int64_t since)
{
	struct replica *r = h->c->replica;
	struct claims l = { 0 };

	log_warn("member is offline", "member", name);
	replica_member_facts(r, name, collect, &l);
	add_own_claim(&l, name);
	hub_facts_begin(h, NULL);
	for (size_t i = 0; i < l.n; i++) {
		_free_ char *text = absent_text(&l.v[i], since);

		replica_fact_put(r, l.v[i].f, l.v[i].key, name, text, false);
		hub_facts_add(h, l.v[i].f, l.v[i].key, name, text);
		free(l.v[i].key);
		json_decref(l.v[i].doc);
	}
	free(l.v);
	hub_facts_end(h);
}

struct names {
	const char *self;
	json_t *list;
};

static void add_name(void *arg, const char *key, int64_t rev, const char *text)
{
	struct names *n = arg;

	if (!str_eq(key, n->self))
		json_array_append_new(n->list, json_string(key));
}

static void forget_word(struct replica *r, const char *name)
{
	_free_ char *was = replica_fact(r, FACT_MEMBER, name, NULL), *text = NULL;
	struct err ignored;
	_json_ json_t *doc = was ? json_parse(was, strlen(was), "fact", &ignored) : NULL;

	if (!json_is_object(doc) || life_said(doc) == LIFE_OFFLINE)
		return;
	life_say(doc, LIFE_UNKNOWN);
	text = json_text(doc);
	replica_fact_put(r, FACT_MEMBER, name, name, text, false);
}

/* They were alive when the leader before us was last heard; that is not held against them for more
 * than half of the threshold, for nobody could hear them since. */
void hub_live_begin(struct hub *h)
{
	_json_ json_t *list = json_array();
	struct names n = { cluster_member_name(h->c), list };
	int64_t offline_ms = cluster_offline_ms(h->c);
	int64_t now = clock_ms(), island_ms = cluster_island_ms(h->c);
	json_t *name;
	size_t i;

	replica_each(h->c->replica, ENT_MEMBER, NULL, add_name, &n);
	json_array_foreach(list, i, name)
		forget_word(h->c->replica, json_string_value(name));
	pthread_mutex_lock(&h->lock);
	h->n_absent = 0;
	h->unheard_ms = now - (island_ms < offline_ms / 2 ? island_ms : offline_ms / 2);
	pthread_mutex_unlock(&h->lock);
}

static void list_member(void *arg, const char *key, int64_t rev, const char *text)
{
	struct hub *h = arg;

	if (strcmp(key, cluster_member_name(h->c)) != 0)
		find_or_add(h, key)->listed = true;
}

/* Absent for long enough to be shown, and not shown yet. */
static bool due(struct hub *h, struct absence *a, int64_t now)
{
	if (hub_connected(h, a->name)) {
		a->since = 0;
		a->offline = false;
		return false;
	}
	if (!a->since)
		a->since = now;
	if (a->offline || now - a->since < h->offline_ms)
		return false;
	a->offline = true;
	return true;
}

void hub_live_tick(struct hub *h)
{
	int64_t now = clock_ms(), wall = clock_wall();
	struct absence *gone;
	size_t n = 0;

	/* Lock order: the replica's lock is the outer one. */
	replica_lock(h->c->replica);
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n_absent; i++)
		h->absent[i].listed = false;
	replica_each(h->c->replica, ENT_MEMBER, NULL, list_member, h);
	gone = xcalloc(h->n_absent + 1, sizeof(*gone));
	for (size_t i = 0; i < h->n_absent;) {
		struct absence *a = &h->absent[i];

		if (!a->listed) {
			*a = h->absent[--h->n_absent];
			continue;
		}
		if (due(h, a, now))
			gone[n++] = *a;
		i++;
	}
	pthread_mutex_unlock(&h->lock);
	replica_unlock(h->c->replica);
	for (size_t i = 0; i < n; i++)
		show_offline(h, gone[i].name, wall - (now - gone[i].since) / 1000);
	free(gone);
}
