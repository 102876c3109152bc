/* SPDX-License-Identifier: Apache-2.0 */
/* LXD's instance state. */
#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"
#include "node/host/cgroup.h"

#define CACHE_MS 1000

static json_t *make_state(struct node *n, const char *name, enum status s, pid_t pid,
			  const json_t *spec)
{
	struct cgroup_usage u = { 0 };

	assert(s >= STATUS_STOPPED);
	assert(s <= STATUS_ERROR);
	if (pid > 0)
		cgroup_usage(n->cgroup_name, name, &u);
	return json_pack("{ss,si,s{},s{sI,sI,sI,sI},so,si,sI,s{sI}}", "status", status_name(s),
			 "status_code", (int)s, "disk", "memory", "usage", (json_int_t)u.memory,
			 "usage_peak", (json_int_t)u.memory_peak, "swap_usage", (json_int_t)u.swap,
			 "swap_usage_peak", (json_int_t)u.swap_peak, "network",
			 pid > 0 ? ct_network(pid, spec) : json_null(), "pid", (int)pid,
			 "processes", (json_int_t)u.processes, "cpu", "usage",
			 (json_int_t)u.cpu_ns);
}

static json_t *cached(struct node *n, struct ct *c, enum status *ret_status, pid_t *ret_pid)
{
	json_t *j = NULL;

	pthread_mutex_lock(&n->containers->lock);
	if (c->state && clock_ms() - c->state_ms < CACHE_MS)
		j = json_deep_copy(c->state);
	*ret_status = c->status;
	*ret_pid = c->pid;
	pthread_mutex_unlock(&n->containers->lock);
	return j;
}

static void keep(struct node *n, struct ct *c, pid_t pid, const json_t *state)
{
	json_t *copy = json_deep_copy(state);

	assert(json_is_object(state));
	pthread_mutex_lock(&n->containers->lock);
	if (c->pid == pid) {
		json_decref(c->state);
		c->state = take_ptr(copy);
		c->state_ms = clock_ms();
	}
	pthread_mutex_unlock(&n->containers->lock);
	json_decref(copy);
}

json_t *container_state(struct node *n, const char *name)
{
	struct ct *c = ct_get(n, name, false);
	enum status status;
	json_t *state;
	pid_t pid;

	if (!c)
		return make_state(n, name, STATUS_STOPPED, 0, NULL);
	state = cached(n, c, &status, &pid);
	if (!state) {
		_json_ json_t *spec = ct_spec(n, c);

		state = make_state(n, name, status, pid, spec);
		keep(n, c, pid, state);
	}
	ct_put(n, c);
	return state;
}
