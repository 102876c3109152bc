/* SPDX-License-Identifier: Apache-2.0 */
/* node/helper/confine.h - what a helper gives up before it reads what strangers wrote.
 *
 * For good and for the whole process: it is nobody, in no group, has the capabilities of `keep` and
 * can get no others, calls the kernel only for what confine.def lists, and has limits. Other
 * processes of nobody can neither trace nor read it. Who is tied to its parent stays so.
 * Descriptors that are open stay open; whatever must be opened or loaded comes before.
 * See capabilities(7), seccomp(2), getrlimit(2).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CONFINE_CAP(cap) (1ULL << (cap))

struct confine {
	uint64_t keep; /* CONFINE_CAP(CAP_X) | ... */
	int root;      /* a folder: it makes and changes files below this one; -1: none at all */
	uint64_t memory_bytes, cpu_s;
	uint64_t file_bytes; /* of one file; 0: no limit */
};
int confine_process(const struct confine *c, struct err *err);
