/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: devices into and out of a container that runs. */
#include "base/str.h"
#include "node/device/device.h"
#include "node/helper/verbs.h"

/* {name, lxcpath, pid, spec, device, plug: bool} -> {}; descriptor 5 is a pidfd of init. */
json_t *helper_plug(const json_t *request, struct err *err)
{
	const json_t *dev = json_obj(request, "device");
	const struct device_ops *ops = device_ops_of(dev);
	const struct device_inside c = { .spec = json_obj(request, "spec"),
					 .lxcpath = json_str(request, "lxcpath", ""),
					 .name = json_str(request, "name", ""),
					 .pid = (pid_t)json_int(request, "pid", 0) };
	int (*run)(const struct device_inside *, const json_t *, struct err *) = NULL;

	if (ops)
		run = json_bool(request, "plug", false) ? ops->plug : ops->unplug;
	return run && run(&c, dev, err) < 0 ? NULL : json_object();
}
