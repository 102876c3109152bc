/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/pair.h - images in two tarballs, metadata and root file system: on the wire they are one
 * form with two files. */
#pragma once
#include "cli/form/cli.h"

/* An unlinked file with the form, at its beginning; the caller frees ret_type. */
int pair_join(const char *meta, const char *rootfs, char **ret_type, struct err *err);
/* Writes the two files of a form into the folder `target` (NULL: here) under the names that they
 * came with, or as `target` and `target`.root with their endings. */
int pair_export(struct cli *c, int form, const char *boundary, const char *target,
		struct err *err);
