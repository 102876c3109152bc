/* SPDX-License-Identifier: Apache-2.0 */
/* image import, export, copy, delete, and the aliases. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/net/multipart.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/fmt.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/entity.h"
#include "cli/net/pair.h"
#include "cli/net/remote.h"
#include "cli/net/transfer.h"

static int add_alias(struct client *cl, const char *alias, const char *fingerprint,
		     const char *description, struct err *err)
{
	_json_ json_t *body = json_object();

	json_put_str(body, "name", alias);
	json_put_str(body, "target", fingerprint);
	json_put_str(body, "description", description);
	json_put_str(body, "type", "container");
	return api_do(cl, "POST", "/1.0/images/aliases", body, err);
}

static int add_aliases(struct client *cl, const char *fingerprint, struct err *err)
{
	const char *alias;

	for (int i = 0; (alias = args_nth(&client_cli(cl)->args, "alias", i)); i++)
		if (add_alias(cl, alias, fingerprint, "", err) < 0)
			return err_wrap(err, "image %.12s is there, but its alias \"%s\" is not",
					fingerprint, alias);
	return 0;
}

/* "key=value" arguments in the form of a query. */
static int put_property(struct sbuf *b, const char *arg, struct err *err)
{
	_free_ char *key = NULL, *ekey = NULL, *evalue = NULL;
	const char *value;

	if (kv_split(arg, &key, &value, err) < 0)
		return -1;
	ekey = str_url_encode(key);
	evalue = str_url_encode(value);
	sbuf_printf(b, "%s%s=%s", b->len ? "&" : "", ekey, evalue);
	return 0;
}

struct upload {
	int fd;
	const char *type; /* NULL: a tarball; else of a form with the two of a pair */
	const char *filename;
	const char *properties; /* as a query, or NULL */
	bool public;
};

