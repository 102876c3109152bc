/* SPDX-License-Identifier: Apache-2.0 */
/* Memory by userfaultfd(2), of a process of this test's; and what is asked and answered for it. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "node/criu/pages.h"
#include "node/criu/uffd.h"

static void what_is_asked_and_answered_has_bounds(void **state)
{
	const uint64_t size = (uint64_t)sysconf(_SC_PAGESIZE), most = PAGES_BYTES_MAX / size;
	const struct {
		struct page_msg m;
		bool good;
	} cases[] = {
		{ { PAGE_GET, 0, 1, size, 1 }, true },
		{ { PAGE_GET, 0, most, 8 * size, 4000000 }, true },
		{ { PAGE_GET, 0, most + 1, size, 1 }, false },
		{ { PAGE_GET, 0, 0, size, 1 }, false },
		{ { PAGE_GET, 0, 1, size + 1, 1 }, false },
		{ { PAGE_GET, 0, 1, size, 0 }, false },
		{ { PAGE_GET, 0, 1, size, UINT64_C(1) << 40 }, false },
		{ { PAGE_GET, 0, most, UINT64_MAX - size + 1, 1 }, false },
		{ { PAGE_DATA, 0, 1, size, 1 }, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct page_msg answer = cases[i].m;

		assert_int_equal(page_msg_is_get(&cases[i].m), cases[i].good);
		answer.cmd = PAGE_DATA;
		assert_true(page_msg_answers(&answer, &cases[i].m));
		answer.pages++;
		assert_false(page_msg_answers(&answer, &cases[i].m));
	}
	assert_int_equal(pages_bytes(3), 3 * size);
}

static void tasks_are_read_also_where_they_may_not(void **state)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *own =
		mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_free_ char *got = xcalloc(4 * size, 1);
	uint64_t at = (uint64_t)(uintptr_t)own;

	for (size_t i = 0; i < 4; i++)
		memset(own + i * size, 'a' + (int)i, size);
	mprotect(own + size, size, PROT_NONE);
	assert_int_equal(pages_read(getpid(), at, got, 4 * size), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(got[i * size + 5], 'a' + (int)i);
	munmap(own, 4 * size);
	assert_int_equal(pages_read(getpid(), at, got, size), -1);
}

struct fault {
	int n;
	uint64_t at;
};

static void note_fault(void *arg, struct lazy_image *image, struct lazy_block *b, uint64_t at)
{
	struct fault *f = arg;

	f->n++;
	f->at = at;
	b->state = LAZY_ASKED;
}

static void *read_first(void *arg)
{
	return (void *)(intptr_t) * (volatile char *)arg;
}

/* A task that misses two pages at that address. */
static void make_task(struct uffd *u, char *at, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { { (uint64_t)(uintptr_t)at, 4 * size },
				     UFFDIO_REGISTER_MODE_MISSING,
				     0 };
	struct uffd_task *t = xnew(struct uffd_task);
	struct lazy_block *b = xnew(struct lazy_block);

	*b = (struct lazy_block){ (uint64_t)(uintptr_t)at, 2 * size, LAZY_UNASKED };
	u->images = xnew(struct lazy_image);
	u->nimages = 1;
	*u->images = (struct lazy_image){ .number = 9, .blocks = b, .n = 1, .left = 1 };
	t->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	t->number = 9;
	assert_true(t->fd >= 0);
	assert_int_equal(ioctl(t->fd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(t->fd, UFFDIO_REGISTER, &r), 0);
	lazy_parts_init(&t->missing, u->images);
	u->tasks = t;
}

static intptr_t serve_one(struct uffd *u, char *at)
{
	pthread_t reader;
	void *got;
	struct err err;

	assert_int_equal(pthread_create(&reader, NULL, read_first, at), 0);
	/* The other thread stands still until its page is there. */
	while (pthread_tryjoin_np(reader, &got) != 0) {
		char data[2 * 65536];
		struct lazy_block *b = &u->images->blocks[0];

		assert_int_equal(uffd_hear(u, u->tasks, &err), 0);
		memset(data, 'x', sizeof(data));
		if (b->state == LAZY_ASKED)
			assert_int_equal(uffd_install(u, 9, b->start, b->len, data, &err), 0);
	}
	return (intptr_t)got;
}

static void faults_are_asked_for_and_empty_pages_are_not(void **state)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fault f = { 0 };
	struct uffd u = { .fault = note_fault, .arg = &f };

	make_task(&u, at, size);
	assert_false(uffd_is_complete(&u));
	assert_int_equal(serve_one(&u, at + 3 * size + 7), 0);
	assert_int_equal(f.n, 0);
	assert_int_equal(serve_one(&u, at + size + 7), 'x');
	assert_int_equal(f.n, 1);
	assert_int_equal(f.at, (uint64_t)(uintptr_t)(at + size));
	assert_true(uffd_is_complete(&u));
	assert_int_equal(u.images->left, 0);
	assert_int_equal(at[0], 'x');
	uffd_done(&u);
	munmap(at, 4 * size);
}

