/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/x509.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#define YEARS_10 (10L * 365 * 24 * 3600)
#define CLOCK_SKEW (24L * 3600)
#define CERT_TEXT_MAX (64 << 10)

static void cleanup_x509(X509 **x)
{
	X509_free(*x);
}

static void cleanup_pkey(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void cleanup_bio(BIO **b)
{
	BIO_free(*b);
}

#define _x509_ __attribute__((cleanup(cleanup_x509)))
#define _pkey_ __attribute__((cleanup(cleanup_pkey)))
#define _bio_ __attribute__((cleanup(cleanup_bio)))

static int fail(struct err *err, const char *what)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_INTERNAL, "%s: %s", what, text);
}

/* An extension from OpenSSL's configuration syntax; value is always a literal. */
static bool add_ext(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

/* Built from the parts, for a name may hold what the configuration syntax gives a meaning. */
static bool add_san(X509 *x, const char *dns)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	bool ok;

	if (!names || !name || !text || !ASN1_STRING_set(text, dns, -1)) {
		GENERAL_NAMES_free(names);
		GENERAL_NAME_free(name);
		ASN1_IA5STRING_free(text);
		return false;
	}
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1;
	GENERAL_NAMES_free(names);
	return ok;
}

static bool set_serial(X509 *x)
{
	BIGNUM *bn = BN_new();
	unsigned char bytes[16];
	bool ok;

	rng_bytes(bytes, sizeof(bytes));
	bytes[0] = (bytes[0] & 0x7f) | 1;
	ok = bn && BN_bin2bn(bytes, sizeof(bytes), bn) &&
	     BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
	BN_free(bn);
	return ok;
}

static bool set_subject(X509 *x, const char *cn)
{
	X509_NAME *n = X509_get_subject_name(x);
	char short_cn[65]; /* what X.520 allows */

	str_copy(short_cn, sizeof(short_cn), cn);
	return X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Dunlin", -1,
					  -1, 0) &&
	       X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)short_cn,
					  -1, -1, 0) &&
	       X509_set_issuer_name(x, n);
}

static bool fill(X509 *x, EVP_PKEY *key, const char *cn)
{
	return X509_set_version(x, X509_VERSION_3) && set_serial(x) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -CLOCK_SKEW) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), YEARS_10) && X509_set_pubkey(x, key) &&
	       set_subject(x, cn) && add_ext(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_ext(x, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
	       add_ext(x, NID_ext_key_usage, "serverAuth,clientAuth") && add_san(x, cn) &&
	       X509_sign(x, key, EVP_sha256());
}

static char *text_of(BIO *b)
{
	char *data;
	long n = BIO_get_mem_data(b, &data);

	return xstrndup(data, n);
}

static char *pem_of_cert(X509 *x)
{
	_bio_ BIO *b = BIO_new(BIO_s_mem());

	return b && PEM_write_bio_X509(b, x) ? text_of(b) : NULL;
}

static char *pem_of_key(EVP_PKEY *key)
{
	_bio_ BIO *b = BIO_new(BIO_s_mem());

	return b && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) ? text_of(b) : NULL;
}

int x509_make(const char *cn, char **ret_cert_pem, char **ret_key_pem, struct err *err)
{
	_pkey_ EVP_PKEY *key = EVP_EC_gen("P-256");
	_x509_ X509 *x = X509_new();
	_free_ char *cert_pem = NULL;
	_free_ char *key_pem = NULL;

	if (!key || !x || !fill(x, key, cn))
		return fail(err, "make a certificate");
	assert(X509_check_private_key(x, key) == 1);
	cert_pem = pem_of_cert(x);
	key_pem = pem_of_key(key);
	if (!cert_pem || !key_pem)
		return fail(err, "write a certificate");
	*ret_cert_pem = take_ptr(cert_pem);
	*ret_key_pem = take_ptr(key_pem);
	return 0;
}

/* Without it OpenSSL would ask for a passphrase on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

static X509 *parse(const char *pem, struct err *err)
{
	_bio_ BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, no_passphrase, NULL) : NULL;

	ERR_clear_error();
	if (!x)
		err_set(err, ERR_INVALID, "the certificate is not valid PEM text");
	return x;
}

int x509_fingerprint(const char *cert_pem, char hex[SHA256_HEX_SIZE], struct err *err)
{
	_x509_ X509 *x = parse(cert_pem, err);
	unsigned char *der = NULL;
	int n;

	if (!x)
		return -1;
	n = i2d_X509(x, &der);
	if (n <= 0)
		return fail(err, "encode the certificate");
	sha256_hex(der, n, hex);
	OPENSSL_free(der);
	return 0;
}

/* base64 as people paste it, with line breaks. */
static char *decode_loose(const char *text, size_t *ret_len)
{
	_free_ char *packed = xcalloc(strlen(text) + 1, 1);
	size_t n = 0;

	for (; *text; text++) {
		if (!strchr(" \t\r\n", *text))
			packed[n++] = *text;
	}
	return base64_decode(packed, ret_len);
}

char *x509_to_pem(const char *text, struct err *err)
{
	_x509_ X509 *x = NULL;
	_free_ char *der = NULL;
	const unsigned char *p;
	size_t n = 0;

	if (strlen(text) > CERT_TEXT_MAX) {
		err_set(err, ERR_INVALID, "the certificate is larger than %d bytes", CERT_TEXT_MAX);
		return NULL;
	}
	if (strstr(text, "-----BEGIN")) {
		x = parse(text, err);
		return x ? pem_of_cert(x) : NULL;
	}
	der = decode_loose(text, &n);
	p = (const unsigned char *)der;
	x = der ? d2i_X509(NULL, &p, (long)n) : NULL;
	ERR_clear_error();
	if (!x || p != (const unsigned char *)der + n) {
		err_set(err, ERR_INVALID, "the certificate is neither PEM nor base64 of DER");
		return NULL;
	}
	return pem_of_cert(x);
}

int x509_ensure(const char *cert_path, const char *key_path, const char *cn, struct err *err)
{
	_free_ char *cert = NULL;
	_free_ char *key = NULL;

	if (io_exists(cert_path) && io_exists(key_path))
		return 0;
	if (x509_make(cn, &cert, &key, err) < 0)
		return -1;
	/* The certificate last: it exists only with its key, whenever the machine stops. */
	if (io_write_file(key_path, key, strlen(key), 0600, err) < 0)
		return -1;
	return io_write_file(cert_path, cert, strlen(cert), 0644, err);
}
