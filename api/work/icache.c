/* SPDX-License-Identifier: Apache-2.0 */
#include "api/work/icache.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "api/work/instance.h"
#include "api/work/outlook.h"
#include "api/work/snapshot.h"
#include "api/work/spec.h"
#include "api/work/state.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"
#include "cluster/model/state.h"
#include "node/container/limits.h"
#include "node/device/device.h"

#define RECHECK_MS 1000
#define OBJECT_MAX (8 << 20)

/* What its member tells of it. */
static const enum fact told_kinds[] = { FACT_INSTANCE, FACT_MOVE };

struct told {
	char *text;
	bool heard; /* in this refresh */
};

struct entry {
	char *name, *member, *second_name;
	struct told told[ARRAY_SIZE(told_kinds)];
	int64_t rev;
	uint64_t snapshots, snapshots_now; /* digest of their revisions: as rendered, as they are */
	json_t *doc; /* the row, for rendering the state */
	json_t *uses;
	uint64_t memory_bytes, memory_percent, cpus;
	enum status status;
	char *head;  /* the object up to "project", without its brace */
	char *state; /* status, backups, state, snapshots: how it goes on for recursion 2 */
	size_t head_len, state_len, status_len; /* status_len: of state, what recursion 1 shows */
	enum member_life life;
	bool new_doc, stale; /* what is to be rendered: all of it, or the state */
};

struct icache {
	pthread_mutex_t lock;
	struct entry **v;
	size_t n, room;
	uint64_t changes;
	int64_t checked_ms;
	uint64_t profiles; /* digest of all profiles' revisions */
};

struct icache *icache_new(void)
{
	struct icache *c = xnew(struct icache);

	pthread_mutex_init(&c->lock, NULL);
	return c;
}

static void entry_free(struct entry *e)
{
	free(e->name);
	free(e->member);
	for (size_t i = 0; i < ARRAY_SIZE(told_kinds); i++)
		free(e->told[i].text);
	free(e->second_name);
	free(e->head);
	free(e->state);
	json_decref(e->doc);
	json_decref(e->uses);
	free(e);
}

void icache_free(struct icache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		entry_free(c->v[i]);
	free(c->v);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* --- rendering ------------------------------------------------------------------------------- */

static void add_key(json_t *list, char *own_key)
{
	assert(own_key);
	json_array_append_new(list, json_string(own_key));
	free(own_key);
}

static json_t *uses_of(const json_t *doc, const json_t *devices)
{
	json_t *networks = json_array(), *pools = json_array(), *dev;
	json_t *host_names = json_array();
	const char *instance = json_str(doc, "name", ""), *name;
	json_t *profiles = json_array(), *v;
	struct device_claim c;
	size_t i;

	json_array_foreach(json_arr(doc, "profiles"), i, v)
		add_key(profiles, ref_beside(instance, ENT_PROFILE, json_string_value(v)));
	json_object_foreach((json_t *)devices, name, dev) {
		bool claims = device_claims(dev, &c);
		const char *pool = device_pool(dev);

		if (claims)
			add_key(networks, c.named_by ? ref_beside(instance, ENT_NETWORK, c.network)
						     : xstrdup(c.network));
		if (claims && c.host_name)
			json_array_append_new(host_names, json_string(c.host_name));
		if (pool)
			json_array_append_new(pools, json_string(pool));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:s}", "profiles", profiles, "networks", networks,
			 "host_names", host_names, "pools", pools, "image",
			 json_str(doc, "image", ""));
}

static void sum_limits(struct entry *e, const json_t *config)
{
	struct limits_request limits = limits_requested(config);

	e->memory_bytes = limits.memory.bytes;
	e->memory_percent = limits.memory.percent;
	e->cpus = limits.cpus.count;
}

static void render_head(const struct api_env *env, json_t *profiles, struct entry *e)
{
	_json_ json_t *j = instance_json(env->store, profiles, e->doc);
	struct sbuf b = SBUF(OBJECT_MAX);

	json_append(&b, j);
	b.data[--b.len] = '\0';
	free(e->head);
	e->head_len = b.len;
	e->head = sbuf_take(&b);
	json_decref(e->uses);
	e->uses = uses_of(e->doc, json_obj(j, "expanded_devices"));
	sum_limits(e, json_obj(j, "expanded_config"));
}

/* NULL: nothing is told, or nothing that still counts. */
static json_t *told_of(const struct entry *e, enum fact f)
{
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(told_kinds); i++) {
		const char *text = e->told[i].text;

		if (told_kinds[i] == f && text && e->life != LIFE_OFFLINE)
			return json_parse(text, strlen(text), "fact", &err);
	}
	return NULL;
}

