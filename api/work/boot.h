/* SPDX-License-Identifier: Apache-2.0 */
/* api/work/boot.h - instances start with their host and stop with it.
 *
 * The rows are not changed by either: they say what shall run, also while a host is down, and no
 * leader has to be there when all hosts of a cluster go down at once.
 */
#pragma once
#include "api/work/state.h"

/* True once after each boot of the host, and after boot_stop_instances(). */
bool boot_is_new(const struct api_env *env);
/* Starts what shall run, in the background: by boot.autostart.priority; whoever comes after one
 * with boot.autostart.delay waits for that long. */
void boot_start_instances(const struct api_env *env);
/* Stops everything that runs here, by boot.stop.priority; each cleanly within its
 * boot.host_shutdown_timeout, else by force. Nothing is started here from now on; the next daemon
 * starts it again, even if this one is killed meanwhile. Returns how many were stopped; -1 when
 * some still run, and this daemon starts instances again. */
int boot_stop_instances(const struct api_env *env, struct err *err);
/* It has begun. */
static inline bool boot_is_over(const struct api_env *env)
{
	return __atomic_load_n(&env->state->host_stops, __ATOMIC_SEQ_CST);
}
/* Refuses what would bring an instance here once it has. */
int boot_takes(const struct api_env *env, struct err *err);