/* The new image's fingerprint, which the caller frees. */
static char *upload(struct client *cl, const struct upload *u, struct err *err)
{
	const char *headers[6];
	_free_ char *name = xasprintf("X-LXD-filename: %s", u->filename);
	_free_ char *props = xasprintf("X-LXD-properties: %s", u->properties ? u->properties : "");
	_free_ char *type = xasprintf("Content-Type: %s", u->type ? u->type : "");
	struct api_call call = API_CALL("POST", "/1.0/images");
	_json_ json_t *op = NULL;
	int n = 0;

	headers[n++] = u->type ? type : "Content-Type: application/octet-stream";
	headers[n++] = name;
	if (!str_empty(u->properties))
		headers[n++] = props;
	if (u->public)
		headers[n++] = "X-LXD-public: true";
	headers[n] = NULL;
	call.headers = headers;
	call.body_fd = u->fd;
	call.progress = "Uploading the image";
	op = api_run(cl, &call, err);
	if (!op)
		return NULL;
	return xstrdup(json_str(json_obj(op, "metadata"), "fingerprint", ""));
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A header value must not end its line, whatever the file is called. */
static char *header_safe(const char *name)
{
	char *safe = xstrdup(name);

	for (char *p = safe; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '_';
	return safe;
}

/* TARBALL [ROOTFS] [REMOTE:] [KEY=VALUE...]; which is which shows in the form. */
static int import_arguments(struct cli *c, struct client **ret_cl, const char **ret_rootfs,
			    struct sbuf *props, struct err *err)
{
	_free_ char *remote = xstrdup(conf_default(c->conf));

	assert(c->args.npos > 0);
	for (int i = 1; i < c->args.npos; i++) {
		const char *arg = c->args.pos[i];
		_free_ char *named = NULL;

		if (strchr(arg, '=')) {
			if (put_property(props, arg, err) < 0)
				return -1;
		} else if (conf_is_remote(c->conf, arg, &named)) {
			free(remote);
			remote = take_ptr(named);
		} else if (i == 1) {
			*ret_rootfs = arg;
		} else {
			return err_set(err, ERR_INVALID,
				       "\"%.80s\" is neither REMOTE: nor KEY=VALUE", arg);
		}
	}
	*ret_cl = client_open(c, remote, err);
	return *ret_cl ? 0 : -1;
}

int c_image_import(struct cli *c, struct err *err)
{
	const char *file = args_pos(&c->args, 0), *rootfs = NULL;
	_sbuf_ struct sbuf props = SBUF(32 << 10);
	_free_ char *name = header_safe(last_part(file));
	_free_ char *fingerprint = NULL, *type = NULL;
	struct upload u = { .filename = name };
	struct client *cl = NULL;
	_close_ int fd = -1;

	if (import_arguments(c, &cl, &rootfs, &props, err) < 0)
		return -1;
	fd = rootfs ? pair_join(file, rootfs, &type, err) : open_body(file, err);
	if (fd < 0)
		return -1;
	u.fd = fd;
	u.type = type;
	u.properties = props.data;
	u.public = args_flag(&c->args, "public");
	fingerprint = upload(cl, &u, err);
	if (!fingerprint || add_aliases(cl, fingerprint, err) < 0)
		return -1;
	cli_say(c, "Image imported with fingerprint: %s\n", fingerprint);
	return 0;
}

/* Of "inline;filename=x.tar.gz"; never a path. NULL when there is none. */
static char *offered_name(const struct http_reply *r)
{
	const char *d = http_header(&r->head, "Content-Disposition");
	const char *f = d ? strstr(d, "filename=") : NULL;
	char *name;

	if (!f)
		return NULL;
	f += strlen("filename=");
	f += *f == '"';
	name = xstrndup(f, strcspn(f, "\";"));
	if (!str_is_name(name, 200)) {
		free(name);
		return NULL;
	}
	return name;
}

static char *export_name(const char *target, const char *fingerprint, const struct http_reply *r)
{
	_free_ char *offered = offered_name(r);
	const char *dot = offered ? strstr(offered, ".tar") : NULL;
	struct stat st;

	if (target && !(stat(target, &st) == 0 && S_ISDIR(st.st_mode))) {
		/* The ending tells how it is compressed. */
		return dot && !strstr(target, ".tar") ? xasprintf("%s%s", target, dot)
						      : xstrdup(target);
	}
	return xasprintf("%s%s%s", target ? target : "",
			 target && !str_ends(target, "/") ? "/" : "",
			 offered ? offered : fingerprint);
}

static int export_pair(struct cli *c, const char *temp, const char *boundary, const char *target,
		       struct err *err)
{
	_close_ int fd = open_body(temp, err);

	unlink(temp);
	return fd < 0 ? -1 : pair_export(c, fd, boundary, target, err);
}

int c_image_export(struct cli *c, struct err *err)
{
	const char *image, *target = args_pos(&c->args, 1);
	struct client *cl = client_of(c, args_pos(&c->args, 0), &image, err);
	_free_ char *fp = cl ? image_fingerprint(cl, image, NULL, err) : NULL;
	_free_ char *path = NULL, *temp = NULL, *dest = NULL, *near = NULL, *boundary = NULL;
	_reply_ struct http_reply reply = { 0 };
	struct stat st;

	if (!fp)
		return -1;
	path = api_path("images/%s/export", fp);
	if (target && strcmp(target, "-") == 0)
		return api_download(cl, path, STDOUT_FILENO, NULL, &reply, err);
	near = target && stat(target, &st) == 0 && S_ISDIR(st.st_mode)
		       ? xasprintf("%s/x", target)
		       : xstrdup(target ? target : "x");
	if (download_beside(cl, path, near, "Exporting the image", &temp, &reply, err) < 0)
		return -1;
	boundary = multipart_boundary(http_header(&reply.head, "Content-Type"));
	if (boundary)
		return export_pair(c, temp, boundary, target, err);
	dest = export_name(target, fp, &reply);
	chmod(temp, 0644);
	if (rename(temp, dest) < 0) {
		err_sys(err, "cannot write \"%s\"", dest);
		unlink(temp);
		return -1;
	}
	cli_say(c, "Image exported to %s\n", dest);
	return 0;
}

static int copy_aliases(struct client *from, struct client *to, const char *fp, struct err *err)
{
	_free_ char *path = api_path("images/%s", fp);
	_json_ json_t *image = api_get(from, path, err);
	json_t *alias;
	size_t i;

	if (!image)
		return -1;
	json_array_foreach(json_arr(image, "aliases"), i, alias)
		if (add_alias(to, json_str(alias, "name", ""), fp,
			      json_str(alias, "description", ""), err) < 0)
			return -1;
	return 0;
}

/* The bytes pass through this client, so that the two servers need not know each other. */
int c_image_copy(struct cli *c, struct err *err)
{
	const char *image;
	struct client *from = client_of(c, args_pos(&c->args, 0), &image, err);
	struct client *to = from ? client_of_remote(c, args_pos(&c->args, 1), err) : NULL;
	_free_ char *fp = to ? image_fingerprint(from, image, NULL, err) : NULL;
	_free_ char *path = NULL, *temp = NULL, *made = NULL, *name = NULL, *boundary = NULL;
	_reply_ struct http_reply reply = { 0 };
	struct upload u = { .public = args_flag(&c->args, "public") };
	_close_ int fd = -1;

	if (!fp)
		return -1;
	path = api_path("images/%s/export", fp);
	if (download_beside(from, path, NULL, "Fetching the image", &temp, &reply, err) < 0)
		return -1;
	fd = open_body(temp, err);
	unlink(temp);
	name = offered_name(&reply);
	if (fd < 0)
		return -1;
	u.fd = fd;
	u.filename = name ? name : fp;
	/* The form of a pair goes on as it came. */
	boundary = multipart_boundary(http_header(&reply.head, "Content-Type"));
	u.type = boundary ? http_header(&reply.head, "Content-Type") : NULL;
	made = upload(to, &u, err);
	if (!made || add_aliases(to, made, err) < 0)
		return -1;
	if (args_flag(&c->args, "copy-aliases") && copy_aliases(from, to, made, err) < 0)
		return -1;
	cli_say(c, "Image copied\n");
	return 0;
}

int c_image_delete(struct cli *c, struct err *err)
{
	for (int i = 0; i < c->args.npos; i++) {
		const char *image;
		struct client *cl = client_of(c, c->args.pos[i], &image, err);
		_free_ char *fp = cl ? image_fingerprint(cl, image, NULL, err) : NULL;
		_free_ char *path = NULL;

		if (!fp)
			return -1;
		path = api_path("images/%s", fp);
		if (api_do(cl, "DELETE", path, NULL, err) < 0)
			return err_wrap_name(err, "image", image);
	}
	return 0;
}

int c_alias_create(struct cli *c, struct err *err)
{
	const char *alias, *description = args_value(&c->args, "description");
	struct client *cl = client_of(c, args_pos(&c->args, 0), &alias, err);
	_free_ char *fp = cl ? image_fingerprint(cl, args_pos(&c->args, 1), NULL, err) : NULL;

	return fp ? add_alias(cl, alias, fp, description ? description : "", err) : -1;
}

/* A part of its name, or the beginning of its image's fingerprint. */
bool alias_passes(const json_t *alias, const char *filter)
{
	return strstr(json_str(alias, "name", ""), filter) ||
	       str_starts(json_str(alias, "target", ""), filter);
}

int c_alias_delete(struct cli *c, struct err *err)
{
	for (int i = 0; i < c->args.npos; i++) {
		const char *alias;
		struct client *cl = client_of(c, c->args.pos[i], &alias, err);
		_free_ char *path = cl ? api_path("images/aliases/%s", alias) : NULL;

		if (!cl || api_do(cl, "DELETE", path, NULL, err) < 0)
			return cl ? err_wrap_name(err, "image alias", alias) : -1;
	}
	return 0;
}

int c_alias_rename(struct cli *c, struct err *err)
{
	const char *alias;
	struct client *cl = client_of(c, args_pos(&c->args, 0), &alias, err);
	_free_ char *path = cl ? api_path("images/aliases/%s", alias) : NULL;
	_json_ json_t *body = json_object();

	if (!cl)
		return -1;
	json_put_str(body, "name", args_pos(&c->args, 1));
	if (api_do(cl, "POST", path, body, err) < 0)
		return err_wrap_name(err, "image alias", alias);
	return 0;
}
