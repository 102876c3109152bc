/* SPDX-License-Identifier: Apache-2.0 */
/* Child side: the pager of node/criu/pages.h.
 *
 * It is ready when it listens, at CRIU's socket, too; a byte tells it that a restore begins. What
 * it has asked for stays in the queue until its answer is complete; whoever comes to carry bytes
 * gets the whole queue anew. When all has come it lets go of the tasks. If anything else ends it,
 * the container is killed. The keeper, a process with the same descriptors, sees to that; when it
 * is killed, too, the vault has them, and a daemon sees to it.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "node/criu/pages.h"
#include "node/criu/uffd.h"
#include "node/helper/verbs.h"
#include "node/host/cgroup.h"
#include "node/host/pids.h"

#define CRIU_SOCKET "lazy-pages.socket"
#define CRIU_FINISHED 0x52535446 /* a word of its protocol, where else a process' number is */
#define KILL_MS 20000
#define KILL_STEP_MS 10
#define AHEAD 8                  /* blocks that are on their way though nobody waits for them */

struct pager {
	const char *images, *name, *cgroup_name;
	int listen, carrier; /* carrier: -1, or who carries bytes just now */
	int criu_listen, criu;
	int daemon; /* until the restore has no more need of what it was allowed */
	int allowed;
	bool finished; /* all tasks are restored */
	bool *over;    /* shared with the keeper: it may go */

	struct uffd u;
	struct vault vault;
	struct page_msg *queue;
	size_t n, sent;
	struct page_msg head; /* of the answer that comes in */
	uint8_t *data;
	size_t have; /* bytes of both */
	uint64_t bytes;
};

/* --- the end ------------------------------------------------------------------------------ */

/* Whoever waits for a page can be killed while it does. */
static void kill_container(const struct pager *p)
{
	int64_t deadline = deadline_in(KILL_MS);

	while (cgroup_kill(p->cgroup_name, p->name, "payload") > 0 && clock_ms() < deadline) {
		/* Frozen tasks of a v1 hierarchy do not die. */
		cgroup_freeze(p->cgroup_name, p->name, false, deadline_in(KILL_STEP_MS),
			      &(struct err){ 0 });
		poll(NULL, 0, KILL_STEP_MS); /* nobody tells when a cgroup of v1 gets empty */
	}
}

static void note_result(const char *key, json_t *own_value)
{
	_json_ json_t *j = json_pack("{so}", key, own_value);
	_free_ char *text = json_text(j);
	struct err err;

	assert(own_value);
	if (io_write_file(PAGES_RESULT, text, strlen(text), 0600, &err) < 0)
		log_err(LOG_WARN, "result of a pager", &err);
}

static void keep(const struct pager *p, int pager)
{
	struct pollfd pf = { .fd = pager, .events = POLLIN };

	setsid();
	prctl(PR_SET_NAME, "dunlin-keeper");
	while (poll(&pf, 1, -1) < 0)
		;
	if (*p->over)
		return;
	kill_container(p);
	note_result("error", json_string("the process that fetched its memory was killed"));
}

static int start_keeper(struct pager *p, struct err *err)
{
	int self = pids_open(getpid(), err);
	long child;

	if (self < 0)
		return -1;
	p->over = mmap(NULL, sizeof(*p->over), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (p->over == MAP_FAILED)
		return err_sys(err, "memory of a pager");
	child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		keep(p, self);
		_exit(0);
	}
	return child < 0 ? err_sys(err, "start the keeper of a pager") : 0;
}

/* --- asking ------------------------------------------------------------------------------- */

static void push(struct pager *p, int64_t number, uint64_t address, uint64_t len)
{
	struct page_msg get = { .cmd = PAGE_GET,
				.pages = len / pages_bytes(1),
				.address = address,
				.process = (uint64_t)number };

	assert(page_msg_is_get(&get));
	p->queue = xrealloc(p->queue, (p->n + 1) * sizeof(*p->queue));
	p->queue[p->n++] = get;
}

static void fault(void *arg, struct lazy_image *image, struct lazy_block *b, uint64_t at)
{
	struct pager *p = arg;

	/* Around it may be mappings that are not there yet. */
	if (!p->finished) {
		push(p, image->number, at, pages_bytes(1));
		return;
	}
	if (b->state != LAZY_UNASKED)
		return;
	b->state = LAZY_ASKED;
	push(p, image->number, b->start, b->len);
	/* What comes next in memory is often next in time. */
	image->cursor = (size_t)(b - image->blocks + 1) % image->n;
}

