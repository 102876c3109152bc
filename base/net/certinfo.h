/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/certinfo.h - what people want to see of a certificate. */
#pragma once
#include <stdint.h>

#include "base/err.h"

struct x509_info {
	char common_name[256];
	int64_t not_before, not_after; /* seconds since 1970 */
};

/* Of the first certificate in the PEM text, expired or not. */
int x509_describe(const char *pem, struct x509_info *ret, struct err *err);
