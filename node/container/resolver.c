/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/sbuf.h"
#include "base/str.h"
#include "node/host/idmap.h"

#define FILE_NAME "resolv.conf"
#define MARK "# Written by dunlind when the instance starts, as long as this line stands.\n"
#define TEXT_MAX 4096
#define WITHIN (RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)

char *resolver_text(const json_t *spec)
{
	struct sbuf out = SBUF(TEXT_MAX);
	json_t *dev;
	size_t i;

	json_array_foreach(json_arr(spec, "devices"), i, dev) {
		const char *server = json_str(dev, "ipv4_dns", ""),
			   *domain = json_str(dev, "dns_domain", "");

		if (!*server)
			continue;
		sbuf_puts(&out, MARK);
		if (*domain)
			sbuf_printf(&out, "search %s\n", domain);
		sbuf_printf(&out, "nameserver %s\n", server);
		return sbuf_take(&out);
	}
	return NULL;
}

/* Empty, or by this function. */
static bool is_free(int fd)
{
	char head[sizeof(MARK)] = "";
	ssize_t n = pread(fd, head, sizeof(MARK) - 1, 0);

	return n == 0 || (n == (ssize_t)sizeof(MARK) - 1 && str_eq(head, MARK));
}

/* As the container's root: others have no id in its file system. */
static int create(int etc, const json_t *spec, struct err *err)
{
	struct idmap map;
	int fd;

	if (idmap_of_spec(spec, &map, err) < 0)
		return -1;
	setfsgid(map.base);
	setfsuid(map.base);
	fd = openat(etc, FILE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	setfsuid(0);
	setfsgid(0);
	if (fd < 0)
		return err_sys(err, "create /etc/" FILE_NAME);
	if (fchmod(fd, 0644) == 0)
		return fd;
	close(fd);
	return err_sys(err, "make /etc/" FILE_NAME " readable");
}

int resolver_write(const char *root, const json_t *spec, struct err *err)
{
	_free_ char *text = resolver_text(spec);
	const char *want = text ? text : "";
	_close_ int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_close_ int etc = top < 0 ? -1 : io_open_within(top, "etc", O_PATH | O_DIRECTORY, WITHIN);
	_close_ int fd = etc < 0 ? -1 : io_open_within(etc, FILE_NAME, O_RDWR | O_NONBLOCK, WITHIN);
	struct stat st;

	if (fd < 0 && etc >= 0 && errno == ENOENT && text)
		fd = create(etc, spec, err);
	else if (fd < 0)
		return 0; /* no such folder, a link, or nothing to say */
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_free(fd))
		return 0;
	if (ftruncate(fd, 0) < 0 || io_write_full(fd, want, strlen(want)) < 0)
		return err_sys(err, "write /etc/" FILE_NAME);
	return 0;
}
