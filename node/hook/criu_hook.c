/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU's action script: fences the network and makes CRIU wait for the verdict of a move.
 *
 * A tiny static program of its own, since CRIU runs it at every stage while the container stands
 * still. It gets everything through the environment of the helper that called liblxc
 * (node/criu/verb.c):
 *
 *   DUNLIN_HOOK_ROLE     source or target
 *   DUNLIN_HOOK_DIR      folder with the daemon's socket move.sock
 *   DUNLIN_HOOK_ID       "OPERATION NAME EPOCH"
 *   DUNLIN_HOOK_HELPER   process that called liblxc, the parent of CRIU
 *   DUNLIN_HOOK_SENT     path that is there while the commit may have been sent
 *   DUNLIN_HOOK_NICS     "bridge:port bridge:port"
 *   DUNLIN_HOOK_FREEZER  file that freezes; _FROZEN and _THAWED: what to write; _KEEP: stay frozen
 *   DUNLIN_HOOK_IMAGES   folder of the images
 *   DUNLIN_HOOK_CGROUP   the payload's folder in each hierarchy of cgroups
 *
 * On the target it says "plug ROLE ID PID" before it puts the interfaces onto their bridges, which
 * a daemon that is there does itself before it ends the connection.
 *
 * It says "hold ROLE ID PID" and waits for one byte, '0' to go on and '1' to give up. A daemon
 * that goes away means giving up on the source while nothing can be committed; in all other cases
 * only the database knows, so the hook waits for the next daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/criu/dad.h"
#include "node/criu/tcp_left.h"
#include "node/host/owner.h"

#define RETRY_MS 100
#define RESET_STEP_MS 200
#define RESET_TRIES 25
#define FRESH_MS 3000 /* a daemon that is there answers by then */
#define PLUG_MS 1000

static const char *env(const char *key)
{
	const char *v = getenv(key);

	return v ? v : "";
}

static bool is_source(void)
{
	return strcmp(env("DUNLIN_HOOK_ROLE"), "source") == 0;
}

static bool commit_may_be_sent(void)
{
	return access(env("DUNLIN_HOOK_SENT"), F_OK) == 0;
}

static FILE *open_image(const char *name, const char *mode)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", env("DUNLIN_HOOK_IMAGES"), name);
	return fopen(path, mode);
}

/* --- network ------------------------------------------------------------------------------ */

static void plug_one(char *bridge, char *port, bool plug)
{
	struct ifreq q = { .ifr_ifindex = (int)if_nametoindex(port) };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", bridge);
	/* A port that is where it should be is fine, and nobody could be told of the rest. */
	ioctl(s, plug ? SIOCBRADDIF : SIOCBRDELIF, &q);
	close(s);
}

static void plug_all(bool plug)
{
	char *list = strdup(env("DUNLIN_HOOK_NICS")), *rest = list, *item;

	while ((item = strsep(&rest, " "))) {
		char *colon = strchr(item, ':');

		if (!colon)
			continue;
		*colon = '\0';
		plug_one(item, colon + 1, plug);
	}
	free(list);
}

/* --- connections that nobody holds -------------------------------------------------------- */

static bool enter_container(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", env("CRTOOLS_INIT_PID"));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		perror(path);
		return false;
	}
	close(fd);
	return true;
}

