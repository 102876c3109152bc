/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/terminal.h - a container's console, for users. */
#pragma once
#include "node/node.h"

/* A socket joined to the console (node/console/console.h): what is written there is typed. width or
 * height 0: the size stays. ERR_CONFLICT when stopped. */
int container_console(struct node *n, const char *name, int width, int height, struct err *err);
void container_console_resize(struct node *n, const char *name, int width, int height);
char *container_console_log(struct node *n, const char *name, size_t *ret_len, struct err *err);
int container_console_clear(struct node *n, const char *name, struct err *err);
