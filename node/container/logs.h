/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/logs.h - the log files of a container. */
#pragma once
#include "node/node.h"

/* names of the log files of a container (lxc.log, console.log, forkstart.log ...), and one
 * opened. */
json_t *container_logs(struct node *n, const char *name);
int container_log_open(struct node *n, const char *name, const char *file, struct err *err);
int container_log_delete(struct node *n, const char *name, const char *file, struct err *err);
