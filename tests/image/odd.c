/* SPDX-License-Identifier: Apache-2.0 */
/* tests/image/odd.c - processes with what a move finds hard, as commands of the test image's init:
 *
 *   init deaf PORT   listens on TCP, but accepts only once /accept is there; says "late"
 *   init talk PORT MIB  counts aloud to whoever connects, every millisecond, until that fails;
 *                    holds so much memory
 *   init queue       leaves a message with credentials unread until /accept is there
 *
 * Each says "ready" on its standard output once it is what it shall be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_MS 20

int odd_main(int argc, char **argv);

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
	while (poll(NULL, 0, -1) < 0 && errno == EINTR)
		;
	return 0;
}

int odd_main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "deaf") == 0)
		return deaf(argv[2]);
	if (argc == 4 && strcmp(argv[1], "talk") == 0)
		return talk(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "queue") == 0)
		return queue();
	return 2;
}
