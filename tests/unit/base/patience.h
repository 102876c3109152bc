/* SPDX-License-Identifier: Apache-2.0 */
/* How a test waits for what comes for sure, but nobody can say when: the machine may be slow, and
 * others use it too. What is waited for in vain costs this much time, what comes costs none. */
#pragma once
#include <poll.h>

#include "base/clock.h"

#define PATIENCE_MS 60000
#define PATIENCE deadline_in(PATIENCE_MS)

/* True once the condition is; looks again and again, so it is for what no event tells of. */
#define comes_true(condition)                                            \
	({                                                               \
		int64_t deadline_ = PATIENCE;                            \
		bool came_;                                              \
                                                                         \
		while (!(came_ = (condition)) && clock_ms() < deadline_) \
			poll(NULL, 0, 5);                                \
		came_;                                                   \
	})
