/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate/task.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

#define TEXT_MAX (4 << 20)
#define TRACER_MS 2000
#define VFORK_MS 500
#define FLAG_EXITING 4 /* of the flags in proc_pid_stat(5) */

bool task_set_has(const struct sbuf *set, const char *word)
{
	_free_ char *spaced = xasprintf(" %s ", word);

	return set->data && strstr(set->data, spaced);
}

bool task_set_add(struct sbuf *set, const char *word)
{
	if (task_set_has(set, word))
		return false;
	sbuf_printf(set, " %s ", word);
	return true;
}

struct task task_of(const struct plan_tasks *all, pid_t pid, struct move_plan *ret)
{
	struct task t = { .all = all,
			  .pid = pid,
			  .ret = ret,
			  .tracer_deadline = deadline_in(TRACER_MS),
			  .vfork_deadline = deadline_in(VFORK_MS) };

	snprintf(t.dir, sizeof(t.dir), "%s/%d", all->proc, pid);
	return t;
}

char *task_read(const struct task *t, const char *file)
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	struct err err;

	return io_read_file(path, TEXT_MAX, NULL, &err);
}

bool task_link(const struct task *t, const char *file, char buf[TASK_LINK_MAX])
{
	_free_ char *path = xasprintf("%s/%s", t->dir, file);
	ssize_t n = readlink(path, buf, TASK_LINK_MAX - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The last folder with that ending, of the service of a user's manager and not of the manager. */
static char *last_unit(const char *cgroup, const char *ending)
{
	const char *at = NULL;
	size_t len = 0;

	for (const char *p = cgroup; *p; p += *p != '\0') {
		size_t n = strcspn(p, "/\n");
		_free_ char *part = xstrndup(p, n);

		if (str_ends(part, ending)) {
			at = p;
			len = n;
		}
		/* Each hierarchy that has one has the same. */
		if (p[n] == '\n' && at)
			break;
		p += n;
	}
	return at ? xstrndup(at, len) : NULL;
}

/* "redis-server (process 812, redis.service)"; NULL when it has ended. */
static char *describe(const struct task *t)
{
	_free_ char *comm = task_read(t, "comm"), *cgroup = task_read(t, "cgroup");
	_free_ char *unit = cgroup ? last_unit(cgroup, ".service") : NULL;

	if (!comm)
		return NULL;
	comm[strcspn(comm, "\n")] = '\0';
	if (cgroup && !unit)
		unit = last_unit(cgroup, ".scope");
	return xasprintf("%s (process %d%s%s)", comm, t->pid, unit ? ", " : "", unit ? unit : "");
}

void task_refuse(const struct task *t, const char *fmt, ...)
{
	_free_ char *who = describe(t), *why = NULL;
	va_list ap;

	va_start(ap, fmt);
	why = xvasprintf(fmt, ap);
	va_end(ap);
	if (who)
		move_plan_add(t->ret, MOVE_NEAR_LIVE, "%s %s", who, why);
}

bool task_is_ending(const struct task *t)
{
	_free_ char *status = task_read(t, "status"), *stat = task_read(t, "stat");
	const char *name_end = stat ? strrchr(stat, ')') : NULL;
	unsigned flags;

	if (!status || strstr(status, "\nState:\tZ") || strstr(status, "\nState:\tX"))
		return true;
	return name_end && sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       (flags & FLAG_EXITING);
}
