/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/node/criu/join.h - a process of the test's in a container's cgroup. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/host/cgroup.h"

static inline void join_cgroup(const char *cgroup, const char *name, pid_t pid)
{
	/* Where the daemon looks for them first. */
	static const char *const hierarchies[] = { "freezer", "pids", "memory", "" };
	_free_ char *text = xasprintf("%d", pid);
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(hierarchies); i++) {
		_free_ char *dir = cgroup_path(hierarchies[i], cgroup, name, "payload");
		_free_ char *procs = xasprintf("%s/cgroup.procs", dir);
		_close_ int fd = -1;

		assert_int_equal(io_mkdirs(dir, 0755, &err), 0);
		fd = open(procs, O_WRONLY | O_CLOEXEC);
		assert_int_equal(io_write_full(fd, text, strlen(text)), 0);
	}
}
