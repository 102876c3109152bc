/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/gate.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

/* What the network lock is for the action script does, at a tenth of its cost. */
#define FIRST "network-lock" /* and then " skip" */
#define STEP_MS 2
#define OPTIONS_MAX (32 << 10) /* a pipe takes 64 KiB at once, pipe(7) */

int criu_gate_new(struct err *err)
{
	_free_ char *path = xasprintf("/proc/self/fd/%d", CRIU_GATE_FD);
	_close_ int own_gate = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	assert(ends[0] < CRIU_GATE_FD);
	assert(ends[1] < CRIU_GATE_FD);
	own_gate = ends[1];
	/* That one stays open in programs. */
	if (dup2(ends[0], CRIU_GATE_FD) < 0 || close(ends[0]) < 0 ||
	    io_write_full(own_gate, FIRST, strlen(FIRST)) < 0)
		return err_sys(err, "make a pipe for options");
	setenv("CRIU_CONFIG_FILE", path, 1);
	return take_fd(&own_gate);
}

bool criu_gate_await(int gate, int pidfd, int64_t deadline)
{
	struct pollfd pf = { .fd = pidfd, .events = POLLIN };
	int unread = 1;

	assert(gate >= 0);
	while (ioctl(gate, FIONREAD, &unread) == 0 && unread > 0 && clock_ms() < deadline) {
		/* Nobody tells when a pipe has been read. */
		if (poll(&pf, 1, STEP_MS) > 0)
			break;
	}
	return unread == 0;
}

int criu_gate_open(int own_gate, const char *options, struct err *err)
{
	_close_ int gate = own_gate;
	_free_ char *text = io_read_file(options, OPTIONS_MAX, NULL, err);

	_free_ char *rest = text ? xasprintf(" skip\n%s", text) : NULL;

	if (!rest)
		return -1;
	/* At once: half of the options would be options, too. */
	if (write(gate, rest, strlen(rest)) != (ssize_t)strlen(rest))
		return err_sys(err, "tell CRIU to begin");
	return 0;
}
