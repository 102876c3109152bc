/* SPDX-License-Identifier: Apache-2.0 */
/* cluster/model/keys.h - the keys of the server and of members, and what images may have as
 * properties (cluster/model/keys.def). */
#pragma once
#include "base/keys.h"

extern const struct keys server_keys, member_keys, image_keys;
