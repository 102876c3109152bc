/* SPDX-License-Identifier: Apache-2.0 */
/* tests/image/init.c - the init of the test image: makes a container observable from outside.
 *
 * As process 1 it reaps orphans, ends within a second of SIGPWR, SIGTERM or SIGINT and then adds a
 * line to /stopped, asks for a DHCP address when eth0 has none, and serves lines on TCP port 7000,
 * IPv4 and IPv6:
 *
 *   sum      the checksum of its memory, then "ok" or "bad"
 *   whoami   the host name
 *   other    the same text and the number of such lines so far, over all clients: a move or a
 *            thaw must leave no gap in it, a restart begins anew
 *
 * The environment tunes it:
 *
 *   TICKS=0        do not append a growing number to /ticks every 100 ms
 *   MEM_MIB=N      hold N MiB of incompressible memory
 *   DIRTY_MIB_S=N  rewrite N MiB of it per second, with the same content
 *   DHCP=0         leave eth0 alone
 *
 * /ticks stays open for writing: CRIU then restores the container only on a root file system
 * that has every byte written before the freeze.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 7000
#define TICK_MS 100
#define DHCP_CHECK_MS 1000
#define GRACE_MS 500
#define CLIENTS_MAX 1024
#define LINE_MAX_BYTES 256
#define MIB_WORDS ((1 << 20) / sizeof(uint64_t))

struct client {
	char line[LINE_MAX_BYTES];
	size_t len;
};

static volatile sig_atomic_t stopping, child_ended;

static struct pollfd fds[2 + CLIENTS_MAX]; /* the listeners, then the clients */
static struct client clients[CLIENTS_MAX]; /* of fds[2 + i] */
static nfds_t nfds = 2;
static uint64_t counter;

static uint64_t *memory;
static size_t memory_mib, dirty_mib_s, dirty_next;
static uint64_t memory_sum;

static int ticks_fd = -1;
static uint64_t tick;

static bool dhcp_wanted;
static pid_t dhcp_pid;

