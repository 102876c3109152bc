/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of the kernel that have no path: counters, timers, watches, rings, queues. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 50000000
#define LATER_S 86400

static int fd = -1, other = -1;
static pid_t child;
static char *memory;
static timer_t timer;
static aio_context_t context;

static bool still_open(void)
{
	NEED(fcntl(fd, F_GETFD) >= 0);
	return true;
}

static bool nothing(void)
{
	return true;
}

/* --- counters and signals ------------------------------------------------------------------ */

static bool eventfd_make(void)
{
	NEED((fd = eventfd(3, EFD_SEMAPHORE)) >= 0);
	return true;
}

static bool eventfd_same(void)
{
	uint64_t one = 1;

	NEED(zoo_readable(fd));
	NEED(read(fd, &one, 8) == 8 && one == 1);
	NEED(write(fd, &one, 8) == 8);
	return true;
}

static bool signalfd_make(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	NEED((fd = signalfd(-1, &set, 0)) >= 0);
	return raise(SIGUSR2) == 0;
}

static bool signalfd_same(void)
{
	struct signalfd_siginfo info;

	NEED(zoo_readable(fd));
	NEED(read(fd, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR2);
	return raise(SIGUSR2) == 0;
}

/* --- timers -------------------------------------------------------------------------------- */

static bool timerfd_of(clockid_t clock, bool periodic)
{
	struct itimerspec in = { .it_value.tv_nsec = TICK_NS };

	if (periodic)
		in.it_interval.tv_nsec = TICK_NS;
	NEED((fd = timerfd_create(clock, 0)) >= 0);
	NEED(timerfd_settime(fd, 0, &in, NULL) == 0);
	return true;
}

static bool ticks(void)
{
	uint64_t n;

	/* One that is there already, and one that comes. */
	for (int i = 0; i < 2; i++)
		NEED(zoo_readable(fd) && read(fd, &n, 8) == 8);
	return true;
}

static bool timerfd_make(void)
{
	return timerfd_of(CLOCK_MONOTONIC, true);
}

static bool timerfd_boot_make(void)
{
	return timerfd_of(CLOCK_BOOTTIME, true);
}

static bool timerfd_over_make(void)
{
	NEED(timerfd_of(CLOCK_MONOTONIC, false));
	NEED(zoo_readable(fd));
	return true;
}

static bool timerfd_over_same(void)
{
	NEED(zoo_readable(fd));
	return true;
}

static bool timerfd_wall_make(void)
{
	struct itimerspec at = { .it_value.tv_sec = time(NULL) + LATER_S };

	NEED((fd = timerfd_create(CLOCK_REALTIME, 0)) >= 0);
	NEED(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at, NULL) == 0);
	return true;
}

static bool timerfd_wall_same(void)
{
	struct itimerspec at;

	NEED(timerfd_gettime(fd, &at) == 0);
	NEED(at.it_value.tv_sec > LATER_S - 3600 && at.it_value.tv_sec <= LATER_S);
	return true;
}

static bool signal_comes(int sig)
{
	struct timespec limit = { .tv_sec = 5 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	for (int i = 0; i < 2; i++)
		NEED(sigtimedwait(&set, NULL, &limit) == sig);
	return true;
}

static bool block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return sigprocmask(SIG_BLOCK, &set, NULL) == 0;
}

static bool timer_make(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec in = { { 0, TICK_NS }, { 0, TICK_NS } };

	NEED(block(SIGRTMIN + 1));
	NEED(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	NEED(timer_settime(timer, 0, &in, NULL) == 0);
	return true;
}

static bool timer_same(void)
{
	return signal_comes(SIGRTMIN + 1);
}

static bool itimer_make(void)
{
	struct itimerval in = { { 0, TICK_NS / 1000 }, { 0, TICK_NS / 1000 } };

	NEED(block(SIGALRM));
	NEED(setitimer(ITIMER_REAL, &in, NULL) == 0);
	return true;
}

static bool itimer_same(void)
{
	return signal_comes(SIGALRM);
}

static bool itimer_cpu_make(void)
{
	struct itimerval in = { .it_value.tv_sec = LATER_S };

	NEED(setitimer(ITIMER_VIRTUAL, &in, NULL) == 0);
	NEED(setitimer(ITIMER_PROF, &in, NULL) == 0);
	return true;
}

static bool itimer_cpu_same(void)
{
	struct itimerval a, b;

	NEED(getitimer(ITIMER_VIRTUAL, &a) == 0 && getitimer(ITIMER_PROF, &b) == 0);
	NEED(a.it_value.tv_sec > LATER_S - 60 && b.it_value.tv_sec > LATER_S - 60);
	return true;
}

/* --- epoll, pidfd, inotify, fanotify ------------------------------------------------------- */

static bool watch(int epoll, int what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 77 };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, what, &ev) == 0;
}

