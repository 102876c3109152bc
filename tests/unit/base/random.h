/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and texts for property tests: the same in each run, so that a failure comes again. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state; /* not 0 */
};

/* xorshift64* */
static inline uint64_t random_u64(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 2685821657736338717ULL;
}

/* 0 to n - 1. */
static inline size_t random_below(struct random *r, size_t n)
{
	return (size_t)(random_u64(r) % n);
}

static inline void random_bytes(struct random *r, void *buf, size_t len)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)(random_u64(r) >> 32);
}

/* A text of up to size - 1 of the characters of `alphabet`. */
static inline char *random_text(struct random *r, const char *alphabet, char *buf, size_t size)
{
	size_t n = random_below(r, size), m = 0;

	while (alphabet[m])
		m++;
	for (size_t i = 0; i < n; i++)
		buf[i] = alphabet[random_below(r, m)];
	buf[n] = '\0';
	return buf;
}
