/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/hostcheck.h - can an instance live on this very host? What only the host itself knows.
 */
#pragma once
#include "api/work/env.h"
#include "api/work/expand.h"

/* Its CPUs, the sources of its disks, its networks as they are here. old: the row as it is, so that
 * only what changes is looked at; NULL for a new instance. ERR_INVALID names device, key and
 * value. */
int instance_check_host(const struct api_env *env, const struct expanded *x,
			const struct expanded *old, struct err *err);
bool devices_have_host_name(const json_t *devices, const char *name);
/* The same for expanded devices alone. */
int devices_check_host(const struct api_env *env, const char *what, const json_t *devices,
		       const json_t *old, struct err *err);
