/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/net/client.h"

int c_version(struct cli *c, struct err *err)
{
	struct client *cl = client_of_remote(c, args_pos(&c->args, 0), err);
	_json_ json_t *server = cl ? api_get(cl, "/1.0", err) : NULL;
	const json_t *env = json_obj(server, "environment");

	if (!cl)
		return -1;
	printf("Client version: %s\n", DUNLIN_VERSION);
	printf("Server version: %s\n",
	       server ? json_str(env, "server_version", "unknown") : "unreachable");
	return 0;
}
