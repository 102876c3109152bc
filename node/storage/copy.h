/* SPDX-License-Identifier: Apache-2.0 */
/* node/storage/copy.h - trees of files: copied, and made durable. */
#pragma once
#include "base/err.h"

/* Copies the content and attributes of the folder `from` to the existing, empty folder `to`:
 * owners, modes, times, attributes, hard links, holes; shares blocks where the file system can. */
int storage_copy_tree(const char *from, const char *to, struct err *err);
/* By fsync(2): the names in the folder; by syncfs(2): all of its file system. */
int storage_write_out(const char *folder, int (*sync)(int fd), struct err *err);
/* Mode and owner of one folder to another. */
int storage_copy_attrs(const char *from, const char *to, struct err *err);
