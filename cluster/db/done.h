/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/db/done.h - the idempotency keys of recent transactions, in the leader's memory.
 *
 * The same as the table `done`, which a new leader loads: an attempt that arrives twice is answered
 * with what became of the first.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct done;

struct done *done_new(void);
void done_free(struct done *d);
/* id: 32 hex digits. Revisions only grow. */
void done_add(struct done *d, const char *id, int64_t revision, bool burnt);
bool done_find(const struct done *d, const char *id, int64_t *ret_revision, bool *ret_burnt);
void done_forget(struct done *d, int64_t up_to);
/* Ids of this revision and of earlier ones may be forgotten. */
int64_t done_floor(const struct done *d);
void done_clear(struct done *d);
