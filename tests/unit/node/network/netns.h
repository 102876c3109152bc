/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces of the tests' own, and what the programs of iproute2 and nft see in them. */
#pragma once
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/str.h"
#include "tests/unit/base/patience.h"

/* Commands of the test's own, split at blanks. */
static inline int run_in(int netns, struct sbuf *out, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static inline int run_in(int netns, struct sbuf *out, const char *fmt, ...)
{
	_cleanup_(cleanup_close) int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	_free_ char *line = NULL;
	char *argv[40];
	struct err err = { 0 };
	va_list ap;
	size_t n;
	int rc;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	n = str_split(line, ' ', argv, ARRAY_SIZE(argv) - 1);
	argv[n] = NULL;
	if (netns >= 0)
		assert_int_equal(setns(netns, CLONE_NEWNET), 0);
	rc = proc_run((const char *const *)argv, out, PATIENCE, &err);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	if (rc < 0)
		print_message("%s: %s\n", argv[0], err.msg);
	return rc;
}
#define must(...) assert_int_equal(run_in(-1, NULL, __VA_ARGS__), 0)
#define must_in(ns, ...) assert_int_equal(run_in(ns, NULL, __VA_ARGS__), 0)

/* A fresh namespace becomes the current one; its descriptor for going back to it. */
static inline int new_netns(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	must("ip link set lo up");
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline void enter(int netns)
{
	assert_int_equal(setns(netns, CLONE_NEWNET), 0);
}

static inline char *output(int netns, const char *line)
{
	struct sbuf b = SBUF(1 << 20);

	run_in(netns, &b, "%s", line);
	return sbuf_take(&b);
}

static inline bool says(int netns, const char *line, const char *text)
{
	_free_ char *out = output(netns, line);

	return strstr(out, text) != NULL;
}

/* For groups of tests that need one namespace, gone with them. */
static inline int netns_set_up(void **state)
{
	*state = (void *)(intptr_t)open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	close(new_netns());
	return 0;
}

static inline int netns_tear_down(void **state)
{
	int home = (int)(intptr_t)*state;

	enter(home);
	close(home);
	return 0;
}
