/* SPDX-License-Identifier: Apache-2.0 */
/* base/keylock.h - locks by name, for workers: each name has one holder at a time.
 *
 * A name costs nothing when nobody holds it. Not recursive: who takes a name twice waits for ever.
 */
#pragma once

struct keylock;

struct keylock *keylock_new(void);
/* Nothing is held any more. */
void keylock_free(struct keylock *k);
/* Blocks until nobody else holds the name, which is copied. */
void keylock_take(struct keylock *k, const char *name);
void keylock_drop(struct keylock *k, const char *name);
