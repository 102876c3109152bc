/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/cgroup.h - the cgroups of this member's containers, on v1, v2 and hybrid hosts.
 *
 * A container lives in CG/NAME/payload of every hierarchy, its monitor in CG/NAME/monitor. The
 * files below /sys/fs/cgroup are found by looking at the folders, not at mount tables: a daemon
 * may run in any mount namespace. CG is below the cgroup of process 1, where liblxc starts what
 * root runs.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

struct cgroup_usage {
	int64_t cpu_ns, memory, memory_peak, swap, swap_peak, processes;
};
#define CPUSET_SIZE 256
struct cgroup_limits {
	int64_t memory;    /* bytes; 0 none */
	int64_t processes; /* 0 none */
	char cpuset[CPUSET_SIZE]; /* "0-2,5"; "" none */
};

/* One limit: the file that holds it, and its text. */
struct cgroup_limit_row {
	const char *controller, *file_v1, *file_v2;
	const char *none_v1, *none_v2; /* what lifts it; NULL: the parent's value */
	/* NULL when l does not limit it; the caller frees. */
	char *(*value)(const struct cgroup_limits *l, bool v1);
};
extern const struct cgroup_limit_row cgroup_limit_rows[]; /* ends with controller NULL */

bool cgroup_is_v1(const char *controller); /* it has a hierarchy of its own */
/* The folders of all hierarchies below CGROUP_ROOT, as a list of strings; "." alone on a pure v2
 * host. */
json_t *cgroup_hierarchies(void);
/* Where a /proc/PID/cgroup text places the process in the hierarchy of a controller ("" for the v2
 * tree): "" for its root, else "/path"; the caller frees. */
char *cgroup_base(const char *proc_cgroup, const char *controller);
/* Folder CG/NAME/part in the hierarchy of a controller ("" for the v2 tree); the caller frees. */
char *cgroup_path(const char *controller, const char *cgroup_name, const char *name,
		  const char *part);
void cgroup_usage(const char *cgroup_name, const char *name, struct cgroup_usage *ret);
int cgroup_limits_apply(const char *cgroup_name, const char *name, const struct cgroup_limits *l,
			struct err *err);
int cgroup_freeze(const char *cgroup_name, const char *name, bool frozen, int64_t deadline,
		  struct err *err);
bool cgroup_is_frozen(const char *cgroup_name, const char *name);
/* Sends SIGKILL to all processes in CG/NAME/part and below. Returns how many there were. */
int cgroup_kill(const char *cgroup_name, const char *name, const char *part);
/* Calls fn for each process in the payload; stops when it returns non-zero. */
int cgroup_each_pid(const char *cgroup_name, const char *name, const char *part,
		    int (*fn)(void *arg, pid_t pid), void *arg);
/* Removes the empty trees CG/NAME of all hierarchies (a stale monitor directory makes a start
 * fail). */
void cgroup_remove(const char *cgroup_name, const char *name);
/* NAMEs that have a folder under CG, as a list of strings. */
json_t *cgroup_names(const char *cgroup_name);
