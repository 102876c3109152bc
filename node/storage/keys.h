/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/keys.h - the keys of storage pools (node/storage/keys.def). */
#pragma once
#include "base/keys.h"

extern const struct keys pool_keys;
