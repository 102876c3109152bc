/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/node/child.h - what a helper does to itself, tried in a process of its own. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

/* fn's answer. When it is false, err says why on standard error. */
static inline bool in_child(bool (*fn)(void *arg, struct err *err), void *arg)
{
	struct err err = { 0 };
	int status = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (fn(arg, &err))
			_exit(0);
		fprintf(stderr, "in the child: %s\n", err.msg);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
