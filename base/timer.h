/* SPDX-License-Identifier: Apache-2.0 */
/* base/timer.h - do something after some milliseconds, and named locks for workers.
 *
 * One thread fires the timers; their functions must be quick (hand work to the pool). A timer that
 * was cancelled in time never fires.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct later;

struct later *later_new(void);
/* Timers that are still due fire at once, so that what they hold is released; no new ones are
 * taken from here on. */
void later_free(struct later *l);
/* fn(arg) from the timer thread. Returns an id for later_cancel; 0 when it is being freed: then
 * the argument stays the caller's. */
uint64_t later_call(struct later *l, int64_t ms, void (*fn)(void *arg), void *arg);
/* True when the timer will not fire any more: its argument is the caller's again. */
bool later_cancel(struct later *l, uint64_t id);

struct keylock;

struct keylock *keylock_new(void);
void keylock_free(struct keylock *k);
/* Blocks until nobody else holds the name. */
void keylock_take(struct keylock *k, const char *name);
void keylock_drop(struct keylock *k, const char *name);
