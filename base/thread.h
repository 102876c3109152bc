/* SPDX-License-Identifier: Apache-2.0 */
/* base/thread.h - threads with small stacks, and what they wait on. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

int thread_start(pthread_t *ret, const char *name, void *(*fn)(void *arg), void *arg,
		 struct err *err);
/* The same, and nobody joins it. */
int thread_detached(const char *name, void *(*fn)(void *arg), void *arg, struct err *err);

void cond_init(pthread_cond_t *c); /* on the monotonic clock */
/* False when the deadline passed. */
bool cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline);

/* An eventfd that wakes a thread which polls; -1 is harmless in all three. */
int wake_new(void);
void wake_set(int fd);
void wake_clear(int fd);
