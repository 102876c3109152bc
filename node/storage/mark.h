/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/mark.h - the file in a pool's folder that says whose it is, so that two daemons or
 * pools never share one: "DUNLIN_DIR POOL DRIVER".
 */
#pragma once
#include "node/storage/driver.h"

#define POOL_MARK ".dunlin-pool"

bool pool_mark_is_ours(const struct storage_pool *p, const char *folder);
int pool_mark_write(const struct storage_pool *p, const char *folder, struct err *err);
int pool_mark_remove(const char *folder, struct err *err);
/* The driver that it names, NULL without a mark; the caller frees. */
char *pool_mark_driver(const char *folder);