static bool epoll_make(void)
{
	NEED((other = eventfd(1, 0)) >= 0);
	NEED((fd = epoll_create1(0)) >= 0);
	NEED(watch(fd, other));
	return true;
}

static bool epoll_same(void)
{
	struct epoll_event ev;

	NEED(epoll_wait(fd, &ev, 1, 5000) == 1);
	NEED(ev.data.u64 == 77);
	return true;
}

static bool epoll_epoll_make(void)
{
	int inner;

	NEED((other = eventfd(1, 0)) >= 0);
	NEED((inner = epoll_create1(0)) >= 0);
	NEED((fd = epoll_create1(0)) >= 0);
	NEED(watch(inner, other) && watch(fd, inner));
	return true;
}

/* What is watched has no number any more, but is still there. */
static bool epoll_closed_make(void)
{
	int event = eventfd(1, 0);

	NEED((other = fcntl(event, F_DUPFD_CLOEXEC, 0)) >= 0);
	NEED((fd = epoll_create1(0)) >= 0);
	NEED(watch(fd, event));
	close(event);
	return true;
}

static bool pidfd_make(void)
{
	NEED((child = zoo_child(nothing)) > 0);
	NEED((fd = (int)syscall(SYS_pidfd_open, child, 0)) >= 0);
	return true;
}

static bool pidfd_same(void)
{
	NEED(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
	NEED(zoo_readable(fd));
	NEED(zoo_status(child) == SIGKILL);
	close(fd);
	return pidfd_make();
}

static bool pidfd_dead_make(void)
{
	NEED(pidfd_make());
	kill(child, SIGKILL);
	NEED(zoo_status(child) == SIGKILL);
	return true;
}

static bool pidfd_dead_same(void)
{
	NEED(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 && errno == ESRCH);
	return true;
}

static bool inotify_make(void)
{
	NEED(mkdir(zoo_path("dir"), 0755) == 0);
	NEED((fd = inotify_init1(IN_NONBLOCK)) >= 0);
	NEED(inotify_add_watch(fd, zoo_path("dir"), IN_MODIFY) == 1);
	return true;
}

static bool inotify_same(void)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	NEED(zoo_write(zoo_path("dir/watched"), "y"));
	NEED(zoo_readable(fd));
	return true;
}

static bool inotify_gone_make(void)
{
	NEED((fd = inotify_init1(IN_NONBLOCK)) >= 0);
	NEED((other = open(zoo_path("watched"), O_RDWR | O_CREAT, 0600)) >= 0);
	NEED(inotify_add_watch(fd, zoo_path("watched"), IN_MODIFY) == 1);
	NEED(unlink(zoo_path("watched")) == 0);
	return true;
}

static bool inotify_gone_same(void)
{
	char buf[4096];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	NEED(write(other, "y", 1) == 1);
	NEED(zoo_readable(fd));
	return true;
}

static bool fanotify_make(void)
{
	NEED(mkdir(zoo_path("dir"), 0755) == 0);
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_NONBLOCK, O_RDONLY);
	NEED(fd >= 0);
	NEED(fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY | FAN_EVENT_ON_CHILD, -1,
			   zoo_path("dir")) == 0);
	return true;
}

static bool dnotify_make(void)
{
	NEED(block(SIGRTMIN + 3));
	NEED(mkdir(zoo_path("dir"), 0755) == 0);
	NEED((fd = open(zoo_path("dir"), O_RDONLY | O_DIRECTORY)) >= 0);
	NEED(fcntl(fd, F_SETSIG, SIGRTMIN + 3) == 0);
	NEED(fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) == 0);
	return true;
}

