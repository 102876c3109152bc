/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that misses a page, a pager that is killed, and this process as the monitor. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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
#include "base/str.h"
#include "node/criu/vault.h"

#define STEP_MS 2
#define MANY 5000

/* A page that somebody has to bring. */
static int miss(char **ret, size_t size)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register r = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	*ret = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r.range = (struct uffdio_range){ (uint64_t)(uintptr_t)*ret, size };
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
	assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &r), 0);
	return fd;
}

/* Has that descriptor until it is killed, as it is at once. */
static void pager_that_is_killed(struct vault *v, int own_fd)
{
	pid_t pid = fork();
	struct err err;

	if (pid == 0) {
		bool put = vault_put(v, own_fd, &err) == 0;

		raise(put ? SIGKILL : SIGTERM);
	}
	close(own_fd);
	close(take_fd(&v->in));
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct reader {
	pthread_t thread;
	char *at;
	int started; /* eventually its number */
	char got;
};

static void *read_it(void *arg)
{
	struct reader *r = arg;

	__atomic_store_n(&r->started, (int)gettid(), __ATOMIC_SEQ_CST);
	r->got = *(volatile char *)r->at;
	return NULL;
}

static bool waits(int tid)
{
	_free_ char *path = xasprintf("/proc/self/task/%d/wchan", tid);
	struct err err;
	_free_ char *text = io_read_file(path, 4096, NULL, &err);

	return text && strstr(text, "userfault");
}

static void a_task_waits_when_its_pager_is_killed(void **state)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	struct reader r = { .got = 'x' };
	struct vault v;
	struct err err;

	assert_int_equal(vault_new(&v, &err), 0);
	pager_that_is_killed(&v, miss(&r.at, size));
	assert_int_equal(pthread_create(&r.thread, NULL, read_it, &r), 0);
	for (int tid = 0; !tid || !waits(tid); poll(NULL, 0, STEP_MS)) {
		tid = __atomic_load_n(&r.started, __ATOMIC_SEQ_CST);
		assert_int_not_equal(pthread_tryjoin_np(r.thread, NULL), 0);
	}
	assert_int_equal(r.got, 'x');
	vault_empty(&v);
	assert_int_equal(pthread_join(r.thread, NULL), 0);
	assert_int_equal(r.got, 0);
	munmap(r.at, size);
	vault_close(&v);
}

/* Each process of the container that forks meanwhile has one more. */
static void there_is_room_for_many(void **state)
{
	struct vault v;
	struct err err;

	assert_int_equal(vault_new(&v, &err), 0);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(vault_put(&v, STDERR_FILENO, &err), 0);
	vault_empty(&v);
	assert_int_equal(io_recv_fd(v.out), -1);
	vault_close(&v);
}

static void it_is_kept_without_being_inherited(void **state)
{
	const int number = 150;
	struct vault v;
	struct err err;

	assert_int_equal(vault_new(&v, &err), 0);
	assert_int_equal(vault_keep(v.out, number, &err), 0);
	assert_int_equal(fcntl(number, F_GETFD), FD_CLOEXEC);
	assert_int_equal(vault_put(&v, STDERR_FILENO, &err), 0);
	vault_close(&v);
	/* What is in it stays. */
	v = (struct vault){ .in = -1, .out = number };
	int fd = io_recv_fd(v.out);
	assert_true(fd >= 0);
	close(fd);
	vault_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_waits_when_its_pager_is_killed),
		cmocka_unit_test(there_is_room_for_many),
		cmocka_unit_test(it_is_kept_without_being_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
