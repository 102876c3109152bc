/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/stream.h"
#include "base/net/x509.h"
#include "base/str.h"

/* The base64 of the DER, without armour. */
static char *bare_of(const char *pem)
{
	const char *a = strchr(pem, '\n') + 1;

	return xstrndup(a, strstr(a, "-----END") - a);
}

static void makes_and_reads(void **state)
{
	_free_ char *cert = NULL, *key = NULL, *bare = NULL, *back = NULL, *same = NULL;
	char fp[SHA256_HEX_SIZE], fp2[SHA256_HEX_SIZE], sum[SHA256_HEX_SIZE];
	_free_ char *der = NULL;
	_free_ char *packed = NULL;
	struct err err;
	size_t n = 0, len;

	assert_int_equal(x509_make("n1,DNS:evil", &cert, &key, &err), 0);
	assert_int_equal(x509_fingerprint(cert, fp, &err), 0);
	assert_true(str_is_hex(fp, 64));

	bare = bare_of(cert);
	back = x509_to_pem(bare, &err);
	assert_string_equal(back, cert);
	same = x509_to_pem(cert, &err);
	assert_string_equal(same, cert);
	assert_int_equal(x509_fingerprint(back, fp2, &err), 0);
	assert_string_equal(fp, fp2);

	/* The fingerprint is that of the DER. */
	packed = xcalloc(strlen(bare) + 1, 1);
	for (const char *p = bare; *p; p++) {
		if (*p != '\n')
			packed[n++] = *p;
	}
	der = base64_decode(packed, &len);
	assert_string_equal(sha256_hex(der, len, sum), fp);
}

static void refuses_rubbish(void **state)
{
	static const char *const bad[] = {
		"", "hello", "AAAA",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----",
	};
	char fp[SHA256_HEX_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = { 0 };

		assert_null(x509_to_pem(bad[i], &err));
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(x509_fingerprint(bad[i], fp, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void refuses_trailing_bytes(void **state)
{
	_free_ char *cert = NULL, *key = NULL, *bare = NULL, *more = NULL;
	struct err err = { 0 };

	assert_int_equal(x509_make("n1", &cert, &key, &err), 0);
	bare = bare_of(cert);
	bare[strcspn(bare, "=")] = '\0';
	more = xasprintf("%sAAAAAAAA", bare);
	assert_null(x509_to_pem(more, &err));
}

static void ensure_keeps(void **state)
{
	char dir[] = "/tmp/dunlin-test-x509-XXXXXX";
	_free_ char *cert_path = NULL, *key_path = NULL;
	_free_ char *first = NULL, *second = NULL, *key = NULL;
	struct tls_ctx *t;
	struct stat st;
	struct err err;

	assert_non_null(mkdtemp(dir));
	cert_path = xasprintf("%s/server.crt", dir);
	key_path = xasprintf("%s/server.key", dir);
	assert_int_equal(x509_ensure(cert_path, key_path, "n1", &err), 0);
	first = io_read_file(cert_path, 1 << 16, NULL, &err);
	key = io_read_file(key_path, 1 << 16, NULL, &err);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(x509_ensure(cert_path, key_path, "n1", &err), 0);
	second = io_read_file(cert_path, 1 << 16, NULL, &err);
	assert_string_equal(first, second);

	t = tls_server_new(first, key, &err);
	assert_non_null(t);
	tls_unref(t);

	/* A key alone is what an interrupted start leaves: a new pair is made. */
	unlink(cert_path);
	assert_int_equal(x509_ensure(cert_path, key_path, "n1", &err), 0);
	free(take_ptr(second));
	second = io_read_file(cert_path, 1 << 16, NULL, &err);
	assert_string_not_equal(first, second);
	assert_null(tls_server_new(second, key, &err)); /* the old key does not fit */
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_and_reads),
		cmocka_unit_test(refuses_rubbish),
		cmocka_unit_test(refuses_trailing_bytes),
		cmocka_unit_test(ensure_keeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
