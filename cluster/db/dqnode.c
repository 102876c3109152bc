/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/db/dqnode.h"

#include <assert.h>
#include <dirent.h>
#include <dqlite.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "cluster/db/raftlink.h"

/* A dead peer is dialled this long before dqlite is told; it comes back at its next heartbeat. */
#define DIAL_MS 1000
#define REDIAL_MS 100
/* Entries of the log between snapshots, and kept behind one; all of them are in memory. A snapshot
 * copies the whole database, so a large one is copied less often. */
#define SNAPSHOT_SMALL 96
#define SNAPSHOT_LARGE 1024
#define LARGE_BYTES (4 << 20) /* of a compressed snapshot */

/* One relayed connection. */
struct link {
	struct dqnode *node;
	struct stream *local, *remote; /* remote is NULL while dialling */
	char uuid[64];                 /* outbound: whom to dial */
	struct link *next;
};

struct dqnode {
	int refs;
	dqlite_node *node;
	uint64_t id;
	unsigned latency_ms;
	struct stream *(*dial)(void *arg, const char *uuid, int64_t deadline, struct err *err);
	void *arg;
	char *socket;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* links or stopping */
	struct link *links;
	bool stopping;
};

uint64_t dqnode_id(const struct dqnode *n)
{
	return n->id;
}

unsigned dqnode_latency_ms(const struct dqnode *n)
{
	return n->latency_ms;
}

const char *dqnode_socket(const struct dqnode *n)
{
	return n->socket;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool link_add(struct link *l)
{
	struct dqnode *n = l->node;
	bool ok;

	pthread_mutex_lock(&n->lock);
	ok = !n->stopping;
	if (ok) {
		l->next = n->links;
		n->links = l;
	}
	pthread_mutex_unlock(&n->lock);
	return ok;
}

static void link_remove(struct link *l)
{
	struct dqnode *n = l->node;

	pthread_mutex_lock(&n->lock);
	for (struct link **pp = &n->links; *pp; pp = &(*pp)->next) {
		if (*pp == l) {
			*pp = l->next;
			break;
		}
	}
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

static void link_shutdown(struct link *l)
{
	stream_shutdown(l->local);
	if (l->remote)
		stream_shutdown(l->remote);
}

static void link_free(struct link *l)
{
	assert(l->local);
	stream_free(l->local);
	stream_free(l->remote);
	free(l);
}

void dqnode_drop_peer(struct dqnode *n, const char *fingerprint)
{
	pthread_mutex_lock(&n->lock);
	for (struct link *l = n->links; l; l = l->next) {
		if (l->remote && str_eq(stream_peer(l->remote), fingerprint))
			link_shutdown(l);
	}
	pthread_mutex_unlock(&n->lock);
}

/* --- outbound --------------------------------------------------------------------------------- */

/* False when it is time to give up. */
static bool wait_to_redial(struct dqnode *n, int64_t deadline)
{
	bool go_on;

	pthread_mutex_lock(&n->lock);
	if (!n->stopping)
		cond_wait_until(&n->changed, &n->lock, deadline_in(REDIAL_MS));
	go_on = !n->stopping && clock_ms() < deadline;
	pthread_mutex_unlock(&n->lock);
	return go_on;
}

static struct stream *dial_peer(void *arg)
{
	struct link *l = arg;
	int64_t deadline = deadline_in(DIAL_MS);
	struct err err = { 0 };
	struct stream *s;

	do {
		s = l->node->dial(l->node->arg, l->uuid, deadline, &err);
		if (s)
			return s;
	} while (wait_to_redial(l->node, deadline));
	log_debug("raft peer unreachable", "uuid", l->uuid, "why", err.msg);
	return NULL;
}

static void publish_remote(void *arg, struct stream *remote)
{
	struct link *l = arg;

	pthread_mutex_lock(&l->node->lock);
	l->remote = remote;
	if (remote && l->node->stopping)
		stream_shutdown(remote);
	pthread_mutex_unlock(&l->node->lock);
}

static void *outbound(void *arg)
{
	struct link *l = arg;

	raftlink_run(l->local, &(struct raftlink_opts){ dial_peer, publish_remote, l });
	link_remove(l);
	link_free(l);
	return NULL;
}

/* dqlite's connect function; runs on libuv's pool and must not wait. */
static int connect_peer(void *arg, const char *uuid, int *ret_fd)
{
	struct dqnode *n = arg;
	struct err err = { 0 };
	struct link *l;
	int sp[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp) < 0)
		return 1;
	l = xnew(struct link);
	l->node = n;
	l->local = stream_from_fd(sp[1]);
	str_copy(l->uuid, sizeof(l->uuid), uuid);
	if (!link_add(l)) {
		link_free(l);
		close(sp[0]);
		return 1;
	}
	if (thread_detached("raft-out", outbound, l, &err) < 0) {
		log_err(LOG_WARN, "raft connection", &err);
		link_remove(l);
		link_free(l);
		close(sp[0]);
		return 1;
	}
	*ret_fd = sp[0];
	return 0;
}

/* --- inbound ---------------------------------------------------------------------------------- */

static int connect_local(const struct dqnode *n)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(n->socket);
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || len >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, n->socket, len);
	sa.sun_path[0] = '\0';
	len += offsetof(struct sockaddr_un, sun_path);
	if (connect(fd, (struct sockaddr *)&sa, (socklen_t)len) < 0)
		return -1;
	return take_fd(&fd);
}

