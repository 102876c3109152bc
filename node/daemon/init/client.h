/* SPDX-License-Identifier: Apache-2.0 */
/* node/daemon/init/client.h - how the daemon's own verbs (init, waitready, shutdown) talk to a
 * running daemon: the public API over its unix socket.
 */
#pragma once
#include "base/json.h"

/* $DUNLIN_DIR or the default. */
const char *init_dir(void);

/* One request; operations are waited for. The metadata (new reference), or NULL with the
 * daemon's error. */
json_t *init_call(const char *method, const char *path, const json_t *body, int64_t deadline,
		  struct err *err);
/* As init_call, for requests whose answer does not matter. */
int init_do(const char *method, const char *path, const json_t *body, struct err *err);
/* 1 when the object at path exists, 0 when not. */
int init_exists(const char *path, struct err *err);
/* Returns once the daemon answers and has recovered; at the deadline the last failure. */
int init_wait_ready(int64_t deadline, struct err *err);
