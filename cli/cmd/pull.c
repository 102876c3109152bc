/* SPDX-License-Identifier: Apache-2.0 */
/* file pull, edit, delete, list. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/cmd/list.h"
#include "cli/form/term.h"
#include "cli/net/files.h"
#include "cli/net/transfer.h"

#define DEPTH_MAX 128
#define LISTING_MAX (64 << 20)

struct pull {
	const struct place *from;
	const char *target; /* as the user named it */
	bool recursive;
};

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Links below the target come from the container: what it says next must not go where they lead. */
static int make_folder(const struct pull *p, const char *dest, struct err *err)
{
	struct stat st = { 0 };

	if (mkdir(dest, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return err_sys(err, "cannot make the folder \"%s\"", dest);
	if (lstat(dest, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	if (strcmp(dest, p->target) == 0 && is_folder(dest))
		return 0;
	return err_set(err, ERR_CONFLICT, "cannot make the folder \"%s\": it is %s", dest,
		       S_ISLNK(st.st_mode) ? "a link here" : "no folder here");
}

static int pull_path(const struct pull *p, const char *source, const char *dest, int depth,
		     struct err *err);

/* Names come from the container: none may lead out of `dest`. */
static int pull_entries(const struct pull *p, const char *source, const char *dest,
			const json_t *names, int depth, struct err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(names, i, item) {
		const char *name = json_string_value(item);
		_free_ char *from = NULL, *to = NULL;

		if (str_empty(name) || strchr(name, '/') || strcmp(name, ".") == 0 ||
		    strcmp(name, "..") == 0)
			return err_set(err, ERR_INVALID, "%s%s has an entry that is no file name",
				       p->from->instance, source);
		from = xasprintf("%s%s%s", source, str_ends(source, "/") ? "" : "/", name);
		to = xasprintf("%s/%s", dest, name);
		if (pull_path(p, from, to, depth + 1, err) < 0)
			return -1;
	}
	return 0;
}

static json_t *folder_names(const char *temp, struct err *err)
{
	size_t len;
	_free_ char *text = io_read_file(temp, LISTING_MAX, &len, err);
	_json_ json_t *answer = text ? json_parse(text, len, "folder", err) : NULL;

	return answer ? json_incref(json_object_get(answer, "metadata")) : NULL;
}

static int pull_folder(const struct pull *p, const char *source, const char *dest, const char *temp,
		       int depth, struct err *err)
{
	_json_ json_t *names = NULL;

	if (!p->recursive)
		return err_set(err, ERR_INVALID, "%s%s is a folder: use -r to copy it",
			       p->from->instance, source);
	if (depth > DEPTH_MAX)
		return err_set(err, ERR_INVALID, "%s: nested deeper than %d folders", source,
			       DEPTH_MAX);
	names = folder_names(temp, err);
	if (!names)
		return -1;
	if (make_folder(p, dest, err) < 0)
		return -1;
	return pull_entries(p, source, dest, names, depth, err);
}

static int make_link(const char *temp, const char *dest, struct err *err)
{
	size_t len;
	_free_ char *target = io_read_file(temp, 65536, &len, err);

	if (!target)
		return -1;
	target[strcspn(target, "\n")] = '\0';
	unlink(dest);
	return symlink(target, dest) < 0 ? err_sys(err, "cannot make the link \"%s\"", dest) : 0;
}

static int place_result(const struct pull *p, const struct file_attr *attr, const char *source,
			const char *temp, const char *dest, int depth, struct err *err)
{
	if (strcmp(attr->type, "directory") == 0)
		return pull_folder(p, source, dest, temp, depth, err);
	if (strcmp(attr->type, "symlink") == 0)
		return make_link(temp, dest, err);
	if (attr->mode >= 0)
		chmod(temp, attr->mode & 0777);
	return rename(temp, dest) < 0 ? err_sys(err, "cannot write \"%s\"", dest) : 0;
}

static int pull_path(const struct pull *p, const char *source, const char *dest, int depth,
		     struct err *err)
{
	_free_ char *url = place_url(p->from, source), *temp = NULL;
	_free_ char *what = xasprintf("Pulling %s", source);
	_reply_ struct http_reply reply = { 0 };
	struct file_attr attr;
	int r;

	if (download_beside(p->from->cl, url, dest, what, &temp, &reply, err) < 0)
		return place_error(p->from, source, err);
	attr = file_attr_of(&reply);
	r = place_result(p, &attr, source, temp, dest, depth, err);
	unlink(temp);
	return r;
}

static int pull_stdout(const struct place *from, struct err *err)
{
	_free_ char *url = place_url(from, from->path), *temp = NULL;
	_reply_ struct http_reply reply = { 0 };
	_close_ int fd = -1;
	char buf[65536];
	ssize_t n;

	if (download_beside(from->cl, url, NULL, NULL, &temp, &reply, err) < 0)
		return place_error(from, from->path, err);
	fd = open(temp, O_RDONLY | O_CLOEXEC);
	unlink(temp);
	if (strcmp(file_attr_of(&reply).type, "directory") == 0)
		return err_set(err, ERR_INVALID, "%s%s is a folder", from->instance, from->path);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (io_write_full(STDOUT_FILENO, buf, n) < 0)
			return err_sys(err, "cannot write the output");
	return n < 0 ? err_sys(err, "cannot read \"%s\"", temp) : 0;
}

static int pull_one(struct cli *c, const char *arg, const char *target, struct err *err)
{
	_place_ struct place from = { 0 };
	_free_ char *trimmed = NULL, *dest = NULL;
	struct pull p = { .from = &from,
			  .target = target,
			  .recursive = args_flag(&c->args, "recursive") };
	const char *name;

	if (place_parse(c, arg, &from, err) < 0)
		return -1;
	if (strcmp(target, "-") == 0)
		return pull_stdout(&from, err);
	trimmed = xstrdup(from.path);
	while (strlen(trimmed) > 1 && str_ends(trimmed, "/"))
		trimmed[strlen(trimmed) - 1] = '\0';
	name = strrchr(trimmed, '/') + 1;
	if (is_folder(target) && *name)
		dest = xasprintf("%s/%s", target, name);
	else
		dest = xstrdup(target);
	return pull_path(&p, trimmed, dest, 0, err);
}

int c_file_pull(struct cli *c, struct err *err)
{
	int last = c->args.npos - 1;
	const char *target = c->args.pos[last];
	bool folder = last > 1 || str_ends(target, "/");

	if (args_flag(&c->args, "create-dirs")) {
		_free_ char *dir = xstrdup(target);
		char *slash = folder ? NULL : strrchr(dir, '/');

		if (slash)
			*slash = '\0';
		if ((folder || slash) && *dir && io_mkdirs(dir, 0755, err) < 0)
			return -1;
	}
	if (folder && !is_folder(target))
		return err_set(err, ERR_NOT_FOUND, "the target %s is no folder (-p makes it)",
			       target);
	for (int i = 0; i < last; i++)
		if (pull_one(c, c->args.pos[i], target, err) < 0)
			return -1;
	return 0;
}

int c_file_delete(struct cli *c, struct err *err)
{
	for (int i = 0; i < c->args.npos; i++) {
		_place_ struct place at = { 0 };
		_free_ char *url = NULL;

		if (place_parse(c, c->args.pos[i], &at, err) < 0)
			return -1;
		url = place_url(&at, at.path);
		if (api_do(at.cl, "DELETE", url, NULL, err) < 0)
			return place_error(&at, at.path, err);
	}
	return 0;
}

static int push_edited(const struct place *at, const struct file_attr *attr, const char *temp,
		       struct err *err)
{
	_close_ int fd = open_body(temp, err);

	return fd < 0 ? -1 : file_post(at, at->path, attr, fd, NULL, err);
}

int c_file_edit(struct cli *c, struct err *err)
{
	_place_ struct place at = { 0 };
	_free_ char *url = NULL, *temp = NULL;
	_reply_ struct http_reply reply = { 0 };
	struct file_attr attr = { "file", -1, -1, -1 };
	int r;

	if (place_parse(c, args_pos(&c->args, 0), &at, err) < 0)
		return -1;
	if (!isatty(STDIN_FILENO))
		return push_edited(&at, &attr, "-", err);
	url = place_url(&at, at.path);
	if (download_beside(at.cl, url, NULL, NULL, &temp, &reply, err) < 0)
		return place_error(&at, at.path, err);
	attr = file_attr_of(&reply);
	if (strcmp(attr.type, "file") != 0)
		r = err_set(err, ERR_INVALID, "%s%s is no plain file", at.instance, at.path);
	else
		r = term_edit_file(temp, err);
	if (r == 0)
		r = push_edited(&at, &attr, temp, err);
	unlink(temp);
	return r;
}

json_t *file_items(struct cli *c, struct client *cl, const char *path, enum need need,
		   struct err *err)
{
	_place_ struct place at = { 0 };
	_free_ char *url = NULL;
	json_t *names;

	if (place_parse(c, args_pos(&c->args, 0), &at, err) < 0)
		return NULL;
	url = place_url(&at, at.path);
	names = api_get(at.cl, url, err);
	if (!names)
		place_error(&at, at.path, err);
	return names;
}
