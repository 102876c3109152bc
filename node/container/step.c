/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/step.h"

#include <assert.h>
#include <stddef.h>

#include "base/mem.h"

#define IN(status) (1u << (STATUS_##status - 100))
#define HAS_PROCESSES (IN(STARTING) | IN(RUNNING) | IN(STOPPING) | IN(FREEZING) | IN(FROZEN))

static const struct {
	unsigned from, there; /* statuses: it may begin in, and it is done in */
	const char *already;
} steps[] = {
	[STEP_START] = { IN(STOPPED) | IN(ERROR), HAS_PROCESSES, "running" },
	[STEP_STOP] = { HAS_PROCESSES | IN(ERROR), IN(STOPPED), "stopped" },
	[STEP_FREEZE] = { IN(RUNNING), IN(FROZEN), "frozen" },
	[STEP_UNFREEZE] = { IN(FROZEN), IN(RUNNING), "running" },
};

int step_check(enum step s, enum status now, struct err *err)
{
	unsigned in;

	assert((size_t)s < ARRAY_SIZE(steps));
	assert(now >= STATUS_STOPPED);
	assert(now <= STATUS_ERROR);
	in = 1u << (now - 100);
	if (steps[s].from & in)
		return 0;
	if (steps[s].there & in)
		return err_set(err, ERR_INVALID, "The instance is already %s", steps[s].already);
	if (!(HAS_PROCESSES & in))
		return err_set(err, ERR_INVALID, "The instance isn't running");
	return err_set(err, ERR_BUSY, "The instance is %s: try again when that is over",
		       status_name(now));
}
