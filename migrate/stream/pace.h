/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/stream/pace.h - a bound on what the moves of a member send, all of them together.
 *
 * A token bucket: it fills with `rate` bytes a second, up to what comes in PACE_BURST_MS. Who
 * takes more than it holds leaves a debt and waits until that is paid, and so do all who come
 * later. No piece is larger than what may be sent in a burst, so that nobody waits for long, and a
 * new rate counts at once.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PACE_BURST_MS 125
#define PACE_RATE_MIN ((int64_t)64 << 10) /* bytes a second */
#define PACE_RATE_MAX ((int64_t)1 << 40)

struct bucket {
	int64_t level; /* bytes; less than 0: a debt */
	int64_t at_ms; /* when that was so */
};
/* Takes bytes at now_ms. Returns after how many milliseconds they may be sent. */
int64_t bucket_take(struct bucket *b, int64_t rate, int64_t bytes, int64_t now_ms);

struct pace;
/* rate: bytes a second at this moment; 0: no bound. Asked now and then, by any thread. */
struct pace *pace_new(int64_t (*rate)(void *arg), void *arg);
void pace_free(struct pace *p);
int64_t pace_rate(struct pace *p);
/* Waits until some of these bytes may be sent; returns how many. */
size_t pace_take(struct pace *p, size_t bytes);
