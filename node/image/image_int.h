/* SPDX-License-Identifier: Apache-2.0 */
/* node/image/image_int.h - the parts of an image, for node/image and their tests.
 *
 * A tarball is foreign input: image_tar_walk is the only reader and refuses whatever could reach
 * beyond the image or the limits, in both passes (import and unpack). The unpacker trusts no
 * path either. The daemon trusts neither, and runs both in helpers.
 */
#pragma once
#include <locale.h>

#include "base/json.h"
#include "node/image/image.h"

#define IMAGE_FP_LEN 64
#define IMAGE_TEMP_MARK ".tmp-"
#define IMAGE_MINE ".mine"

/* images/FP and the suffix; a name of its own for what is not whole. The caller frees. */
char *image_part(const struct node *n, const char *fp, const char *suffix);
char *image_temp(const struct node *n, const char *what);
int image_check_fingerprint(const char *fp, struct err *err);
/* The image's tarball, locked against unpacking and deletion by others; closing it lets go. */
int image_lock(struct node *n, const char *fp, struct err *err);

struct image_limits {
	uint64_t stored;   /* bytes of the tarball */
	uint64_t unpacked; /* bytes of the tar stream */
	uint64_t ratio;    /* unpacked / stored, beyond ratio_from unpacked bytes */
	uint64_t ratio_from;
	uint64_t entries;
	uint64_t path, depth;         /* bytes, components */
	uint64_t metadata;            /* bytes of metadata.yaml */
	uint64_t template, templates; /* bytes of one, of all */
};
extern const struct image_limits image_limits_default;

/* A tarball is read by a helper only (node/image/verb.c), which can do little but that. */
struct image_job {
	const char *verb, *fp;
	const struct image_limits *limits;
	const char *prefix; /* image_unpack's */
	int fds[2];         /* scan: tarballs, -1 when there is one; unpack: tarball, folder */
	void (*progress)(void *arg, int64_t done); /* may be NULL */
	void *arg;
};
/* The helper's answer. When it was killed or died, or took too long: ERR_INVALID. */
json_t *image_job_run(const struct image_job *job, struct err *err);
/* Child side: what came with the request. */
struct image_limits image_limits_of(const json_t *j);

struct archive;
struct archive_entry;
struct tar_state;

struct image_entry {
	struct archive_entry *ae;
	struct tar_state *state;
	const char *path; /* no leading or doubled '/', no "." or ".."; "" is the top */
	const char *link; /* hard link's target, an earlier entry, likewise; else NULL */
	/* A device node or socket, or a link to one. Containers get their devices when they start;
	 * the image goes without. */
	bool left_out;
};

struct image_walk {
	int fd; /* read from its beginning */
	const struct image_limits *limits;
	int (*entry)(void *arg, struct image_entry *e, struct err *err);
	void *arg;
	void (*progress)(void *arg, int64_t done); /* bytes of the file consumed; may be NULL */
	void *progress_arg;
};
int image_tar_walk(const struct image_walk *w, struct err *err);
/* libarchive is there, and all that it opens by itself; before any of its functions. */
int image_tar_load(struct err *err);
/* Of the file names of pax headers; (locale_t)0 where the system has none. After image_tar_load. */
locale_t image_tar_locale(void);
/* Next piece of the entry's content: 1, 0 at its end, or -1. */
int image_entry_data(struct image_entry *e, const void **ret_data, size_t *ret_len,
		     int64_t *ret_off, struct err *err);

/* Unpacks the entries below `prefix` ("rootfs", or "" for all) into the empty directory dir_fd:
 * owners, modes, times, capabilities, hard links and holes kept. */
int image_unpack(int fd, int dir_fd, const char *prefix, const struct image_limits *limits,
		 struct err *err);

/* What the tarballs' first pass gathers. */
struct image_scan {
	const struct image_limits *limits;
	bool split_rootfs; /* this is the second tarball of a pair: no metadata expected */
	bool has_rootfs;
	char *first_left_out; /* a path outside of /dev, where it is expected */
	struct sbuf metadata;
	json_t *files; /* template name -> text */
	size_t files_bytes;
};
int image_scan_entry(void *arg, struct image_entry *e, struct err *err);
/* metadata.yaml as JSON (null: there is none) and the templates, {name: text}, checked and brought
 * into the form that is stored beside the image: {architecture, created_at, expires_at,
 * properties{}, templates{path: {...,"content"}}, metadata{}}. */
json_t *image_meta_make(json_t *yaml, const json_t *files, struct err *err);

json_t *image_import_limited(struct node *n, int fd, int rootfs_fd, const char *want_fp,
			     const struct image_limits *limits,
			     void (*progress)(void *arg, int64_t done, int64_t total), void *arg,
			     struct err *err);
