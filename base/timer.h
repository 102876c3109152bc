/* SPDX-License-Identifier: Apache-2.0 */
/* base/timer.h - call a function after some milliseconds.
 *
 * One thread fires the timers; their functions must be quick (hand work to a pool). A timer that
 * was cancelled in time never fires.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct timers;

struct timers *timers_new(void);
/* Timers that are still due fire at once, so that what they hold is released; no new ones are
 * taken from here on. */
void timers_free(struct timers *all);
/* fn(arg) from the thread of the timers. Returns an id for timer_cancel; 0 when they are being
 * freed: then the argument stays the caller's. */
uint64_t timer_start(struct timers *all, int64_t ms, void (*fn)(void *arg), void *arg);
/* True when the timer will not fire any more: its argument is the caller's again. */
bool timer_cancel(struct timers *all, uint64_t id);
