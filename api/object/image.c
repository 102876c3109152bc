/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/object/upload.h"
#include "api/rest/object.h"
#include "api/rest/uses.h"
#include "api/work/find_image.h"
#include "api/work/job.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/net/multipart.h"
#include "base/rng.h"
#include "base/str.h"
#include "node/image/image.h"

/* --- as clients see them --------------------------------------------------------------------- */

static json_t *aliases_of(struct req *r, const char *key)
{
	struct ref image = ref_of(key);
	_rows_ struct rows rows = { 0 };
	json_t *list = json_array();

	if (store_list(req_env(r)->store, ENT_ALIAS, image.name, &rows, req_err(r)) < 0)
		return list;
	for (size_t i = 0; i < rows.n; i++) {
		if (!ref_is_in(rows.v[i].key, image.project))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:s}", "name",
						      ref_of(rows.v[i].key).name, "description",
						      json_str(rows.v[i].doc, "description", "")));
	}
	return list;
}

/* From the untrusted, unless it is public. */
static bool hidden(struct req *r, const struct row *row)
{
	return !caller_trusted(r) && !json_bool(row->doc, "public", false);
}

static int find(struct req *r, const char *name, struct row *ret)
{
	return image_by_fingerprint(req_env(r), req_project(r), name, ret, req_err(r));
}

/* The row, without what is between members only. */
static void show(struct req *r, const struct row *row, json_t *j)
{
	static const char *const inner[] = { "members", "templates", "metadata" };

	json_object_update_missing(j, row->doc);
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++)
		json_object_del(j, inner[i]);
	json_object_set_new(j, "aliases", aliases_of(r, row->key));
}

/* --- changing -------------------------------------------------------------------------------- */

static void drop_empty(json_t *map)
{
	const char *key;
	json_t *v;
	void *tmp;

	json_object_foreach_safe(map, tmp, key, v) {
		if (str_empty(json_string_value(v)))
			json_object_del(map, key);
	}
}

static int check_profiles(struct req *r, struct change *c)
{
	const json_t *profiles = json_arr(c->doc, "profiles");

	if (json_equal(profiles, json_arr(c->old, "profiles")))
		return 0;
	return change_needs_all(r, c, ENT_PROFILE, profiles);
}

static int check(struct req *r, struct change *c)
{
	const char *expires = json_str(c->doc, "expires_at", "");

	if (json_bool(c->doc, "auto_update", false))
		return err_set(req_err(r), ERR_INVALID,
			       "%s: \"auto_update\" can't be true: images are never updated by "
			       "themselves",
			       c->what);
	if (!str_empty(expires) && clock_parse(expires) == -1)
		return err_set(req_err(r), ERR_INVALID,
			       "%s: invalid value \"%.60s\" for \"expires_at\": must be a time "
			       "such as 2030-01-31T12:00:00Z",
			       c->what, expires);
	if (check_profiles(r, c) < 0)
		return -1;
	if (image_check_properties(c->what, json_obj(c->doc, "properties"), req_err(r)) < 0)
		return -1;
	drop_empty(json_obj(c->doc, "properties"));
	return 0;
}

static int remove_image(struct req *r, const struct row *row)
{
	return reply_job(r,
			 &(struct job_order){ .kind = &jobs[JOB_IMAGE_DELETE], .name = row->key });
}

static const struct field fields[] = {
	{ "fingerprint", JW_STR, FIELD_NAME, false },
	{ "public", JW_BOOL, FIELD_KEEP, false },
	{ "auto_update", JW_BOOL, FIELD_KEEP, false },
	{ "properties", JW_STR_MAP, FIELD_WRITE, false },
	{ "expires_at", JW_STR, FIELD_KEEP, false },
	{ "profiles", JW_STR_LIST, FIELD_KEEP, false },
	{ NULL, 0, 0, false },
};

const struct kind kind_image = {
	.entity = ENT_IMAGE,
	.fields = fields,
	.find = find,
	.hidden = hidden,
	.show = show,
	.check = check,
	.remove = remove_image,
};

/* --- refreshing ------------------------------------------------------------------------------ */

int h_image_refresh(struct req *r)
{
	_row_ struct row row = { 0 };

	if (object_find(r, &kind_image, &row) < 0)
		return -1;
	return err_set(req_err(r), ERR_INVALID,
		       "image %.12s has no source to be refreshed from: import it anew",
		       ref_of(row.key).name);
}

/* --- export ---------------------------------------------------------------------------------- */

#define BOUNDARY_BYTES 16

static int add_text(struct file_part parts[], int *n, char *own_text, struct err *err)
{
	_free_ char *text = own_text;
	size_t len = strlen(text);
	int fd = memfd_create("form", MFD_CLOEXEC);

	assert(own_text);
	assert(*n < FILE_PARTS_MAX);
	if (fd < 0)
		return err_sys(err, "write a form");
	parts[(*n)++] = (struct file_part){ fd, (int64_t)len };
	return io_write_full(fd, text, len) < 0 ? err_sys(err, "write a form") : 0;
}

/* The form is never put together: each of many slow clients would hold a copy of the image. */
static int make_form(struct req *r, const char *boundary, struct multipart_file files[2],
		     struct file_part parts[], int *n)
{
	int fd;

