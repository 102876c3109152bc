/* SPDX-License-Identifier: Apache-2.0 */
/* What a process is by itself: its threads, credentials, filters, limits, signals, program. */
#include "tests/image/zoo/zoo.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY(a) (sizeof(a) / sizeof((a)[0]))

static int fd = -1;
static pid_t child;
static volatile int beats;
static char stack[64 << 10];

static bool nothing(void)
{
	return true;
}

/* --- threads ------------------------------------------------------------------------------- */

static void *beat(void *arg)
{
	for (;;) {
		beats++;
		poll(NULL, 0, 1);
	}
	return arg;
}

static bool beats_on(void)
{
	int before = beats;

	for (int i = 0; i < 5000 && beats == before; i++)
		poll(NULL, 0, 1);
	NEED(beats != before);
	return true;
}

static bool threads_make(void)
{
	pthread_t t;

	for (int i = 0; i < 4; i++)
		NEED(pthread_create(&t, NULL, beat, NULL) == 0);
	return beats_on();
}

static bool leader_gone(void)
{
	pthread_t t;

	NEED(pthread_create(&t, NULL, beat, NULL) == 0);
	syscall(SYS_exit, 0);
	return false;
}

static bool leader_gone_make(void)
{
	char path[64];

	NEED((child = zoo_child(leader_gone)) > 0);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
	for (int i = 0; i < 5000; i++) {
		FILE *f = fopen(path, "r");
		char state = 0;

		if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		if (f)
			fclose(f);
		if (state == 'Z')
			return true;
		poll(NULL, 0, 1);
	}
	NEED(!"its first thread ends");
	return true;
}

/* --- how it stands ------------------------------------------------------------------------- */

static bool stopped_make(void)
{
	int status;

	NEED((child = zoo_child(nothing)) > 0);
	NEED(kill(child, SIGSTOP) == 0);
	NEED(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	return true;
}

static bool traced_make(void)
{
	NEED((child = zoo_child(nothing)) > 0);
	NEED(ptrace(PTRACE_SEIZE, child, NULL, NULL) == 0);
	return true;
}

static bool ends(void)
{
	_exit(7);
}

static bool zombie_make(void)
{
	siginfo_t info;

	NEED((child = zoo_child(ends)) > 0);
	NEED(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	return true;
}

static bool zombie_same(void)
{
	NEED(zoo_status(child) == 7 << 8);
	return zombie_make();
}

static bool begins_a_program(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return true;
}

static bool vfork_make(void)
{
	NEED((child = zoo_child(begins_a_program)) > 0);
	return true;
}

static bool sleeps(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += 86400;
	_exit(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL));
}

static bool sleeping_make(void)
{
	NEED((child = zoo_child(sleeps)) > 0);
	return true;
}

static bool child_lives(void)
{
	NEED(zoo_lives(child));
	return true;
}

/* --- filters ------------------------------------------------------------------------------- */

static struct sock_filter no_uname[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

static bool filtered_make(void)
{
	struct sock_fprog p = { ARRAY(no_uname), no_uname };

	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) == 0);
	return true;
}

static bool filtered_same(void)
{
	errno = 0;
	NEED(getpriority(PRIO_PROCESS, 0) == -1 && errno == EDOM);
	NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return true;
}

static bool notified_make(void)
{
	struct sock_filter tell[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { ARRAY(tell), tell };

	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			  &p);
	NEED(fd >= 0);
	return true;
}

/* Whether it is still held back: the rule forbids to make sockets in the file system. */
static bool landlocked_make(void)
{
	struct landlock_ruleset_attr a = { .handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_DIR };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);

	NEED(rules >= 0);
	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(syscall(SYS_landlock_restrict_self, rules, 0) == 0);
	close(rules);
	return true;
}

static bool landlocked_same(void)
{
	NEED(mkdir(zoo_path("dir"), 0755) < 0 && errno == EACCES);
	return true;
}

/* --- credentials, limits ------------------------------------------------------------------- */

static bool user_make(void)
{
	gid_t groups[] = { 5, 6 };

	NEED(setgroups(2, groups) == 0);
	NEED(setresgid(7, 8, 9) == 0);
	NEED(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	NEED(setresuid(10, 11, 12) == 0);
	return true;
}

static bool user_same(void)
{
	uid_t r, e, s;
	gid_t g[4];

	NEED(getresuid(&r, &e, &s) == 0 && r == 10 && e == 11 && s == 12);
	NEED(getresgid(&r, &e, &s) == 0 && r == 7 && e == 8 && s == 9);
	NEED(getgroups(4, g) == 2 && g[0] == 5 && g[1] == 6);
	return true;
}

static bool secure_bits_make(void)
{
	NEED(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_KEEP_CAPS_LOCKED) == 0);
	NEED(prctl(PR_CAPBSET_DROP, 27) == 0);
	return true;
}

static bool secure_bits_same(void)
{
	NEED(prctl(PR_GET_SECUREBITS) == (SECBIT_NOROOT | SECBIT_KEEP_CAPS_LOCKED));
	NEED(prctl(PR_CAPBSET_READ, 27) == 0);
	return true;
}

static bool limits_make(void)
{
	struct rlimit l = { 333, 333 };

	NEED(setrlimit(RLIMIT_NOFILE, &l) == 0);
	NEED(setpriority(PRIO_PROCESS, 0, 7) == 0);
	NEED(zoo_write("/proc/self/oom_score_adj", "321"));
	return true;
}

