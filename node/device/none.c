/* SPDX-License-Identifier: Apache-2.0 */
/* No device: takes away one of the same name that a profile has. */
#include "node/device/device.h"

const struct device_ops device_none = {
	.type = "none",
	.keys = { device_keys, "none" },
};
