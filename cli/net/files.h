/* SPDX-License-Identifier: Apache-2.0 */
/* cli/net/files.h - files in instances: INSTANCE/PATH arguments and the headers of the files
 * API. */
#pragma once
#include "cli/net/client.h"

struct place {
	struct client *cl;
	char *instance;
	char *path; /* absolute */
};

/* "remote:instance/path". */
int place_parse(struct cli *c, const char *arg, struct place *ret, struct err *err);
void place_done(struct place *p);
#define _place_ __attribute__((cleanup(place_done)))
/* The API's path of a file; the caller frees. */
char *place_url(const struct place *p, const char *path);

/* Names the instance, and the path where the message does not. -1. */
int place_error(const struct place *p, const char *path, struct err *err);

struct file_attr {
	const char *type; /* "file", "directory" or "symlink" */
	int64_t uid, gid; /* -1: leave to the server */
	int mode;         /* -1: leave to the server */
};

/* Of an answer. `type` points to a constant. */
struct file_attr file_attr_of(const struct http_reply *r);
/* POST of a file (fd), of a link (its target as `text`) or of a folder (neither). */
int file_post(const struct place *p, const char *path, const struct file_attr *attr, int fd,
	      const char *text, struct err *err);
