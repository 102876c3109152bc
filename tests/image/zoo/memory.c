/* SPDX-License-Identifier: Apache-2.0 */
/* What is mapped, and how. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE (64 << 10)
#define HUGE_SIZE (2 << 20)
#define SET_MDWE 65 /* of linux/prctl.h that have it */
#define GET_MDWE 66
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static int fd = -1;
static char *memory;
static pid_t child;

static bool map_with(int prot, int flags, int file)
{
	memory = mmap(NULL, SIZE, prot, flags, file, 0);
	NEED(memory != MAP_FAILED);
	return true;
}

static bool fill(void)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		snprintf(memory + i, 32, "page %zu", i);
	return true;
}

static bool filled(void)
{
	char want[32];

	for (size_t i = 0; i < SIZE; i += 4096) {
		snprintf(want, sizeof(want), "page %zu", i);
		NEED(strcmp(memory + i, want) == 0);
	}
	return true;
}

static bool anonymous_make(void)
{
	return map_with(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1) && fill();
}

/* Of that line of /proc/self/smaps after the mapping of `memory`. */
static bool flag_is(const char *flag, bool want)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], begin[32];
	bool here = false, found = false;

	NEED(f);
	snprintf(begin, sizeof(begin), "%lx-", (unsigned long)(uintptr_t)memory);
	while (fgets(line, sizeof(line), f)) {
		here |= strncmp(line, begin, strlen(begin)) == 0;
		if (here && strncmp(line, "VmFlags:", 8) == 0) {
			found = strstr(line, flag) != NULL;
			break;
		}
	}
	fclose(f);
	errno = 0;
	if (found != want)
		return zoo_fails(flag);
	return true;
}

static bool advised(int advice)
{
	NEED(anonymous_make());
	NEED(madvise(memory, SIZE, advice) == 0);
	return true;
}

static bool dont_fork_make(void)
{
	return advised(MADV_DONTFORK);
}

static bool dont_fork_same(void)
{
	return flag_is(" dc", true) && filled();
}

static bool wipe_make(void)
{
	return advised(MADV_WIPEONFORK);
}

static bool wipe_same(void)
{
	return flag_is(" wf", true) && filled();
}

static bool dont_dump_make(void)
{
	return advised(MADV_DONTDUMP);
}

static bool dont_dump_same(void)
{
	return flag_is(" dd", true) && filled();
}

static bool locked_make(void)
{
	NEED(anonymous_make());
	NEED(mlock(memory, SIZE) == 0);
	return true;
}

static bool locked_same(void)
{
	return flag_is(" lo", true) && filled();
}

static bool shared_child(void)
{
	return true;
}

static bool shared_make(void)
{
	NEED(map_with(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1) && fill());
	NEED((child = zoo_child(shared_child)) > 0);
	return true;
}

static bool writes(void)
{
	memcpy(memory + 100, "from the child", 15);
	_exit(0);
}

static bool shared_same(void)
{
	pid_t pid = zoo_child(writes);

	NEED(zoo_lives(child) && pid > 0 && zoo_status(pid) == 0);
	NEED(strcmp(memory + 100, "from the child") == 0);
	return filled();
}

static bool map_file(int flags)
{
	NEED(zoo_write(zoo_path("mapped"), ""));
	NEED((fd = open(zoo_path("mapped"), O_RDWR)) >= 0);
	NEED(ftruncate(fd, SIZE) == 0);
	return map_with(PROT_READ | PROT_WRITE, flags, fd) && fill();
}

static bool file_private_make(void)
{
	return map_file(MAP_PRIVATE);
}

static bool file_shared_make(void)
{
	return map_file(MAP_SHARED);
}

static bool file_shared_same(void)
{
	char text[8] = "";

	NEED(pread(fd, text, 6, 0) == 6 && strcmp(text, "page 0") == 0);
	return filled();
}

static bool file_gone_make(void)
{
	NEED(map_file(MAP_SHARED));
	NEED(unlink(zoo_path("mapped")) == 0);
	close(fd);
	return true;
}

static bool memfd_mapped_make(void)
{
	NEED((fd = memfd_create("zoo", 0)) >= 0);
	NEED(ftruncate(fd, SIZE) == 0);
	NEED(map_with(PROT_READ | PROT_WRITE, MAP_SHARED, fd) && fill());
	close(fd);
	return true;
}

static bool secret_mapped_make(void)
{
	NEED((fd = (int)syscall(SYS_memfd_secret, 0)) >= 0);
	NEED(ftruncate(fd, SIZE) == 0);
	NEED(map_with(PROT_READ | PROT_WRITE, MAP_SHARED, fd) && fill());
	close(fd);
	return true;
}

static bool protected_make(void)
{
	NEED(anonymous_make());
	NEED(mprotect(memory, SIZE, PROT_NONE) == 0);
	return true;
}

