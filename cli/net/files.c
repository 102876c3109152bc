/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

int place_parse(struct cli *c, const char *arg, struct place *ret, struct err *err)
{
	const char *rest, *slash;

	*ret = (struct place){ 0 };
	ret->cl = client_of(c, arg, &rest, err);
	if (!ret->cl)
		return -1;
	slash = strchr(rest, '/');
	if (!slash || slash == rest)
		return err_set(err, ERR_INVALID, "\"%.100s\" is not of the form INSTANCE/PATH",
			       arg);
	ret->instance = xstrndup(rest, slash - rest);
	ret->path = xstrdup(slash);
	return 0;
}

void place_done(struct place *p)
{
	free(p->instance);
	free(p->path);
}

int place_error(const struct place *p, const char *path, struct err *err)
{
	err_wrap_name(err, "file", path);
	return err_wrap(err, "%s", p->instance);
}

char *place_url(const struct place *p, const char *path)
{
	return api_query(api_path("instances/%s/files", p->instance), "path", path);
}

static int64_t header_number(const struct http_reply *r, const char *name, int64_t dflt)
{
	const char *text = http_header(&r->head, name);
	int64_t v;

	return text && str_to_i64(text, 0, UINT32_MAX, &v) ? v : dflt;
}

static int header_mode(const struct http_reply *r)
{
	const char *p = http_header(&r->head, "X-LXD-mode");
	int mode = 0;

	if (str_empty(p) || strlen(p) > 6)
		return -1;
	for (; *p; p++) {
		if (*p < '0' || *p > '7')
			return -1;
		mode = mode * 8 + *p - '0';
	}
	return mode;
}

struct file_attr file_attr_of(const struct http_reply *r)
{
	const char *type = http_header(&r->head, "X-LXD-type");
	struct file_attr a = { .type = "file" };

	if (str_eq(type, "directory"))
		a.type = "directory";
	else if (str_eq(type, "symlink"))
		a.type = "symlink";
	a.uid = header_number(r, "X-LXD-uid", -1);
	a.gid = header_number(r, "X-LXD-gid", -1);
	a.mode = header_mode(r);
	return a;
}

/* The bytes of a link's target as a body. */
static int text_fd(const char *text)
{
	int fd = memfd_create("link", MFD_CLOEXEC);

	if (fd >= 0 && io_write_full(fd, text, strlen(text)) == 0)
		return fd;
	abort();
}

int file_post(const struct place *p, const char *path, const struct file_attr *attr, int fd,
	      const char *text, struct err *err)
{
	_free_ char *url = place_url(p, path), *what = xasprintf("Pushing %s", path);
	struct api_call call = API_CALL("POST", url);
	_close_ int link = text ? text_fd(text) : -1;
	_json_ json_t *done = NULL;
	char lines[5][64];
	const char *headers[6];
	int n = 0;

	headers[n++] = "Content-Type: application/octet-stream";
	snprintf(lines[1], sizeof(lines[1]), "X-LXD-type: %s", attr->type);
	headers[n++] = lines[1];
	snprintf(lines[2], sizeof(lines[2]), "X-LXD-uid: %" PRId64, attr->uid);
	if (attr->uid >= 0)
		headers[n++] = lines[2];
	snprintf(lines[3], sizeof(lines[3]), "X-LXD-gid: %" PRId64, attr->gid);
	if (attr->gid >= 0)
		headers[n++] = lines[3];
	snprintf(lines[4], sizeof(lines[4]), "X-LXD-mode: %04o", attr->mode);
	if (attr->mode >= 0)
		headers[n++] = lines[4];
	headers[n] = NULL;
	call.headers = headers;
	call.body_fd = text ? link : fd;
	call.progress = what;
	done = api_run(p->cl, &call, err);
	return done ? 0 : place_error(p, path, err);
}
