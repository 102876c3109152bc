/* SPDX-License-Identifier: Apache-2.0 */
/* node/container/file.h - files of a container, running or stopped. */
#pragma once
#include "node/node.h"

/* Files inside, for a running or stopped container; path is absolute inside, resolved beneath
 * the root (no escape by links). spec is needed when it is stopped (to mount its root). */
struct file_info {
	char type[16]; /* file directory symlink */
	uint32_t uid, gid, mode;
	int64_t size, mtime;
};
/* file: ret_fd; directory: ret_list of names; symlink: ret_target (caller frees). Others NULL
 * or -1. */
int file_get(struct node *n, const json_t *spec, const char *path, struct file_info *info,
	     int *ret_fd, json_t **ret_list, char **ret_target, struct err *err);
struct file_put {
	const char *path, *type;    /* type: file directory symlink */
	int64_t uid, gid, mode;	    /* -1: default (0, 0, 0644/0755) */
	bool append;
	int content_fd;		    /* file */
	const char *target;	    /* symlink */
};
int file_put(struct node *n, const json_t *spec, const struct file_put *f, struct err *err);
int file_delete(struct node *n, const json_t *spec, const char *path, struct err *err);
