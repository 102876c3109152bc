/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a node's containers. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"

#define SPEC_MAX (1 << 20)

struct containers *containers_new(void)
{
	struct containers *s = xnew(struct containers);
	pthread_condattr_t attr;

	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	return s;
}

static void ct_free(struct ct *c)
{
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->monitorfd >= 0)
		close(c->monitorfd);
	json_decref(c->spec);
	json_decref(c->state);
	json_decref(c->told);
	pthread_mutex_destroy(&c->op);
	free(c->name);
	free(c);
}

void containers_free(struct containers *s)
{
	while (s->list) {
		struct ct *c = s->list;

		s->list = c->next;
		ct_free(c);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct ct *ct_new(const char *name)
{
	struct ct *c = xnew(struct ct);

	c->name = xstrdup(name);
	c->pidfd = c->monitorfd = -1;
	c->status = STATUS_STOPPED;
	c->refs = 1; /* the list's */
	pthread_mutex_init(&c->op, NULL);
	return c;
}

struct ct *ct_get(struct node *n, const char *name, bool make)
{
	struct containers *s = n->containers;
	struct ct *c;

	pthread_mutex_lock(&s->lock);
	for (c = s->list; c && !str_eq(c->name, name); c = c->next)
		;
	if (!c && make) {
		c = ct_new(name);
		c->next = s->list;
		s->list = c;
	}
	if (c)
		c->refs++;
	pthread_mutex_unlock(&s->lock);
	return c;
}

json_t *container_running(struct node *n)
{
	json_t *names = json_object();

	pthread_mutex_lock(&n->containers->lock);
	for (const struct ct *c = n->containers->list; c; c = c->next) {
		if (c->pid > 0)
			json_object_set_new(names, c->name, json_true());
	}
	pthread_mutex_unlock(&n->containers->lock);
	return names;
}

void ct_put(struct node *n, struct ct *c)
{
	bool last;

	if (!c)
		return;
	pthread_mutex_lock(&n->containers->lock);
	assert(c->refs > 0);
	last = --c->refs == 0;
	pthread_mutex_unlock(&n->containers->lock);
	if (last)
		ct_free(c);
}

void ct_forget(struct node *n, struct ct *c)
{
	pthread_mutex_lock(&n->containers->lock);
	for (struct ct **pp = &n->containers->list; *pp; pp = &(*pp)->next) {
		if (*pp != c)
			continue;
		*pp = c->next;
		c->refs--;
		c->gone = true;
		break;
	}
	pthread_cond_broadcast(&n->containers->changed);
	pthread_mutex_unlock(&n->containers->lock);
}

void ct_rename(struct node *n, struct ct *c, const char *name)
{
	pthread_mutex_lock(&n->containers->lock);
	free(c->name);
	c->name = xstrdup(name);
	pthread_mutex_unlock(&n->containers->lock);
}

enum status ct_status(struct node *n, struct ct *c)
{
	enum status s;

	pthread_mutex_lock(&n->containers->lock);
	s = c->status;
	pthread_mutex_unlock(&n->containers->lock);
	return s;
}

void ct_set_status(struct node *n, struct ct *c, enum status s)
{
	assert(s >= STATUS_STOPPED);
	assert(s <= STATUS_ERROR);
	pthread_mutex_lock(&n->containers->lock);
	c->status = s;
	json_decref(c->state);
	c->state = NULL;
	pthread_mutex_unlock(&n->containers->lock);
}

json_t *ct_spec(struct node *n, struct ct *c)
{
	json_t *j;

	/* Reference counts are atomic in jansson; the tree is never changed after ct_set_spec. */
	pthread_mutex_lock(&n->containers->lock);
	j = json_incref(c->spec);
	pthread_mutex_unlock(&n->containers->lock);
	return j;
}

void ct_set_spec(struct node *n, struct ct *c, json_t *own_spec)
{
	json_t *old;

	pthread_mutex_lock(&n->containers->lock);
	old = c->spec;
	c->spec = own_spec;
	pthread_mutex_unlock(&n->containers->lock);
	json_decref(old);
}

char *ct_dir(const struct node *n, const char *name)
{
	return node_path(n, "containers/%s", name);
}

char *ct_file(const struct node *n, const char *name, const char *file)
{
	return node_path(n, "containers/%s/%s", name, file);
}

json_t *ct_load_spec(const struct node *n, const char *name)
{
	_free_ char *path = ct_file(n, name, "spec.json");
	struct err err;
	size_t len;
	_free_ char *text = io_read_file(path, SPEC_MAX, &len, &err);

	return text ? json_parse(text, len, path, &err) : NULL;
}

json_t *ct_fact(struct node *n, struct ct *c)
{
	_json_ json_t *spec = ct_spec(n, c);
	char when[CLOCK_TEXT_SIZE];
	enum status s;
	int64_t started;
	json_t *j;
	pid_t pid;

	pthread_mutex_lock(&n->containers->lock);
	s = c->status;
	pid = c->pid;
	started = c->started_ns;
	pthread_mutex_unlock(&n->containers->lock);
	j = json_pack("{ss,si,si}", "status", status_name(s), "status_code", (int)s, "pid",
		      (int)pid);
	if (pid > 0) {
		json_put_str(j, "started_at", clock_text(started, when));
		json_object_set_new(j, "network", ct_network(pid, spec));
	}
	return j;
}

void ct_publish(struct node *n, struct ct *c, bool if_new)
{
	_json_ json_t *fact = NULL, *copy = NULL;
	bool same;

	if (!n->instance_changed)
		return;
	fact = ct_fact(n, c);
	copy = json_deep_copy(fact);
	pthread_mutex_lock(&n->containers->lock);
	same = c->told && json_equal(c->told, fact);
	json_decref(c->told);
	c->told = take_ptr(copy);
	pthread_mutex_unlock(&n->containers->lock);
	if (!same || !if_new)
		n->instance_changed(n->arg, c->name, fact);
}

pid_t container_pid(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);
	pid_t pid;

	if (!c)
		return 0;
	pthread_mutex_lock(&n->containers->lock);
	pid = c->pid;
	pthread_mutex_unlock(&n->containers->lock);
	ct_put(n, c);
	return pid;
}

json_t *container_request(const struct node *n, const char *name)
{
	_free_ char *lxcpath = container_lxcpath(n);

	return json_pack("{ss,ss,ss}", "name", name, "lxcpath", lxcpath, "cgroup_name",
			 n->cgroup_name);
}

char *container_lxcpath(const struct node *n)
{
	return node_path(n, "containers");
}
