/* SPDX-License-Identifier: Apache-2.0 */
/* base/clock.h - time. Deadlines are absolute monotonic milliseconds; 0 means none. */
#pragma once
#include <stdint.h>
#include <time.h>

int64_t clock_ms(void);   /* monotonic */
int64_t clock_us(void);   /* monotonic */
int64_t clock_wall(void); /* seconds since 1970 */
int64_t clock_wall_ns(void);

static inline int64_t deadline_in(int64_t ms)
{
	return clock_ms() + ms;
}
/* What poll(2) takes: milliseconds left, at least 0; -1 for no deadline. */
int deadline_left(int64_t deadline);
struct timespec deadline_timespec(int64_t deadline); /* for CLOCK_MONOTONIC condition variables */

#define CLOCK_TEXT_SIZE 40
/* RFC 3339 with nanoseconds, UTC. */
const char *clock_text(int64_t wall_ns, char buf[CLOCK_TEXT_SIZE]);
const char *clock_now_text(char buf[CLOCK_TEXT_SIZE]);
/* Seconds since 1970 of an RFC 3339 time; -1 when malformed. */
int64_t clock_parse(const char *text);
