/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "node/device/device.h"
#include "node/storage/rootfs.h"

char *device_stage(const char *lxcpath, const char *container, const char *device)
{
	_free_ char *what = xasprintf("dev-%s", device);

	return rootfs_beside(lxcpath, container, what);
}

int device_line(struct sbuf *out, const char *key, const char *value, struct err *err)
{
	if (strpbrk(value, "\n\r"))
		return err_set(err, ERR_INVALID, "%s: a line break in the value", key);
	sbuf_printf(out, "%s = %s\n", key, value);
	return 0;
}
