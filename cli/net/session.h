/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/session.h - a command or console in a container, joined to this terminal by websockets.
 *
 * Standard input goes to one websocket, one or two come back; window sizes and signals travel on
 * the control websocket. An empty text message is the end of a direction.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "cli/net/client.h"

struct session {
	struct client *cl;
	const json_t *op; /* class websocket; metadata.fds has the secrets */
	bool terminal;    /* one websocket both ways, raw mode, window sizes */
	bool no_stdin;
	bool detach_key; /* Ctrl-a q ends the session */
	const char *detach_hint;
};

/* Returns when the streams ended or the user left. */
int session_run(struct session *s, struct err *err);
