/* SPDX-License-Identifier: Apache-2.0 */
#include "node/criu/strays.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define ARGUMENTS_MAX (64 << 10)
#define CHILDREN_MAX (64 << 10)
#define SEARCH_MS 5 /* nobody tells when it is called */

struct strays {
	const char *images;
	pthread_t thread;
	int over;
};

/* The children of this process. */
struct seen {
	const char *images;
	pid_t dumps; /* one that was called "criu dump ... -D IMAGES ...", or a fork of it; or 0 */
	bool ended;  /* one is dead: CRIU itself, which liblxc waits for at last */
};

static void look_at(struct seen *seen, pid_t pid)
{
	_free_ char *path = xasprintf("/proc/%d/cmdline", pid);
	struct err ignored;
	size_t len = 0;
	_free_ char *text = io_read_file(path, ARGUMENTS_MAX, &len, &ignored);
	bool dump = false, ours = false;

	for (const char *s = text; s && s < text + len; s += strlen(s) + 1) {
		dump |= str_eq(s, "dump");
		ours |= str_eq(s, seen->images);
	}
	seen->dumps = dump && ours ? pid : seen->dumps;
	seen->ended |= text && len == 0; /* only the dead have none: proc(5) */
}

/* A thread's children are its own; those whose parent has ended come to any of them. */
static void look(const char *images, struct seen *ret)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	*ret = (struct seen){ .images = images };
	while (d && (e = readdir(d))) {
		_free_ char *path = xasprintf("/proc/self/task/%s/children", e->d_name);
		struct err ignored;
		_free_ char *text = io_read_file(path, CHILDREN_MAX, NULL, &ignored);
		char *rest = text, *word;
		uint64_t pid;

		while ((word = strsep(&rest, " ")))
			if (str_to_u64(word, INT32_MAX, &pid))
				look_at(ret, (pid_t)pid);
	}
	if (d)
		closedir(d);
}

/* False once all is over. */
static bool await(const struct strays *s, int fd, int ms)
{
	struct pollfd pf[] = { { .fd = s->over, .events = POLLIN },
			       { .fd = fd, .events = POLLIN } };

	while (poll(pf, ARRAY_SIZE(pf), ms) < 0)
		;
	return !pf[0].revents;
}

static void *watch(void *arg)
{
	struct strays *s = arg;
	bool going = true;
	struct seen seen;

	while (going) {
		look(s->images, &seen);
		if (!seen.dumps) {
			going = await(s, -1, SEARCH_MS);
			continue;
		}
		_close_ int fd = (int)syscall(SYS_pidfd_open, seen.dumps, 0);

		/* It is still a child: nobody else has its number. What it has forked itself comes
		 * here before its end is told. */
		if (seen.ended)
			kill(seen.dumps, SIGKILL);
		going = fd < 0 ? await(s, -1, SEARCH_MS) : await(s, fd, -1);
	}
	return NULL;
}

struct strays *strays_begin(const char *images)
{
	struct strays *s = xnew(struct strays);
	struct err err;

	s->images = images;
	s->over = wake_new();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (thread_start(&s->thread, "strays", watch, s, &err) == 0)
		return s;
	log_err(LOG_WARN, "nobody looks after what a killed CRIU leaves", &err);
	close(s->over);
	free(s);
	return NULL;
}

void strays_end(struct strays *s)
{
	if (!s)
		return;
	wake_set(s->over);
	pthread_join(s->thread, NULL);
	close(s->over);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	free(s);
}
