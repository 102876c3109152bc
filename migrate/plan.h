/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/plan.h - whether a container can move while it runs, told before anything is touched.
 *
 * Three questions, all without side effects: do the two members fit together (pure, over their
 * facts), does what the processes hold forbid it (over a /proc, the real one or a test's), and
 * would it take too long.
 */
#pragma once
#include "migrate/migrate.h"
#include "node/console/console.h"

/* The facts of the source and the target as of move_facts, and the storage driver of the
 * container. */
void plan_compare(const json_t *source, const json_t *target, const char *driver,
		  struct move_plan *ret);

/* Adds what the source itself stands in the way of. */
void plan_source(const json_t *source, struct move_plan *ret);

/* Adds that the target cannot confine its processes as they are here: by AppArmor profile `label`;
 * NULL: by none. */
void plan_confinement(const char *label, const json_t *source, const json_t *target,
		      struct move_plan *ret);

/* What the instance needs there. */
struct plan_need {
	const char *pool;
	int64_t memory, files; /* bytes; files: -1: not counted */
};
/* Adds what the target has no room for. */
void plan_space(const json_t *target, const struct plan_need *need, struct move_plan *ret);

struct plan_tasks {
	const char *proc;  /* "/proc" */
	const pid_t *pids; /* of all processes of the container */
	size_t npids;
	pid_t init;
	const struct console_tty *console; /* NULL: it has none */
	const char *cgroup; /* of the container, "CG/NAME/payload"; NULL: not looked at */
};
/* Adds what forbids a live move. A process that ends meanwhile forbids nothing. */
void plan_tasks(const struct plan_tasks *t, struct move_plan *ret);

/* How long it would stand still for its memory, the way that the plan has chosen, where a bound is
 * set. Longer than half a minute is not what "live" is for. */
void plan_memory(const struct way_facts *f, struct move_plan *ret);

/* The same for what processes share, as the kernel has it: the real /proc only. */
void plan_related(const struct plan_tasks *t, struct move_plan *ret);
/* And for the links in their networks, which are entered by threads of their own. */
void plan_links(const struct plan_tasks *t, struct move_plan *ret);
bool plan_link_is_carried(const char *name, const char *kind);

struct plan_kin {
	pid_t pid, parent, session;
	pid_t born; /* worked out: the session that it forks a child in */
	bool lost;  /* worked out: CRIU could not give it its session */
};
void plan_sessions(struct plan_kin *v, size_t n, pid_t init);

/* "4.2.1" >= "4.2": numbers, part by part; missing parts are 0. */
int plan_version_cmp(const char *a, const char *b);
