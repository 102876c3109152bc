/* SPDX-License-Identifier: Apache-2.0 */
/* node/device/catcher.h - what comes for a container while its ports are off their bridges.
 *
 * A peer whose packet is lost sends it again when a timer ends, and each time it waits twice as
 * long. So each port has a stand-in: a tap interface, on the bridge in its place (port_connect),
 * where frames wait in the kernel, CATCHER_FRAMES a port; what comes then is lost, as in any queue.
 * Stand-ins are gone with the process that made them, whatever ends it.
 *
 * What was caught is a row of records: the container's hardware address of the port, 6 bytes; the
 * length of the frame, 2 bytes, little-endian; the frame.
 */
#pragma once
#include "base/json.h"
#include "node/netlink/link.h"

#define CATCHER_FRAMES 1000
#define CATCHER_HEAD (MAC_LEN + 2)
#define CATCHER_RECORD_MAX (CATCHER_HEAD + UINT16_MAX)

struct catcher;

/* Of all ports of a description, which are there; not on their bridges yet. What cannot be made is
 * told to the log. */
struct catcher *catcher_new(const json_t *spec);
void catcher_free(struct catcher *c); /* NULL is fine; takes the kernel some 10 ms */
/* Readable when something has come; -1: nothing ever will. */
int catcher_fd(const struct catcher *c);
/* Beside what the bridges have, in case nobody else is there to take it. What goes to many is then
 * not caught: another one has it. */
void catcher_listen(struct catcher *c);
/* Records of what has come; their length. At least CATCHER_RECORD_MAX bytes of room. */
size_t catcher_read(struct catcher *c, uint8_t *buf, size_t size);
/* The container can be heard: what it answers to what it is given, and its questions where its
 * neighbours are, which it would only ask again a second later. What comes for it is still
 * caught. */
void catcher_open(struct catcher *c);
/* Gives them to the container, by its ports, on their bridges or not. What is no record, or for no
 * port of its, ends it, or is passed over. */
void catcher_give(struct catcher *c, const uint8_t *records, size_t len);
/* The ports are on their bridges, after what waits at their stand-ins. */
int catcher_plug(struct catcher *c, struct err *err);
