/* SPDX-License-Identifier: Apache-2.0 */
/* migrate/traffic.h - what comes from the network for a container that stands still goes along.
 *
 * The source catches it from the moment at which the interfaces leave their bridges, and sends it
 * once the move is committed, until it hears that the container runs at the target. That one gives
 * it to the restored container before anything that comes later, and so does the source when it
 * goes on here. In between nothing has been answered: no host has both the addresses and the
 * sockets.
 */
#pragma once
#include "migrate/stream/frame.h"
#include "node/device/catcher.h"

#define TRAFFIC_FACT "traffic" /* of members that know the message */

struct traffic;

/* Of the ports of a description, which are there. */
struct traffic *traffic_new(const json_t *spec);
void traffic_free(struct traffic *t); /* NULL is fine */

/* Source. Sends what has come; it is kept, too, up to a bound, for traffic_back(). */
int traffic_send(struct traffic *t, struct channel *ch, struct err *err);
/* Sends what comes until something else than traffic has come from the target. */
int traffic_follow(struct traffic *t, struct channel *ch, int64_t deadline, struct frame *ret,
		   struct err *err);
/* Sends the rest, and that it was all. */
int traffic_end(struct traffic *t, struct channel *ch, struct err *err);
/* The container goes on here, on its bridges: it gets everything, and nothing is caught any
 * more. */
void traffic_back(struct traffic *t);

/* Target. From now on it is caught here, too, when nobody else does. */
void traffic_listen(struct traffic *t);
/* Of the source: kept, up to a bound, or when the ports are on their bridges given at once. */
void traffic_take(struct traffic *t, const struct frame *f);
/* Gives the container what there is, in its order, and puts the ports onto their bridges. */
int traffic_plug(struct traffic *t, struct err *err);
/* Takes what the source still sends, after traffic_plug(). */
void traffic_drain(struct traffic *t, struct channel *ch);
