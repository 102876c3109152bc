/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/keys.h - the keys of storage pools (node/storage/driver.def). */
#pragma once
#include "base/keys.h"

extern const struct keys pool_keys;           /* of every driver */
struct keys pool_keys_of(const char *driver); /* with the driver's own */
