/* SPDX-License-Identifier: Apache-2.0 */
/* What processes have in common with others that CRIU cannot make again. */
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"
#include "node/host/pids.h"

/* --- sessions ------------------------------------------------------------------------------- */

static bool read_kin(const struct plan_tasks *all, pid_t pid, struct plan_kin *ret)
{
	struct task t = task_of(all, pid, NULL);
	_free_ char *stat = task_read(&t, "stat");
	const char *end = stat ? strrchr(stat, ')') : NULL;

	ret->pid = pid;
	return end && sscanf(end, ") %*c %d %*d %d", &ret->parent, &ret->session) == 2;
}

static struct plan_kin *find_kin(struct plan_kin *v, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].pid == pid)
			return &v[i];
	}
	return NULL;
}

/* CRIU forks children before and after their parents begin sessions of their own, once. */
static bool was_born_in(struct plan_kin *v, size_t n, pid_t init, const struct plan_kin *k)
{
	struct plan_kin *up = find_kin(v, n, k->parent);

	if (up && up->session == k->session)
		return true;
	for (; up && up->pid != k->session; up = find_kin(v, n, up->parent)) {
		if (up->born && up->born != k->session)
			return false;
		up->born = k->session;
		if (up->pid == init)
			return false;
	}
	return up != NULL;
}

void plan_sessions(struct plan_kin *v, size_t n, pid_t init)
{
	for (size_t i = 0; i < n; i++) {
		/* It makes one that leads for those whose leader has left them to init. */
		if (v[i].pid == init || v[i].session == v[i].pid || v[i].parent == init)
			continue;
		v[i].lost = find_kin(v, n, v[i].parent) && !was_born_in(v, n, init, &v[i]);
	}
}

static void sessions(const struct plan_tasks *all, struct move_plan *ret)
{
	struct plan_kin *v = xcalloc(all->npids + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < all->npids; i++)
		n += read_kin(all, all->pids[i], &v[n]);
	plan_sessions(v, n, all->init);
	for (size_t i = 0; i < n; i++) {
		struct task t = task_of(all, v[i].pid, ret);

		if (v[i].lost)
			task_refuse(&t, "is in a session whose leader has ended, and was taken "
					"over by another process than init, which CRIU cannot "
					"carry over");
	}
	free(v);
}

/* --- what is shared -------------------------------------------------------------------------- */

static const struct {
	int type; /* kcmp(2) */
	const char *what;
} shared[] = {
	{ KCMP_VM, "memory" },
	{ KCMP_FS, "folders and umask" },
};

static int compare(pid_t a, pid_t b, int type)
{
	long v = syscall(SYS_kcmp, a, b, type, 0, 0);

	/* As of a process that has ended. */
	if (v < 0 || v > 2)
		return a < b ? -1 : a > b;
	return v == 0 ? 0 : v == 1 ? -1 : 1;
}

static int by_type(const void *a, const void *b, void *type)
{
	return compare(*(const pid_t *)a, *(const pid_t *)b, *(int *)type);
}

/* One that starts a program shares all until then, and is named for that; those that end have
 * nothing any more, which is the same. */
static bool may_part(const struct task *a, const struct task *b)
{
	return pids_waits_for_vfork(a->all->proc, a->pid) ||
	       pids_waits_for_vfork(b->all->proc, b->pid) || task_is_ending(a) || task_is_ending(b);
}

static void sharing(const struct plan_tasks *all, size_t row, struct move_plan *ret)
{
	pid_t *v = xcalloc(all->npids + 1, sizeof(*v));
	int type = shared[row].type;

	memcpy(v, all->pids, all->npids * sizeof(*v));
	qsort_r(v, all->npids, sizeof(*v), by_type, &type);
	for (size_t i = 1; i < all->npids; i++) {
		struct task t = task_of(all, v[i], ret), u = task_of(all, v[i - 1], ret);

		if (v[i] != v[i - 1] && compare(v[i], v[i - 1], type) == 0 && !may_part(&t, &u) &&
		    compare(v[i], v[i - 1], type) == 0)
			task_refuse(&t,
				    "shares its %s with process %d, which is no thread of it; CRIU "
				    "cannot carry that over",
				    shared[row].what, (int)v[i - 1]);
	}
	free(v);
}

void plan_related(const struct plan_tasks *all, struct move_plan *ret)
{
	sessions(all, ret);
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		sharing(all, i, ret);
}
