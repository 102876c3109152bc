/* SPDX-License-Identifier: Apache-2.0 */
/* bench/write.c - write SOCKET WORKERS COUNT: COUNT single-row writes through the API (a PATCH
 * of a profile of its own per worker, over a keep-alive connection each), and prints the writes
 * per second.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

struct job {
	const char *path;
	uint64_t index, count;
	pthread_t thread;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!str_copy(a.sun_path, sizeof(a.sun_path), path) ||
	    connect(fd, (void *)&a, sizeof(a)) < 0)
		die(path);
	return fd;
}

/* The status of the answer; its body is small and comes with the head. */
static int exchange(int fd, const char *method, const char *path, const char *body)
{
	_free_ char *text = xasprintf("%s %s HTTP/1.1\r\nHost: dunlin\r\n"
				      "Content-Type: application/json\r\n"
				      "Content-Length: %zu\r\n\r\n%s",
				      method, path, strlen(body), body);
	char in[8192];
	size_t len = 0;

	if (write(fd, text, strlen(text)) < 0)
		die("write");
	for (;;) {
		ssize_t n = read(fd, in + len, sizeof(in) - 1 - len);
		char *head_end, *length;

		if (n <= 0)
			die("read");
		len += n;
		in[len] = '\0';
		head_end = strstr(in, "\r\n\r\n");
		length = strcasestr(in, "content-length:");
		if (head_end && length &&
		    head_end + 4 - in + strtoull(length + 15, NULL, 10) <= len)
			return (int)strtol(in + strlen("HTTP/1.1 "), NULL, 10);
	}
}

static void expect(int status, int want, const char *what)
{
	if (status == want)
		return;
	fprintf(stderr, "%s: status %d\n", what, status);
	exit(1);
}

static void *work(void *arg)
{
	struct job *j = arg;
	_free_ char *path = xasprintf("/1.0/profiles/bench-%d", (int)j->index);
	int fd = dial(j->path);

	for (uint64_t i = 0; i < j->count; i++) {
		_free_ char *body = xasprintf("{\"config\":{\"user.n\":\"%d\"}}", (int)i);

		expect(exchange(fd, "PATCH", path, body), 200, "PATCH");
	}
	close(fd);
	return NULL;
}

static void each_profile(const char *sock, uint64_t n, bool create)
{
	int fd = dial(sock);

	for (uint64_t i = 0; i < n; i++) {
		_free_ char *path = xasprintf("/1.0/profiles/bench-%d", (int)i);
		_free_ char *body = xasprintf("{\"name\":\"bench-%d\"}", (int)i);

		if (create)
			expect(exchange(fd, "POST", "/1.0/profiles", body), 201, "POST");
		else
			expect(exchange(fd, "DELETE", path, ""), 200, "DELETE");
	}
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t workers, count;
	struct job *jobs;
	int64_t start;

	if (argc != 4 || !str_to_u64(argv[2], 256, &workers) || !workers ||
	    !str_to_u64(argv[3], 1000000, &count)) {
		fprintf(stderr, "usage: write SOCKET WORKERS COUNT\n");
		return 2;
	}
	each_profile(argv[1], workers, true);
	jobs = xcalloc(workers, sizeof(*jobs));
	start = clock_us();
	for (uint64_t i = 0; i < workers; i++) {
		jobs[i] = (struct job){ argv[1], i, count / workers, 0 };
		pthread_create(&jobs[i].thread, NULL, work, &jobs[i]);
	}
	for (uint64_t i = 0; i < workers; i++)
		pthread_join(jobs[i].thread, NULL);
	printf("%.0f\n", count / workers * workers * 1e6 / (clock_us() - start));
	each_profile(argv[1], workers, false);
	free(jobs);
	return 0;
}
