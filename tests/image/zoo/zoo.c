/* SPDX-License-Identifier: Apache-2.0 */
/* zoo.c - keeps processes in the states of a table:
 *
 *   zoo list           the names of all states
 *   zoo start NAME...  makes them: a process each, which stays; says for each "NAME ready", or
 *                      "NAME absent" with what this kernel or container does not have
 *   zoo check          asks those that are there: "NAME same", "NAME differs" with what, or
 *                      "NAME silent"
 *   zoo end            ends them all
 */
#include "tests/image/zoo/zoo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DIR_PATH "/zoo"
#define ANSWERS DIR_PATH "/answers"
#define ASK SIGUSR1
#define WAIT_MS 5000
#define STEP_MS 10
#define MAKE_MS 20000
#define ANSWER_MS 30000
#define STATES_MAX 400

static const struct state *const tables[] = {
	zoo_files,   zoo_events, zoo_ipc,       zoo_memory,     zoo_sockets,
	zoo_streams, zoo_tasks,  zoo_relations, zoo_namespaces, zoo_mounts,
};

static const char *name;
static char why[256];

/* --- for the states ------------------------------------------------------------------------ */

bool zoo_fails(const char *what)
{
	if (!why[0])
		snprintf(why, sizeof(why), "%s (%s)", what, strerror(errno));
	return false;
}

void zoo_wait(void)
{
	for (;;)
		pause();
}

static pid_t child_of(bool (*begin)(void), int told)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getpid() != 1)
		_exit(1);
	if (!begin()) {
		dprintf(told, "%s", why);
		_exit(1);
	}
	if (told >= 0) {
		dprintf(told, "!");
		close(told);
	}
	zoo_wait();
}

pid_t zoo_child(bool (*begin)(void))
{
	return child_of(begin, -1);
}

pid_t zoo_child_ready(bool (*begin)(void))
{
	int told[2];
	pid_t pid;
	ssize_t n;

	if (pipe(told) < 0)
		return -1;
	pid = child_of(begin, told[1]);
	close(told[1]);
	n = read(told[0], why, sizeof(why) - 1);
	close(told[0]);
	why[n > 0 ? n : 0] = '\0';
	if (strcmp(why, "!") != 0)
		return -1;
	why[0] = '\0';
	return pid;
}

int zoo_status(pid_t pid)
{
	int status;

	for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		poll(NULL, 0, STEP_MS);
	}
	return -1;
}

bool zoo_lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

bool zoo_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

bool zoo_reads(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[256] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	return n >= 0 && strncmp(buf, text, strlen(text)) == 0;
}

bool zoo_readable(int fd)
{
	struct pollfd pf = { .fd = fd, .events = POLLIN };

	return poll(&pf, 1, WAIT_MS) == 1 && (pf.revents & POLLIN);
}

bool zoo_hears(int fd, const char *text)
{
	char buf[256] = "";

	return zoo_readable(fd) && read(fd, buf, sizeof(buf) - 1) == (ssize_t)strlen(text) &&
	       strcmp(buf, text) == 0;
}

int zoo_device(const char *path, unsigned minor)
{
	mkdir("/dev/net", 0755);
	mknod(path, S_IFCHR | 0600, makedev(10, minor));
	return open(path, O_RDWR);
}

const char *zoo_path(const char *what)
{
	static char paths[8][128];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), DIR_PATH "/%s-%s", name, what);
	return path;
}

/* --- a keeper: the process that is in a state ---------------------------------------------- */

static void keep(const struct state *s)
{
	sigset_t ask;
	bool same;
	int sig, fd;

	sigemptyset(&ask);
	sigaddset(&ask, ASK);
	for (;;) {
		if (sigwait(&ask, &sig) != 0)
			continue;
		why[0] = '\0';
		errno = 0;
		same = !s->same || s->same();
		fd = open(ANSWERS, O_WRONLY | O_CLOEXEC);
		dprintf(fd, "%s %s%s\n", s->name, same ? "same" : "differs ", why);
		close(fd);
	}
}

static void become(const struct state *s, int told)
{
	_Static_assert(sizeof(pid_t) == sizeof(int), "as it is printed");
	char path[128];
	sigset_t ask;
	int null = open("/dev/null", O_RDWR), file;

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	setsid();
	prctl(PR_SET_NAME, s->name);
	name = s->name;
	sigemptyset(&ask);
	sigaddset(&ask, ASK);
	sigprocmask(SIG_BLOCK, &ask, NULL);
	snprintf(path, sizeof(path), DIR_PATH "/%s.pid", name);
	file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	dprintf(file, "%d", (int)getpid());
	close(file);
	fcntl(told, F_SETFD, FD_CLOEXEC);
	if (!s->make()) {
		unlink(path);
		dprintf(told, "%s absent %s\n", name, why);
		_exit(1);
	}
	dprintf(told, "%s ready\n", name);
	close(told);
	keep(s);
}

