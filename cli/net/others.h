/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/others.h - who can be asked when the server of a request goes away in the middle of it:
 * the other members of its cluster, or itself once it is back.
 *
 * Members show clients the same certificate. By the unix socket only its own daemon is known.
 */
#pragma once
#include "cli/net/client.h"

struct others {
	struct client *cl;
	json_t *members; /* as the server told while it was there; or NULL */
};

/* To be asked for while it is there. A server that does not tell is the only one. */
struct others others_of(struct client *cl);
void others_done(struct others *o);
/* From whoever is there first, for half a minute. The metadata, or NULL with the answer's error. */
json_t *others_get(const struct others *o, const char *path, struct err *err);

static inline void cleanup_others(struct others *o)
{
	others_done(o);
}
#define _others_ __attribute__((cleanup(cleanup_others)))
