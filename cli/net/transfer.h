/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/transfer.h - bodies of files, down and up. */
#pragma once
#include "cli/net/client.h"

/* GET into a hidden temporary file next to `dest` (or in the temporary folder, when dest is
 * NULL). The caller renames or removes *ret_path, which it frees. */
int download_beside(struct client *cl, const char *path, const char *dest, const char *progress,
		    char **ret_path, struct http_reply *ret, struct err *err);
/* A descriptor with all of the file: a copy when it is standard input ("-") or no regular file. */
int open_body(const char *file, struct err *err);
/* $TMPDIR or /tmp. */
const char *temp_dir(void);