static bool protected_same(void)
{
	NEED(mprotect(memory, SIZE, PROT_READ | PROT_WRITE) == 0);
	NEED(filled());
	NEED(mprotect(memory, SIZE, PROT_NONE) == 0);
	return true;
}

static bool guarded_make(void)
{
	NEED(anonymous_make());
	NEED(madvise(memory + 8192, 4096, MADV_GUARD_INSTALL) == 0);
	return true;
}

static bool touches(void)
{
	signal(SIGSEGV, SIG_DFL);
	memory[8192] = 'x';
	_exit(0);
}

static bool guarded_same(void)
{
	pid_t pid = zoo_child(touches);

	NEED(pid > 0);
	NEED(zoo_status(pid) != 0);
	NEED(strcmp(memory, "page 0") == 0);
	return true;
}

static bool stack_make(void)
{
	NEED(map_with(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1));
	return fill();
}

static bool stack_same(void)
{
	return flag_is(" gd", true) && filled();
}

static bool sealed_make(void)
{
	NEED(anonymous_make());
	NEED(syscall(SYS_mseal, memory, SIZE, 0) == 0);
	return true;
}

static bool sealed_same(void)
{
	NEED(mprotect(memory, SIZE, PROT_NONE) < 0);
	return filled();
}

static bool keyed_make(void)
{
	int key = pkey_alloc(0, 0);

	NEED(key > 0);
	NEED(anonymous_make());
	NEED(pkey_mprotect(memory, SIZE, PROT_READ | PROT_WRITE, key) == 0);
	fd = key;
	return true;
}

static bool keyed_same(void)
{
	NEED(pkey_mprotect(memory, SIZE, PROT_READ | PROT_WRITE, fd) == 0);
	return filled();
}

static bool policy_make(void)
{
	unsigned long node = 1;

	NEED(anonymous_make());
	NEED(syscall(SYS_mbind, memory, SIZE, MPOL_BIND, &node, 8, 0) == 0);
	return true;
}

static bool policy_same(void)
{
	int mode = -1;

	NEED(syscall(SYS_get_mempolicy, &mode, NULL, 0, memory, MPOL_F_ADDR) == 0);
	errno = 0;
	NEED(mode == MPOL_BIND);
	return filled();
}

static bool zero_make(void)
{
	NEED((fd = open("/dev/zero", O_RDWR)) >= 0);
	return map_with(PROT_READ | PROT_WRITE, MAP_PRIVATE, fd) && fill();
}

static bool zero_shared_make(void)
{
	NEED((fd = open("/dev/zero", O_RDWR)) >= 0);
	return map_with(PROT_READ | PROT_WRITE, MAP_SHARED, fd) && fill();
}

static bool huge_make(void)
{
	memory = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	NEED(memory != MAP_FAILED);
	return fill();
}

static bool huge_memfd_make(void)
{
	NEED((fd = memfd_create("zoo", MFD_HUGETLB)) >= 0);
	NEED(ftruncate(fd, HUGE_SIZE) == 0);
	memory = mmap(NULL, HUGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(memory != MAP_FAILED);
	return fill();
}

static bool thp_off_make(void)
{
	NEED(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	return true;
}

static bool thp_off_same(void)
{
	NEED(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	return true;
}

static bool no_new_code_make(void)
{
	NEED(prctl(SET_MDWE, 1, 0, 0, 0) == 0);
	return true;
}

static bool no_new_code_same(void)
{
	NEED(prctl(GET_MDWE, 0, 0, 0, 0) == 1);
	return true;
}

const struct state zoo_memory[] = {
	{ "anonymous", anonymous_make, filled },
	{ "dont-fork", dont_fork_make, dont_fork_same },
	{ "wipe-on-fork", wipe_make, wipe_same },
	{ "dont-dump", dont_dump_make, dont_dump_same },
	{ "locked", locked_make, locked_same },
	{ "shared", shared_make, shared_same },
	{ "file-private", file_private_make, filled },
	{ "file-shared", file_shared_make, file_shared_same },
	{ "file-gone", file_gone_make, filled },
	{ "memfd-mapped", memfd_mapped_make, filled },
	{ "secret-mapped", secret_mapped_make, NULL },
	{ "protected", protected_make, protected_same },
	{ "guarded", guarded_make, guarded_same },
	{ "stack", stack_make, stack_same },
	{ "sealed", sealed_make, sealed_same },
	{ "keyed", keyed_make, keyed_same },
	{ "policy", policy_make, policy_same },
	{ "zero", zero_make, filled },
	{ "zero-shared", zero_shared_make, filled },
	{ "huge", huge_make, filled },
	{ "huge-memfd", huge_memfd_make, filled },
	{ "thp-off", thp_off_make, thp_off_same },
	{ "no-new-code", no_new_code_make, no_new_code_same },
	{ NULL, NULL, NULL },
};
