/* SPDX-License-Identifier: Apache-2.0 */
/* What CRIU cannot carry over, found in /proc before it is tried. The reason names process,
 * service and cause, for that is what somebody has to change. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "migrate/task.h"
#include "node/host/pids.h"

#define SETS_MAX (4 << 20)
#define TRACER_STEP_MS 20
#define VFORK_STEP_MS 10
#define CGROUP_TRIES 20
#define CGROUP_STEP_MS 5

/* Below init's CRIU restores those of mounts and networks only. */
static const struct {
	const char *file, *what;
} namespaces[] = {
	{ "ns/uts", "UTS (host name)" }, { "ns/ipc", "IPC" },
	{ "ns/user", "user" },           { "ns/pid", "process" },
	{ "ns/cgroup", "cgroup" },       { "ns/time_for_children", "time" },
};

static void other_namespaces(const struct task *t, const struct task *init)
{
	_sbuf_ struct sbuf list = SBUF(512);
	char own[TASK_LINK_MAX], first[TASK_LINK_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++) {
		if (task_link(t, namespaces[i].file, own) &&
		    task_link(init, namespaces[i].file, first) && !str_eq(own, first))
			sbuf_printf(&list, "%s%s", list.len ? ", " : "", namespaces[i].what);
	}
	if (list.len)
		task_refuse(
			t,
			"has a %s namespace of its own, as sandboxed services have; it cannot be "
			"restored elsewhere",
			list.data);
}

/* A CRIU that is finishing a restore lets go in a moment, and tells nobody. */
static pid_t lasting_tracer(const struct task *t)
{
	pid_t tracer;

	for (;;) {
		_free_ char *status = task_read(t, "status");

		tracer = (pid_t)pids_status_number(status, "\nTracerPid:");
		if (!tracer || clock_ms() >= t->tracer_deadline)
			return tracer;
		poll(NULL, 0, TRACER_STEP_MS);
	}
}

/* Most have their child's answer in a moment. */
static bool is_in_vfork(const struct task *t)
{
	while (pids_waits_for_vfork(t->all->proc, t->pid)) {
		if (clock_ms() >= t->vfork_deadline)
			return true;
		poll(NULL, 0, VFORK_STEP_MS); /* nobody tells */
	}
	return false;
}

static void relations(const struct task *t)
{
	_free_ char *status = task_read(t, "status");
	pid_t tracer = lasting_tracer(t);

	if (tracer)
		task_refuse(t, "is traced by a debugger (process %d)", (int)tracer);
	if (status && strstr(status, "\nState:\tT "))
		task_refuse(
			t, "is stopped by a signal (Ctrl-Z in a shell does that); let it go on, or "
			   "end it, first");
	/* A zombie that others go on without. */
	if (status && strstr(status, "\nState:\tZ") && pids_status_number(status, "\nThreads:") > 1)
		task_refuse(t, "has ended its first thread, while others go on");
	if (is_in_vfork(t))
		task_refuse(t, "is starting a program and cannot be stopped (vfork)");
	if (pids_origin(t->all->proc, t->pid, t->all->init) == PIDS_OUTSIDE)
		task_refuse(t, "was started from outside; end that exec session first, or let the "
			       "move do that (--end-sessions)");
}

/* The first hierarchy in which a process is elsewhere than in the container's cgroup; of v1, as
 * commands that are run inside do not join the unified one of a hybrid host. */
static bool strays(const char *text, const char *cgroup, char **ret_line)
{
	_free_ char *copy = xstrdup(text), *want = xasprintf("/%s", cgroup);
	size_t len = strlen(want);

	for (char *line = copy, *next; line && *line; line = next) {
		char *list = strchr(line, ':'), *path, *at;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		path = list ? strchr(list + 1, ':') : NULL;
		at = path && path > list + 1 ? strstr(path, want) : want;
		if (at && (!at[len] || at[len] == '/'))
			continue;
		*ret_line = xstrdup(list + 1);
		return true;
	}
	return false;
}

/* One that is ending, or begins, is shown in the root of v1 hierarchies for a moment. */
static void cgroups(const struct task *t)
{
	_free_ char *where = NULL;

	for (int tries = 0; tries < CGROUP_TRIES; tries++) {
		_free_ char *text = task_read(t, "cgroup");

		free(take_ptr(where));
		if (!text || !strays(text, t->all->cgroup, &where) || task_is_ending(t))
			return;
		poll(NULL, 0, CGROUP_STEP_MS); /* nobody tells */
	}
	task_refuse(t, "is outside of the instance's cgroups (%s); restart the instance", where);
}

/* CRIU finds the terminal behind /dev/tty only where that is the console, and only if it takes no
 * other for it. */
static void terminals(const struct plan_tasks *all, struct move_plan *ret)
{
	pid_t pid;
	enum console_use use = console_look(all->proc, all->pids, all->npids, all->console, &pid);
	struct task t = task_of(all, pid, ret);

	if (use == CONSOLE_CLASH)
		task_refuse(&t,
			    "has /dev/tty open on the console; log out of the console, or of the "
			    "other terminals in the instance, first");
	if (use == CONSOLE_OTHER)
		task_refuse(&t, "has /dev/tty open on a terminal that is not the console; end that "
				"session first");
}

static const char *const all_namespaces[] = {
	"ns/mnt", "ns/uts", "ns/ipc", "ns/net", "ns/user", "ns/pid", "ns/cgroup", "ns/time",
};

static void note_namespaces(const struct task *t, struct task_sets *sets)
{
	char link[TASK_LINK_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(all_namespaces); i++) {
		if (task_link(t, all_namespaces[i], link))
			task_set_add(&sets->namespaces, link);
	}
}

/* All of them first: descriptors of one lead to mounts and namespaces of others. */
static void look_around(const struct plan_tasks *all, struct move_plan *ret, struct task_sets *sets)
{
	struct task init = task_of(all, all->init, ret);

	task_mounts(&init, true, sets);
	note_namespaces(&init, sets);
	for (size_t i = 0; i < all->npids; i++) {
		struct task t = task_of(all, all->pids[i], ret);

		task_mounts(&t, false, sets);
		note_namespaces(&t, sets);
	}
}

void plan_tasks(const struct plan_tasks *all, struct move_plan *ret)
{
	struct task init = task_of(all, all->init, ret);
	struct task_sets sets = { SBUF(SETS_MAX), SBUF(SETS_MAX), SBUF(SETS_MAX), SBUF(SETS_MAX),
				  SBUF(SETS_MAX) };

	look_around(all, ret, &sets);
	for (size_t i = 0; i < all->npids; i++) {
		struct task t = task_of(all, all->pids[i], ret);

		t.tracer_deadline = init.tracer_deadline;
		t.vfork_deadline = init.vfork_deadline;
		relations(&t);
		if (all->cgroup)
			cgroups(&t);
		other_namespaces(&t, &init);
		task_descriptors(&t, &sets);
		task_maps(&t);
	}
	terminals(all, ret);
	sbuf_free(&sets.namespaces);
	sbuf_free(&sets.devices);
	sbuf_free(&sets.mounts);
	sbuf_free(&sets.bad_devices);
	sbuf_free(&sets.bad_mounts);
}