/* --- the driver ---------------------------------------------------------------------------- */

static const struct state *find(const char *wanted)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct state *s = tables[i]; s->name; s++) {
			if (strcmp(s->name, wanted) == 0)
				return s;
		}
	}
	return NULL;
}

static int list(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		for (const struct state *s = tables[i]; s->name; s++)
			printf("%s\n", s->name);
	}
	return 0;
}

static int start_one(const char *wanted)
{
	const struct state *s = find(wanted);
	char line[300] = "";
	struct pollfd told;
	int pair[2];
	ssize_t n;

	if (!s || pipe(pair) < 0)
		return fprintf(stderr, "there is no %s\n", wanted), 2;
	if (fork() == 0) {
		close(pair[0]);
		become(s, pair[1]);
	}
	close(pair[1]);
	told = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	n = poll(&told, 1, MAKE_MS) == 1 ? read(pair[0], line, sizeof(line) - 1) : -1;
	close(pair[0]);
	if (n > 0)
		printf("%s", line);
	else
		printf("%s absent (it does not say why)\n", wanted);
	return 0;
}

static int start(char **names)
{
	int rc = 0;

	mkdir(DIR_PATH, 0777);
	chmod(DIR_PATH, 0777);
	mkfifo(ANSWERS, 0666);
	chmod(ANSWERS, 0666);
	for (; *names; names++)
		rc |= start_one(*names);
	return rc;
}

struct keeper {
	char name[32];
	pid_t pid;
	bool answered;
};

static size_t keepers(struct keeper *list)
{
	DIR *d = opendir(DIR_PATH);
	struct dirent *e;
	size_t n = 0;

	while (d && n < STATES_MAX && (e = readdir(d))) {
		char path[300], *end = strstr(e->d_name, ".pid");
		FILE *f;

		snprintf(path, sizeof(path), DIR_PATH "/%s", e->d_name);
		f = end ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		snprintf(list[n].name, sizeof(list[n].name), "%.*s", (int)(end - e->d_name),
			 e->d_name);
		list[n].answered = false;
		if (fscanf(f, "%d", &list[n].pid) == 1)
			n++;
		fclose(f);
	}
	if (d)
		closedir(d);
	return n;
}

static void take(struct keeper *list, size_t n, char *line)
{
	size_t len = strcspn(line, " ");

	for (size_t i = 0; i < n; i++) {
		if (strlen(list[i].name) == len && strncmp(list[i].name, line, len) == 0)
			list[i].answered = true;
	}
	printf("%s", line);
}

static int check(void)
{
	static struct keeper list[STATES_MAX];
	size_t n = keepers(list), open_ones = 0;
	int fd = open(ANSWERS, O_RDWR | O_CLOEXEC);
	FILE *answers = fd < 0 ? NULL : fdopen(fd, "r");
	char line[400];

	if (!answers)
		return 1;
	setvbuf(answers, NULL, _IONBF, 0);
	for (size_t i = 0; i < n; i++)
		open_ones += kill(list[i].pid, ASK) == 0;
	while (open_ones > 0) {
		struct pollfd pf = { .fd = fd, .events = POLLIN };

		if (poll(&pf, 1, ANSWER_MS) != 1 || !fgets(line, sizeof(line), answers))
			break;
		take(list, n, line);
		open_ones--;
	}
	for (size_t i = 0; i < n; i++) {
		if (!list[i].answered)
			printf("%s silent\n", list[i].name);
	}
	return 0;
}

static int end(void)
{
	static struct keeper list[STATES_MAX];
	size_t n = keepers(list);

	for (size_t i = 0; i < n; i++) {
		char path[128];

		kill(list[i].pid, SIGKILL);
		snprintf(path, sizeof(path), DIR_PATH "/%.31s.pid", list[i].name);
		unlink(path);
	}
	return 0;
}

int main(int argc, char **argv)
{
	setlinebuf(stdout);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc > 2 && strcmp(argv[1], "start") == 0)
		return start(argv + 2);
	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return check();
	if (argc == 2 && strcmp(argv[1], "end") == 0)
		return end();
	fprintf(stderr, "usage: zoo list | start NAME... | check | end\n");
	return 2;
}
