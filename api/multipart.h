/* SPDX-License-Identifier: Apache-2.0 */
/* api/multipart.h - takes a multipart/form-data upload apart (RFC 7578), out of a file into files.
 */
#pragma once
#include <stdint.h>

#include "base/err.h"

#define MULTIPART_PARTS_MAX 4

struct multipart {
	char names[MULTIPART_PARTS_MAX][64];
	char filenames[MULTIPART_PARTS_MAX][256];
	int fds[MULTIPART_PARTS_MAX]; /* unlinked files, offset 0 */
	int n;
};

/* The boundary of a Content-Type header; the caller frees. NULL when it is not multipart. */
char *multipart_boundary(const char *content_type);
/* Parts are copied to temporary files in dir. */
int multipart_split(int fd, int64_t size, const char *boundary, const char *dir,
		    struct multipart *ret, struct err *err);
void multipart_free(struct multipart *m);
