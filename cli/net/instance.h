/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/instance.h - steps that several commands on instances share. */
#pragma once
#include "cli/net/client.h"

/* The instance, with its name in the error when there is none. */
json_t *instance_read(struct client *cl, const char *name, struct err *err);
/* After a failed request: when something was not there, looks whether the instance is, and says so
 * in our words when it is not. -1. */
int instance_missing(struct client *cl, const char *name, struct err *err);
/* PUT of /state; the operation is waited for. timeout_s -1 waits as long as the server does. */
int instance_act(struct client *cl, const char *name, const char *action, bool force,
		 int64_t timeout_s, struct err *err);
/* cli/cmd/console.c: until the user detaches or the console ends. */
int console_attach(struct client *cl, const char *name, struct err *err);
/* All names of a remote. A JSON list of strings. */
json_t *instance_names(struct client *cl, struct err *err);