/* In a process of its own, which may enter the container's network. */
static void in_container(void (*fn)(void *arg), void *arg, bool wait)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid(); /* CRIU's end is not ours */
		if (enter_container())
			fn(arg);
		_exit(0);
	}
	while (wait && pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

struct left {
	int n;
	struct tcp_left v[TCP_LEFT_MAX];
};

static void note_left(void *arg)
{
	struct left *left = arg;
	FILE *f = open_image(TCP_LEFT, "we");

	left->n = tcp_left_find(left->v, TCP_LEFT_MAX);
	if (left->n < 0)
		perror("connections");
	if (f && left->n > 0)
		fwrite(left->v, sizeof(left->v[0]), (size_t)left->n, f);
	if (f)
		fclose(f);
}

/* The image goes away soon after the daemon was told that the processes run. */
static void read_left(struct left *ret)
{
	FILE *f = open_image(TCP_LEFT, "re");

	ret->n = f ? (int)fread(ret->v, sizeof(ret->v[0]), TCP_LEFT_MAX, f) : 0;
	if (f)
		fclose(f);
}

/* True when all peers were asked. */
static bool reset_left(const struct left *left)
{
	bool all = true;

	for (int i = 0; i < left->n; i++)
		all &= tcp_left_reset(&left->v[i]);
	return all;
}

static void reset_at_once(void *arg)
{
	reset_left(arg);
}

/* What the images had turned off. */
static void ask_for_duplicates(FILE *notes)
{
	char name[16], path[128];
	int value;

	while (notes && fscanf(notes, "%15s %d", name, &value) == 2) {
		FILE *f;

		snprintf(path, sizeof(path), DAD_PATH, name);
		f = fopen(path, "we");
		if (!f || fprintf(f, "%d\n", value) < 0 || fclose(f) != 0)
			perror(path);
	}
}

struct later {
	FILE *dad;
	const struct left *left;
};

/* The resets again, for what was lost on a way that had yet to be learnt. */
static void settle_network(void *arg)
{
	const struct later *later = arg;
	const struct left *left = later->left;

	ask_for_duplicates(later->dad);
	for (int i = 0; left->n > 0 && i < RESET_TRIES && !reset_left(left); i++)
		poll(NULL, 0, RESET_STEP_MS);
}

/* --- cgroups ------------------------------------------------------------------------------ */

static void write_freezer(const char *what)
{
	int fd = open(env("DUNLIN_HOOK_FREEZER"), O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, what, strlen(what)) < 0)
		perror("freezer");
	if (fd >= 0)
		close(fd);
}

/* "MODE UID GID HIERARCHY PATH"; a folder's name has spaces as its maker likes. */
static void give_one(const char *line)
{
	char hierarchy[64], path[4096];
	struct stat st;
	unsigned mode, uid, gid;
	int at = 0;

	if (sscanf(line, "%o %u %u %63[^/ ] %n", &mode, &uid, &gid, hierarchy, &at) != 4 || !at ||
	    strcmp(hierarchy, "..") == 0 || strstr(line + at, "/../") ||
	    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/%s%s", hierarchy,
		     env("DUNLIN_HOOK_CGROUP"), line + at) >= (int)sizeof(path))
		return;
	/* What was there is not always there again: another kernel has other files. */
	if (lstat(path, &st) < 0 || S_ISLNK(st.st_mode))
		return;
	if ((st.st_uid != uid || st.st_gid != gid) && lchown(path, uid, gid) < 0)
		perror(path);
	if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
		perror(path);
}