static void on_signal(int sig)
{
	if (sig == SIGCHLD)
		child_ended = 1;
	else
		stopping = 1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static size_t env_number(const char *name, size_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

static void reap(void)
{
	pid_t pid;

	child_ended = 0;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == dhcp_pid)
			dhcp_pid = 0;
}

/* splitmix64: each word depends on its place only, so any part can be rewritten alone. */
static uint64_t word_at(uint64_t place)
{
	uint64_t x = (place + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void memory_write(size_t mib)
{
	for (size_t i = mib * MIB_WORDS; i < (mib + 1) * MIB_WORDS; i++)
		*(volatile uint64_t *)&memory[i] = word_at(i);
}

static uint64_t memory_checksum(void)
{
	uint64_t sum = memory_mib;

	for (size_t i = 0; i < memory_mib * MIB_WORDS; i++)
		sum = (sum ^ memory[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void memory_start(void)
{
	size_t mib = env_number("MEM_MIB", 0);
	void *mapped;

	dirty_mib_s = env_number("DIRTY_MIB_S", 0);
	if (mib) {
		mapped = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
		if (mapped == MAP_FAILED) {
			fprintf(stderr, "init: no %zu MiB: %s\n", mib, strerror(errno));
		} else {
			memory = mapped;
			memory_mib = mib;
		}
	}
	for (size_t i = 0; i < memory_mib; i++)
		memory_write(i);
	memory_sum = memory_checksum();
}

static void memory_dirty(int64_t elapsed_ms)
{
	static int64_t owed; /* in thousandths of a MiB */

	if (!memory_mib)
		return;
	/* More than one pass over the memory, after a long freeze, would dirty nothing new. */
	owed += elapsed_ms * (int64_t)dirty_mib_s;
	if (owed > (int64_t)memory_mib * 1000)
		owed = (int64_t)memory_mib * 1000;
	for (; owed >= 1000; owed -= 1000) {
		memory_write(dirty_next);
		dirty_next = (dirty_next + 1) % memory_mib;
	}
}

/* Goes on from the last line, so that the numbers grow over restarts too. */
static void ticks_start(void)
{
	char tail[32] = "";
	const char *last;
	ssize_t len;
	off_t size;

	if (!env_number("TICKS", 1))
		return;
	ticks_fd = open("/ticks", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (ticks_fd < 0)
		return;
	size = lseek(ticks_fd, 0, SEEK_END);
	len = pread(ticks_fd, tail, sizeof(tail) - 1, size > 31 ? size - 31 : 0);
	if (len <= 0)
		return;
	tail[len - 1] = '\0'; /* the newline of the last line */
	last = strrchr(tail, '\n');
	tick = strtoull(last ? last + 1 : tail, NULL, 10);
}

static void ticks_step(void)
{
	if (ticks_fd >= 0)
		dprintf(ticks_fd, "%" PRIu64 "\n", ++tick);
}

static bool eth0_lacks_address(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = { .ifr_name = "eth0" };
	bool lacks = ioctl(fd, SIOCGIFADDR, &req) < 0 && errno == EADDRNOTAVAIL;

	close(fd);
	return lacks;
}

static void dhcp_step(void)
{
	char name[16 + HOST_NAME_MAX] = "hostname:";

	if (!dhcp_wanted || dhcp_pid || !eth0_lacks_address())
		return;
	gethostname(name + strlen(name), HOST_NAME_MAX);
	dhcp_pid = fork();
	if (dhcp_pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/busybox", "udhcpc", "-f", "-i", "eth0", "-t", "3", "-T", "1", "-A", "1",
		      "-x", name, "-s", "/etc/udhcpc/default.script", NULL);
		_exit(127);
	}
	if (dhcp_pid < 0)
		dhcp_pid = 0;
}

static int listen_on(int family)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	bool is_v6 = family == AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, is_v6 ? (void *)&v6 : (void *)&v4, is_v6 ? sizeof(v6) : sizeof(v4)) < 0 ||
	    listen(fd, 128) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void client_add(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int on = 1;

	if (fd < 0)
		return;
	if (nfds == 2 + CLIENTS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fds[nfds] = (struct pollfd){ .fd = fd, .events = POLLIN };
	clients[nfds - 2].len = 0;
	nfds++;
}

static void client_drop(nfds_t i)
{
	close(fds[i].fd);
	nfds--;
	fds[i] = fds[nfds];
	clients[i - 2] = clients[nfds - 2];
}

/* False when the client does not take the answer: it asks more than it reads, or is gone. */
static bool answer(int fd, const char *line)
{
	char out[LINE_MAX_BYTES + 32], name[HOST_NAME_MAX + 1] = "";
	uint64_t sum;
	int len;

	if (!strcmp(line, "whoami")) {
		gethostname(name, sizeof(name) - 1);
		len = snprintf(out, sizeof(out), "%s\n", name);
	} else if (!strcmp(line, "sum")) {
		sum = memory_checksum();
		len = snprintf(out, sizeof(out), "%016" PRIx64 " %s\n", sum,
			       sum == memory_sum ? "ok" : "bad");
	} else {
		len = snprintf(out, sizeof(out), "%s %" PRIu64 "\n", line, ++counter);
	}
	return send(fd, out, len, MSG_NOSIGNAL) == len;
}

static bool client_read(int fd, struct client *c)
{
	ssize_t n = recv(fd, c->line + c->len, sizeof(c->line) - 1 - c->len, 0);
	char *start = c->line, *end;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	c->len += n;
	c->line[c->len] = '\0';
	while ((end = strchr(start, '\n'))) {
		*end = '\0';
		if (!answer(fd, start))
			return false;
		start = end + 1;
	}
	c->len = strlen(start);
	memmove(c->line, start, c->len);
	return c->len < sizeof(c->line) - 1;
}

static void serve(void)
{
	/* Backwards, because client_drop() moves the last client into the gap. */
	for (nfds_t i = nfds; i-- > 2;)
		if (fds[i].revents && !client_read(fds[i].fd, &clients[i - 2]))
			client_drop(i);
	for (nfds_t i = 0; i < 2; i++)
		if (fds[i].revents)
			client_add(fds[i].fd);
}

/* Processes that were attached from outside are no children: wait until nobody is left to kill. */
static void end_all(const sigset_t *wait_mask)
{
	int64_t deadline = now_ms() + GRACE_MS;
	struct timespec step = { .tv_nsec = 10 * 1000000 };

	kill(-1, SIGTERM);
	while (kill(-1, 0) == 0 && now_ms() < deadline) {
		ppoll(NULL, 0, &step, wait_mask);
		reap();
	}
	kill(-1, SIGKILL);
}

int odd_main(int argc, char **argv); /* odd.c */

/* Tells a clean stop from one by force. */
static void stopped_mark(void)
{
	int fd = open("/stopped", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, "stopped\n", 8) < 0)
		perror("dunlin-test: /stopped");
	close(fd);
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGPWR, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGCHLD };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked, unblocked;
	int64_t next_tick, next_dhcp, last_dirty;

	if (argc > 1)
		return odd_main(argc, argv);
	/* Signals arrive only inside ppoll(), so that none is lost between check and wait. */
	sigemptyset(&blocked);
	sigemptyset(&unblocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&blocked, signals[i]);
		sigaction(signals[i], &action, NULL);
	}
	sigprocmask(SIG_SETMASK, &blocked, NULL);

	dhcp_wanted = env_number("DHCP", 1);
	fds[0] = (struct pollfd){ .fd = listen_on(AF_INET), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = listen_on(AF_INET6), .events = POLLIN };
	memory_start();
	ticks_start();
	printf("dunlin-test: ready\n");
	fflush(stdout);

	next_tick = next_dhcp = last_dirty = now_ms();
	while (!stopping) {
		int64_t now = now_ms();
		int64_t wait = next_tick - now > 0 ? next_tick - now : 0;
		struct timespec ts = { .tv_nsec = wait * 1000000 };

		if (ppoll(fds, nfds, &ts, &unblocked) > 0)
			serve();
		if (child_ended)
			reap();
		now = now_ms();
		if (now >= next_tick) {
			ticks_step();
			memory_dirty(now - last_dirty);
			last_dirty = now;
			/* No burst after a freeze. */
			next_tick = now - next_tick < TICK_MS ? next_tick + TICK_MS : now + TICK_MS;
		}
		if (now >= next_dhcp) {
			dhcp_step();
			next_dhcp = now + DHCP_CHECK_MS;
		}
	}
	end_all(&unblocked);
	stopped_mark();
	return 0;
}