/* The tasks in turn. */
static void look_ahead(struct pager *p)
{
	bool more = p->finished;

	while (more && p->n < AHEAD) {
		more = false;
		for (size_t i = 0; i < p->u.nimages && p->n < AHEAD; i++) {
			struct lazy_image *image = &p->u.images[i];
			struct lazy_block *b = image->left ? lazy_image_next(image) : NULL;

			if (!b)
				continue;
			b->state = LAZY_ASKED;
			push(p, image->number, b->start, b->len);
			more = true;
		}
	}
}

static void drop_carrier(struct pager *p)
{
	assert(p->sent <= p->n);
	if (p->carrier >= 0)
		close(take_fd(&p->carrier));
	p->sent = 0;
	p->have = 0;
}

static void take_carrier(struct pager *p)
{
	int fd = accept4(p->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	/* Another daemon was started, or has given up on a connection. */
	drop_carrier(p);
	p->carrier = fd;
}

/* Few bytes: a carrier that does not take them is gone. */
static bool tell(struct pager *p, const struct page_msg *m)
{
	if (send(p->carrier, m, sizeof(*m), MSG_NOSIGNAL) == sizeof(*m))
		return true;
	drop_carrier(p);
	return false;
}

static void ask(struct pager *p)
{
	look_ahead(p);
	while (p->carrier >= 0 && p->sent < p->n && tell(p, &p->queue[p->sent]))
		p->sent++;
}

/* --- answers ------------------------------------------------------------------------------ */

static int take_head(struct pager *p, struct err *err)
{
	if (p->head.cmd == PAGE_GONE)
		return err_set(err, ERR_UNAVAILABLE,
			       "its memory was lost on the member that it came from");
	if (p->sent > 0 && page_msg_answers(&p->head, &p->queue[0]))
		return 0;
	if (p->head.cmd != PAGE_PING)
		drop_carrier(p);
	p->have = 0;
	return 0;
}

static int take_data(struct pager *p, struct err *err)
{
	size_t len = pages_bytes(p->head.pages);

	assert(p->n > 0);
	assert(p->sent > 0);
	memmove(p->queue, p->queue + 1, --p->n * sizeof(*p->queue));
	p->sent--;
	p->have = 0;
	p->bytes += len;
	return uffd_install(&p->u, (int64_t)p->head.process, p->head.address, len, p->data, err);
}

static int hear_carrier(struct pager *p, struct err *err)
{
	size_t head = sizeof(p->head);
	bool begun = p->have >= head;
	size_t goal = begun ? head + pages_bytes(p->head.pages) : head;
	void *at = begun ? p->data + (p->have - head) : (uint8_t *)&p->head + p->have;
	ssize_t n = read(p->carrier, at, goal - p->have);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		drop_carrier(p);
		return 0;
	}
	p->have += (size_t)n;
	if (p->have < goal)
		return 0;
	return begun ? take_data(p, err) : take_head(p, err);
}

/* --- CRIU --------------------------------------------------------------------------------- */

/* A process' number, followed by its userfaultfd; one that has ended is negative. */
static int hear_criu(struct pager *p, struct err *err)
{
	int32_t number;
	int fd;

	assert(p->criu >= 0);
	/* It ends with CRIU, finished or not: a restore that failed takes its tasks along. */
	if (recv(p->criu, &number, sizeof(number), MSG_WAITALL) != sizeof(number)) {
		close(take_fd(&p->criu));
		return p->finished ? 0 : err_set(err, ERR_CANCELLED, "the restore has failed");
	}
	if (number == CRIU_FINISHED) {
		p->finished = true;
		return 0;
	}
	if (number <= 0)
		return 0;
	fd = io_recv_fd(p->criu);
	return fd < 0 ? err_sys(err, "userfaultfd of process %d", number)
		      : uffd_add(&p->u, fd, number, err);
}

/* The restore holds, or its daemon has died and it will be given up. */
static void end_allowance(struct pager *p)
{
	assert(p->daemon >= 0);
	close(take_fd(&p->daemon));
	pages_disallow(take_fd(&p->allowed));
}

/* --- until then --------------------------------------------------------------------------- */

#define OTHERS 5

static int hear(struct pager *p, const struct pollfd *pf, struct err *err)
{
	if (pf[4].revents)
		end_allowance(p);
	if (pf[3].revents && p->criu < 0)
		p->criu = accept4(p->criu_listen, NULL, NULL, SOCK_CLOEXEC);
	else if (pf[2].revents && hear_criu(p, err) < 0)
		return -1;
	if (pf[1].revents && hear_carrier(p, err) < 0)
		return -1;
	if (pf[0].revents)
		take_carrier(p);
	return 0;
}

