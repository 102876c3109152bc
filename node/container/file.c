/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/container_int.h"
#include "node/container/file.h"
#include "node/helper/helper.h"

#define FILE_TIMEOUT_MS 600000

/* One job of helper-file: descriptor 5 is `fd` (content, or a socket for an answer), 6 init's
 * pidfd. */
static json_t *run_on(struct node *n, struct ct *c, json_t *request, const json_t *spec, int fd,
		      struct err *err)
{
	_close_ int pidfd = -1;
	int fds[2] = { fd, -1 };

	pthread_mutex_lock(&n->containers->lock);
	if (c->pid > 0) {
		pidfd = fcntl(c->pidfd, F_DUPFD_CLOEXEC, 3);
		json_put_int(request, "pid", c->pid);
	}
	pthread_mutex_unlock(&n->containers->lock);
	fds[1] = pidfd;
	if (pidfd < 0)
		json_object_set(request, "spec", (json_t *)spec);
	return helper_run("helper-file", request, fds, 2, deadline_in(FILE_TIMEOUT_MS), err);
}

static json_t *run(struct node *n, const json_t *spec, json_t *own_request, int fd, struct err *err)
{
	const char *name = json_str(spec, "name", "");
	_json_ json_t *request = container_request(n, name);
	_free_ char *what = xasprintf("the transfer of %.80s", json_str(own_request, "path", ""));
	struct visit *v = container_visit(n, name, what, err);
	struct ct *c = v ? ct_get(n, name, true) : NULL;
	json_t *ret;

	assert(own_request);
	json_object_update(request, own_request);
	json_decref(own_request);
	if (!v)
		return NULL;
	if (container_pid(n, name) > 0) {
		ret = run_on(n, c, request, spec, fd, err);
	} else {
		/* Its root is mounted for us: it must not start meanwhile. */
		ct_locked(c);
		ret = run_on(n, c, request, spec, fd, err);
	}
	ct_put(n, c);
	visit_end(v);
	return ret;
}

static int check_path(const char *path, struct err *err)
{
	if (!path || *path != '/' || strlen(path) >= PATH_MAX)
		return err_set(err, ERR_INVALID, "\"%.200s\" is not an absolute path",
			       path ? path : "");
	return 0;
}

static void fill_info(const json_t *j, struct file_info *info)
{
	*info = (struct file_info){ 0 };
	str_copy(info->type, sizeof(info->type), json_str(j, "type", "file"));
	info->uid = (uint32_t)json_int(j, "uid", 0);
	info->gid = (uint32_t)json_int(j, "gid", 0);
	info->mode = (uint32_t)json_int(j, "mode", 0);
	info->size = json_int(j, "size", 0);
	info->mtime = json_int(j, "mtime", 0);
}

int file_get(struct node *n, const json_t *spec, const char *path, struct file_info *info,
	     int *ret_fd, json_t **ret_list, char **ret_target, struct err *err)
{
	_close_ int ours = -1, theirs = -1;
	_json_ json_t *j = NULL;
	int pair[2];

	*ret_fd = -1;
	*ret_list = NULL;
	*ret_target = NULL;
	if (check_path(path, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, "socket pair");
	ours = pair[0];
	theirs = pair[1];
	j = run(n, spec, json_pack("{ss,ss}", "op", "get", "path", path), theirs, err);
	if (!j)
		return -1;
	fill_info(j, info);
	if (str_eq(info->type, "file") && (*ret_fd = io_recv_fd(ours)) < 0)
		return err_sys(err, "receive %s", path);
	*ret_list = json_incref(json_arr(j, "list"));
	*ret_target = xstrdup(json_str(j, "target", NULL));
	return 0;
}

int file_put(struct node *n, const json_t *spec, const struct file_put *f, struct err *err)
{
	_json_ json_t *done = NULL;
	json_t *request;

	if (check_path(f->path, err) < 0)
		return -1;
	request = json_pack("{ss,ss,ss,sI,sI,sI,sb,ss}", "op", "put", "path", f->path, "type",
			    f->type, "uid", (json_int_t)f->uid, "gid", (json_int_t)f->gid, "mode",
			    (json_int_t)f->mode, "append", f->append, "target",
			    f->target ? f->target : "");
	done = run(n, spec, request, str_eq(f->type, "file") ? f->content_fd : -1, err);
	return done ? 0 : -1;
}

int file_delete(struct node *n, const json_t *spec, const char *path, struct err *err)
{
	_json_ json_t *done = NULL;

	if (check_path(path, err) < 0)
		return -1;
	done = run(n, spec, json_pack("{ss,ss}", "op", "delete", "path", path), -1, err);
	return done ? 0 : -1;
}
