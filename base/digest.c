/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/mem.h"

struct sha256 {
	EVP_MD_CTX *ctx;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *s = xnew(struct sha256);
	int ok;

	s->ctx = EVP_MD_CTX_new();
	ok = s->ctx && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL);
	assert(ok);
	return s;
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
	EVP_DigestUpdate(s->ctx, data, len);
}

static void hex_of(const unsigned char *bytes, size_t n, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*hex++ = digits[bytes[i] >> 4];
		*hex++ = digits[bytes[i] & 15];
	}
	*hex = '\0';
}

const char *sha256_end(struct sha256 *s, char hex[SHA256_HEX_SIZE])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_DigestFinal_ex(s->ctx, sum, &n);
	assert(2 * n < SHA256_HEX_SIZE);
	EVP_MD_CTX_free(s->ctx);
	free(s);
	hex_of(sum, n, hex);
	return hex;
}

const char *sha256_hex(const void *data, size_t len, char hex[SHA256_HEX_SIZE])
{
	struct sha256 *s = sha256_new();

	sha256_add(s, data, len);
	return sha256_end(s, hex);
}

const char *hmac_hex(const char *key, const char *text, char hex[SHA256_HEX_SIZE])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	const void *ok = HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text,
			      strlen(text), sum, &n);

	assert(ok);
	hex_of(sum, n, hex);
	return hex;
}

void sha1(const void *data, size_t len, unsigned char ret[20])
{
	EVP_Digest(data, len, ret, NULL, EVP_sha1(), NULL);
}

/* Half a byte at a time: sixteen entries instead of 256, used only without the instruction. */
static uint32_t crc32c_table(uint32_t crc, const unsigned char *p, size_t len)
{
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; len; len--) {
		crc ^= *p++;
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const unsigned char *p,
							      size_t len)
{
	uint64_t c = crc, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (; len; len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	crc = ~crc;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_fast(crc, data, len);
#endif
	return ~crc32c_table(crc, data, len);
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len)
{
	const unsigned char *p = data;
	char *text = xcalloc((len + 2) / 3 * 4 + 1, 1);
	char *out = text;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = p[i] << 16 | (n > 1 ? p[i + 1] : 0) << 8 | (n > 2 ? p[i + 2] : 0);

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*out++ = n > 2 ? alphabet[v & 63] : '=';
	}
	return text;
}

static size_t without_padding(const char *text)
{
	size_t n = strlen(text), pad = 0;

	while (pad < 2 && pad < n && text[n - pad - 1] == '=')
		pad++;
	return pad && n % 4 ? SIZE_MAX : n - pad;
}

char *base64_decode(const char *text, size_t *ret_len)
{
	size_t n = without_padding(text), len = 0;
	unsigned int bits = 0;
	_free_ char *out = NULL;
	uint32_t v = 0;

	if (n == SIZE_MAX || n % 4 == 1)
		return NULL;
	out = xcalloc(n / 4 * 3 + 4, 1);
	for (size_t i = 0; i < n; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!at)
			return NULL;
		v = v << 6 | (uint32_t)(at - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = (char)(v >> bits);
		}
	}
	/* Left-over bits must be zero, so that each value has one spelling. */
	if (v & ((1U << bits) - 1))
		return NULL;
	assert(len <= n / 4 * 3 + 2);
	*ret_len = len;
	return take_ptr(out);
}

bool secret_equal(const char *a, const char *b)
{
	size_t n = strlen(a);

	return n == strlen(b) && CRYPTO_memcmp(a, b, n) == 0;
}
