/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/rest/handle.h"
#include "api/work/instance.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/container/logs.h"

/* Recorded output of commands: exec_<operation>.stdout and .stderr in the container's folder. */
static bool is_record(const char *file)
{
	_free_ char *id = NULL;
	const char *dot = strrchr(file, '.');

	if (!str_starts(file, "exec_") || !dot ||
	    (!str_eq(dot, ".stdout") && !str_eq(dot, ".stderr")))
		return false;
	id = xstrndup(file + strlen("exec_"), dot - file - strlen("exec_"));
	return str_is_uuid(id);
}

static char *folder_of(struct req *r)
{
	return xasprintf("%s/containers/%s", req_env(r)->dir, req_ref(r, 0));
}

static int check_instance(struct req *r)
{
	_row_ struct row row = { 0 };

	return instance_get_here(req_env(r), req_ref(r, 0), &row, req_err(r));
}

static void add_records(struct req *r, json_t *names)
{
	_free_ char *folder = folder_of(r);
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (is_record(e->d_name))
			json_array_append_new(names, json_string(e->d_name));
	}
	if (d)
		closedir(d);
}

int h_logs_get(struct req *r)
{
	_json_ json_t *names = NULL, *urls = json_array();
	json_t *v;
	size_t i;

	if (check_instance(r) < 0)
		return -1;
	names = container_logs(req_env(r)->node, req_ref(r, 0));
	add_records(r, names);
	json_array_foreach(names, i, v)
		json_array_append_new(urls, instance_log_url(req_ref(r, 0), json_string_value(v)));
	return reply_sync(r, json_incref(urls));
}

/* The part of the path after logs/ (or logs/exec-output/). */
static const char *file_of(const struct req *r)
{
	return req_param(r, 1);
}

static int open_log(struct req *r, const char *file)
{
	_free_ char *folder = folder_of(r);
	_free_ char *path = xasprintf("%s/%s", folder, file);
	int fd;

	if (!is_record(file))
		return container_log_open(req_env(r)->node, req_ref(r, 0), file, req_err(r));
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(req_err(r), "log file \"%s\" of instance \"%s\"", file,
				req_ref(r, 0))
		      : fd;
}

int h_log_get(struct req *r)
{
	_free_ char *disposition = xasprintf("inline;filename=%s", file_of(r));
	struct stat st;
	int fd;

	if (check_instance(r) < 0)
		return -1;
	fd = open_log(r, file_of(r));
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(req_err(r), ERR_NOT_FOUND, "log file not found");
	}
	reply_header(r, "Content-Disposition", disposition);
	return reply_file(r, fd, st.st_size, "application/octet-stream");
}

int h_log_delete(struct req *r)
{
	const char *file = file_of(r);
	_free_ char *folder = folder_of(r);
	_free_ char *path = xasprintf("%s/%s", folder, file);

	if (check_instance(r) < 0)
		return -1;
	if (!is_record(file)) {
		if (container_log_delete(req_env(r)->node, req_ref(r, 0), file, req_err(r)) < 0)
			return -1;
	} else if (unlink(path) < 0) {
		return err_sys(req_err(r), "log file \"%s\" of instance \"%s\"", file,
			       req_ref(r, 0));
	}
	return reply_sync(r, NULL);
}