static bool limits_same(void)
{
	struct rlimit l;

	NEED(getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == 333);
	NEED(getpriority(PRIO_PROCESS, 0) == 7);
	return zoo_reads("/proc/self/oom_score_adj", "321");
}

static bool scheduled_make(void)
{
	struct sched_param p = { 0 };

	NEED(sched_setscheduler(0, SCHED_BATCH, &p) == 0);
	return true;
}

static bool scheduled_same(void)
{
	NEED(sched_getscheduler(0) == SCHED_BATCH);
	return true;
}

static bool affinity_make(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	NEED(sched_setaffinity(0, sizeof(set), &set) == 0);
	return true;
}

static bool affinity_same(void)
{
	cpu_set_t set;

	NEED(sched_getaffinity(0, sizeof(set), &set) == 0);
	errno = 0;
	NEED(CPU_COUNT(&set) == 1);
	return true;
}

static bool io_class_make(void)
{
	NEED(syscall(SYS_ioprio_set, 1, 0, 3 << 13) == 0);
	return true;
}

static bool io_class_same(void)
{
	NEED(syscall(SYS_ioprio_get, 1, 0) == 3 << 13);
	return true;
}

static bool slack_make(void)
{
	NEED(prctl(PR_SET_TIMERSLACK, 1234567) == 0);
	return true;
}

static bool slack_same(void)
{
	NEED(prctl(PR_GET_TIMERSLACK) == 1234567);
	return true;
}

static bool core_make(void)
{
	NEED(prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0) == 0);
	return true;
}

static bool barrier_make(void)
{
	NEED(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	return true;
}

static bool barrier_same(void)
{
	NEED(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	return true;
}

static bool person_make(void)
{
	NEED(personality(ADDR_NO_RANDOMIZE | UNAME26) >= 0);
	return true;
}

static bool person_same(void)
{
	NEED((personality(0xffffffff) & (ADDR_NO_RANDOMIZE | UNAME26)) ==
	     (ADDR_NO_RANDOMIZE | UNAME26));
	return true;
}

static bool hidden_make(void)
{
	NEED(prctl(PR_SET_DUMPABLE, 0) == 0);
	return true;
}

static bool hidden_same(void)
{
	NEED(prctl(PR_GET_DUMPABLE) == 0);
	return true;
}

static bool key_make(void)
{
	NEED(syscall(SYS_keyctl, 1, NULL, 0, 0, 0) >= 0); /* join a new session keyring */
	fd = (int)syscall(SYS_add_key, "user", "zoo", "hello", 5, -3);
	NEED(fd >= 0);
	return true;
}

static bool key_same(void)
{
	char text[8] = "";

	NEED(syscall(SYS_keyctl, 11, fd, text, 5, 0) == 5);
	NEED(strcmp(text, "hello") == 0);
	return true;
}

/* --- signals ------------------------------------------------------------------------------- */

static bool pending_make(void)
{
	union sigval v = { .sival_int = 4711 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	NEED(sigqueue(getpid(), SIGRTMIN + 5, v) == 0);
	return true;
}

static bool pending_same(void)
{
	struct timespec limit = { .tv_sec = 5 };
	siginfo_t info = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	NEED(sigtimedwait(&set, &info, &limit) == SIGRTMIN + 5);
	NEED(info.si_value.sival_int == 4711);
	return pending_make();
}

static void on_signal(int sig)
{
	beats += sig;
}

static bool handler_make(void)
{
	struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART };
	stack_t s = { .ss_sp = stack, .ss_size = sizeof(stack) };

	NEED(sigaltstack(&s, NULL) == 0);
	NEED(sigaction(SIGHUP, &a, NULL) == 0);
	return true;
}

static bool handler_same(void)
{
	stack_t s;

	NEED(sigaltstack(NULL, &s) == 0 && s.ss_sp == stack);
	beats = 0;
	NEED(raise(SIGHUP) == 0 && beats == SIGHUP);
	return true;
}

const struct state zoo_tasks[] = {
	{ "threads", threads_make, beats_on },
	{ "leader-gone", leader_gone_make, child_lives },
	{ "stopped", stopped_make, NULL },
	{ "traced", traced_make, NULL },
	{ "zombie", zombie_make, zombie_same },
	{ "vfork", vfork_make, NULL },
	{ "sleeping", sleeping_make, child_lives },
	{ "filtered", filtered_make, filtered_same },
	{ "notified", notified_make, NULL },
	{ "landlocked", landlocked_make, landlocked_same },
	{ "user", user_make, user_same },
	{ "secure-bits", secure_bits_make, secure_bits_same },
	{ "limits", limits_make, limits_same },
	{ "scheduled", scheduled_make, scheduled_same },
	{ "affinity", affinity_make, affinity_same },
	{ "io-class", io_class_make, io_class_same },
	{ "slack", slack_make, slack_same },
	{ "core", core_make, NULL },
	{ "barrier", barrier_make, barrier_same },
	{ "person", person_make, person_same },
	{ "hidden", hidden_make, hidden_same },
	{ "key-ring", key_make, key_same },
	{ "pending", pending_make, pending_same },
	{ "handler", handler_make, handler_same },
	{ NULL, NULL, NULL },
};
