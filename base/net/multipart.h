/* SPDX-License-Identifier: Apache-2.0 */
/* base/net/multipart.h - multipart/form-data (RFC 7578): a file taken apart into files, and made of
 * them. */
#pragma once
#include <stdbool.h>
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

struct multipart_file {
	const char *name, *filename;
	int fd; /* read from its beginning */
	int64_t size;
};
/* What goes before a file, the first or a later one, and what goes after the last; the caller
 * frees. */
char *multipart_head(const char *boundary, const struct multipart_file *f, bool first);
char *multipart_tail(const char *boundary);
/* Appends the whole form to `to`. The boundary must be in none of the files: a random one. */
int multipart_write(int to, const char *boundary, const struct multipart_file *files, int n,
		    struct err *err);
