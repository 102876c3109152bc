/* SPDX-License-Identifier: Apache-2.0 */
/* base/fault.h - named places where a test can make the daemon fail.
 *
 * Armed by DUNLIN_FAULT="name=action[,name=action]", action one of: crash (as kill -9), error, hang
 * (until killed), late (goes on after a second). A fault fires once per process.
 * Points cost one load when nothing is armed.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

enum fault {
#define FAULT(name, doc) FAULT_##name,
#include "base/fault.def"
#undef FAULT
	FAULT_MAX
};

extern bool fault_armed;

/* Reads the environment; unknown names are an error. */
int fault_init(struct err *err);
int fault_fire(enum fault f, struct err *err);

/* 0, or -1 with err set when the point is armed with "error". */
#define fault_point(name, err) (fault_armed ? fault_fire(FAULT_##name, err) : 0)
