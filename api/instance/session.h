/* SPDX-License-Identifier: Apache-2.0 */
/* api/instance/session.h - a command in a container, joined to its client's websockets.
 *
 *    made -- all required sockets are there --> running -- it ended --> draining -- silent --> over
 *      `---- nobody came in time --> over
 *
 * The session belongs to its operation (its argument and data): it lives as long as that does. Each
 * callback that is due holds a reference to the operation.
 */
#pragma once
#include "api/rest/op_sockets.h"

enum { SLOT_IN, SLOT_OUT, SLOT_ERR, SLOT_CONTROL, SESSION_SLOTS };

struct exec_request {
	const char *name; /* instance */
	json_t *own_command, *own_environment;
	struct visit *own_visit;
	const char *cwd;
	uint32_t uid, gid;
	int width, height;
	bool interactive, websockets, record;
};
/* Starts the operation; with websockets its metadata has the secrets. Takes over what
 * of q is called own. */
struct op *exec_session_start(const struct api_env *env, struct exec_request *q, struct err *err);
/* Joins a console (container_console's descriptor, taken over) to one websocket, with window sizes
 * by the control socket. */
struct op *console_session_start(const struct api_env *env, const char *name, int own_fd,
				 struct err *err);
