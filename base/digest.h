/* SPDX-License-Identifier: Apache-2.0 */
/* base/digest.h - SHA-256, HMAC, CRC-32C and base64. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX_SIZE 65

struct sha256;
struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *s, const void *data, size_t len);
/* Ends and frees s. */
const char *sha256_end(struct sha256 *s, char hex[SHA256_HEX_SIZE]);
const char *sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE]);

/* HMAC-SHA256 (RFC 2104) of a text under a key that is a text, too. */
const char *hmac_hex(const char *key, const char *text, char hex[SHA256_HEX_SIZE]);

uint32_t crc32c(uint32_t crc, const void *data, size_t len); /* start with 0 */

/* The caller frees. */
char *base64_encode(const void *data, size_t len);
/* NUL-terminated besides *ret_len; NULL when malformed. Accepts missing padding. */
char *base64_decode(const char *text, size_t *ret_len);
/* In constant time. */
bool secret_equal(const char *a, const char *b);
/* SHA-1 for the websocket handshake only. */
void sha1(const void *data, size_t len, unsigned char ret[20]);
