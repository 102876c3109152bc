/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "api/rest/handle.h"
#include "api/work/icache.h"
#include "api/work/state.h"
#include "api/work/usage.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/ref.h"

#define METRICS_MAX (64 << 20)
#define NANO INT64_C(1000000000)

const struct metric metrics[] = {
#define METRIC(name, type, of, field, unit, help) { name, type, of, field, unit, help },
#include "api/server/metrics.def"
#undef METRIC
	{ .name = NULL },
};

/* --- the text -------------------------------------------------------------------------------- */

/* One metric that is being written, and the labels of what it is of. */
struct writing {
	struct sbuf *b;
	const struct metric *m;
	bool begun;
	struct ref of;
	const char *device; /* or NULL */
};

static const json_t *field_of(const json_t *source, const char *field)
{
	for (; *field; field += strspn(field, "/")) {
		size_t len = strcspn(field, "/");
		_free_ char *name = xstrndup(field, len);

		source = json_object_get(source, name);
		field += len;
	}
	return source;
}

static void put_label(struct writing *w, const char *name, const char *value, bool first)
{
	sbuf_printf(w->b, "%s%s=\"", first ? "{" : ",", name);
	for (; *value; value++) {
		if (*value == '\n')
			sbuf_puts(w->b, "\\n");
		else if (*value == '"' || *value == '\\')
			sbuf_printf(w->b, "\\%c", *value);
		else
			sbuf_putc(w->b, *value);
	}
	sbuf_putc(w->b, '"');
}

/* In the order of their names. */
static void put_labels(struct writing *w)
{
	bool first = true;

	if (w->m->of == METRIC_SERVER)
		return;
	if (w->device) {
		put_label(w, "device", w->device, first);
		first = false;
	}
	if (w->of.name) {
		put_label(w, "name", w->of.name, first);
		first = false;
	}
	put_label(w, "project", w->of.project, first);
	put_label(w, "type", "container", false);
	sbuf_putc(w->b, '}');
}

static void put_number(struct sbuf *b, const json_t *v, enum metric_unit unit)
{
	int64_t n = json_integer_value(v);

	if (json_is_real(v))
		sbuf_printf(b, "%g", json_real_value(v));
	else if (unit == METRIC_NANOSECONDS)
		sbuf_printf(b, "%" PRId64 ".%09" PRId64, n / NANO, n % NANO);
	else
		sbuf_printf(b, "%" PRId64, n);
}

static void put_sample(struct writing *w, const json_t *source)
{
	const json_t *v = field_of(source, w->m->field);

	if (!json_is_number(v))
		return;
	if (!w->begun)
		sbuf_printf(w->b, "# HELP %s %s\n# TYPE %s %s\n", w->m->name, w->m->help,
			    w->m->name, w->m->type);
	w->begun = true;
	sbuf_puts(w->b, w->m->name);
	put_labels(w);
	sbuf_putc(w->b, ' ');
	put_number(w->b, v, w->m->unit);
	sbuf_putc(w->b, '\n');
}

static void put_devices(struct writing *w, const json_t *devices)
{
	json_t *device;

	json_object_foreach((json_t *)devices, w->device, device)
		put_sample(w, device);
}

static void put_instances(struct writing *w, const json_t *instances)
{
	const char *key;
	json_t *state;

	json_object_foreach((json_t *)instances, key, state) {
		w->of = ref_of(key);
		if (w->m->of == METRIC_DISK)
			put_devices(w, json_obj(state, "disk"));
		else if (w->m->of == METRIC_NIC)
			put_devices(w, json_obj(state, "network"));
		else
			put_sample(w, state);
	}
}

void metric_write(struct sbuf *b, const struct metric *m, const struct metric_sources *from)
{
	struct writing w = { .b = b, .m = m };
	const char *project;
	json_t *v;

	assert(m);
	assert(m->name);
	if (m->of == METRIC_SERVER) {
		put_sample(&w, from->server);
	} else if (m->of == METRIC_PROJECT) {
		json_object_foreach((json_t *)from->projects, project, v) {
			str_copy(w.of.project, sizeof(w.of.project), project);
			put_sample(&w, v);
		}
	} else {
		put_instances(&w, from->instances);
	}
}

/* --- the sources ----------------------------------------------------------------------------- */

struct gathering {
	const char *member;
	const char *project; /* NULL: all */
	int64_t host_memory;
	json_t *instances, *projects;
};

static void add_memory(const struct gathering *g, json_t *state, const struct icache_view *v)
{
	json_t *memory = json_obj(state, "memory");
	int64_t total = v->memory_bytes ? (int64_t)v->memory_bytes : g->host_memory;
	int64_t used = json_int(memory, "usage", 0);

	if (v->memory_percent)
		total = g->host_memory / 100 * (int64_t)v->memory_percent;
	if (!memory || total <= 0)
		return;
	json_put_int(memory, "total", total);
	json_put_int(memory, "free", total > used ? total - used : 0);
}

static void add_instance(void *arg, const struct icache_view *v)
{
	struct gathering *g = arg;
	json_t *state = json_obj(g->instances, v->name), *counts;
	struct ref ref = ref_of(v->name);

	if (!str_eq(v->member, g->member))
		return;
	if (g->project && !str_eq(ref.project, g->project)) {
		json_object_del(g->instances, v->name);
		return;
	}
	if (state)
		add_memory(g, state, v);
	counts = json_obj(g->projects, ref.project);
	if (!counts) {
		counts = json_object();
		json_object_set_new(g->projects, ref.project, counts);
	}
	json_put_int(counts, "instances", json_int(counts, "instances", 0) + 1);
}

struct counting {
	const char *member;
	int64_t n;
};

static void count_operation(void *arg, const char *key, const char *member, const char *text)
{
	struct counting *c = arg;

	c->n += str_eq(member, c->member);
}

/* The first of the load averages is the last minute's. */
static json_t *server_source(const struct api_env *env)
{
	const char *member = cluster_member_name(env->cluster);
	json_t *fact = store_fact_get(env->store, FACT_MEMBER, member, NULL);
	json_t *server = fact ? json_copy(fact) : json_object();
	json_t *load = json_array_get(json_arr(server, "load"), 0);
	struct counting ops = { .member = member };

	json_decref(fact);
	store_each_fact(env->store, FACT_OPERATION, count_operation, &ops);
	if (load)
		json_object_set(server, "load", load);
	json_put_int(server, "operations", ops.n);
	json_put_int(server, "uptime", (clock_ms() - env->state->started_ms) / 1000);
	json_put_int(server, "warnings", 0);
	return server;
}

int h_metrics_get(struct req *r)
{
	const struct api_env *env = req_env(r);
	_json_ json_t *instances = usage_here(env, true), *projects = json_object();
	_json_ json_t *server = server_source(env);
	struct metric_sources from = { instances, projects, server };
	struct gathering g = { .member = cluster_member_name(env->cluster),
			       .project = req_query(r, "project") ? req_project(r) : NULL,
			       .host_memory = json_int(json_obj(server, "memory"), "total", 0),
			       .instances = instances,
			       .projects = projects };
	_sbuf_ struct sbuf b = SBUF(METRICS_MAX);

	icache_each(env, add_instance, &g);
	for (const struct metric *m = metrics; m->name; m++)
		metric_write(&b, m, &from);
	sbuf_puts(&b, "# EOF\n");
	if (b.overflow)
		return err_set(req_err(r), ERR_LIMIT, "the metrics are larger than %d bytes",
			       METRICS_MAX);
	return reply_bytes(r, 200, METRICS_TYPE, b.data, b.len);
}
