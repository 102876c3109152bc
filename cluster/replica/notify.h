/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/replica/notify.h - tells the store's watchers about changes, in order, from one thread of
 * its own.
 *
 * Watchers may take their own locks: whoever changes rows or facts never waits for them. Nothing is
 * queued before notifier_open(), so that the rows loaded at start are not told one by one.
 */
#pragma once
#include "cluster/model/row.h"

struct notifier;

struct notifier *notifier_new(void);
/* Ends the thread: nobody is told anything any more. What is queued is dropped. */
void notifier_stop(struct notifier *n);
void notifier_free(struct notifier *n);
void notifier_watch(struct notifier *n, const struct store_watch *w); /* before notifier_start */
void notifier_open(struct notifier *n);
int notifier_start(struct notifier *n, struct err *err);

void notify_row(struct notifier *n, enum entity e, const char *key, int64_t rev, const char *text);
void notify_fact(struct notifier *n, enum fact f, const char *key, const char *member,
		 const char *text);
/* Dropped when too many wait. */
void notify_event(struct notifier *n, const char *text);
