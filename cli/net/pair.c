/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/net/pair.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/net/multipart.h"
#include "base/rng.h"
#include "base/str.h"
#include "cli/form/kv.h"
#include "cli/net/client.h"
#include "cli/net/transfer.h"

#define BOUNDARY_BYTES 16

static int64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_size : 0;
}

int pair_join(const char *meta, const char *rootfs, char **ret_type, struct err *err)
{
	_close_ int meta_fd = open_body(meta, err);
	_close_ int rootfs_fd = meta_fd < 0 ? -1 : open_body(rootfs, err);
	_close_ int form = rootfs_fd < 0 ? -1 : io_temp_fd(temp_dir(), err);
	struct multipart_file files[] = { { "metadata", "metadata.tar", meta_fd, size_of(meta_fd) },
					  { "rootfs", "rootfs.tar", rootfs_fd,
					    size_of(rootfs_fd) } };
	char boundary[2 * BOUNDARY_BYTES + 1];

	assert(meta);
	assert(rootfs);
	rng_hex(boundary, BOUNDARY_BYTES);
	if (form < 0 || multipart_write(form, boundary, files, 2, err) < 0)
		return -1;
	if (lseek(form, 0, SEEK_SET) < 0)
		return err_sys(err, "rewind the form");
	*ret_type = xasprintf("multipart/form-data; boundary=%s", boundary);
	return take_fd(&form);
}

static char *destination(const char *target, const char *offered, bool rootfs)
{
	struct stat st;
	const char *dot = strstr(offered, ".tar");
	bool folder = !target || (stat(target, &st) == 0 && S_ISDIR(st.st_mode));

	if (folder)
		return xasprintf("%s%s%s", target ? target : "",
				 target && !str_ends(target, "/") ? "/" : "", offered);
	return xasprintf("%s%s%s", target, rootfs ? ".root" : "", dot ? dot : "");
}

static int write_file(const char *path, int from, struct err *err)
{
	_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char buf[65536];
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "cannot write \"%s\"", path);
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		if (io_write_full(fd, buf, (size_t)n) < 0)
			return err_sys(err, "cannot write \"%s\"", path);
	}
	return n < 0 ? err_sys(err, "cannot write \"%s\"", path) : 0;
}

int pair_export(struct cli *c, int form, const char *boundary, const char *target,
		struct err *err)
{
	struct multipart m = { .n = 0 };
	int rc = multipart_split(form, size_of(form), boundary, temp_dir(), &m, err);

	for (int i = 0; i < m.n && rc == 0; i++) {
		_free_ char *dest = NULL;

		if (!str_is_name(m.filenames[i], 200)) {
			rc = err_set(err, ERR_INTERNAL, "the server offers a file without a name");
			break;
		}
		dest = destination(target, m.filenames[i], i > 0);
		rc = write_file(dest, m.fds[i], err);
		if (rc == 0)
			cli_say(c, "Image exported to %s\n", dest);
	}
	multipart_free(&m);
	return rc;
}
