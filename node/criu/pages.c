/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define PS_SOCKET_MIN 10 /* above the descriptors of helpers */
#define SYSCTL "/proc/sys/vm/unprivileged_userfaultfd"
/* All daemons of this kernel share the setting. */
#define ALLOWED_FILE "/run/dunlin-userfaultfd"

/* What CRIU needs to follow tasks that fork, or give memory back. */
#define FEATURES                                                                                   \
	(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE |          \
	 UFFD_FEATURE_EVENT_UNMAP)

/* --- messages ----------------------------------------------------------------------------- */

size_t pages_bytes(uint64_t pages)
{
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool page_msg_is_get(const struct page_msg *m)
{
	size_t size = pages_bytes(1);

	return m->cmd == PAGE_GET && m->pages > 0 && m->pages <= PAGES_BYTES_MAX / size &&
	       m->address % size == 0 && m->address <= UINT64_MAX - PAGES_BYTES_MAX &&
	       m->process > 0 && m->process <= INT32_MAX;
}

bool page_msg_answers(const struct page_msg *m, const struct page_msg *get)
{
	return m->cmd == PAGE_DATA && m->pages == get->pages && m->address == get->address &&
	       m->process == get->process;
}

/* --- source ------------------------------------------------------------------------------- */

/* process_vm_readv(2) is fast, but stops at what the task itself may not read. */
static ssize_t read_some(pid_t pid, int mem, uint64_t address, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)address, len };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	size_t size = pages_bytes(1);

	return n > 0 ? n : pread(mem, buf, len < size ? len : size, (off_t)address);
}

int pages_read(pid_t pid, uint64_t address, void *buf, size_t len)
{
	_free_ char *path = xasprintf("/proc/%d/mem", pid);
	_close_ int mem = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;

	while (mem >= 0 && done < len) {
		ssize_t n = read_some(pid, mem, address + done, (char *)buf + done, len - done);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return mem < 0 ? -1 : 0;
}

/* After its verdict a dump without memory would serve that to whoever connects. A connection that
 * has ended already tells it that all has been fetched. */
static int ended_connection(void)
{
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	close(pair[0]);
	fd = fcntl(pair[1], F_DUPFD, PS_SOCKET_MIN); /* CRIU inherits it */
	close(pair[1]);
	return fd;
}

char *pages_options(bool source)
{
	if (!source)
		return xstrdup("lazy-pages\n");
	return xasprintf("lazy-pages\nps-socket %d\n", ended_connection());
}

/* --- target ------------------------------------------------------------------------------- */

const char *pages_trouble(void)
{
	_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURES };

	if (fd < 0)
		return "its kernel has no userfaultfd";
	if (ioctl(fd, UFFDIO_API, &api) < 0)
		return "the userfaultfd of its kernel does not follow processes";
	return access(SYSCTL, W_OK) == 0 ? "" : "it cannot change vm.unprivileged_userfaultfd";
}

static int set_sysctl(char value)
{
	_close_ int fd = open(SYSCTL, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, &value, 1) == 1 ? 0 : -1;
}

/* '0' or '1'; else 0. */
static char first_of(int fd)
{
	char c = 0;

	return pread(fd, &c, 1, 0) == 1 && (c == '0' || c == '1') ? c : 0;
}

static int set_first(int fd, char value)
{
	return pwrite(fd, &value, 1, 0) == 1 ? 0 : -1;
}

/* The file says what to put back for as long as that is due; whoever is at it has it locked. */
int pages_allow(struct err *err)
{
	_close_ int fd = open(ALLOWED_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	_close_ int sysctl = open(SYSCTL, O_RDONLY | O_CLOEXEC);
	char now = first_of(sysctl);

	if (fd < 0 || flock(fd, LOCK_SH) < 0)
		return err_sys(err, "lock %s", ALLOWED_FILE);
	if (!now || (!first_of(fd) && set_first(fd, now) < 0) || set_sysctl('1') < 0)
		return err_sys(err, "change %s", SYSCTL);
	return take_fd(&fd);
}

void pages_disallow(int own_fd)
{
	_close_ int fd = own_fd;
	char was;

	/* Somebody else is still at it, and will put it back. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return;
	was = first_of(fd);
	if (was && (set_sysctl(was) < 0 || ftruncate(fd, 0) < 0))
		log_warn("vm.unprivileged_userfaultfd stays changed", "error", strerror(errno));
}

void pages_recover(void)
{
	pages_disallow(open(ALLOWED_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
}
