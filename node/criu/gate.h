/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/gate.h - a CRIU that has been started, and waits for the word to begin.
 *
 * Starting it takes longer than much of its work, so it is done while the container still runs.
 * It reads its options from a pipe that is named by CRIU_CONFIG_FILE (criu(8)). The first of them
 * lacks its value until the gate opens: when nobody is left to open it, CRIU reads an end of file
 * there, and ends because of that option, before it has looked at anything.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CRIU_GATE_FD 101 /* open in CRIU; above what liblxc and CRIU use themselves */

/* Helpers only. Sets the environment for a CRIU that this process or its children start; the
 * descriptor to open it by, which no other process should keep, or -1. */
int criu_gate_new(struct err *err);
/* Waits until CRIU is there, or the process behind the pidfd (-1: none) has ended; false when it is
 * not there by the deadline. */
bool criu_gate_await(int gate, int pidfd, int64_t deadline);
/* CRIU begins, with the options in this file. Closes the gate's descriptor also on failure: then
 * CRIU ends. */
int criu_gate_open(int own_gate, const char *options, struct err *err);
