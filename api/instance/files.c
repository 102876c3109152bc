/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/rest/handle.h"
#include "api/work/instance.h"
#include "api/work/spec.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cluster/model/state.h"
#include "node/container/file.h"

#define PATH_BYTES 4096
#define TARGET_BYTES 4096

/* The spec of the instance (its root may have to be mounted) and the absolute path asked for. */
static json_t *open_instance(struct req *r, bool write, char **ret_path)
{
	const char *path = req_query(r, "path");
	_expanded_ struct expanded x = { 0 };
	_row_ struct row row = { 0 };

	if (instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r)) < 0)
		return NULL;
	if (str_empty(path) || strlen(path) >= PATH_BYTES) {
		err_set(req_err(r), ERR_INVALID,
			"files: the parameter \"path\" is missing or too long");
		return NULL;
	}
	if (write && inst_is_suspended(row.doc)) {
		err_set(req_err(r), ERR_CONFLICT,
			"the memory of instance \"%s\" is kept, and knows its files as they are: "
			"start it first",
			row.key);
		return NULL;
	}
	*ret_path = path[0] == '/' ? xstrdup(path) : xasprintf("/%s", path);
	expand(req_env(r), row.doc, &x);
	return spec_build(req_env(r), &x, NULL, req_err(r));
}

static void set_headers(struct req *r, const struct file_info *info)
{
	char text[64];
	struct tm tm;
	time_t t = (time_t)info->mtime;

	snprintf(text, sizeof(text), "%u", info->uid);
	reply_header(r, "X-LXD-uid", text);
	snprintf(text, sizeof(text), "%u", info->gid);
	reply_header(r, "X-LXD-gid", text);
	snprintf(text, sizeof(text), "%04o", info->mode & 07777);
	reply_header(r, "X-LXD-mode", text);
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	reply_header(r, "X-LXD-modified", text);
	reply_header(r, "X-LXD-type", info->type);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int reply_content(struct req *r, const char *path, const struct file_info *info, int own_fd)
{
	_free_ char *name = str_url_encode(last_part(path));
	_free_ char *disposition = xasprintf("inline;filename=%s", name);

	reply_header(r, "Content-Disposition", disposition);
	return reply_file(r, own_fd, info->size, "application/octet-stream");
}

int h_file_get(struct req *r)
{
	_free_ char *path = NULL, *target = NULL;
	_json_ json_t *spec = open_instance(r, false, &path), *list = NULL;
	struct file_info info = { 0 };
	int fd = -1;

	if (!spec)
		return -1;
	if (file_get(req_env(r)->node, spec, path, &info, &fd, &list, &target, req_err(r)) < 0)
		return -1;
	set_headers(r, &info);
	instance_event(req_env(r), req_ref(r, 0), "file-retrieved",
		       json_pack("{s:s}", "file-source", path));
	if (list)
		return reply_sync(r, json_incref(list));
	if (target)
		return reply_bytes(r, 200, "application/octet-stream", target, strlen(target));
	return reply_content(r, path, &info, fd);
}

/* --- writing --------------------------------------------------------------------------------- */

static int parse_number(struct req *r, const char *header, int64_t *ret)
{
	const char *v = req_header(r, header);

	*ret = -1;
	if (str_empty(v))
		return 0;
	if (str_to_i64(v, 0, UINT32_MAX, ret))
		return 0;
	return err_set(req_err(r), ERR_INVALID, "files: header %s: \"%.20s\" is not an id", header,
		       v);
}

/* Octal, with or without a zero in front. */
static int parse_mode(struct req *r, int64_t *ret)
{
	const char *v = req_header(r, "X-LXD-mode");
	int64_t mode = 0;

	*ret = -1;
	if (str_empty(v))
		return 0;
	for (const char *c = v; *c; c++) {
		mode = mode * 8 + (*c - '0');
		if (*c < '0' || *c > '7' || mode > 07777)
			return err_set(req_err(r), ERR_INVALID,
				       "files: header X-LXD-mode: \"%.20s\" is not an octal mode",
				       v);
	}
	*ret = mode;
	return 0;
}

static int parse_type(struct req *r, struct file_put *f)
{
	static const char *const types[] = { "file", "symlink", "directory" };
	const char *type = req_header(r, "X-LXD-type");
	const char *write = req_header(r, "X-LXD-write");

	f->append = str_eq(write, "append");
	if (write && !f->append && !str_eq(write, "overwrite"))
		return err_set(req_err(r), ERR_INVALID,
			       "files: header X-LXD-write: \"%.20s\" (overwrite, append)", write);
	f->type = "file";
	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++) {
		if (str_eq(type, types[i])) {
			f->type = types[i];
			return 0;
		}
	}
	return str_empty(type)
		       ? 0
		       : err_set(req_err(r), ERR_INVALID,
				 "files: header X-LXD-type: \"%.20s\" (file, symlink, directory)",
				 type);
}

/* The body: content of a file, target of a symlink. */
static int read_body(struct req *r, struct file_put *f, char **ret_target)
{
	int64_t size;

	f->content_fd = req_body_fd(r, &size);
	if (!str_eq(f->type, "symlink"))
		return 0;
	if (size <= 0 || size >= TARGET_BYTES)
		return err_set(req_err(r), ERR_INVALID,
			       "files: a symlink needs its target as the body (at most %d bytes)",
			       TARGET_BYTES - 1);
	*ret_target = xcalloc(1, size + 1);
	if (io_read_full(f->content_fd, *ret_target, size) < 0)
		return err_sys(req_err(r), "files: read the request");
	f->target = *ret_target;
	return 0;
}

int h_file_post(struct req *r)
{
	_free_ char *path = NULL, *target = NULL;
	_json_ json_t *spec = open_instance(r, true, &path);
	struct file_put f = { .path = path };

	if (!spec || parse_number(r, "X-LXD-uid", &f.uid) < 0 ||
	    parse_number(r, "X-LXD-gid", &f.gid) < 0 || parse_mode(r, &f.mode) < 0 ||
	    parse_type(r, &f) < 0 || read_body(r, &f, &target) < 0)
		return -1;
	if (file_put(req_env(r)->node, spec, &f, req_err(r)) < 0)
		return -1;
	instance_event(req_env(r), req_ref(r, 0), "file-pushed",
		       json_pack("{s:s}", "file-destination", path));
	return reply_sync(r, NULL);
}

int h_file_delete(struct req *r)
{
	_free_ char *path = NULL;
	_json_ json_t *spec = open_instance(r, true, &path);

	if (!spec || file_delete(req_env(r)->node, spec, path, req_err(r)) < 0)
		return -1;
	instance_event(req_env(r), req_ref(r, 0), "file-deleted",
		       json_pack("{s:s}", "file", path));
	return reply_sync(r, NULL);
}
