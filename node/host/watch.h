/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/watch.h - one thread that waits for the ends of processes and for moments in time.
 *
 * Functions run on that thread and must be quick: they hand work to the pool. An entry fires
 * once and is gone; its fd is closed.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct watch;

struct watch *watch_new(struct err *err);
/* After it nothing fires any more; entries can still be added. */
void watch_stop(struct watch *w);
void watch_free(struct watch *w);
/* fn(arg) once own_fd is readable (a pidfd: the process ended). Returns the entry's number. */
int64_t watch_fd(struct watch *w, int own_fd, void (*fn)(void *arg), void *own_arg);
/* The same with a function that is called instead of free(3) when watch_free drops the entry. */
int64_t watch_fd_drop(struct watch *w, int own_fd, void (*fn)(void *arg), void *own_arg,
		      void (*drop)(void *arg));
/* fn(arg) in ms milliseconds. */
int64_t watch_timer(struct watch *w, int64_t ms, void (*fn)(void *arg), void *own_arg);
/* own_arg is freed with free(3) after fn ran, or here. Unknown numbers are fine. After it
 * returned fn is not running and will not run; call it with no lock that fn takes. */
void watch_cancel(struct watch *w, int64_t id);
