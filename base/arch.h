/* SPDX-License-Identifier: Apache-2.0 */
/* base/arch.h - names of architectures, as kernels, distributions and LXD write them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* "x86_64" of "amd64"; NULL when unknown. */
const char *arch_canonical(const char *name);
/* May a kernel of one run programs of the other? Both canonical. */
bool arch_runs(const char *host, const char *wanted);
/* "x86_64, i686, ..." for errors. */
const char *arch_list(char *buf, size_t size);