/* All of them, or those of that name. */
static void give_cgroups(const char *name)
{
	FILE *f = open_image(CGROUP_OWNERS, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while (f && (n = getline(&line, &size, f)) > 0) {
		const char *last = strrchr(line, '/');

		line[n - 1] = '\0';
		if (!name || (last && strcmp(last + 1, name) == 0))
			give_one(line);
	}
	free(line);
	if (f)
		fclose(f);
}

/* --- a CRIU that is killed ---------------------------------------------------------------- */

/* From its first look at them on CRIU holds the tasks by ptrace(2), with the freezer off. With its
 * end they run, on sockets in repair mode, where each read and write fails. */
static void follow(pid_t criu)
{
	unsigned long status = 0;
	int st;

	while (waitpid(criu, &st, __WALL) == criu && WIFSTOPPED(st)) {
		int event = st >> 16;
		bool exits = event == PTRACE_EVENT_EXIT;

		/* Its descriptors are still open and its tasks still stopped. */
		if (exits && ptrace(PTRACE_GETEVENTMSG, criu, NULL, &status) == 0 &&
		    WIFSIGNALED((int)status))
			write_freezer(env("DUNLIN_HOOK_FROZEN"));
		if (event == PTRACE_EVENT_STOP && WSTOPSIG(st) != SIGTRAP)
			ptrace(PTRACE_LISTEN, criu, NULL, NULL);
		else
			ptrace(PTRACE_CONT, criu, NULL, event ? 0L : (long)WSTOPSIG(st));
	}
}

/* That of a CRIU that has just died is somebody else. */
static bool is_criu(pid_t pid)
{
	char path[64], text[512], parent[16];
	const char *after;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
	if (f)
		fclose(f);
	after = strrchr(text, ')');
	return after && sscanf(after, ") %*c %15s", parent) == 1 &&
	       strcmp(parent, env("DUNLIN_HOOK_HELPER")) == 0;
}

/* Leaves a process that freezes the container when CRIU is killed, and goes with CRIU. Without
 * one the move is less safe, not impossible. */
static void guard(void)
{
	pid_t criu = getppid();
	int ready[2];
	char c;

	if (!is_criu(criu) || pipe2(ready, O_CLOEXEC) < 0)
		return;
	if (fork() == 0) {
		setsid();
		if (ptrace(PTRACE_SEIZE, criu, NULL, PTRACE_O_TRACEEXIT) < 0)
			_exit(1);
		close(ready[0]);
		close(ready[1]);
		follow(criu);
		_exit(0);
	}
	close(ready[1]);
	while (read(ready[0], &c, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
}

/* --- the daemon --------------------------------------------------------------------------- */

static int dial(const char *word)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "move.sock" };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[512];
	int n = snprintf(line, sizeof(line), "%s %s %s %s\n", word, env("DUNLIN_HOOK_ROLE"),
			 env("DUNLIN_HOOK_ID"), env("CRTOOLS_INIT_PID"));

	if (s >= 0 && connect(s, (struct sockaddr *)&un, sizeof(un)) == 0 &&
	    send(s, line, n, MSG_NOSIGNAL) == n)
		return s;
	if (s >= 0)
		close(s);
	return -1;
}

/* '0' or '1'; 0 when the daemon went away or is not there. */
static char ask(void)
{
	int s = dial("hold");
	ssize_t n = -1;
	char c = 0;

	if (s < 0)
		return 0;
	while ((n = read(s, &c, 1)) < 0 && errno == EINTR)
		;
	close(s);
	return n == 1 ? c : 0;
}

static int await_verdict(void)
{
	char c;

	while ((c = ask()) == 0) {
		if (is_source() && !commit_may_be_sent())
			return 1;
		poll(NULL, 0, RETRY_MS);
	}
	return c == '0' ? 0 : 1;
}

static void stand_still(struct left *left)
{
	/* A CRIU that is killed now would let the tasks go: the freezer keeps them. */
	write_freezer(env("DUNLIN_HOOK_FROZEN"));
	in_container(note_left, left, true);
}

static int hold(struct left *left)
{
	int rc;

	if (is_source())
		stand_still(left);
	rc = await_verdict();
	/* Frozen tasks of a v1 hierarchy cannot even be killed. */
	if (is_source() && rc == 0)
		write_freezer(env("DUNLIN_HOOK_THAWED"));
	return rc;
}

/* Waits for the end of the connection: what was asked for is done, or nobody does it. */
static void call(const char *word, int patience_ms)
{
	struct pollfd pf = { .fd = dial(word), .events = POLLIN };

	if (pf.fd < 0)
		return;
	poll(&pf, 1, patience_ms);
	close(pf.fd);
}

static void tell_resumed(void)
{
	if (!*env("DUNLIN_HOOK_KEEP"))
		write_freezer(env("DUNLIN_HOOK_THAWED"));
	/* CRIU writes it last, and with an owner and a mode that nobody has set. */
	give_cgroups("freezer.state");
	call("resumed", FRESH_MS);
}

/* The daemon has packets that come first. */
static void plug_in(struct left *left)
{
	call("plug", PLUG_MS);
	plug_all(true);
	read_left(left);
	if (left->n > 0)
		in_container(reset_at_once, left, true);
}

int main(void)
{
	const char *stage = env("CRTOOLS_SCRIPT_ACTION");
	struct left *left = calloc(1, sizeof(*left)); /* the end of the process frees it */

	if (!left || chdir(env("DUNLIN_HOOK_DIR")) < 0)
		return 0;
	if (is_source()) {
		if (strcmp(stage, "network-lock") == 0) {
			guard();
		} else if (strcmp(stage, "network-unlock") == 0 && !commit_may_be_sent()) {
			plug_all(true);
		}
		return strcmp(stage, "post-dump") == 0 ? hold(left) : 0;
	}
	if (strcmp(stage, "setup-namespaces") == 0) {
		/* One that was just being moved into a cgroup has its file open. */
		give_cgroups(NULL);
	} else if (strcmp(stage, "network-unlock") == 0) {
		plug_in(left);
	} else if (strcmp(stage, "pre-resume") == 0) {
		give_cgroups(NULL);
	} else if (strcmp(stage, "post-resume") == 0) {
		struct later later = { open_image(DAD_NOTES, "re"), left };

		read_left(left);
		tell_resumed();
		in_container(settle_network, &later, false);
	}
	return strcmp(stage, "post-restore") == 0 ? hold(left) : 0;
}
