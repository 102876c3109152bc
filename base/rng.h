/* SPDX-License-Identifier: Apache-2.0 */
/* base/rng.h - random bytes from the kernel, identifiers and secrets made of them. */
#pragma once
#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *buf, size_t len);
uint64_t rng_u64(void);
#define UUID_SIZE 37
const char *rng_uuid(char buf[UUID_SIZE]); /* RFC 9562 version 4 */
/* 2 * bytes hex digits and a NUL. */
const char *rng_hex(char *buf, size_t bytes);
