/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void rng_bytes(void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n > 0) {
			p += n;
			len -= n;
		}
	}
}

uint64_t rng_u64(void)
{
	uint64_t v;

	rng_bytes(&v, sizeof(v));
	return v;
}

const char *rng_uuid(char buf[UUID_SIZE])
{
	unsigned char b[16];

	rng_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(buf, UUID_SIZE,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	return buf;
}

const char *rng_hex(char *buf, size_t bytes)
{
	unsigned char b;

	for (size_t i = 0; i < bytes; i++) {
		rng_bytes(&b, 1);
		snprintf(buf + 2 * i, 3, "%02x", b);
	}
	return buf;
}
