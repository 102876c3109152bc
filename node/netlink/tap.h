/* SPDX-License-Identifier: Apache-2.0 */
/* node/netlink/tap.h - interfaces whose frames a process reads (tun(4), tap). */
#pragma once
#include <stdint.h>

#include "base/err.h"

struct tap_spec {
	const char *name;
	uint32_t mtu;    /* 0: the kernel's choice */
	uint32_t frames; /* that wait to be read; what comes then is lost */
};
/* An interface that is up, in the calling thread's network namespace, for as long as the
 * descriptor is open. Reading does not block, and gives a frame at a time. -1 with err. */
int tap_open(const struct tap_spec *s, struct err *err);
