/* SPDX-License-Identifier: Apache-2.0 */
/* CRIU's action script: fences the network and makes CRIU wait for the verdict of a move.
 *
 * A tiny static program of its own, since CRIU runs it at every stage while the container stands
 * still. It gets everything through the environment of the helper that called liblxc
 * (node/helper_criu.c):
 *
 *   DUNLIN_HOOK_ROLE     source or target
 *   DUNLIN_HOOK_DIR      folder with the daemon's socket move.sock
 *   DUNLIN_HOOK_ID       "OPERATION NAME EPOCH"
 *   DUNLIN_HOOK_SENT     file in DIR: there while the commit may have been sent
 *   DUNLIN_HOOK_NICS     "bridge:port bridge:port"
 *   DUNLIN_HOOK_FREEZER  file that freezes; _FROZEN and _THAWED: what to write; _KEEP: stay frozen
 *   DUNLIN_HOOK_CG2      v2 folder of the payload
 *
 * It says "hold ROLE ID PID" and waits for one byte, '0' to go on and '1' to give up. A daemon
 * that goes away means giving up on the source while nothing can be committed; in all other cases
 * only the database knows, so the hook waits for the next daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 100
#define FRESH_MS 3000 /* a daemon that is there answers by then */

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

/* --- cgroups ------------------------------------------------------------------------------ */

static void write_freezer(const char *what)
{
	int fd = open(env("DUNLIN_HOOK_FREEZER"), O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, what, strlen(what)) < 0)
		perror("freezer");
	if (fd >= 0)
		close(fd);
}

static int give_folder(const char *path, const struct stat *st, int type,
		       struct FTW *ftw __attribute__((unused)))
{
	static const char *const files[] = { "cgroup.procs", "cgroup.threads",
					     "cgroup.subtree_control" };
	char file[4096];

	for (size_t i = 0; type == FTW_D && i < sizeof(files) / sizeof(*files); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i]);
		if (lchown(file, st->st_uid, st->st_gid) < 0 && errno != ENOENT)
			perror(file);
	}
	return 0;
}

/* CRIU restores the owner of v2 folders, not that of the files through which an init moves
 * processes. */
static void give_cgroups(void)
{
	if (*env("DUNLIN_HOOK_CG2"))
		nftw(env("DUNLIN_HOOK_CG2"), give_folder, 16, FTW_PHYS);
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

static int hold(void)
{
	int rc;

	/* A CRIU that is killed now would let the tasks go: the freezer keeps them. */
	if (is_source())
		write_freezer(env("DUNLIN_HOOK_FROZEN"));
	rc = await_verdict();
	/* Frozen tasks of a v1 hierarchy cannot even be killed. */
	if (is_source() && rc == 0)
		write_freezer(env("DUNLIN_HOOK_THAWED"));
	return rc;
}

static void tell_resumed(void)
{
	struct pollfd pf = { .events = POLLIN };

	if (!*env("DUNLIN_HOOK_KEEP"))
		write_freezer(env("DUNLIN_HOOK_THAWED"));
	pf.fd = dial("resumed");
	if (pf.fd < 0)
		return;
	shutdown(pf.fd, SHUT_WR);
	poll(&pf, 1, FRESH_MS);
	close(pf.fd);
}

int main(void)
{
	const char *stage = env("CRTOOLS_SCRIPT_ACTION");

	if (chdir(env("DUNLIN_HOOK_DIR")) < 0)
		return 0;
	if (is_source()) {
		if (strcmp(stage, "network-lock") == 0)
			plug_all(false);
		else if (strcmp(stage, "network-unlock") == 0 && !commit_may_be_sent())
			plug_all(true);
		return strcmp(stage, "post-dump") == 0 ? hold() : 0;
	}
	if (strcmp(stage, "network-unlock") == 0)
		plug_all(true);
	else if (strcmp(stage, "pre-resume") == 0)
		give_cgroups();
	else if (strcmp(stage, "post-resume") == 0)
		tell_resumed();
	return strcmp(stage, "post-restore") == 0 ? hold() : 0;
}