static void render_state(const struct api_env *env, struct entry *e)
{
	_json_ json_t *fact = told_of(e, FACT_INSTANCE), *move = told_of(e, FACT_MOVE);
	_json_ json_t *state = instance_state_json(env, e->doc, fact), *outlook = NULL;
	_json_ json_t *snapshots = e->snapshots ? snapshots_json(env->store, e->name) : json_null();
	struct sbuf b = SBUF(OBJECT_MAX);

	e->status = instance_status_of(e->life, fact);
	instance_put_status(state, e->status);
	outlook = outlook_json(e->doc, e->status, move);
	sbuf_printf(&b, ",\"status\":\"%s\",\"status_code\":%d,\"dunlin_move\":",
		    status_name(e->status), e->status);
	json_append(&b, outlook);
	e->status_len = b.len;
	sbuf_puts(&b, ",\"backups\":null,\"snapshots\":");
	json_append(&b, snapshots);
	sbuf_puts(&b, ",\"state\":");
	json_append(&b, state);
	free(e->state);
	e->state_len = b.len;
	e->state = sbuf_take(&b);
	e->stale = false;
}

/* --- refreshing ------------------------------------------------------------------------------ */

struct refresh {
	const struct api_env *env;
	struct icache *c;
	struct entry **old;
	size_t old_n, at;
	bool all; /* a profile changed */
	json_t *profiles, *lives;
};

static struct entry *take_old(struct refresh *r, const char *key)
{
	while (r->at < r->old_n && strcmp(r->old[r->at]->name, key) < 0)
		entry_free(r->old[r->at++]);
	if (r->at < r->old_n && str_eq(r->old[r->at]->name, key))
		return r->old[r->at++];
	return NULL;
}

static enum member_life life_of_member(struct refresh *r, const char *member)
{
	json_t *known = json_object_get(r->lives, member);

	if (!known) {
		known = json_integer(cluster_member_life(r->env->cluster, member, NULL));
		json_object_set_new(r->lives, member, known);
	}
	return (enum member_life)json_integer_value(known);
}

static void load_doc(struct entry *e, int64_t rev, const char *text)
{
	struct err err;
	json_t *doc = json_parse(text, strlen(text), "instance row", &err);

	if (!doc)
		return;
	json_decref(e->doc);
	e->doc = doc;
	e->rev = rev;
	free(e->member);
	e->member = xstrdup(json_str(doc, "member", ""));
	free(take_ptr(e->second_name));
	e->second_name = xstrdup(inst_second_name(doc));
	e->new_doc = true;
}

/* Runs inside the store's iteration: must not ask the store anything. */
static void take_row(void *arg, const char *key, int64_t rev, const char *text)
{
	struct refresh *r = arg;
	struct icache *c = r->c;
	struct entry *e = take_old(r, key);

	if (!e) {
		e = xnew(struct entry);
		e->name = xstrdup(key);
		e->rev = -1;
	}
	if (e->rev != rev)
		load_doc(e, rev, text);
	if (!e->doc) {
		entry_free(e);
		return;
	}
	if (c->n == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->v = xrealloc(c->v, c->room * sizeof(*c->v));
	}
	c->v[c->n++] = e;
}

static void renew(struct refresh *r, struct entry *e)
{
	enum member_life life = life_of_member(r, e->member);

	if (e->new_doc || r->all)
		render_head(r->env, r->profiles, e);
	e->stale |= e->new_doc || life != e->life || e->snapshots != e->snapshots_now ||
		    (r->all && e->snapshots);
	e->snapshots = e->snapshots_now;
	e->life = life;
	e->new_doc = false;
	for (size_t i = 0; i < ARRAY_SIZE(told_kinds); i++)
		e->told[i].heard = false;
}

static int by_name(const void *key, const void *entry)
{
	return strcmp(key, (*(struct entry *const *)entry)->name);
}

static struct entry *find_entry(const struct icache *c, const char *name)
{
	struct entry **found = c->n ? bsearch(name, c->v, c->n, sizeof(*c->v), by_name) : NULL;

	return found ? *found : NULL;
}

static void take_snapshot(void *arg, const char *key, int64_t rev, const char *instance)
{
	struct entry *e = find_entry(arg, instance);

	/* In no order; a revision is of one change. */
	if (e)
		e->snapshots_now += (uint64_t)rev * 1099511628211u;
}

struct hearing {
	struct icache *c;
	size_t which; /* of told_kinds */
};

static void take_fact(void *arg, const char *key, const char *member, const char *text)
{
	struct hearing *h = arg;
	struct entry *e = find_entry(h->c, key);
	struct told *t = e ? &e->told[h->which] : NULL;

	if (!e || !str_eq(member, e->member))
		return;
	t->heard = true;
	if (str_eq(t->text, text))
		return;
	free(t->text);
	t->text = xstrdup(text);
	e->stale = true;
}

static void add_profile(void *arg, const char *key, int64_t rev, const char *text)
{
	uint64_t *digest = arg;

	*digest = (*digest ^ (uint64_t)rev) * 1099511628211u;
	for (; *key; key++)
		*digest = (*digest ^ (unsigned char)*key) * 1099511628211u;
}