void dqnode_serve(struct dqnode *n, struct stream *own_stream)
{
	struct link *l;
	int fd = connect_local(n);

	assert(own_stream);
	if (fd < 0) {
		stream_free(own_stream);
		return;
	}
	l = xnew(struct link);
	l->node = n;
	l->local = stream_from_fd(fd);
	l->remote = own_stream;
	if (link_add(l)) {
		stream_pump(l->remote, l->local, 0);
		link_remove(l);
	}
	link_free(l);
}

/* --- start and stop --------------------------------------------------------------------------- */

static bool is_listener(const struct dqnode *n, int fd)
{
	size_t want = strlen(n->socket);
	struct sockaddr_un sa = { 0 };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || sa.sun_family != AF_UNIX)
		return false;
	return len == offsetof(struct sockaddr_un, sun_path) + want && sa.sun_path[0] == '\0' &&
	       memcmp(sa.sun_path + 1, n->socket + 1, want - 1) == 0;
}

/* dqlite leaves its listening socket inheritable; containers must not get it. */
static void close_listener_on_exec(const struct dqnode *n)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	uint64_t fd;

	if (!d)
		return;
	while ((e = readdir(d))) {
		if (str_to_u64(e->d_name, INT_MAX, &fd) && is_listener(n, (int)fd))
			fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(d);
}

static int check(struct dqnode *n, int r, const char *what, struct err *err)
{
	const char *why = n->node ? dqlite_node_errmsg(n->node) : NULL;

	if (r == 0)
		return 0;
	return err_set(err, ERR_INTERNAL, "start the database node: %s: %s", what,
		       str_empty(why) ? "refused" : why);
}

static bool is_large(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	bool large = false;

	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (str_starts(e->d_name, "snapshot-") &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			large = large || st.st_size > LARGE_BYTES;
	}
	closedir(d);
	return large;
}

static int configure(struct dqnode *n, const struct dqnode_opts *o, struct err *err)
{
	unsigned entries = is_large(o->dir) ? SNAPSHOT_LARGE : SNAPSHOT_SMALL;

	if (check(n, dqlite_node_set_bind_address(n->node, "@"), "bind", err) < 0)
		return -1;
	if (check(n, dqlite_node_set_connect_func(n->node, connect_peer, n), "connect", err) < 0)
		return -1;
	if (check(n, dqlite_node_set_network_latency_ms(n->node, o->latency_ms), "latency", err) <
	    0)
		return -1;
	return check(n, dqlite_node_set_snapshot_params(n->node, entries, entries), "snapshots",
		     err);
}

struct dqnode *dqnode_ref(struct dqnode *n)
{
	__atomic_add_fetch(&n->refs, 1, __ATOMIC_RELAXED);
	return n;
}

void dqnode_unref(struct dqnode *n)
{
	int left = n ? __atomic_sub_fetch(&n->refs, 1, __ATOMIC_ACQ_REL) : 1;

	assert(left >= 0);
	if (left > 0)
		return;
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->changed);
	free(n->socket);
	free(n);
}

/* dqlite writes to sockets whose peer may be gone. */
static void ignore_sigpipe(void)
{
	struct sigaction sa;

	if (sigaction(SIGPIPE, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

struct dqnode *dqnode_start(const struct dqnode_opts *o, struct err *err)
{
	struct dqnode *n;

	if (io_folder(o->dir, 0700, err) < 0)
		return NULL;
	ignore_sigpipe();
	n = xnew(struct dqnode);
	n->refs = 1;
	pthread_mutex_init(&n->lock, NULL);
	cond_init(&n->changed);
	n->id = o->id;
	n->latency_ms = o->latency_ms;
	n->dial = o->dial;
	n->arg = o->arg;
	if (check(n, dqlite_node_create(o->id, o->address, o->dir, &n->node), o->dir, err) < 0 ||
	    configure(n, o, err) < 0 || check(n, dqlite_node_start(n->node), "run", err) < 0) {
		if (n->node)
			dqlite_node_destroy(n->node);
		dqnode_unref(n);
		return NULL;
	}
	n->socket = xstrdup(dqlite_node_get_bind_address(n->node));
	close_listener_on_exec(n);
	return n;
}

static void stop_links(struct dqnode *n)
{
	pthread_mutex_lock(&n->lock);
	n->stopping = true;
	for (struct link *l = n->links; l; l = l->next)
		link_shutdown(l);
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void dqnode_stop(struct dqnode *n)
{
	assert(n->node);
	stop_links(n);
	dqlite_node_stop(n->node);
	pthread_mutex_lock(&n->lock);
	while (n->links)
		pthread_cond_wait(&n->changed, &n->lock);
	pthread_mutex_unlock(&n->lock);
	dqlite_node_destroy(n->node);
	n->node = NULL;
}
