/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/keys.h"

#include "base/check.h"
#include "node/container/limits.h"
#include "node/container/lxcconf.h"
#include "node/container/snapshots.h"
#include "node/netlink/link.h"

static const struct key rows[] = {
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/container/keys.def"
#undef REFUSED
#undef KEY
	KEY_END
};

const struct keys instance_keys = { rows, "instance" };
