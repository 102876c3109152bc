/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/halt.h - asking the init of a container to shut down, in the way of that init. */
#pragma once
#include <sys/types.h>

#include "base/err.h"

/* `pidfd` is of `init`. `signal` is what lxc.signal.halt says, or 0: then the init is looked at.
 * 1: it does not listen, as one that has just been started; ask it again. */
int halt_ask(pid_t init, int pidfd, int signal, struct err *err);
