/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/limits.h - the limits of an instance: what limits.* of its configuration says.
 */
#pragma once
#include "base/json.h"
#include "node/host/cgroup.h"

/* limits.cpu: "2" is a count, "0-3,5" a set of a count. */
struct limits_cpus {
	uint64_t count, last;  /* last: the highest of a set */
	char set[CPUSET_SIZE]; /* "": any CPUs */
};
/* limits.memory: "512MiB" or "10%" of the host; one of them is 0. */
struct limits_memory {
	uint64_t bytes, percent;
};

/* A key_parser each (base/keys.h), for the struct of its name. */
int limits_parse_cpus(const char *text, void *ret, struct err *err);
int limits_parse_memory(const char *text, void *ret, struct err *err);

/* What a configuration asks for; 0 where it sets no limit, or one that can't be read. */
struct limits_request {
	struct limits_cpus cpus;
	struct limits_memory memory;
};
struct limits_request limits_requested(const json_t *config);

/* What the kernel of this host is told. ERR_INVALID also for CPUs that this host does not have. */
int limits_read(const json_t *config, struct cgroup_limits *ret, struct err *err);
