/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/keys.h - the keys of instances and profiles (node/container/keys.def). */
#pragma once
#include "base/keys.h"

extern const struct keys instance_keys;
