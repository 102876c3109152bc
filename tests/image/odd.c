/* SPDX-License-Identifier: Apache-2.0 */
/* tests/image/odd.c - processes with what a move finds hard, as commands of the test image's init:
 *
 *   init deaf PORT   listens on TCP, but accepts only once /accept is there; says "late"
 *   init queue       leaves a message with credentials unread until /accept is there
 *
 * Each says "ready" on its standard output once it is what it shall be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
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

static int deaf(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int s = socket(AF_INET6, SOCK_STREAM, 0), c;

	if (bind(s, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(s, 16) < 0)
		return 1;
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
		return deaf((int)strtoul(argv[2], NULL, 10));
	if (argc == 2 && strcmp(argv[1], "queue") == 0)
		return queue();
	return 2;
}