static void refresh_rows(const struct api_env *env, struct icache *c)
{
	struct refresh r = { .env = env, .c = c, .old = c->v, .old_n = c->n };
	uint64_t digest = 14695981039346656037u;

	store_each_text(env->store, ENT_PROFILE, add_profile, &digest);
	r.all = digest != c->profiles;
	r.profiles = json_object();
	r.lives = json_object();
	c->profiles = digest;
	c->v = NULL;
	c->n = c->room = 0;
	store_each_text(env->store, ENT_INSTANCE, take_row, &r);
	while (r.at < r.old_n)
		entry_free(r.old[r.at++]);
	free(r.old);
	for (size_t i = 0; i < c->n; i++)
		c->v[i]->snapshots_now = 0;
	store_each_index(env->store, ENT_SNAPSHOT, take_snapshot, c);
	for (size_t i = 0; i < c->n; i++)
		renew(&r, c->v[i]);
	json_decref(r.profiles);
	json_decref(r.lives);
}

static void forget_untold(struct entry *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(told_kinds); i++) {
		if (e->told[i].heard || !e->told[i].text)
			continue;
		free(take_ptr(e->told[i].text));
		e->stale = true;
	}
}

static void refresh_facts(const struct api_env *env, struct icache *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(told_kinds); i++) {
		struct hearing h = { c, i };

		store_each_fact(env->store, told_kinds[i], take_fact, &h);
	}
	for (size_t i = 0; i < c->n; i++) {
		struct entry *e = c->v[i];

		forget_untold(e);
		if (e->stale || !e->state)
			render_state(env, e);
	}
}

/* The caller holds the lock. */
static void refresh(const struct api_env *env, struct icache *c)
{
	uint64_t changes = store_change_count(env->store);

	if (changes == c->changes && c->checked_ms && clock_ms() - c->checked_ms < RECHECK_MS)
		return;
	c->changes = changes;
	c->checked_ms = clock_ms();
	refresh_rows(env, c);
	refresh_facts(env, c);
}

/* --- use ------------------------------------------------------------------------------------- */

void icache_each(const struct api_env *env, void (*cb)(void *arg, const struct icache_view *v),
		 void *arg)
{
	struct icache *c = env->state->instances;

	pthread_mutex_lock(&c->lock);
	refresh(env, c);
	for (size_t i = 0; i < c->n; i++) {
		const struct entry *e = c->v[i];

		cb(arg,
		   &(struct icache_view){ e->name, e->member, e->status, e->second_name, e->uses,
					  e->memory_bytes, e->cpus, e->memory_percent });
	}
	pthread_mutex_unlock(&c->lock);
}

static void add_object(struct sbuf *out, const struct entry *e, int recursion)
{
	sbuf_add(out, e->head, e->head_len);
	sbuf_add(out, e->state, recursion > 1 ? e->state_len : e->status_len);
	sbuf_putc(out, '}');
}

void icache_each_text(const struct api_env *env, const char *project, int recursion,
		      void (*cb)(void *arg, const char *name, const char *text, size_t len),
		      void *arg)
{
	struct icache *c = env->state->instances;
	_sbuf_ struct sbuf b = SBUF(2 * OBJECT_MAX);

	pthread_mutex_lock(&c->lock);
	refresh(env, c);
	for (size_t i = 0; i < c->n; i++) {
		if (!ref_is_in(c->v[i]->name, project))
			continue;
		sbuf_reset(&b);
		add_object(&b, c->v[i], recursion);
		cb(arg, c->v[i]->name, b.data, b.len);
	}
	pthread_mutex_unlock(&c->lock);
}

void icache_warm(const struct api_env *env)
{
	struct icache *c = env->state->instances;

	pthread_mutex_lock(&c->lock);
	refresh(env, c);
	pthread_mutex_unlock(&c->lock);
}

static void add_listed(struct sbuf *out, const struct entry *e, const struct icache_listing *l)
{
	_free_ char *url = NULL;

	if (l->recursion) {
		add_object(out, e, l->recursion);
		return;
	}
	url = ref_url(l->path, e->name);
	sbuf_json_string(out, url);
}

void icache_list(const struct api_env *env, const struct icache_listing *l, struct sbuf *out)
{
	struct icache *c = env->state->instances;
	const char *comma = "";

	pthread_mutex_lock(&c->lock);
	refresh(env, c);
	sbuf_putc(out, '[');
	for (size_t i = 0; i < c->n; i++) {
		if (!ref_is_in(c->v[i]->name, l->project))
			continue;
		sbuf_puts(out, comma);
		add_listed(out, c->v[i], l);
		comma = ",";
	}
	sbuf_putc(out, ']');
	pthread_mutex_unlock(&c->lock);
}

struct promise {
	const char *name, *except;
	bool found;
};

static void find_promise(void *arg, const struct icache_view *v)
{
	struct promise *p = arg;

	p->found |= str_eq(v->second_name, p->name) && !str_eq(v->name, p->except);
}

bool instance_name_promised(const struct api_env *env, const char *name, const char *except)
{
	struct promise p = { name, except, false };

	icache_each(env, find_promise, &p);
	return p.found;
}