static bool dnotify_same(void)
{
	struct timespec limit = { .tv_sec = 5 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	NEED(zoo_write(zoo_path("dir/made"), "x"));
	NEED(sigtimedwait(&set, NULL, &limit) == SIGRTMIN + 3);
	return true;
}

/* --- rings and others ---------------------------------------------------------------------- */

static bool uring_make(void)
{
	struct io_uring_params p = { 0 };

	NEED((fd = (int)syscall(SYS_io_uring_setup, 8, &p)) >= 0);
	return true;
}

static bool uring_mapped_make(void)
{
	NEED(uring_make());
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	NEED(memory != MAP_FAILED);
	close(fd);
	return true;
}

static bool aio_make(void)
{
	NEED(syscall(SYS_io_setup, 8, &context) == 0);
	return true;
}

static bool aio_same(void)
{
	char text[6] = "";
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD,
			   .aio_buf = (uint64_t)(uintptr_t)text,
			   .aio_nbytes = 5 },
		    *list = &cb;
	struct io_event ev;

	NEED(zoo_write(zoo_path("file"), "hello"));
	cb.aio_fildes = (uint32_t)open(zoo_path("file"), O_RDONLY);
	NEED(syscall(SYS_io_submit, context, 1, &list) == 1);
	NEED(syscall(SYS_io_getevents, context, 1, 1, &ev, NULL) == 1);
	close((int)cb.aio_fildes);
	NEED(strcmp(text, "hello") == 0);
	return true;
}

static bool userfaultfd_make(void)
{
	NEED((fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY)) >= 0);
	return true;
}

static bool perf_make(void)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
				     .size = sizeof(a),
				     .config = PERF_COUNT_SW_TASK_CLOCK,
				     .exclude_kernel = 1,
				     .exclude_hv = 1 };

	NEED((fd = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0)) >= 0);
	return true;
}

static bool bpf_map_make(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 4
	};

	NEED((fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a))) >= 0);
	return true;
}

static bool bpf_program_make(void)
{
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
				   { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			     .insns = (uint64_t)(uintptr_t)code,
			     .insn_cnt = 2,
			     .license = (uint64_t)(uintptr_t) "GPL" };

	NEED((fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a))) >= 0);
	return true;
}

static bool landlock_rules_make(void)
{
	struct landlock_ruleset_attr a = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK };

	NEED((fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0)) >= 0);
	return true;
}

static bool mount_being_made_make(void)
{
	NEED((fd = (int)syscall(SYS_fsopen, "tmpfs", 0)) >= 0);
	return true;
}

const struct state zoo_events[] = {
	{ "eventfd", eventfd_make, eventfd_same },
	{ "signalfd", signalfd_make, signalfd_same },
	{ "timerfd", timerfd_make, ticks },
	{ "timerfd-boot", timerfd_boot_make, ticks },
	{ "timerfd-over", timerfd_over_make, timerfd_over_same },
	{ "timerfd-wall", timerfd_wall_make, timerfd_wall_same },
	{ "timer", timer_make, timer_same },
	{ "itimer", itimer_make, itimer_same },
	{ "itimer-cpu", itimer_cpu_make, itimer_cpu_same },
	{ "epoll", epoll_make, epoll_same },
	{ "epoll-epoll", epoll_epoll_make, epoll_same },
	{ "epoll-closed", epoll_closed_make, epoll_same },
	{ "pidfd", pidfd_make, pidfd_same },
	{ "pidfd-dead", pidfd_dead_make, pidfd_dead_same },
	{ "inotify", inotify_make, inotify_same },
	{ "inotify-gone", inotify_gone_make, inotify_gone_same },
	{ "fanotify", fanotify_make, inotify_same },
	{ "dnotify", dnotify_make, dnotify_same },
	{ "uring", uring_make, NULL },
	{ "uring-mapped", uring_mapped_make, NULL },
	{ "aio", aio_make, aio_same },
	{ "userfaultfd", userfaultfd_make, NULL },
	{ "perf", perf_make, NULL },
	{ "bpf-map", bpf_map_make, still_open },
	{ "bpf-program", bpf_program_make, NULL },
	{ "landlock-rules", landlock_rules_make, NULL },
	{ "fs-context", mount_being_made_make, NULL },
	{ NULL, NULL, NULL },
};
