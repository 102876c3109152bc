/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/transfer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"

const char *temp_dir(void)
{
	const char *dir = getenv("TMPDIR");

	return str_empty(dir) ? "/tmp" : dir;
}

static char *temp_name(const char *dest)
{
	const char *slash = dest ? strrchr(dest, '/') : NULL;

	if (!dest)
		return xasprintf("%s/dunlin-XXXXXX", temp_dir());
	if (!slash)
		return xstrdup("./.dunlin-XXXXXX");
	return xasprintf("%.*s/.dunlin-XXXXXX", (int)(slash - dest), dest);
}

int download_beside(struct client *cl, const char *path, const char *dest, const char *progress,
		    char **ret_path, struct http_reply *ret, struct err *err)
{
	_free_ char *temp = temp_name(dest);
	_close_ int fd = mkostemp(temp, O_CLOEXEC);

	assert(*path == '/');
	*ret = (struct http_reply){ 0 };
	if (fd < 0)
		return err_sys(err, "cannot write \"%s\"", dest ? dest : temp);
	if (api_download(cl, path, fd, progress, ret, err) < 0) {
		unlink(temp);
		return -1;
	}
	*ret_path = take_ptr(temp);
	return 0;
}

static int copy_all(int from, int to)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (io_write_full(to, buf, n) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}

int open_body(const char *file, struct err *err)
{
	bool input = strcmp(file, "-") == 0;
	_close_ int fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			       : open(file, O_RDONLY | O_CLOEXEC);
	_close_ int temp = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return input ? err_sys(err, "cannot open standard input")
			     : err_sys(err, "cannot open \"%s\"", file);
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return err_sys(err, "cannot read \"%s\"", file);
	}
	if (S_ISREG(st.st_mode) && !input)
		return take_fd(&fd);
	temp = io_temp_fd(temp_dir(), err);
	if (temp < 0)
		return -1;
	if (copy_all(fd, temp) < 0)
		return err_sys(err, input ? "cannot read standard input" : "cannot read \"%s\"",
			       file);
	return take_fd(&temp);
}
