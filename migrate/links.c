/* SPDX-License-Identifier: Apache-2.0 */
/* Links that CRIU does not know, in the networks of a container. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"
#include "node/netlink/link.h"

#define STACK_BYTES (256 << 10)
#define SETS_MAX (1 << 20)

/* What CRIU 4.2 makes anew; "gre" and "gretap" only as each network has them from the start. */
static const struct {
	const char *kind, *name; /* NULL: any */
} carried[] = {
	{ "", NULL },    { "veth", NULL },  { "bridge", NULL },      { "tun", NULL },
	{ "sit", NULL }, { "gre", "gre0" }, { "gretap", "gretap0" },
};

bool plan_link_is_carried(const char *name, const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(carried); i++) {
		if (str_eq(kind, carried[i].kind) &&
		    (!carried[i].name || str_eq(name, carried[i].name)))
			return true;
	}
	return false;
}

struct look {
	const struct task *t;
	int netns;
};

static int look_at_link(void *arg, const struct link_info *l)
{
	const struct look *look = arg;

	if (!plan_link_is_carried(l->name, l->kind))
		task_refuse(look->t,
			    "has the link %s of type %s in its network, which CRIU cannot "
			    "carry over",
			    l->name, l->kind);
	return 0;
}

static void *look_inside(void *arg)
{
	struct look *look = arg;
	struct err err;

	if (setns(look->netns, CLONE_NEWNET) == 0)
		link_each(look_at_link, look, &err);
	return NULL;
}

/* A thread that has been elsewhere does not come back: it ends. */
static void look_at_network(const struct task *t)
{
	_free_ char *path = xasprintf("%s/ns/net", t->dir);
	_close_ int netns = open(path, O_RDONLY | O_CLOEXEC);
	struct look look = { t, netns };
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	if (netns < 0)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, look_inside, &look);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		pthread_join(thread, NULL);
}

void plan_links(const struct plan_tasks *all, struct move_plan *ret)
{
	_sbuf_ struct sbuf seen = SBUF(SETS_MAX);
	char link[TASK_LINK_MAX];

	for (size_t i = 0; i <= all->npids; i++) {
		struct task t = task_of(all, i ? all->pids[i - 1] : all->init, ret);

		if (task_link(&t, "ns/net", link) && task_set_add(&seen, link))
			look_at_network(&t);
	}
}
