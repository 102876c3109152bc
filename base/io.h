/* SPDX-License-Identifier: Apache-2.0 */
/* base/io.h - files and descriptors: whole reads and writes, atomic replacement, trees.
 *
 * Every descriptor made here is close-on-exec.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* All of len or -1 with errno; a short read at end of file is -1 with errno 0. */
int io_read_full(int fd, void *buf, size_t len);
int io_write_full(int fd, const void *buf, size_t len);
int io_write_at(int fd, const void *buf, size_t len, off_t at);

/* The whole file as a NUL-terminated string, at most max bytes; the caller frees. */
char *io_read_file(const char *path, size_t max, size_t *ret_len, struct err *err);
/* Write to a temporary name, fsync, rename, fsync the folder: either the old or the new content. */
int io_write_file(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
int io_mkdirs(const char *path, mode_t mode, struct err *err);
/* The same, with exactly this mode whatever the umask; a folder that is there gets it, too (but not
 * its parents). */
int io_folder(const char *path, mode_t mode, struct err *err);
/* Removes the tree without following links or crossing mounts; absent is success. */
int io_remove_tree(const char *path, struct err *err);
/* The same for all that is in it; the folder itself stays, and may be a mount. */
int io_empty_dir(const char *path, struct err *err);
/* False only when it is certain that nothing is there: what cannot be looked at may be there. */
bool io_exists(const char *path);
/* 1 when it is certain that there is nothing but hidden names and what a file system brings along,
 * or no folder; else 0, or -1 with err when it cannot be read. */
int io_is_empty(const char *path, struct err *err);
/* An unlinked temporary file in `dir`. */
int io_temp_fd(const char *dir, struct err *err);
/* Free bytes for root on the file system of `path`; UINT64_MAX when unknown. */
uint64_t io_free_bytes(const char *path);

/* openat2(2), tried again where it gives up on a ".." since something on the host was renamed or
 * mounted meanwhile; close-on-exec. */
int io_open_within(int at, const char *path, int flags, uint64_t resolve);

int io_set_nonblock(int fd, bool on);
/* SCM_RIGHTS over a unix stream socket, with one byte of payload. */
int io_send_fd(int sock, int fd);
int io_recv_fd(int sock);
