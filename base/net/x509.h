/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/x509.h - self-signed P-256 certificates and their SHA-256 fingerprints.
 *
 * A fingerprint is 64 lower-case hex digits of the SHA-256 of the DER, as LXD's clients show it.
 */
#pragma once
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"

/* Valid 10 years, usable as server and client; subject CN=cn, SAN dns:cn. The caller frees both. */
int x509_make(const char *cn, char **ret_cert_pem, char **ret_key_pem, struct err *err);
/* Of the first certificate in the PEM text. ERR_INVALID when there is none. */
int x509_fingerprint(const char *cert_pem, char hex[SHA256_HEX_SIZE], struct err *err);
/* base64 DER without armour (as LXD's `certificate` fields carry it) to PEM; accepts PEM too. */
char *x509_to_pem(const char *text, struct err *err);
/* Makes the pair cert_path/key_path (key 0600) unless both exist. */
int x509_ensure(const char *cert_path, const char *key_path, const char *cn, struct err *err);
