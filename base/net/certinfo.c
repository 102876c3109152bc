/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net/certinfo.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return t && ASN1_TIME_to_tm(t, &tm) ? timegm(&tm) : 0;
}

int x509_describe(const char *pem, struct x509_info *ret, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	BIO_free(bio);
	if (!x)
		return err_set(err, ERR_INVALID, "the text holds no certificate");
	*ret = (struct x509_info){ 0 };
	X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, ret->common_name,
				  sizeof(ret->common_name));
	ret->not_before = seconds_of(X509_get0_notBefore(x));
	ret->not_after = seconds_of(X509_get0_notAfter(x));
	X509_free(x);
	return 0;
}