static size_t fill(const struct pager *p, struct pollfd **pf)
{
	const int fds[OTHERS] = { p->listen, p->carrier, p->criu, p->criu < 0 ? p->criu_listen : -1,
				  p->daemon };
	size_t n = OTHERS;

	for (const struct uffd_task *t = p->u.tasks; t; t = t->next)
		n++;
	*pf = xrealloc(*pf, n * sizeof(**pf));
	for (n = 0; n < OTHERS; n++)
		(*pf)[n] = (struct pollfd){ .fd = fds[n], .events = POLLIN };
	for (const struct uffd_task *t = p->u.tasks; t; t = t->next)
		(*pf)[n++] = (struct pollfd){ .fd = t->fd, .events = POLLIN };
	return n;
}

static int any_task(void *arg, pid_t pid)
{
	return 1;
}

/* Who has ended misses nothing, and shows it only when a page comes. */
static bool has_ended(const struct pager *p)
{
	return p->finished &&
	       cgroup_each_pid(p->cgroup_name, p->name, "payload", any_task, NULL) == 0;
}

static int run(struct pager *p, struct err *err)
{
	const struct page_msg alive = { .cmd = PAGE_PING };
	_free_ struct pollfd *pf = NULL;

	while (!p->finished || !uffd_is_complete(&p->u)) {
		size_t n = fill(p, &pf), i = OTHERS;

		if (poll(pf, n, PAGES_PING_MS) == 0) {
			if (has_ended(p))
				return 0;
			if (p->carrier >= 0)
				tell(p, &alive);
		}
		/* Children that come meanwhile stand before them. */
		for (struct uffd_task *t = p->u.tasks, *next; t && i < n; t = next) {
			next = t->next;
			if (pf[i++].revents && uffd_hear(&p->u, t, err) < 0)
				return -1;
		}
		if (hear(p, pf, err) < 0)
			return -1;
		ask(p);
	}
	return 0;
}

/* Relative: the folder's path may be too long for an address. */
static int listen_at(const char *name)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	str_copy(un.sun_path, sizeof(un.sun_path), name);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 4) < 0)
		return -1;
	return take_fd(&fd);
}

static int prepare(struct pager *p, struct err *err)
{
	struct stat st;

	/* The last that the host should end when it is short of memory. */
	io_write_file("/proc/self/oom_score_adj", "-1000", 5, 0, &(struct err){ 0 });
	if (chdir(p->images) < 0 || (p->listen = listen_at(PAGES_SOCKET)) < 0 ||
	    (p->criu_listen = listen_at(CRIU_SOCKET)) < 0)
		return err_sys(err, "listen in %s", p->images);
	/* The container's own root connects to it. */
	if (stat(".", &st) < 0 || chown(CRIU_SOCKET, (uid_t)-1, st.st_gid) < 0 ||
	    chmod(CRIU_SOCKET, 0660) < 0)
		return err_sys(err, "permissions of " CRIU_SOCKET);
	return start_keeper(p, err);
}

static int serve(struct pager *p, struct err *err)
{
	char c;

	if (write(p->daemon, "r", 1) != 1 || read(p->daemon, &c, 1) != 1)
		return err_set(err, ERR_CANCELLED, "the move was given up");
	p->allowed = pages_allow(err);
	if (p->allowed < 0)
		return -1;
	if (write(p->daemon, "c", 1) != 1)
		return err_sys(err, "tell that pages can be asked for");
	return run(p, err);
}

json_t *helper_pages(const json_t *request, struct err *err)
{
	struct pager p = { .images = json_str(request, "images", ""),
			   .name = json_str(request, "name", ""),
			   .cgroup_name = json_str(request, "cgroup_name", ""),
			   .listen = -1,
			   .carrier = -1,
			   .criu_listen = -1,
			   .criu = -1,
			   .daemon = HELPER_FD_EXTRA,
			   .allowed = -1,
			   .vault = { PAGES_FD_IN, PAGES_FD_OUT },
			   .u = { .fault = fault, .arg = &p, .vault = &p.vault },
			   .data = xcalloc(PAGES_BYTES_MAX, 1) };
	bool begun;
	int rc = prepare(&p, err);

	if (rc == 0)
		rc = serve(&p, err);
	begun = p.u.tasks != NULL;
	if (rc < 0 && begun)
		kill_container(&p);
	uffd_done(&p.u);
	/* Else they wait until they are dead. */
	if (rc == 0)
		vault_empty(&p.vault);
	if (begun || rc == 0)
		note_result(rc < 0 ? "error" : "bytes",
			    rc < 0 ? json_string(err->msg) : json_integer((json_int_t)p.bytes));
	if (p.over)
		*p.over = true;
	if (p.daemon >= 0)
		end_allowance(&p);
	return rc < 0 ? NULL : json_pack("{sI}", "bytes", (json_int_t)p.bytes);
}
