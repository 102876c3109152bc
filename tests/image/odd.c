/* SPDX-License-Identifier: Apache-2.0 */
/* tests/image/odd.c - processes with what a move finds hard, as commands of the test image's init:
 *
 *   init deaf PORT   listens on TCP, but accepts only once /accept is there; says "late"
 *   init talk PORT MIB  counts aloud to whoever connects, every millisecond, until that fails;
 *                    holds so much memory
 *   init queue       leaves a message with credentials unread until /accept is there
 *   init kernel      the same with an answer of the kernel about its interfaces
 *   init echo PORT   sends each datagram back to where it came from
 *   init memory MIB  memory.c
 *   init early       connects to itself, writes and accepts that only once /accept is there
 *
 * Each says "ready" on its standard output once it is what it shall be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEP_MS 20

int odd_main(int argc, char **argv);
int memory_main(const char *mib); /* memory.c */

static void await_word(void)
{
	printf("ready\n");
	fflush(stdout);
	while (access("/accept", F_OK) < 0)
		poll(NULL, 0, STEP_MS);
}

static int listen_at(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int s = socket(AF_INET6, SOCK_STREAM, 0);

	any.sin6_port = htons((int)strtoul(port, NULL, 10));
	if (bind(s, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(s, 16) < 0)
		exit(1);
	return s;
}

/* A socket from which CRIU reads, too, refuses to be read. */
static bool still_open(int c)
{
	char byte;

	return recv(c, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int talk(const char *port, const char *mib)
{
	size_t bytes = strtoul(mib, NULL, 10) << 20;
	char *memory = malloc(bytes + 1);
	int s = listen_at(port), c;

	if (!memory)
		return 1;
	memset(memory, 'x', bytes);
	printf("ready\n");
	fflush(stdout);
	while ((c = accept(s, NULL, NULL)) >= 0) {
		for (unsigned n = 1; dprintf(c, "%u\n", n) > 0 && still_open(c); n++)
			poll(NULL, 0, 1);
		close(c);
	}
	return memory[0] != 'x';
}

static int deaf(const char *port)
{
	int s = listen_at(port), c;

	await_word();
	while ((c = accept(s, NULL, NULL)) >= 0) {
		if (write(c, "late\n", 5) < 0)
			perror("write");
		close(c);
	}
	return 1;
}

static int echo(const char *port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, from;
	int s = socket(AF_INET6, SOCK_DGRAM, 0);
	char data[2048];

	any.sin6_port = htons((int)strtoul(port, NULL, 10));
	if (bind(s, (struct sockaddr *)&any, sizeof(any)) < 0)
		return 1;
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, data, sizeof(data), 0, (struct sockaddr *)&from, &len);

		if (n >= 0 && sendto(s, data, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
			perror("sendto");
	}
}

static int go_on(void)
{
	while (poll(NULL, 0, -1) < 0 && errno == EINTR)
		;
	return 0;
}

/* Its child has not begun another program yet. */
static int starting(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		await_word();
		_exit(0);
	}
	return pid < 0 ? 1 : go_on();
}

static int queue(void)
{
	int pair[2], on = 1;
	char c;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    write(pair[1], "x", 1) != 1)
		return 1;
	await_word();
	if (read(pair[0], &c, 1) != 1)
		return 1;
	return go_on();
}

static int kernel(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} q = {
		.h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	char answer[32768];

	if (s < 0 || send(s, &q, sizeof(q), 0) != sizeof(q))
		return 1;
	await_word();
	while (recv(s, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
	return go_on();
}

static int early(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/early" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(name.sun_path);
	if (bind(s, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(s, 1) < 0 ||
	    connect(c, (struct sockaddr *)&name, sizeof(name)) < 0 || write(c, "x", 1) != 1)
		return 1;
	await_word();
	if (accept(s, NULL, NULL) < 0)
		return 1;
	return go_on();
}

int odd_main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "deaf") == 0)
		return deaf(argv[2]);
	if (argc == 3 && strcmp(argv[1], "echo") == 0)
		return echo(argv[2]);
	if (argc == 4 && strcmp(argv[1], "talk") == 0)
		return talk(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "starting") == 0)
		return starting();
	if (argc == 3 && strcmp(argv[1], "memory") == 0)
		return memory_main(argv[2]);
	if (argc == 2 && strcmp(argv[1], "queue") == 0)
		return queue();
	if (argc == 2 && strcmp(argv[1], "kernel") == 0)
		return kernel();
	if (argc == 2 && strcmp(argv[1], "early") == 0)
		return early();
	return 2;
}
