/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/init/preseed.h - applies LXD's preseed: config, storage_pools, networks, profiles,
 * cluster.
 *
 * Objects that exist are updated to the wanted configuration, missing ones are made, so a
 * preseed can be applied again. What a failing preseed made new is removed again.
 */
#pragma once
#include "base/json.h"

int preseed_apply(json_t *preseed, struct err *err);
/* What --auto applies on a host without a pool and a network. */
json_t *preseed_auto(const char *pool_driver, const char *listen_address);
/* The present configuration in preseed form. */
json_t *preseed_dump(struct err *err);