	for (int i = 0; i < 2; i++) {
		if (add_text(parts, n, multipart_head(boundary, &files[i], i == 0), req_err(r)) < 0)
			return -1;
		fd = fcntl(files[i].fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return err_sys(req_err(r), "write a form");
		parts[(*n)++] = (struct file_part){ fd, files[i].size };
	}
	return add_text(parts, n, multipart_tail(boundary), req_err(r));
}

/* A pair of tarballs travels as LXD's clients know it: one form with two files. */
static int reply_pair(struct req *r, const char *fp, struct multipart_file files[2])
{
	_free_ char *meta = xasprintf("meta-%s%s", fp, image_suffix(files[0].fd));
	_free_ char *rootfs = xasprintf("%s%s", fp, image_suffix(files[1].fd)), *type = NULL;
	struct file_part parts[FILE_PARTS_MAX];
	char boundary[2 * BOUNDARY_BYTES + 1];
	int n = 0;

	rng_hex(boundary, BOUNDARY_BYTES);
	files[0].name = "metadata";
	files[0].filename = meta;
	files[1].name = "rootfs";
	files[1].filename = rootfs;
	if (make_form(r, boundary, files, parts, &n) < 0) {
		file_parts_close(parts, n);
		return -1;
	}
	type = xasprintf("multipart/form-data; boundary=%s", boundary);
	return reply_files(r, parts, n, type);
}

int h_image_export(struct req *r)
{
	struct multipart_file files[2] = { { .fd = -1 }, { .fd = -1 } };
	_free_ char *disposition = NULL;
	_close_ int fd = -1, rootfs = -1;
	_row_ struct row row = { 0 };
	const char *fp;

	if (object_find(r, &kind_image, &row) < 0)
		return -1;
	fp = ref_of(row.key).name;
	if (job_need_image(req_env(r), fp, NULL, req_err(r)) < 0)
		return -1;
	fd = image_open(req_env(r)->node, fp, &files[0].size, req_err(r));
	if (fd < 0)
		return -1;
	rootfs = image_open_rootfs(req_env(r)->node, fp, &files[1].size, req_err(r));
	if (rootfs < 0 && req_err(r)->kind != ERR_NOT_FOUND)
		return -1;
	tell_event(r, "image-retrieved", req_path(r), row.key);
	files[0].fd = fd;
	files[1].fd = rootfs;
	if (rootfs >= 0)
		return reply_pair(r, fp, files);
	disposition = xasprintf("inline;filename=%s%s", fp, image_suffix(fd));
	reply_header(r, "Content-Disposition", disposition);
	return reply_file(r, take_fd(&fd), files[0].size, "application/octet-stream");
}

/* --- import ---------------------------------------------------------------------------------- */

static int split_upload(struct req *r, const char *boundary, struct job_order *o)
{
	struct multipart m = { .n = 0 };
	int64_t size;
	int fd = req_body_fd(r, &size);

	assert(o->own_fd[0] < 0);
	assert(o->own_fd[1] < 0);
	if (multipart_split(fd, size, boundary, req_env(r)->dir, &m, req_err(r)) < 0)
		return -1;
	if (m.n != 2 || !str_eq(m.names[0], "metadata") || !str_starts(m.names[1], "rootfs")) {
		multipart_free(&m);
		return err_set(req_err(r), ERR_INVALID,
			       "image upload: the parts must be \"metadata\" and then \"rootfs\"");
	}
	o->own_fd[0] = take_fd(&m.fds[0]);
	o->own_fd[1] = take_fd(&m.fds[1]);
	json_put_str(o->own_args, "filename", m.filenames[0]);
	multipart_free(&m);
	return 0;
}

static int raw_upload(struct req *r, struct job_order *o)
{
	int64_t size;
	int fd = req_body_fd(r, &size);

	if (fd < 0 || size == 0)
		return err_set(req_err(r), ERR_INVALID, "image upload: empty body");
	o->own_fd[0] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	json_put_str(o->own_args, "filename", req_header(r, "X-LXD-filename"));
	return o->own_fd[0] < 0 ? err_sys(req_err(r), "image upload") : 0;
}

static int json_upload(struct req *r)
{
	json_t *body = req_json(r, NULL, "image");

	if (!body)
		return -1;
	return err_set(req_err(r), ERR_UNSUPPORTED,
		       "image source \"%.40s\" is not implemented: upload a tarball",
		       json_str(json_obj(body, "source"), "type", ""));
}

int h_images_post(struct req *r)
{
	const char *type = req_header(r, "Content-Type");
	_free_ char *boundary = multipart_boundary(type);
	_json_ json_t *args = upload_args(r);
	struct job_order o = { .kind = &jobs[JOB_IMAGE_IMPORT],
			       .own_args = args,
			       .own_fd = { -1, -1 },
			       .has_fds = true };

	if (type && str_starts(type, "application/json"))
		return json_upload(r);
	if (image_check_properties("image", json_obj(args, "properties"), req_err(r)) < 0)
		return -1;
	if ((boundary ? split_upload(r, boundary, &o) : raw_upload(r, &o)) < 0)
		return -1;
	json_incref(args);
	return reply_job(r, &o);
}
