/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/modes.h - who may see what below the state directory.
 *
 * The daemon and its helpers run with umask 077, so what they make is root's alone. The exceptions
 * are one table in modes.c. Files inside containers have the modes that the containers gave them;
 * they lie below folders that only root may enter.
 */
#pragma once
#include "base/err.h"

/* Takes from what an older version left in `dir` the permissions that the table does not allow.
 * Roots of images and containers are left alone, and so is what is mounted below `dir`. */
int modes_tighten(const char *dir, struct err *err);
