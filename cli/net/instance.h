/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/instance.h - steps that several commands on instances share. */
#pragma once
#include "cli/net/client.h"

/* The instance, with its name in the error when there is none. */
json_t *instance_read(struct client *cl, const char *name, struct err *err);
/* After a failed request: when something was not there, looks whether the instance is, and says so
 * in our words when it is not. -1. */
int instance_missing(struct client *cl, const char *name, struct err *err);
