/* SPDX-License-Identifier: Apache-2.0 */
/* node/host/tool.h - where the small programs that come with dunlind are. */
#pragma once
#include "base/err.h"

/* Beside this program or above it (a build), or installed. The caller frees; NULL with
 * ERR_UNAVAILABLE. */
char *tool_path(const char *name, struct err *err);
