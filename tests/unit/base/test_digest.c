/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/net/wskey.h"

static void sha256_known(void **state)
{
	static const struct {
		const char *text, *sum;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	};
	char hex[SHA256_HEX_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sha256 *s = sha256_new();

		for (const char *p = cases[i].text; *p; p++)
			sha256_add(s, p, 1);
		assert_string_equal(sha256_end(s, hex), cases[i].sum);
		assert_string_equal(sha256_hex(cases[i].text, strlen(cases[i].text), hex),
				    cases[i].sum);
	}
}

/* One bit at a time, from the polynomial. */
static uint32_t crc32c_slow(uint32_t crc, const unsigned char *p, size_t len)
{
	crc = ~crc;
	for (; len; len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

static void crc32c_agrees(void **state)
{
	unsigned char buf[300];

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * 151 + 7);
	for (size_t n = 0; n < sizeof(buf); n += 13) {
		uint32_t whole = crc32c(0, buf, n);

		assert_int_equal(whole, crc32c_slow(0, buf, n));
		assert_int_equal(whole, crc32c(crc32c(0, buf, n / 3), buf + n / 3, n - n / 3));
	}
}

static void base64_round_trip(void **state)
{
	static const struct {
		const char *plain, *text;
	} cases[] = {
		{ "", "" },	       { "f", "Zg==" },	       { "fo", "Zm8=" },
		{ "foo", "Zm9v" },     { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "\xff\xfe", "//4=" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_free_ char *text = base64_encode(cases[i].plain, strlen(cases[i].plain));
		_free_ char *plain = NULL;
		size_t n;

		assert_string_equal(text, cases[i].text);
		plain = base64_decode(text, &n);
		assert_int_equal(n, strlen(cases[i].plain));
		assert_string_equal(plain, cases[i].plain);
	}
}

static void base64_refuses(void **state)
{
	static const char *const bad[] = { "A", "AAAAA", "Zm9v=", "Zg=a", "Zm 8", "Zm8=\n", "Zh==",
					   "Zg===", "====", "Z-_v" };
	_free_ char *loose = NULL;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_null(base64_decode(bad[i], &n));
	loose = base64_decode("Zg", &n);
	assert_string_equal(loose, "f");
}

static void secrets(void **state)
{
	assert_true(secret_equal("abc", "abc"));
	assert_true(secret_equal("", ""));
	assert_false(secret_equal("abc", "abd"));
	assert_false(secret_equal("abc", "ab"));
}

/* The example of RFC 6455 section 1.3. */
static void websocket_key(void **state)
{
	char accept[WS_ACCEPT_SIZE];

	ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_known),	     cmocka_unit_test(crc32c_agrees),
		cmocka_unit_test(base64_round_trip), cmocka_unit_test(base64_refuses),
		cmocka_unit_test(secrets),	     cmocka_unit_test(websocket_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
