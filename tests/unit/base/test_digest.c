/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/unit/base/random.h"

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

/* However the bytes are cut, the sum is that of the whole. */
static void sha256_in_pieces(void **state)
{
	char whole[SHA256_HEX_SIZE], pieces[SHA256_HEX_SIZE];
	struct random r = { 256 };
	unsigned char buf[1000];

	random_bytes(&r, buf, sizeof(buf));
	for (int i = 0; i < 100; i++) {
		struct sha256 *s = sha256_new();
		size_t n = random_below(&r, sizeof(buf)), at = 0;

		while (at < n) {
			size_t piece = 1 + random_below(&r, n - at);

			sha256_add(s, buf + at, piece);
			sha256_add(s, buf + at, 0);
			at += piece;
		}
		assert_string_equal(sha256_end(s, pieces), sha256_hex(buf, n, whole));
		assert_true(str_is_hex(whole, 64));
	}
}

/* RFC 4231, the cases whose keys are texts. */
static void hmac_known(void **state)
{
	static const struct {
		const char *key, *text, *sum;
	} cases[] = {
		{ "Jefe", "what do ya want for nothing?",
		  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		  "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		  "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "key", "", "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0" },
		{ "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
	};
	char hex[SHA256_HEX_SIZE], long_key[132];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(hmac_hex(cases[i].key, cases[i].text, hex), cases[i].sum);
	/* a key longer than a block */
	memset(long_key, '\xaa', 131);
	long_key[131] = '\0';
	assert_string_equal(
		hmac_hex(long_key, "Test Using Larger Than Block-Size Key - Hash Key First", hex),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void sha1_known(void **state)
{
	static const unsigned char want[20] = { 0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
						0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
						0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d };
	unsigned char sum[20];

	sha1("abc", 3, sum);
	assert_memory_equal(sum, want, sizeof(want));
}

/* A changed bit anywhere changes the sum. */
static void crc32c_sees_each_bit(void **state)
{
	struct random r = { 32 };
	unsigned char buf[64];
	uint32_t good;

	random_bytes(&r, buf, sizeof(buf));
	good = crc32c(0, buf, sizeof(buf));
	for (size_t bit = 0; bit < 8 * sizeof(buf); bit++) {
		buf[bit / 8] ^= 1 << bit % 8;
		assert_int_not_equal(crc32c(0, buf, sizeof(buf)), good);
		buf[bit / 8] ^= 1 << bit % 8;
	}
	assert_int_equal(crc32c(good, buf, 0), good);
}

static void base64_of_any_bytes(void **state)
{
	struct random r = { 64 };

	for (size_t n = 0; n < 200; n++) {
		_free_ unsigned char *plain = xcalloc(n, 1);
		_free_ char *text = NULL, *back = NULL;
		size_t len, packed;

		random_bytes(&r, plain, n);
		text = base64_encode(plain, n);
		assert_int_equal(strlen(text), (n + 2) / 3 * 4);
		back = base64_decode(text, &len);
		assert_int_equal(len, n);
		assert_memory_equal(back, plain, n);
		assert_int_equal(back[n], '\0');
		/* the padding may be missing */
		packed = strcspn(text, "=");
		text[packed] = '\0';
		free(take_ptr(back));
		back = base64_decode(text, &len);
		assert_int_equal(len, n);
		assert_memory_equal(back, plain, n);
	}
}

/* No two texts of one length mean the same bytes. */
static void base64_has_one_spelling(void **state)
{
	static const char some[] = "AQgw/+09z";
	char text[5] = "";
	size_t len;

	for (int i = 0; i < 9 * 9 * 9; i++) {
		_free_ char *plain = NULL, *again = NULL;

		text[0] = some[i % 9];
		text[1] = some[i / 9 % 9];
		text[2] = some[i / 81];
		text[3] = '=';
		plain = base64_decode(text, &len);
		if (!plain)
			continue;
		again = base64_encode(plain, len);
		assert_string_equal(again, text);
	}
}

static void secrets(void **state)
{
	assert_true(secret_equal("abc", "abc"));
	assert_true(secret_equal("", ""));
	assert_false(secret_equal("abc", "abd"));
	assert_false(secret_equal("abc", "ab"));
	assert_false(secret_equal("ab", "abc"));
	assert_false(secret_equal("", "a"));
	assert_false(secret_equal("abc", "ABC"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_known),	     cmocka_unit_test(crc32c_agrees),
		cmocka_unit_test(base64_round_trip), cmocka_unit_test(base64_refuses),
		cmocka_unit_test(secrets),
		cmocka_unit_test(sha256_in_pieces),  cmocka_unit_test(hmac_known),
		cmocka_unit_test(sha1_known),	     cmocka_unit_test(crc32c_sees_each_bit),
		cmocka_unit_test(base64_of_any_bytes), cmocka_unit_test(base64_has_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