static void what_is_there_or_gone_is_passed_over(void **state)
{
	const size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fault f = { 0 };
	struct uffd u = { .fault = note_fault, .arg = &f };
	_free_ char *data = xcalloc(2 * size, 1);
	struct uffdio_copy first = { (uint64_t)(uintptr_t)at, (uint64_t)(uintptr_t) "first", size,
				     0, 0 };
	struct err err;

	make_task(&u, at, size);
	memset(data, 'x', 2 * size);
	first.src = (uint64_t)(uintptr_t)data;
	assert_int_equal(ioctl(u.tasks->fd, UFFDIO_COPY, &first), 0);
	at[0] = 'w';
	munmap(at + size, size);
	assert_int_equal(uffd_install(&u, 9, first.dst, 2 * size, data, &err), 0);
	assert_int_equal(at[0], 'w');
	assert_true(uffd_is_complete(&u));
	uffd_done(&u);
	munmap(at, 4 * size);
}

static void images_are_read_and_bad_ones_refused(void **state)
{
	char dir[] = "/tmp/dunlin-test-uffd-XXXXXX";
	static const char list[] = "12345678\2\0\0\0\10\1\10\0\0\0\10\200\200\1\20\1\40\2";
	struct uffd u = { 0 };
	struct err err;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(io_write_file("pagemap-3.img", list, sizeof(list) - 1, 0600, &err), 0);
	assert_int_equal(io_write_file("pagemap-4.img", "short", 5, 0600, &err), 0);
	assert_int_equal(uffd_add(&u, open("/dev/null", O_RDONLY), 3, &err), 0);
	assert_int_equal(u.tasks->missing.n, 1);
	assert_int_equal(uffd_image(&u, 3)->blocks[0].start, 16384);
	assert_null(uffd_image(&u, 4));
	assert_int_equal(uffd_add(&u, open("/dev/null", O_RDONLY), 3, &err), -1);
	assert_int_equal(uffd_add(&u, open("/dev/null", O_RDONLY), 4, &err), -1);
	assert_int_equal(uffd_add(&u, open("/dev/null", O_RDONLY), 5, &err), -1);
	uffd_done(&u);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(io_remove_tree(dir, &err), 0);
}

static void this_kernel_can_do_it_and_the_setting_is_put_back(void **state)
{
	static const char setting[] = "/proc/sys/vm/unprivileged_userfaultfd";
	_free_ char *before = NULL, *during = NULL;
	struct err err;
	int a, b;

	assert_string_equal(pages_trouble(), "");
	pages_recover();
	before = io_read_file(setting, 8, NULL, &err);
	assert_non_null(before);
	a = pages_allow(&err);
	b = pages_allow(&err);
	assert_true(a >= 0);
	assert_true(b >= 0);
	pages_disallow(a);
	during = io_read_file(setting, 8, NULL, &err);
	assert_string_equal(during, "1\n");
	pages_disallow(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_and_answered_has_bounds),
		cmocka_unit_test(tasks_are_read_also_where_they_may_not),
		cmocka_unit_test(faults_are_asked_for_and_empty_pages_are_not),
		cmocka_unit_test(what_is_there_or_gone_is_passed_over),
		cmocka_unit_test(images_are_read_and_bad_ones_refused),
		cmocka_unit_test(this_kernel_can_do_it_and_the_setting_is_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
