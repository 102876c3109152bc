/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/keys.h - the options of devices (node/device/keys.def). */
#pragma once
#include "base/keys.h"

extern const struct keys nic_keys, disk_keys, none_keys;

/* CHECKED (base/keys.h): may an interface inside be called so? */
const char *check_nic_name(const char *v);
/* keys_check() for every device of an instance or profile, and that its options go together. */
int devices_check(const char *what, json_t *devices, const json_t *old, struct err *err);
