/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/device/device.h"
#include "node/netlink/link.h"

/* liblxc gives an interface no name of one byte, and "lo" is there. */
static bool is_nic_name(const char *v, size_t longest)
{
	size_t n = strlen(v);

	return str_is_ifname(v) && n > 1 && n <= longest && !str_eq(v, "lo");
}

const char *check_nic_name(const char *v)
{
	if (is_nic_name(v, 15))
		return NULL;
	return "must be an interface name of 2 to 15 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
}

/* The other end of the pair has a byte more. */
static const char *check_host_name(const char *v)
{
	if (is_nic_name(v, 14))
		return NULL;
	return "must be an interface name of 2 to 14 letters, digits, \"-\", \"_\" and \".\", "
	       "no hyphen first, not lo, all or default";
}

const struct key device_keys[] = {
#define DEVICE(...)
#define KEY(...) KEY_ROW(__VA_ARGS__)
#define REFUSED(...) KEY_REFUSED(__VA_ARGS__)
#include "node/device/device.def"
#undef REFUSED
#undef KEY
#undef DEVICE
	KEY_END
};
