/* SPDX-License-Identifier: Apache-2.0 */
/* tests/image/memory.c - "init memory MIB": a process with memory of all kinds, and a child that
 * shares half of it.
 *
 * It says "ready", waits until /go is there, and then until it has stood still for a while, as in a
 * move. At once both have children, move memory, give some back, and look at all of it: "same", or
 * what differs.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 2
#define STILL_MS 60
#define MIB (1UL << 20)
#define HUGE_BYTES (2 * MIB)
#define CHILDREN 3

int memory_main(const char *mib);

struct area {
	const char *what;
	size_t len;
	uint64_t *at;
	uint64_t seed; /* of its content; 0: zeros */
};

enum { LARGE, SHARED, FILE_SHARED, FILE_PRIVATE, MEMFD, LOCKED, READ_ONLY, NO_ACCESS, HUGE, AREAS };
static struct area areas[AREAS];

static uint64_t word(uint64_t seed, size_t i)
{
	uint64_t x = (seed + i) * UINT64_C(0x9e3779b97f4a7c15);

	return x ^ x >> 29;
}

static void fill(const struct area *a)
{
	for (size_t i = 0; i < a->len / 8; i++)
		a->at[i] = word(a->seed, i);
}

static bool check(const char *who, const struct area *a, size_t from, size_t to, uint64_t seed)
{
	for (size_t i = from / 8; i < to / 8; i++) {
		if (a->at[i] == (seed ? word(seed, i) : 0))
			continue;
		printf("%s: %s differs at %zu\n", who, a->what, i * 8);
		return false;
	}
	return true;
}

static void add(int n, const char *what, size_t len, int flags, int fd)
{
	struct area *a = &areas[n];
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);

	*a = (struct area){ what, at == MAP_FAILED ? 0 : len, at, 1000 + (uint64_t)n };
	fill(a);
}

static int deleted_file(void)
{
	int fd = open("/deleted", O_RDWR | O_CREAT | O_TRUNC, 0600);

	unlink("/deleted");
	if (fd < 0 || ftruncate(fd, MIB) < 0)
		exit(1);
	return fd;
}

static void set_up(size_t large)
{
	int memfd = memfd_create("memory", 0), anon = MAP_PRIVATE | MAP_ANONYMOUS;

	if (memfd < 0 || ftruncate(memfd, MIB) < 0)
		exit(1);
	add(LARGE, "large", large, anon, -1);
	add(SHARED, "shared", 4 * MIB, MAP_SHARED | MAP_ANONYMOUS, -1);
	add(FILE_SHARED, "deleted file", MIB, MAP_SHARED, deleted_file());
	add(FILE_PRIVATE, "changed file", MIB, MAP_PRIVATE, deleted_file());
	add(MEMFD, "memfd", MIB, MAP_SHARED, memfd);
	add(LOCKED, "locked", 64 << 10, anon, -1);
	add(READ_ONLY, "read only", MIB, anon, -1);
	add(NO_ACCESS, "no access", MIB, anon, -1);
	add(HUGE, "huge", HUGE_BYTES, anon | MAP_HUGETLB, -1);
	mlock(areas[LOCKED].at, areas[LOCKED].len);
	mprotect(areas[READ_ONLY].at, MIB, PROT_READ);
	mprotect(areas[NO_ACCESS].at, MIB, PROT_NONE);
}

/* The other clocks of a container stand still with it. */
static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void await_move(void)
{
	int64_t last;

	while (access("/go", F_OK) < 0)
		poll(NULL, 0, STEP_MS);
	do {
		last = now_ms();
		poll(NULL, 0, STEP_MS);
	} while (now_ms() - last < STILL_MS);
}

/* The second half of the large one moves, its first eighth is given back, the second unmapped. */
static bool rearrange(const char *who, uint64_t first, uint64_t second)
{
	const struct area *a = &areas[LARGE];
	size_t half = a->len / 2, eighth = a->len / 8;
	char *from = (char *)a->at + half;
	struct area moved = { "moved", half, NULL, 0 };
	bool same;

	moved.at = mremap(from, half, half, MREMAP_MAYMOVE | MREMAP_FIXED,
			  from + 2 * a->len + (64 * MIB));
	if (moved.at == MAP_FAILED)
		return printf("%s: mremap\n", who), false;
	madvise(a->at, eighth, MADV_DONTNEED);
	munmap((char *)a->at + eighth, eighth);
	same = check(who, a, 0, eighth, 0) && check(who, a, 2 * eighth, half, first);
	for (size_t i = 0; same && i < half / 8; i++) {
		if (moved.at[i] != word(second, i + half / 8))
			same = printf("%s: moved differs at %zu\n", who, i * 8) < 0;
	}
	return same;
}

static bool check_others(const char *who)
{
	bool same = true;

	if (mprotect(areas[NO_ACCESS].at, MIB, PROT_READ) < 0)
		return false;
	for (int i = SHARED; i < AREAS; i++)
		same &= check(who, &areas[i], 0, areas[i].len, areas[i].seed);
	return same;
}

static int work(const char *who, uint64_t second)
{
	uint64_t first = areas[LARGE].seed;
	bool same = true;

	await_move();
	for (int i = 0; i < CHILDREN; i++) {
		fflush(stdout);
		if (fork() == 0)
			_exit(check(who, &areas[LARGE], 0, areas[LARGE].len / 2, first) &&
			      rearrange(who, first, second) ? 0 : 1);
	}
	same &= rearrange(who, first, second) && check_others(who);
	for (int status = 1; wait(&status) > 0; status = 1)
		same &= status == 0; /* of the first child, too */
	fflush(stdout);
	return same ? 0 : 1;
}

int memory_main(const char *mib)
{
	size_t large = strtoul(mib, NULL, 10) * MIB;
	struct area half;
	int ready[2];
	bool same;
	pid_t child;
	char c;

	set_up(large);
	if (pipe(ready) < 0)
		return 1;
	half = areas[LARGE];
	child = fork();
	if (child == 0) {
		/* Its own content from the middle on, as if it were filled from the beginning. */
		for (size_t i = half.len / 16; i < half.len / 8; i++)
			half.at[i] = word(77, i);
		close(ready[0]);
		close(ready[1]);
		_exit(work("child", 77));
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	same = work("parent", areas[LARGE].seed) == 0;
	printf("%s\n", same ? "same" : "different");
	return 0;
}
