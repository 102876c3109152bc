/* SPDX-License-Identifier: Apache-2.0 */
/* file push. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cmd/cmds.h"
#include "cli/net/files.h"
#include "cli/net/transfer.h"

#define DEPTH_MAX 128

struct push {
	struct place to;
	int64_t uid, gid; /* -1: as the source */
	int mode;
	bool recursive, create_dirs;
};

static int parse_mode(const char *text, int *ret, struct err *err)
{
	int mode = 0;

	*ret = -1;
	if (!text)
		return 0;
	if (!*text || strlen(text) > 5 || text[strspn(text, "01234567")])
		return err_set(err, ERR_INVALID, "--mode \"%.20s\" is no octal number", text);
	for (; *text; text++)
		mode = mode * 8 + *text - '0';
	*ret = mode & 07777;
	return 0;
}

static int parse_id(const struct args *a, const char *name, int64_t *ret, struct err *err)
{
	const char *text = args_value(a, name);

	*ret = -1;
	if (text && !str_to_i64(text, 0, UINT32_MAX - 1, ret))
		return err_set(err, ERR_INVALID, "--%s \"%.20s\" is no id", name, text);
	return 0;
}

static struct file_attr attr_for(const struct push *p, const char *type, const struct stat *st)
{
	struct file_attr a = { .type = type };

	a.uid = p->uid >= 0 ? p->uid : st->st_uid;
	a.gid = p->gid >= 0 ? p->gid : st->st_gid;
	a.mode = p->mode >= 0 && strcmp(type, "file") == 0 ? p->mode : (int)(st->st_mode & 07777);
	return a;
}

static int push_path(const struct push *p, const char *source, const char *dest, int depth,
		     struct err *err);

static int push_folder(const struct push *p, const char *source, const char *dest, int depth,
		       struct err *err)
{
	DIR *dir = opendir(source);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return err_sys(err, "cannot read \"%s\"", source);
	while (r == 0 && (e = readdir(dir))) {
		_free_ char *from = xasprintf("%s/%s", source, e->d_name);
		_free_ char *to = xasprintf("%s/%s", dest, e->d_name);

		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = push_path(p, from, to, depth + 1, err);
	}
	closedir(dir);
	return r;
}

static int push_link(const struct push *p, const char *source, const char *dest,
		     const struct stat *st, struct err *err)
{
	struct file_attr attr = attr_for(p, "symlink", st);
	char target[PATH_MAX];
	ssize_t n = readlink(source, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(err, "cannot read the link \"%s\"", source);
	target[n] = '\0';
	return file_post(&p->to, dest, &attr, -1, target, err);
}

static int push_file(const struct push *p, const char *source, const char *dest, struct err *err)
{
	_close_ int fd = open_body(source, err);
	struct file_attr attr;
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot read \"%s\"", source);
	attr = attr_for(p, "file", &st);
	if (strcmp(source, "-") == 0 && p->mode < 0)
		attr.mode = 0644;
	return file_post(&p->to, dest, &attr, fd, NULL, err);
}

/* With -r a link below the source stays a link; named itself it is followed, as cp does. */
static int push_path(const struct push *p, const char *source, const char *dest, int depth,
		     struct err *err)
{
	struct file_attr attr;
	struct stat st;

	if (strcmp(source, "-") == 0)
		return push_file(p, source, dest, err);
	if (depth > DEPTH_MAX)
		return err_set(err, ERR_INVALID, "%s: nested deeper than %d folders", source,
			       DEPTH_MAX);
	if ((depth ? lstat(source, &st) : stat(source, &st)) < 0)
		return err_sys(err, "cannot read \"%s\"", source);
	if (S_ISLNK(st.st_mode))
		return push_link(p, source, dest, &st, err);
	if (S_ISREG(st.st_mode) || (!depth && !S_ISDIR(st.st_mode)))
		return push_file(p, source, dest, err);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_UNSUPPORTED, "%s is neither file, folder nor link", source);
	if (!p->recursive)
		return err_set(err, ERR_INVALID, "%s is a folder: use -r to copy it", source);
	attr = attr_for(p, "directory", &st);
	if (file_post(&p->to, dest, &attr, -1, NULL, err) < 0)
		return -1;
	return push_folder(p, source, dest, depth, err);
}

/* The folders above `dest`, from the top; those that exist stay as they are. */
static int make_folders(const struct push *p, const char *dest, struct err *err)
{
	_free_ char *path = xstrdup(dest);
	struct file_attr attr = { "directory", p->uid >= 0 ? p->uid : 0, p->gid >= 0 ? p->gid : 0,
				  0755 };

	for (char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		_free_ char *url = NULL;
		_json_ json_t *there = NULL;

		*s = '\0';
		url = place_url(&p->to, path);
		there = api_get(p->to.cl, url, err);
		if (!there && err->kind != ERR_NOT_FOUND)
			return -1;
		if (!there && file_post(&p->to, path, &attr, -1, NULL, err) < 0)
			return -1;
		*s = '/';
	}
	return 0;
}

static char *name_of(const char *source)
{
	_free_ char *real = strcmp(source, "-") == 0 ? NULL : realpath(source, NULL);
	const char *slash = real ? strrchr(real, '/') : NULL;

	return xstrdup(slash && slash[1] ? slash + 1 : "stdin");
}

static int push_one(const struct push *p, const char *source, bool into, struct err *err)
{
	size_t len = strlen(p->to.path);
	_free_ char *name = name_of(source);
	_free_ char *dest =
		into ? xasprintf("%s%s%s", p->to.path, p->to.path[len - 1] == '/' ? "" : "/", name)
		     : xstrdup(p->to.path);

	if (p->create_dirs && make_folders(p, dest, err) < 0)
		return -1;
	return push_path(p, source, dest, 0, err);
}

int c_file_push(struct cli *c, struct err *err)
{
	const struct args *a = &c->args;
	int last = a->npos - 1;
	struct push p = { .recursive = args_flag(a, "recursive"),
			  .create_dirs = args_flag(a, "create-dirs") };
	_cleanup_(place_done) struct place to = { 0 };
	bool into;

	if (place_parse(c, a->pos[last], &to, err) < 0)
		return -1;
	p.to = to;
	if (parse_mode(args_value(a, "mode"), &p.mode, err) < 0 ||
	    parse_id(a, "uid", &p.uid, err) < 0 || parse_id(a, "gid", &p.gid, err) < 0)
		return -1;
	into = last > 1 || p.recursive || str_ends(to.path, "/");
	for (int i = 0; i < last; i++)
		if (push_one(&p, a->pos[i], into, err) < 0)
			return -1;
	return 0;
}
