/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cmd/console.h - the console of an instance, for commands that end in it. */
#pragma once
#include "cli/net/client.h"

/* Until the user detaches or the console ends. */
int console_enter(struct client *cl, const char *name, struct err *err);
