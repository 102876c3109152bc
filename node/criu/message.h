/* SPDX-License-Identifier: Apache-2.0 */
/* node/criu/message.h - the protobuf messages in CRIU's images, changed in their place.
 *
 * An image is a magic of 8 bytes and records of a 32-bit length and a message. Nothing moves: only
 * a varint of one byte is replaced by another. What is malformed ends a walk.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct field {
	unsigned number, type;
	uint64_t value;          /* of a varint; the length of a message */
	unsigned char *at, *end; /* value bytes */
};
enum { FIELD_VARINT = 0, FIELD_BYTES = 2 };

/* The field at p, and what is behind it; NULL at the end and when malformed. */
unsigned char *message_next(unsigned char *p, unsigned char *end, struct field *ret);
/* fn for each record of an image in memory. */
void message_each(unsigned char *data, size_t len,
		  void (*fn)(void *arg, unsigned char *p, unsigned char *end), void *arg);
/* fn gets the bytes of DIR/NAME, and says how much it has changed: then they are written back. One
 * that cannot be read, or is too large to be what it should be, is left alone. */
void message_edit(const char *dir, const char *name,
		  int (*fn)(void *arg, unsigned char *data, size_t len), void *arg);
